"""Messages followed in the journal, which believes no tenant."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.errors import MailError
from mailswitch.core.rescue import FateKind
from mailswitch.evidence.follow_journal import FollowedJournal, JournalFates
from tests.evidence.test_fates import BEGIN, SENT, TAKEN, TOKEN
from tests.support.journal import Journal, entry
from tests.support.mail_logs import NOW


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def _add(journal: Journal, number: int, *lines: str, at: datetime = NOW, **fields: object) -> None:
    for place, line in enumerate(lines, start=number):
        program, _, text = line.partition(": ")
        name, _, process = program.removesuffix("]").partition("[")
        journal.add([entry(place, at, name, text, **{"SYSLOG_PID": process, **fields})])


def _followed(journal: Journal, *, since: datetime | None = NOW, seconds: float = 30) -> FollowedJournal:
    source = JournalFates(journalctl=journal.journalctl, patience=timedelta(seconds=seconds))
    return source.follow([TOKEN], since=since)


def test_a_message_is_followed_entry_by_entry(journal: Journal) -> None:
    _add(journal, 1, *BEGIN)
    followed = _followed(journal)
    _add(journal, 3, TAKEN)
    assert followed.look()[TOKEN].kind is FateKind.QUEUED

    _add(journal, 4, SENT)
    assert followed.look()[TOKEN].kind is FateKind.DELIVERED
    followed.close()


def test_it_goes_on_behind_the_last_entry(journal: Journal) -> None:
    _add(journal, 1, *BEGIN)
    _followed(journal).look()

    first, second = journal.asked
    assert first[-2:] == [f"--since=@{int(NOW.timestamp())}", "SYSLOG_FACILITY=2"]
    assert second[-2] == "--cursor=s=09ae;i=2;b=43e2;m=1;t=2;x=f7"


def test_from_now_on_means_now(journal: Journal) -> None:
    _followed(journal, since=None)

    assert journal.asked[0][-2].startswith("--since=@")


def test_a_tenants_entry_tells_nothing(journal: Journal) -> None:
    _add(journal, 1, *BEGIN, TAKEN)
    _add(journal, 4, SENT, _UID="10005")

    assert _followed(journal).look()[TOKEN].kind is FateKind.QUEUED


def test_a_message_that_is_added_later_is_found(journal: Journal) -> None:
    followed = JournalFates(journalctl=journal.journalctl).follow((), since=NOW)
    followed.add(TOKEN)
    _add(journal, 1, *BEGIN, SENT)

    assert followed.look()[TOKEN].kind is FateKind.DELIVERED


def test_a_journal_that_cannot_be_read_is_told(journal: Journal) -> None:
    journal.be("failing")
    with pytest.raises(MailError, match=r"journalctl ended with 1: No journal files were opened.*nobody learns"):
        _followed(journal)
    with pytest.raises(MailError, match=r"/nowhere/journalctl: No such file or directory"):
        JournalFates(journalctl=Path("/nowhere/journalctl")).follow((), since=None)


def test_a_journalctl_that_hangs_is_ended(journal: Journal) -> None:
    journal.be("hanging")

    with pytest.raises(MailError, match="journalctl ended with -9"):
        _followed(journal, seconds=0.3)
