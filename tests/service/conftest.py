"""Folders whose ledger is in the one kind of database, or in the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import postgresql_schema
from tests.support.ports import keep_ledger_at


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A `Scene`'s folder; each test with it runs once for each database."""
    if request.param == "sqlite":
        yield tmp_path
        return
    with postgresql_schema() as url:
        keep_ledger_at(tmp_path, url)
        yield tmp_path
