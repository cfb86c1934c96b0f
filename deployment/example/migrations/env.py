"""Runs migrations against DATABASE_URL (MIGRATION_DATABASE_URL where the two differ), one runner at a time."""

import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine, pool, text

# Any number, as long as nothing else in this database takes the same advisory lock.
LOCK = 8_273_164

fileConfig(context.config.config_file_name)
url = os.environ.get("MIGRATION_DATABASE_URL") or os.environ["DATABASE_URL"]
engine = create_engine(url, poolclass=pool.NullPool, connect_args={"connect_timeout": 10})

with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()
