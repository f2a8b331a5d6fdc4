"""``stranded`` as somebody on the Plesk server types it."""

from __future__ import annotations

import mailbox
import os
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.maildirs import Mailhouse
from tests.support.worlds import AT_ONCE, Play, Staged, a_world


@pytest.fixture
def mailhouse(tmp_path: Path) -> Mailhouse:
    return Mailhouse(tmp_path / "mailnames")


@pytest.fixture
def play(staged: Staged, mailhouse: Mailhouse) -> Play:
    """A world whose moved0.example moved before mailswitch first looked."""
    servers = f"servers: [{{name: web01, mailboxes: {{path: {mailhouse.root}}}}}]"
    return staged(a_world(moved=2, tail=AT_ONCE.replace("config: {", f"config: {{{servers}, ")))


def _arrive(mailhouse: Mailhouse, text: str, *, user: str = "info", days_ago: float = 0, **more: str) -> Path:
    at = time.time() - days_ago * 86_400
    path = mailhouse.put(
        f"Subject: {text}\n\nhello\n".encode(),
        user=user,
        domain="moved0.example",
        name=f"{int(at) + 1}.M{text}.web01",
        **more,  # type: ignore[arg-type]
    )
    os.utime(path, (at + 1, at + 1))
    return path


def test_mail_that_arrived_since_is_told_by_mailbox(play: Play, mailhouse: Mailhouse) -> None:
    play.ok("once")
    _arrive(mailhouse, "old", days_ago=3)
    _arrive(mailhouse, "new")
    _arrive(mailhouse, "seen", flags="S")
    _arrive(mailhouse, "else", user="sales", days_ago=2)

    shown = play.ok("stranded")
    document = play.json("stranded", "moved0.example", "--since", "30d")

    assert "moved0.example on web01: 2 stranded messages, arrived since" in shown
    assert "info  2 messages  1 unread" in shown
    assert "what arrived before is not counted (say from when on with --since)" in shown
    assert "moved1.example on web01: no stranded mail" in shown
    (one,) = document["domains"]
    assert (document["schema"], one["messages"], one["remark"]) == ("mailswitch/stranded/1", 4, None)
    assert [(box["mailbox"], box["messages"], box["unread"]) for box in one["mailboxes"]] == [
        ("info", 3, 2),
        ("sales", 1, 1),
    ]


def test_one_customers_mail_is_exported_to_a_file_of_its_own(play: Play, mailhouse: Mailhouse, tmp_path: Path) -> None:
    play.ok("once")
    _arrive(mailhouse, "one", days_ago=3)
    _arrive(mailhouse, "two", folder=".Spam", days_ago=3)
    path = tmp_path / "customer.mbox"
    arguments = ("stranded", "moved0.example", "--since", "30d", "--export", str(path))

    shown = play.ok(*arguments, "--spam")

    assert shown.startswith("moved0.example: 2 messages, ")
    assert shown.endswith(f"written to {path}\n")
    with closing(mailbox.mbox(path, create=False)) as box:
        assert sorted(message["Subject"] for message in box) == ["one", "two"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "nothing is overwritten" in play.complains(2, *arguments)


def test_an_export_in_json_says_what_was_written(play: Play, mailhouse: Mailhouse, tmp_path: Path) -> None:
    play.ok("once")
    _arrive(mailhouse, "one", days_ago=3)
    path = tmp_path / "customer.mbox"

    document = play.json("stranded", "moved0.example", "--since", "30d", "--export", str(path))

    assert (document["schema"], document["messages"], document["file"], document["octets"]) == (
        "mailswitch/export/1",
        1,
        str(path),
        path.stat().st_size,
    )


def test_hostile_names_cannot_upset_the_terminal(play: Play, mailhouse: Mailhouse) -> None:
    play.ok("once")
    _arrive(mailhouse, "new", user="\x1b[2Jevil")

    shown = play.ok("stranded")

    assert "\x1b" not in shown
    assert r"\x1b[2Jevil" in shown


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--since", "tomorrow"), "--since tomorrow: no date"),
        (("--since", "2199-01-01"), "that is still to come"),
        (("--spam",), "--spam goes with --export"),
        (("--export", "x.mbox"), "exactly one DOMAIN"),
        (("nobody.example",), "no pass has seen it on web01"),
    ],
)
def test_what_makes_no_sense_is_told(play: Play, arguments: tuple[str, ...], complaint: str) -> None:
    play.ok("once")

    assert complaint in play.complains(2, "stranded", *arguments)


def test_missing_mailboxes_are_an_error_that_says_what_to_do(play: Play, mailhouse: Mailhouse) -> None:
    play.ok("once")
    mailhouse.root.rmdir()

    assert "name their place with mailboxes.path" in play.complains(1, "stranded")


def test_before_the_first_pass_nothing_is_known(play: Play) -> None:
    assert "No name's mail has moved away" in play.ok("stranded")
