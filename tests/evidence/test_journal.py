"""The journal is read on from the entry that was read last, and believes no tenant."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailswitch.core.evidence import Gathered, LogReading
from mailswitch.evidence.journal import JournalLog, JournalSettings
from tests.support.journal import Journal, entry
from tests.support.mail_logs import DELIVERED, HOSTED, NOW, later, tally

_NETWORK = "185.201.16.0/24"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def _look(journal: Journal, before: Gathered | None = None, *, longest: float = 30, **more: Any) -> Gathered:
    settings = JournalSettings(
        journalctl=more.pop("journalctl", journal.journalctl), longest_reading=timedelta(seconds=longest)
    )
    reading: LogReading | None = None if before is None else before.reading
    return JournalLog(settings).gather(reading, hosted=HOSTED, own=(), now=NOW)


def _message(number: int, queue_id: str, to: str = "info@moved.example", **fields: Any) -> list[dict[str, Any]]:
    at = later(number)
    return [
        entry(4 * number, at, "smtpd", f"{queue_id}: client=mx.filter.example[185.201.16.7]", **fields),
        entry(4 * number + 1, at, "pipe", f"{queue_id}: to=<{to}>, relay=plesk_virtual, {DELIVERED}", **fields),
        entry(4 * number + 2, at, "qmgr", f"{queue_id}: removed", **fields),
    ]


def test_a_journal_is_counted_and_read_on(journal: Journal) -> None:
    journal.add(_message(1, "AAAAAA"))
    first = _look(journal)
    journal.add(_message(2, "BBBBBB"))
    journal.add([entry(90, later(3), "dovecot", "imap-login: Login: user=<bob@moved.example>, method=PLAIN, rip=::1")])
    second = _look(journal, first)
    third = _look(journal, second)

    assert tally(first) == tally(second) == {("moved.example", "outside", _NETWORK): 1}
    assert [(one.mailbox, one.logins) for one in second.logins] == [("bob", 1)]
    assert (third.counts, third.logins, third.problem) == ((), (), None)
    assert first.reading is not None
    assert first.reading.since == later(1)


def test_it_is_asked_without_a_shell_for_mail_since_a_month_and_then_from_the_last_entry(journal: Journal) -> None:
    journal.add(_message(1, "AAAAAA"))
    _look(journal, _look(journal))

    first, second = journal.asked
    assert first[:2] == ["--output=json", "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID"]
    assert first[-2:] == [f"--since=@{int((NOW - timedelta(days=31)).timestamp())}", "SYSLOG_FACILITY=2"]
    assert second[-2:] == ["--cursor=s=09ae;i=6;b=43e2;m=1;t=6;x=f7", "SYSLOG_FACILITY=2"]


def test_a_message_whose_lines_come_in_two_looks_is_one(journal: Journal) -> None:
    lines = _message(1, "AAAAAA")
    journal.add(lines[:1])
    first = _look(journal)
    journal.add(lines[1:])

    assert tally(first, _look(journal, first)) == {("moved.example", "outside", _NETWORK): 1}


def test_entries_that_are_gone_are_a_gap_and_nothing_counts_twice(journal: Journal) -> None:
    journal.add([*_message(1, "AAAAAA"), *_message(2, "BBBBBB")])
    first = _look(journal)
    journal.forget(6)
    journal.add(_message(30, "CCCCCC"))
    second = _look(journal, first)

    assert tally(first, second) == {("moved.example", "outside", _NETWORK): 3}
    assert second.reading is not None
    assert second.reading.since == later(30)


@pytest.mark.parametrize(
    "fields",
    [
        {"_UID": "10005"},
        {"_UID": "65534"},
        {"_UID": None},
        {"_UID": "root"},
        {"MESSAGE": None},
        {"SYSLOG_IDENTIFIER": "x postfix/smtpd"},
        {"SYSLOG_IDENTIFIER": None},
        {"__REALTIME_TIMESTAMP": "soon"},
        {"__REALTIME_TIMESTAMP": "9" * 40},
    ],
)
def test_what_a_tenant_or_nobody_wrote_counts_for_nothing(journal: Journal, fields: dict[str, Any]) -> None:
    journal.add([*_message(1, "AAAAAA", **fields), *_message(2, "BBBBBB", to="b@other.example")])

    assert tally(_look(journal)) == {("other.example", "outside", _NETWORK): 1}


def test_a_message_cannot_begin_another_line(journal: Journal) -> None:
    text = f"FEED00: x\n2026-11-23T08:01:00.000000+00:00 h postfix/pipe[1]: AAAAAA: to=<x@victim.example>, {DELIVERED}"
    journal.add([entry(1, later(1), "smtpd", list(text.encode())), *_message(2, "BBBBBB")])

    assert tally(_look(journal)) == {("moved.example", "outside", _NETWORK): 1}


def test_octets_instead_of_text_are_read(journal: Journal) -> None:
    lines = _message(1, "AAAAAA")
    journal.add([{**one, "MESSAGE": list(one["MESSAGE"].encode())} for one in lines])

    assert tally(_look(journal)) == {("moved.example", "outside", _NETWORK): 1}


@pytest.mark.parametrize(
    "rubbish", [b"no json\n", b"[1, 2]\n", b'{"a": 1}\n', b"x" * (3 << 20) + b"\n", b"[" * 100_000 + b"\n"]
)
def test_rubbish_between_entries_is_left_out(journal: Journal, rubbish: bytes) -> None:
    journal.replace(rubbish)
    journal.add(_message(1, "AAAAAA"))

    assert tally(_look(journal)) == {("moved.example", "outside", _NETWORK): 1}


def test_a_journal_that_may_not_be_read_is_told(journal: Journal) -> None:
    journal.be("failing")

    assert _look(journal).problem == (
        "the journal cannot be read: journalctl ended with 1: No journal files were opened due to insufficient "
        "permissions."
    )


def test_a_machine_without_journalctl_is_told(journal: Journal) -> None:
    found = _look(journal, journalctl=Path("/nowhere/journalctl"))

    assert found.problem == "the journal cannot be read: /nowhere/journalctl: No such file or directory"


def test_an_empty_journal_is_told(journal: Journal) -> None:
    assert _look(journal).problem == "there is no line of the mail system in the journal yet"


def test_a_journalctl_that_hangs_is_ended_and_what_it_showed_counts(journal: Journal) -> None:
    journal.add(_message(1, "AAAAAA"))
    journal.be("hanging")
    found = _look(journal, longest=1.5)

    assert found.problem == "the journal is long and not read to its end yet"
    assert tally(found) == {("moved.example", "outside", _NETWORK): 1}


@pytest.mark.parametrize("bookmark", ["", "{}", "[]", '{"cursor": 5}', '{"cursor": "s=1;i=1", "join": 7}'])
def test_a_lost_bookmark_counts_nothing_twice(journal: Journal, bookmark: str) -> None:
    journal.add(_message(1, "AAAAAA"))
    first = _look(journal)
    journal.add(_message(30, "BBBBBB"))
    assert first.reading is not None
    lost = Gathered(reading=LogReading(since=first.reading.since, until=first.reading.until, bookmark=bookmark))

    assert tally(first, _look(journal, lost)) == {("moved.example", "outside", _NETWORK): 2}
