"""Compares the database at DATABASE_URL with the models, as `alembic check` does."""

import os
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from models import Base
from sqlalchemy import create_engine, make_url

url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2")
with create_engine(url).connect() as connection:
    options = {"compare_type": True, "compare_server_default": True}
    differences = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
if differences:
    sys.exit("\n".join(map(repr, differences)))
