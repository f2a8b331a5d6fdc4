"""A world's mailboxes hold what its mail log says was delivered, and the program finds it stranded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailswitch.core.names import DomainName
from mailswitch.evidence.mailboxes import Mailboxes, MailboxSettings
from mailswitch.evidence.stranded import tallies
from mailswitch.simulation.mailboxes import write_mailboxes
from mailswitch.simulation.world import MailKind, WorldMail, WorldMailLog

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOVED = DomainName("moved.example")


def test_what_was_delivered_lies_in_its_mailbox_and_nothing_else(tmp_path: Path) -> None:
    log = WorldMailLog(
        mail=(
            WorldMail(name=MOVED, kind=MailKind.CO_TENANT, number=2, days=3),
            WorldMail(name=MOVED, kind=MailKind.OUTSIDE, mailbox="sales", days=1),
            WorldMail(name=MOVED, kind=MailKind.REFUSED, mailbox="gone"),
            WorldMail(name=MOVED, kind=MailKind.LOG_IN, mailbox="boss"),
        )
    )

    root = write_mailboxes(tmp_path / "mailnames", log, NOW)

    found = {
        one.mailbox: one.messages
        for one in tallies(Mailboxes(MailboxSettings(root=root)), MOVED, since=NOW - timedelta(days=30))
    }
    assert found == {"info": 6, "sales": 1}


def test_a_server_without_a_log_has_mailboxes_of_its_own_that_are_empty(tmp_path: Path) -> None:
    """Without them, the program would look into those of the machine the world runs on."""
    assert list(write_mailboxes(tmp_path / "mailnames", None, NOW).iterdir()) == []
