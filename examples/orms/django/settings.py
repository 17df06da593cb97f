"""The settings of the example: the database is the one at DATABASE_URL."""

import os

from psycopg2.extensions import parse_dsn  # psycopg 3: from psycopg.conninfo import conninfo_to_dict

connection = parse_dsn(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": connection.pop("dbname"),
        "OPTIONS": connection,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "teams"]
SECRET_KEY = "only for this example"
