"""Which names' mail has moved, since when, and what is stranded: with a real ledger and real mailboxes."""

from __future__ import annotations

import os
import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.errors import ConfigError
from mailswitch.core.evidence import LoginCount, LogReading
from mailswitch.core.ledger import Claim, DomainHistory
from mailswitch.core.mailboxes import StrandedMail
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Route
from mailswitch.evidence.mailbox_source import PleskMailboxes
from mailswitch.evidence.mailboxes import MailboxSettings
from mailswitch.ledger.reader import EmptyLedger
from mailswitch.service.stranded import MailHouse, Wanted, export_stranded, moved_since, stranded
from tests.support.builders import NOW
from tests.support.maildirs import Mailhouse
from tests.support.ports import HOUR, Scene

MOVED = DomainName("moved.example")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "moved.example")


@pytest.fixture
def mailhouse(tmp_path: Path) -> Mailhouse:
    return Mailhouse(tmp_path / "mailnames")


def _house(mailhouse: Mailhouse, server: str = "web01") -> MailHouse:
    return MailHouse(server=server, mailboxes=PleskMailboxes(MailboxSettings(root=mailhouse.root)))


def _found(scene: Scene, mailhouse: Mailhouse, *names: str, **wanted: object) -> list[StrandedMail]:
    asked = replace(Wanted(names=tuple(map(DomainName, names))), **wanted)  # type: ignore[arg-type]
    return list(stranded(scene.place.reader(), [_house(mailhouse)], asked, as_caller=nullcontext))


def _arrive(mailhouse: Mailhouse, at: datetime) -> None:
    path = mailhouse.put(name=f"{int(at.timestamp())}.M1.web01")
    os.utime(path, (at.timestamp(), at.timestamp()))


def test_what_arrived_since_the_move_that_passes_saw_is_stranded(scene: Scene, mailhouse: Mailhouse) -> None:
    scene.comes_back("moved.example")
    scene.once()
    scene.clock.move(HOUR)
    scene.moves("moved.example")
    scene.once()
    for hours in (-48, -24, 3, 30):
        _arrive(mailhouse, NOW + timedelta(hours=hours))

    (found,) = _found(scene, mailhouse)

    assert (found.name, found.server, found.remark, found.messages) == (MOVED, "web01", None, 2)
    assert found.since is not None
    assert NOW <= found.since <= NOW + 2 * HOUR


def test_a_name_first_seen_elsewhere_counts_from_then_and_says_so(scene: Scene, mailhouse: Mailhouse) -> None:
    scene.once()

    (found,) = _found(scene, mailhouse)

    assert found.name == MOVED
    assert found.remark is not None
    assert re.search(r"elsewhere when mailswitch first saw it, on 2026-.*--since", found.remark)


def test_names_whose_mail_is_here_are_looked_at_only_with_a_moment(scene: Scene, mailhouse: Mailhouse) -> None:
    scene.once()
    mailhouse.put(domain="here.example")

    (told,) = _found(scene, mailhouse, "here.example")
    (counted,) = _found(scene, mailhouse, "here.example", since=datetime(2026, 1, 1, tzinfo=UTC))

    assert told.since is None
    assert told.mailboxes == ()
    assert told.remark is not None
    assert "has not moved away as far as mailswitch knows (route here)" in told.remark
    assert counted.messages == 1


def test_a_name_no_pass_has_seen_needs_a_moment(scene: Scene, mailhouse: Mailhouse) -> None:
    mailhouse.put(domain="other.example")

    with pytest.raises(ConfigError, match=r"other\.example: no pass has seen it on web01: .*--since"):
        _found(scene, mailhouse, "other.example")
    (found,) = _found(scene, mailhouse, "other.example", since=datetime(2026, 1, 1, tzinfo=UTC))

    assert found.messages == 1


def test_without_mailboxes_on_this_machine_there_is_nothing_to_look_into(scene: Scene) -> None:
    with pytest.raises(ConfigError, match="run this on the Plesk server itself"):
        list(stranded(scene.place.reader(), [], Wanted(), as_caller=nullcontext))


