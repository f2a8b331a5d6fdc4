"""A mail log that is read while it is written, rotated and emptied."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.errors import MailError
from mailswitch.core.rescue import FateKind, token_of
from mailswitch.evidence.follow import FollowedLog, PostfixFates
from tests.evidence.test_fates import BEGIN, SENT, TAKEN, TOKEN

NOW = datetime.now(UTC)


def _write(log: Path, *lines: str, end: str = "\n") -> None:
    with log.open("a", encoding="utf-8") as stream:
        stream.write("\n".join(f"Nov 23 08:22:39 web01 postfix/{line}" for line in lines) + end)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "maillog"
    path.touch()
    return path


@pytest.fixture
def followed(log: Path) -> Iterator[FollowedLog]:
    _write(log, *BEGIN)
    found = PostfixFates((log,)).follow([TOKEN], since=None)
    yield found
    found.close()


def _kind(followed: FollowedLog) -> FateKind:
    return followed.look()[TOKEN].kind


def test_only_what_is_logged_from_now_on_counts(log: Path, followed: FollowedLog) -> None:
    _write(log, TAKEN)
    assert _kind(followed) is FateKind.UNSEEN

    _write(log, *BEGIN, TAKEN)
    assert _kind(followed) is FateKind.QUEUED


def test_a_line_counts_when_it_is_whole(log: Path, followed: FollowedLog) -> None:
    _write(log, *BEGIN, TAKEN, SENT[:90], end="")
    assert _kind(followed) is FateKind.QUEUED

    with log.open("a", encoding="utf-8") as stream:
        stream.write(SENT[90:] + "\n")
    assert _kind(followed) is FateKind.DELIVERED


def test_a_rotation_loses_no_line(log: Path, followed: FollowedLog) -> None:
    _write(log, BEGIN[0])
    log.rename(log.with_name("maillog.1"))
    assert _kind(followed) is FateKind.UNSEEN  # between two files
    _write(log.with_name("maillog.1"), BEGIN[1])
    log.touch()
    _write(log, TAKEN)
    assert _kind(followed) is FateKind.QUEUED

    _write(log, SENT)
    assert _kind(followed) is FateKind.DELIVERED


def test_a_log_that_is_emptied_in_its_place_is_read_on(log: Path, followed: FollowedLog) -> None:
    _write(log, *BEGIN, *["anvil[1]: statistics"] * 50)
    assert _kind(followed) is FateKind.UNSEEN
    log.write_bytes(b"")

    _write(log, TAKEN)

    assert _kind(followed) is FateKind.QUEUED


def test_the_past_is_found_in_rotated_and_compressed_files(log: Path) -> None:
    _write(log, *BEGIN)
    log.with_name("maillog.2.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.write_bytes(b"")
    _write(log, TAKEN)
    log.rename(log.with_name("maillog.1"))
    os.utime(log.with_name("maillog.2.gz"), (NOW.timestamp() - 60, NOW.timestamp() - 60))
    _write(log, SENT)

    followed = PostfixFates((log,)).follow([TOKEN], since=NOW - timedelta(hours=1))

    assert _kind(followed) is FateKind.DELIVERED
    followed.close()


def test_several_logs_are_followed_together(tmp_path: Path, log: Path) -> None:
    second = tmp_path / "second"
    second.touch()
    followed = PostfixFates((log, second)).follow((), since=None)
    other = token_of("e" * 32, "web01.example")
    followed.add(TOKEN)
    followed.add(other)
    _write(log, *BEGIN, TAKEN)
    _write(second, *(line.replace("C90F326626B", "D1234567") for line in (BEGIN[1].replace(TOKEN, other), SENT)))

    assert {token: fate.kind for token, fate in followed.look().items()} == {
        TOKEN: FateKind.QUEUED,
        other: FateKind.DELIVERED,
    }
    followed.close()


def test_a_line_without_an_end_takes_no_memory(log: Path, followed: FollowedLog) -> None:
    with log.open("ab") as stream:
        stream.write(b"x" * 5_000_000)
    _kind(followed)
    with log.open("ab") as stream:
        stream.write(b"\n")
    _write(log, *BEGIN, TAKEN)

    assert _kind(followed) is FateKind.QUEUED


@pytest.mark.parametrize("since", [None, NOW])
def test_a_log_that_is_not_there_is_told(tmp_path: Path, since: datetime | None) -> None:
    with pytest.raises(MailError, match="without it nobody learns what the other side answers"):
        PostfixFates((tmp_path / "missing",)).follow([TOKEN], since=since)


def test_the_first_usual_place_there_is_is_read(tmp_path: Path, log: Path) -> None:
    followed = PostfixFates(places=(tmp_path / "missing", log)).follow([TOKEN], since=None)
    _write(log, *BEGIN, TAKEN)

    assert _kind(followed) is FateKind.QUEUED
    followed.close()
