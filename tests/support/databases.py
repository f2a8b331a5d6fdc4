"""A PostgreSQL schema of a test's own, on the server that the environment names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.schema import CreateSchema, DropSchema

__all__ = ["postgresql_schema"]


@contextmanager
def postgresql_schema() -> Iterator[str]:
    """Make a schema, give a ledger URL that leads into it, and drop it at the end."""
    base = make_url(os.environ["MAILSWITCH_TEST_POSTGRESQL"]).set(drivername="postgresql+psycopg")
    schema = f"ledger_{uuid4().hex}"
    engine = create_engine(base, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(CreateSchema(schema))
    ours = base.set(drivername="postgresql").update_query_dict({"options": f"-csearch_path={schema}"})
    yield ours.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(DropSchema(schema, cascade=True))
    engine.dispose()
