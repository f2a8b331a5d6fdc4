"""A world's mail log is read like a real one, and counts what the world says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailswitch.core.errors import ConfigError
from mailswitch.core.names import DomainName
from mailswitch.evidence.source import MailLogSettings, PostfixLogs
from mailswitch.simulation.mail_log import mail_log_text
from mailswitch.simulation.world import MailKind, WorldMail, WorldMailLog
from mailswitch.simulation.world_file import parse_world
from tests.support.mail_logs import tally

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MOVED, OTHER = DomainName("moved.example"), DomainName("other.example")
HEAD = "servers:\n  - name: web01\n    addresses: [203.0.113.10]\n    mail_log: "


def _log(*mail: WorldMail, days: int = 9, lines: str = "") -> WorldMailLog:
    return WorldMailLog(days=days, mail=mail, lines=lines)


def test_the_log_counts_what_the_world_says(tmp_path: Path) -> None:
    log = tmp_path / "maillog"
    written = _log(
        WorldMail(name=MOVED, kind=MailKind.CO_TENANT, number=31),
        WorldMail(name=MOVED, kind=MailKind.OUTSIDE, address="185.201.16.7", number=6, days=3),
        WorldMail(name=OTHER, kind=MailKind.REFUSED, address="2001:db8::7", days=2),
        WorldMail(name=OTHER, kind=MailKind.LOG_IN, mailbox="bob", number=2, days=4),
    )
    log.write_text(mail_log_text(written, NOW), encoding="utf-8")

    found = PostfixLogs(MailLogSettings(paths=(log,))).gather(None, hosted=(MOVED, OTHER), own=(), now=NOW)

    assert tally(found) == {
        ("moved.example", "co-tenant", None): 217,
        ("moved.example", "outside", "185.201.16.0/24"): 18,
        ("other.example", "refused", "2001:db8::/48"): 2,
    }
    assert sum(one.logins for one in found.logins) == 8
    assert found.problem is None
    assert found.reading is not None
    assert (NOW - found.reading.since).days >= 8


def test_lines_of_ones_own_come_first_and_are_ended() -> None:
    text = mail_log_text(_log(lines="Nov 14 00:00:00 web01 something else", days=1), NOW)

    assert text.startswith("Nov 14 00:00:00 web01 something else\n2026-11-22T12:00:00.000000+00:00 web postfix/anvil")


def test_a_world_file_says_what_its_log_tells() -> None:
    world = parse_world(HEAD + "{days: 3, mail: [{name: bücher.example, kind: refused, host: mx.example, days: 2}]}\n")

    assert world.servers[0].mail_log == _log(
        WorldMail(name=DomainName("xn--bcher-kva.example"), kind=MailKind.REFUSED, host="mx.example", days=2), days=3
    )
    assert parse_world(HEAD.replace("    mail_log: ", "")).servers[0].mail_log is None


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("{days: 31}", "mail_log.days"),
        ("{mail: [{kind: outside}]}", "name"),
        ("{mail: [{name: a.example, kind: lost}]}", "kind"),
        ("{mail: [{name: a.example, address: nowhere}]}", "address"),
        ("{mail: [{name: a.example, host: 'a]> b'}]}", "host"),
        ("{mail: [{name: a.example, mailbox: 'a, relay=x'}]}", "mailbox"),
        ("{mail: [{name: a.example, number: 0}]}", "number"),
        ("{mails: []}", "mails"),
    ],
)
def test_what_is_wrong_with_a_log_is_told(written: str, place: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_world(HEAD + written + "\n")

    assert any(place in problem for problem in raised.value.problems)