def test_a_name_that_the_panel_hosts_no_more_is_not_listed(scene: Scene, mailhouse: Mailhouse) -> None:
    scene.once()
    del scene.plesk.domains["moved.example"]
    scene.clock.move(HOUR)
    scene.once()

    assert _found(scene, mailhouse) == []


def _history(**known: object) -> DomainHistory:
    usual = DomainHistory(first_seen=NOW, route=Route.ELSEWHERE, since=NOW, was_here=True)
    return replace(usual, **known)  # type: ignore[arg-type]


def test_the_move_is_as_early_as_anything_on_record_tells() -> None:
    reader = EmptyLedger()

    assert moved_since(reader, "web01", _history()) == (NOW, None)
    assert moved_since(reader, "web01", _history(last_seen_here=NOW - HOUR)) == (NOW - HOUR, None)
    assert moved_since(reader, "web01", _history(last_seen_here=NOW + HOUR)) == (NOW, None)
    assert moved_since(reader, "web01", _history(route=Route.GATEWAY))[0] is None
    assert moved_since(reader, "web01", _history(route=None, since=None))[0] is None


def test_a_long_pause_of_the_daemon_does_not_make_the_move_later(scene: Scene) -> None:
    """A gap starts the sightings over; the switch that was turned off before knows better."""
    scene.comes_back("moved.example")
    scene.once()
    scene.clock.move(HOUR)
    scene.moves("moved.example")
    scene.once()
    assert scene.plesk.switch("moved.example") == "off"
    before = scene.clock.at
    scene.clock.move(timedelta(days=30))
    scene.once()
    reader = scene.place.reader()
    history = reader.histories("web01")[MOVED]

    since, _ = moved_since(reader, "web01", replace(history, since=scene.clock.at, last_seen_here=None))

    assert history.claim is Claim.OURS
    assert since is not None
    assert since <= before


def test_an_export_is_of_one_name_that_moved(scene: Scene, mailhouse: Mailhouse, tmp_path: Path) -> None:
    scene.plesk.host("other.example")
    scene.moves("other.example")
    scene.once()
    mailhouse.put(domain="moved.example")
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)

    def exported(*names: str, since: datetime | None = None) -> int:
        wanted = Wanted(names=tuple(map(DomainName, names)), since=since)
        reader, path = scene.place.reader(), tmp_path / "out.mbox"
        _, done = export_stranded(reader, [_house(mailhouse)], wanted, path, is_with_spam=False, as_caller=nullcontext)
        return done.messages

    with pytest.raises(ConfigError, match="exactly one DOMAIN"):
        exported()
    with pytest.raises(ConfigError, match=r"here\.example: nothing to export"):
        exported("here.example")
    assert exported("moved.example", since=long_ago) == 1


def test_the_last_log_in_comes_from_the_mail_log_and_silence_says_since_when(
    scene: Scene, mailhouse: Mailhouse
) -> None:
    scene.once()
    for user in ("Info", "sales"):
        mailhouse.put(user=user)
    (unread,) = _found(scene, mailhouse)
    reading = LogReading(since=NOW - timedelta(days=90), until=NOW, bookmark="{}")
    logins = [
        LoginCount(
            name=MOVED,
            mailbox="info",
            day=(NOW - timedelta(days=days)).date(),
            logins=2,
            last=NOW - timedelta(days=days),
        )
        for days in (20, 3, 9)
    ]
    with scene.place.locked() as ledger:
        ledger.record_mail("web01", reading, [], logins=logins, today=NOW.date())

    (found,) = _found(scene, mailhouse)

    assert (unread.logins_since, [one.last_login for one in unread.mailboxes]) == (None, [None, None])
    assert found.logins_since == NOW - timedelta(days=40)
    assert {one.mailbox: one.last_login for one in found.mailboxes} == {"Info": NOW - timedelta(days=3), "sales": None}
