from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Integer,
    MetaData,
    NullPool,
    Table,
    create_engine,
    inspect,
    make_url,
    update,
)

from mailswitch.core.errors import LedgerError
from mailswitch.ledger import schema
from mailswitch.ledger.place import open_place
from mailswitch.ledger.reader import EmptyLedger
from mailswitch.ledger.tables import METADATA, REVISIONS, schema_revision
from tests.support.ledger_values import everything


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect past the ledger's own code."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def make(url: str) -> None:
    with open_place(url).locked():
        pass


def test_migrations_make_exactly_the_tables(url: str) -> None:
    make(url)

    with connected(url) as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []


def test_migrations_make_exactly_the_checks(url: str) -> None:
    """Alembic does not compare them."""
    make(url)

    with connected(url) as connection:
        for table in METADATA.sorted_tables:
            made = {check["name"]: check["sqltext"] for check in inspect(connection).get_check_constraints(table.name)}
            wanted = {str(c.name): c for c in table.constraints if isinstance(c, CheckConstraint)}
            assert made.keys() == {
                str(name) if str(name).startswith("ck_") else f"ck_{table.name}_{name}" for name in wanted
            }
            for column in table.columns:
                for word in getattr(column.type, "enums", ()):
                    assert f"'{word}'" in made[f"ck_{table.name}_{column.name}"]


def test_the_program_knows_every_revision_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", schema.MIGRATIONS)
    config.set_main_option("path_separator", "os")

    made = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]

    assert tuple(reversed(made)) == REVISIONS


def test_a_ledger_that_is_not_there_or_empty_reads_as_empty(url: str) -> None:
    reader = open_place(url).reader()

    assert isinstance(reader, EmptyLedger)
    assert not any(everything(reader, "web01"))
    reader.close()


def test_a_ledger_of_a_newer_program_is_left_alone(url: str) -> None:
    make(url)
    with connected(url) as connection:
        connection.execute(update(schema_revision).values(version_num="9999"))
    place = open_place(url)

    with pytest.raises(LedgerError, match="newer mailswitch"):
        place.reader()
    with pytest.raises(LedgerError, match="newer mailswitch"), place.locked():
        pytest.fail("opened")
    with pytest.raises(LedgerError, match="newer mailswitch"), place.writer(wait=timedelta(0)):
        pytest.fail("opened")


def test_a_ledger_of_an_older_program_is_migrated_by_a_pass_and_not_read(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(url)
    monkeypatch.setattr(schema, "REVISIONS", (*REVISIONS, "9998"))

    with pytest.raises(LedgerError, match="run `mailswitch once`"):
        open_place(url).reader()


def test_tables_of_something_else_are_left_alone(url: str) -> None:
    with connected(url) as connection:
        Table("names", MetaData(), Column("id", Integer, primary_key=True)).create(connection)
    place = open_place(url)

    with pytest.raises(LedgerError, match="tables of something else"):
        place.reader()
    with pytest.raises(LedgerError, match="tables of something else"), place.locked():
        pytest.fail("opened")

    with connected(url) as connection:
        assert inspect(connection).get_table_names() == ["names"]


def test_a_current_ledger_is_not_migrated_again(url: str) -> None:
    make(url)
    make(url)

    with connected(url) as connection:
        assert MigrationContext.configure(connection).get_current_heads() == (REVISIONS[-1],)


def test_an_incomplete_installation_is_told_and_leaves_nothing_half_made(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "REVISIONS", (*REVISIONS, "9998"))

    with pytest.raises(LedgerError, match="install it again"), open_place(url).locked():
        pytest.fail("opened")

    with connected(url) as connection:
        assert inspect(connection).get_table_names() == []
