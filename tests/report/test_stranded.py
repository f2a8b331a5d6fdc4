"""How stranded mail, and sending it on, is shown to people and told to programs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mailswitch.core.mailboxes import Exported, MailboxTally, StrandedMail
from mailswitch.core.names import DomainName
from mailswitch.core.rescue import Rescue, RescuedMessage, RescueOutcome
from mailswitch.core.rescue_report import MailboxPlan, RescuePlan, RescueResult
from mailswitch.report.rescue import plan_json, print_plan, print_rescues, print_result, rescue_fields, result_json
from mailswitch.report.stranded import export_json, export_words, print_stranded, size_in_words, stranded_json

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
NAME = DomainName("moved.example")
EXCHANGE = DomainName("mx.other.example")
TALLY = MailboxTally(
    mailbox="info",
    messages=2,
    unread=1,
    spam=3,
    octets=48_200,
    oldest=AT,
    newest=AT,
    skipped={"symbolic link": 2},
    is_in_use=True,
)
FOUND = StrandedMail(server="web01", name=NAME, since=AT, remark="a remark", mailboxes=(TALLY,))
PLAN = RescuePlan(
    server="web01",
    name=NAME,
    since=AT,
    remark=None,
    exchanges=(EXCHANGE,),
    obstacles=(),
    mailboxes=(
        MailboxPlan(
            mailbox="info",
            messages=2,
            octets=1_500,
            known={RescueOutcome.DELIVERED: 5, RescueOutcome.REJECTED: 1, None: 1},
        ),
    ),
    skipped={"unreadable message": 1},
)
MESSAGE = RescuedMessage(
    id=1,
    rescue_id=1,
    server="web01",
    name=NAME,
    mailbox="info",
    sha256="0" * 64,
    file="1794000000.M1.web01",
    octets=5,
    token="t",
    intended_at=AT,
)
RESULT = RescueResult(
    server="web01",
    name=NAME,
    id=7,
    exchanges=(EXCHANGE,),
    counts={RescueOutcome.DELIVERED: 5, RescueOutcome.REJECTED: 1},
    stopped="1 message of 5 not taken by the other side: 550 \x1b[2Jno",
    skipped={},
    perhaps=(MESSAGE,),
    rejected=1,
)
RESCUE = Rescue(
    id=7,
    server="web01",
    name=NAME,
    by="alice",
    exchanges=(EXCHANGE,),
    started=AT,
    finished=AT,
    counts=(("delivered", 5), ("perhaps", 1)),
)


def _page(printer: object, value: object, *, width: int | None = None) -> str:
    page = io.StringIO()
    assert callable(printer)
    printer(value, page, is_terminal=False, width=width)
    return page.getvalue()


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (48_230, "48.2 kB"),
        (3_400_000, "3.4 MB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_sizes_are_in_words(octets: int, words: str) -> None:
    assert size_in_words(octets) == words


def test_stranded_mail_is_shown_by_mailbox_with_everything_to_know() -> None:
    shown = _page(print_stranded, [FOUND])

    assert shown == (
        "moved.example on web01: 2 stranded messages, arrived since 2026-11-02 09:00 UTC\n"
        "  info  2 messages  1 unread  48.2 kB  2026-11-02 09:00 UTC to 2026-11-02 09:00 UTC  3 in spam folders  "
        "last log-in unknown\n"
        "  a remark\n"
        "  not followed: 2 x symbolic link\n"
        "  somebody used a mailbox while it was counted: its numbers may be off\n"
    )


def test_several_names_have_a_sum_and_none_says_so() -> None:
    nothing = replace(FOUND, mailboxes=(), since=None, remark=None)

    assert _page(print_stranded, [FOUND, nothing]).endswith("\n2 stranded messages in all, 48.2 kB\n")
    assert "moved.example on web01: no stranded mail\n" in _page(print_stranded, [nothing])
    assert _page(print_stranded, []) == "No name's mail has moved away, as far as mailswitch knows.\n"


def test_log_ins_are_told_with_what_is_known_of_them() -> None:
    seen = replace(FOUND, mailboxes=(replace(TALLY, last_login=AT),))

    assert "last log-in 2026-11-02 09:00 UTC" in _page(print_stranded, [seen])
    assert "no log-in since 2026-11-02" in _page(print_stranded, [replace(FOUND, logins_since=AT)])


def test_stranded_mail_has_every_key_in_json() -> None:
    assert json.loads(stranded_json([FOUND])) == {
        "schema": "mailswitch/stranded/1",
        "domains": [
            {
                "server": "web01",
                "name": "moved.example",
                "since": "2026-11-02T09:00:00Z",
                "remark": "a remark",
                "messages": 2,
                "octets": 48_200,
                "logins_since": None,
                "mailboxes": [
                    {
                        "mailbox": "info",
                        "messages": 2,
                        "unread": 1,
                        "spam": 3,
                        "octets": 48_200,
                        "oldest": "2026-11-02T09:00:00Z",
                        "newest": "2026-11-02T09:00:00Z",
                        "last_login": None,
                        "skipped": {"symbolic link": 2},
                        "in_use": True,
                    }
                ],
            }
        ],
    }


def test_an_export_tells_what_it_wrote_and_what_it_left_out() -> None:
    done = Exported(messages=1, octets=90, skipped={"unreadable message": 2})

    assert export_words(FOUND, done, "/tmp/x") == (
        "moved.example: 1 message, 90 B, arrived since 2026-11-02 09:00 UTC, written to /tmp/x",
        "a remark",
        "left out: 2 x unreadable message",
    )
    assert json.loads(export_json(FOUND, done, "/tmp/x"))["skipped"] == {"unreadable message": 2}


def test_a_dry_run_tells_amounts_obstacles_and_how_to_send() -> None:
    stopped = replace(PLAN, obstacles=("the switch is on",))

    assert _page(print_plan, PLAN) == (
        "moved.example on web01: would send on 2 messages, 1.5 kB to mx.other.example\n"
        "  arrived since 2026-11-02 09:00 UTC\n"
        "  info  2 messages to send  1.5 kB  5 taken by the other side, 1 refused by the other side, 1 perhaps sent\n"
        "  left out: 1 x unreadable message\n"
        "Nothing was sent. Send it with: mailswitch rescue moved.example --send\n"
    )
    assert "  not now: the switch is on\n" in _page(print_plan, stopped)
    assert "--send" not in _page(print_plan, stopped)
    assert json.loads(plan_json(PLAN))["mailboxes"][0]["known"] == {"delivered": 5, "rejected": 1, "perhaps": 1}


def test_a_result_quotes_the_other_side_and_says_what_is_left_for_people() -> None:
    shown = _page(print_result, RESULT)

    assert "moved.example on web01: 5 taken by the other side, 1 refused by the other side\n" in shown
    assert r"stopped: 1 message of 5 not taken by the other side: 550 \x1b[2Jno" in shown
    assert "mailswitch rescue moved.example --send --again" in shown
    assert "1 message perhaps sent: the mail log does not tell, so they are not sent again" in shown
    assert "info@moved.example  1794000000.M1.web01  tried 2026-11-02 09:00 UTC" in shown
    document = json.loads(result_json(RESULT))
    assert document["perhaps"][0]["file"] == "1794000000.M1.web01"
    assert (document["dry_run"], document["counts"]) == (False, {"delivered": 5, "rejected": 1})


def test_runs_on_record_say_how_they_ended() -> None:
    killed = replace(RESCUE, finished=None, counts=())
    refused = replace(RESCUE, stopped="550 no")

    shown = _page(print_rescues, [RESCUE, killed, refused])

    assert "rescue 7  2026-11-02 09:00 UTC  web01  moved.example  5 taken by the other side, 1 perhaps sent" in shown
    assert [word for word in ("done", "not finished", "stopped", "550 no") if word not in shown] == []
    assert _page(print_rescues, []) == ""
    assert rescue_fields(RESCUE)["counts"] == {"delivered": 5, "perhaps": 1}
