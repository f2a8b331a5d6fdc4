"""A fresh ledger for each test, in both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailswitch.ledger.place import open_place
from mailswitch.ledger.postgresql import PostgreSQLPlace
from mailswitch.ledger.sqlite import SQLitePlace
from mailswitch.ledger.store import StoredLedger
from tests.support.databases import postgresql_schema


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    with postgresql_schema() as url:
        yield url


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
