"""``rescue`` as somebody on the Plesk server types it, against a mail server that logs as Postfix does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.maildirs import Mailhouse
from tests.support.mta import DELIVERED, REFUSED, Mta, attached
from tests.support.worlds import AT_ONCE, Play, Staged, a_world

HELLO = b"From: bob@sender.example\nSubject: hello\n\nIs anybody there?\n"


@pytest.fixture
def mailhouse(tmp_path: Path) -> Mailhouse:
    return Mailhouse(tmp_path / "mailnames")


@pytest.fixture
def mta(tmp_path: Path) -> Iterator[Mta]:
    with Mta(tmp_path / "maillog") as server:
        yield server


@pytest.fixture
def play(staged: Staged, mailhouse: Mailhouse, mta: Mta) -> Play:
    """A world whose moved0.example moved and is off, with three messages in its mailboxes."""
    config = (
        f"config: {{servers: [{{name: web01, mailboxes: {{path: {mailhouse.root}}}, "
        f"mail_log: {{paths: [{mta.log}]}}}}], "
        "rescue: {sender: postmaster@hoster.example, rate: 6000, "
        f"smtp: {{host: 127.0.0.1, port: {mta.port}}}}}, "
    )
    play = staged(a_world(tail=AT_ONCE.replace("config: {", config)))
    for number, user in enumerate(("info", "info", "sales")):
        at = int(time.time()) - 1000 + number
        path = mailhouse.put(HELLO + b"%d\n" % number, user=user, domain="moved0.example", name=f"{at}.M{number}.web01")
        os.utime(path, (at, at))
    return play


def test_a_dry_run_tells_what_would_be_sent_and_sends_nothing(play: Play, mta: Mta) -> None:
    play.ok("once", "--apply")

    shown = play.ok("rescue", "moved0.example", "--since", "1d")
    document = play.json("rescue", "moved0.example", "--since", "1d")

    assert "moved0.example on web01: would send on 3 messages, 183 B to aspmx.l.google.com" in shown
    assert "Send it with: mailswitch rescue moved0.example --send" in shown
    assert (document["schema"], document["dry_run"], document["messages"], document["obstacles"]) == (
        "mailswitch/rescue/1",
        True,
        3,
        [],
    )
    assert mta.connections == 0


def test_every_message_is_sent_on_once_and_never_again(play: Play, mta: Mta) -> None:
    play.ok("once", "--apply")
    send = ("rescue", "moved0.example", "--since", "1d", "--send")

    shown = play.ok(*send)
    again = play.ok(*send)

    assert "3 taken by the other side" in shown
    assert "nothing to send on" in again
    assert sorted(mail.recipient for mail in mta.taken) == [
        "info@moved0.example",
        "info@moved0.example",
        "sales@moved0.example",
    ]
    assert sorted(attached(mail.content).replace(b"\r\n", b"\n") for mail in mta.taken) == [
        HELLO + b"%d\n" % number for number in range(3)
    ]


def test_runs_are_in_the_history_with_who_and_when(play: Play) -> None:
    play.ok("once", "--apply")
    play.ok("rescue", "moved0.example", "--since", "1d", "--send")

    shown = play.ok("history", "moved0.example")
    (rescue,) = play.json("history", "moved0.example")["rescues"]

    assert "rescue 1" in shown
    assert "3 taken by the other side" in shown
    assert (rescue["name"], rescue["counts"], rescue["stopped"]) == ("moved0.example", {"delivered": 3}, None)
    assert rescue["by"]
    assert play.json("history", "here0.example")["rescues"] == []


def test_a_side_that_takes_nothing_stops_it_after_one_message_and_is_quoted(play: Play, mta: Mta) -> None:
    play.ok("once", "--apply")
    mta.decide = lambda _: REFUSED

    code, shown, _ = play.run("rescue", "moved0.example", "--since", "1d", "--send")

    assert code == 1
    assert "1 message of 1 not taken by the other side" in shown
    assert "550 5.1.1 no such user" in shown
    assert len(mta.taken) == 1


def test_what_was_refused_is_sent_once_more_only_on_request(play: Play, mta: Mta) -> None:
    play.ok("once", "--apply")
    send = ("rescue", "moved0.example", "--since", "1d", "--send")
    mta.decide = lambda _: REFUSED
    assert play.run(*send)[0] == 1
    mta.decide = lambda _: DELIVERED

    shown = play.ok(*send)
    assert "1 message refused by the other side" in shown
    assert len(mta.taken) == 3

    assert "1 taken by the other side" in play.ok(*send, "--again")
    assert len(mta.taken) == 4


def test_a_switch_that_is_on_stands_in_the_way(play: Play, mta: Mta) -> None:
    play.ok("once")

    shown = play.ok("rescue", "moved0.example", "--since", "1d")
    complaint = play.complains(3, "rescue", "moved0.example", "--since", "1d", "--send")

    assert "not now: the switch is on" in shown
    assert "moved0.example: nothing is sent, the switch is on" in complaint
    assert mta.taken == []


def test_a_pause_stands_in_the_way(play: Play, mta: Mta) -> None:
    play.ok("once", "--apply")
    play.ok("pause")

    assert "paused by" in play.complains(3, "rescue", "moved0.example", "--since", "1d", "--send")
    assert mta.taken == []


@pytest.mark.parametrize(
    ("code", "arguments", "complaint"),
    [
        (2, ("moved0.example", "--again"), "--again goes with --send"),
        (2, ("nobody.example",), "nobody.example is not hosted on this machine (asked: web01)"),
        (3, ("here0.example",), "nothing to send on, its mail has not moved away"),
        (3, ("here0.example", "--send", "--since", "1d"), "its mail does not live elsewhere"),
    ],
)
def test_what_makes_no_sense_is_told(play: Play, code: int, arguments: tuple[str, ...], complaint: str) -> None:
    play.ok("once", "--apply")

    assert complaint in play.complains(code, "rescue", *arguments)


def test_without_a_sender_or_a_log_nothing_is_sent(play: Play, mta: Mta) -> None:
    play.ok("once", "--apply")
    send = ("rescue", "moved0.example", "--since", "1d", "--send")
    mta.log.unlink()
    mta.is_logging = False
    assert "without it nobody learns what the other side answers" in play.complains(1, *send)

    play.edit_config("sender: postmaster@hoster.example", "language: en")
    assert "rescue.sender is not configured" in play.complains(3, *send)
    assert mta.taken == []


def test_a_mail_server_that_is_not_there_is_told(play: Play, mta: Mta) -> None:
    play.ok("once", "--apply")
    play.edit_config(f"port: '{mta.port}'", "port: 1")

    complaint = play.complains(1, "rescue", "moved0.example", "--since", "1d", "--send")

    assert "the mail server at 127.0.0.1 port 1 does not answer as one: nobody listens there" in complaint
