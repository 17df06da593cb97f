"""Creates the tables of the models in the database at DATABASE_URL."""

import os

from models import Base
from sqlalchemy import create_engine, make_url

url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2")
Base.metadata.create_all(create_engine(url))
