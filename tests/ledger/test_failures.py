from __future__ import annotations

import errno
import os
import sqlite3

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.failures import masked, translated


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENOENT])
def test_errors_of_the_file_system_say_what_happened_and_what_to_do(number: int) -> None:
    said = f"cannot make the ledger 'here': {os.strerror(number)}; check that the directory exists"
    with pytest.raises(LedgerError) as caught, translated("make", "'here'"):
        raise OSError(number, os.strerror(number), "/secret/place")

    assert str(caught.value).startswith(said)


def test_a_full_disk_is_told() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count=2")

    with pytest.raises(LedgerError, match="the disk is full; make room"), translated("write to", "'here'"):
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()


def test_values_are_not_repeated_in_messages() -> None:
    engine = create_engine("sqlite://", poolclass=NullPool, hide_parameters=True)

    with (
        pytest.raises(LedgerError) as caught,
        translated("read", "'here'"),
        engine.connect() as connection,
    ):
        connection.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": "s3cr3t"})

    assert isinstance(caught.value.__cause__, DBAPIError)
    assert "s3cr3t" not in f"{caught.value} {caught.value.__cause__}"


def test_long_stories_are_cut_and_kept_on_one_line() -> None:
    with pytest.raises(LedgerError) as caught, translated("read", "'here'"):
        raise sqlite3.OperationalError("what\na \x1b story " * 100)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text_", "secrets", "shown"),
    [
        ("user hush failed", ("hush",), "user *** failed"),
        ("hush-hush and hush", ("hush", "hush-hush"), "*** and ***"),
        ("nothing to hide", ("",), "nothing to hide"),
    ],
)
def test_secrets_are_blotted_out(text_: str, secrets: tuple[str, ...], shown: str) -> None:
    assert masked(text_, secrets) == shown


def test_errors_of_others_pass_through() -> None:
    with pytest.raises(KeyError), translated("read", "'here'"):
        raise KeyError
