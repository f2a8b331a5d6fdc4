"""A fresh ledger for each test, in both kinds of database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.schema import CreateSchema, DropSchema

from mailswitch.ledger.place import open_place
from mailswitch.ledger.postgresql import PostgreSQLPlace
from mailswitch.ledger.sqlite import SQLitePlace
from mailswitch.ledger.store import StoredLedger


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """A schema of the test's own on the server that the environment names."""
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


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def place(url: str) -> SQLitePlace | PostgreSQLPlace:
    return open_place(url)


@pytest.fixture
def ledger(place: SQLitePlace | PostgreSQLPlace) -> Iterator[StoredLedger]:
    """The place's ledger under the pass lock."""
    with place.locked() as opened:
        yield opened
