"""Mail arrives as it was meant, and every way it can fail is told within the time-out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailswitch.core.errors import OutletError
from mailswitch.core.notices import Bulletin
from mailswitch.outlets import mail
from mailswitch.outlets.mail import MailSettings, MailWay
from tests.support.builders import NOW
from tests.support.sinks import MailSink, closed_port

BULLETIN = Bulletin(
    id="0f3c9a51d2b7e846",
    subject="[mailswitch web01] 1 bücher turned off",
    text="Changed\n  bücher\n.\nend\n",
    document="{}",
)
TO = ("alice@example.net", "bob@example.net")


def a_way(port: int, *, timeout: timedelta = timedelta(seconds=10)) -> MailWay:
    return MailWay(
        MailSettings(
            to=TO, sender="mailswitch@web01.example", host="127.0.0.1", port=port, timeout=timeout, helo="web01.example"
        )
    )


def failing(sink: MailSink, *, timeout: timedelta = timedelta(seconds=10)) -> str:
    with sink, pytest.raises(OutletError) as caught:
        a_way(sink.port, timeout=timeout).send(BULLETIN, at=NOW)
    return str(caught.value)


def test_a_bulletin_arrives_as_it_is() -> None:
    with MailSink() as sink:
        a_way(sink.port).send(BULLETIN, at=NOW)

    (message,) = sink.messages
    assert message["Subject"] == BULLETIN.subject
    assert message["From"] == "mailswitch@web01.example"
    assert message["To"] == "alice@example.net, bob@example.net"
    assert message["Message-ID"] == "<0f3c9a51d2b7e846.mailswitch@web01.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] == "Sun, 01 Mar 2026 12:00:00 +0000"
    assert message.get_content().splitlines() == BULLETIN.text.splitlines()


def test_the_envelope_names_the_sender_and_everybody() -> None:
    with MailSink() as sink:
        a_way(sink.port).send(BULLETIN, at=NOW)

    (delivery,) = sink.deliveries
    assert delivery.sender.startswith("mail FROM:<mailswitch@web01.example>")
    assert [one.upper() for one in delivery.recipients] == [f"RCPT TO:<{who.upper()}>" for who in TO]
    assert sink.commands[0] == "ehlo web01.example"


def test_it_says_where_it_goes() -> None:
    way = a_way(25)

    assert way.name == "mail"
    assert way.shown == "mail to alice@example.net, bob@example.net through 127.0.0.1 port 25"


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ({"MAIL": "550 you are not welcome\x1b[2J"}, "the sender was refused (550 you are not welcome [2J)"),
        ({"RCPT": "550 no such user"}, "no recipient was taken (alice@example.net: 550 no such user, bob"),
        ({"DATA": "451 later"}, "the server said 451 later"),
        ({"EHLO": "500 what", "HELO": "500 what"}, "the server said 500 what"),
        ({"MAIL": "nonsense without a code"}, "server"),
    ],
)
def test_a_refusal_is_told_in_the_server_s_words(replies: Mapping[str, str], words: str) -> None:
    message = failing(MailSink(replies=replies))

    assert message.startswith("notice not sent by mail through 127.0.0.1 port ")
    assert words in message
    assert message.endswith("look at notify.mail and at the mail server's log")
    assert message.isprintable()


def test_a_message_taken_for_some_only_is_a_failure_that_names_the_others() -> None:
    message = failing(MailSink(replies={"RCPT TO:<bob@example.net>": "550 gone"}))

    assert "not taken for bob@example.net" in message


def test_a_server_that_does_not_take_mail_now_is_told() -> None:
    assert "the server said 554 no" in failing(MailSink(greeting="554 no"))


def test_nobody_there_is_told() -> None:
    with pytest.raises(OutletError, match="nobody listens there"):
        a_way(closed_port()).send(BULLETIN, at=NOW)


@pytest.mark.parametrize(
    "sink",
    [
        lambda: MailSink(greeting=None),
        lambda: MailSink(replies={"DATA": None}),
        lambda: MailSink(is_trickling=True),
    ],
    ids=["no greeting", "silent after DATA", "a greeting without an end"],
)
def test_a_slow_server_costs_no_more_than_the_time_out(sink: type[MailSink]) -> None:
    began = time.monotonic()

    message = failing(sink(), timeout=timedelta(milliseconds=300))

    assert "not done within 0.3 s" in message or "silent" in message
    assert time.monotonic() - began < 10


def test_the_server_is_silent_too_when_a_read_is_over_before_the_whole_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "watched", lambda *_: nullcontext())

    assert "the server was silent" in failing(MailSink(greeting=None), timeout=timedelta(milliseconds=100))


def test_a_farewell_nobody_answers_is_not_waited_for() -> None:
    with MailSink(replies={"QUIT": None}) as sink:
        a_way(sink.port).send(BULLETIN, at=NOW)

    assert len(sink.deliveries) == 1


@settings(max_examples=15)
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
    )
)
def test_any_text_arrives_whole_and_adds_no_header(text: str) -> None:
    with MailSink() as sink:
        a_way(sink.port).send(Bulletin(id="a", subject="s", text=text, document=""), at=NOW)

    (message,) = sink.messages
    assert message.get_content().splitlines() == (text.splitlines() or [""])
    assert len(message.keys()) == 9
