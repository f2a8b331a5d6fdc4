"""The mail that sends a stranded message on: what it holds, and whether the mail server has it."""

from __future__ import annotations

import email
import email.policy
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailswitch.core.errors import MailError, UnreadableMessage
from mailswitch.core.mailboxes import Content
from mailswitch.core.rescue import Handover, HandoverKind, Letter, token_of
from mailswitch.outlets.cover import cover_for
from mailswitch.outlets.examine import examined
from mailswitch.outlets.rescue_mail import RescueMail, RescueMailSettings
from mailswitch.outlets.submission import SubmissionSettings
from tests.support.mta import Mta, attached
from tests.support.sinks import closed_port

LETTER = Letter(
    recipient="info@moved.example",
    domain="moved.example",
    token=token_of("0123456789abcdef" * 2, "web01.hoster.example"),
    arrived=datetime(2026, 11, 2, 9, 30, tzinfo=UTC),
    at=datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
)


class _Content(io.BytesIO):
    """A message's octets."""

    def rewind(self) -> None:
        self.seek(0)

    def readline(self, limit: int | None = -1, /) -> bytes:
        return super().readline(limit)


def _mail(content: bytes, *, language: str = "en", takes_eight_bit: bool = True) -> bytes:
    stream = _Content(content)
    cover = cover_for(
        LETTER, examined(stream), sender="help@hoster.example", language=language, takes_eight_bit=takes_eight_bit
    )
    return b"".join(cover.stream(stream))


def _parsed(mail: bytes) -> EmailMessage:
    found = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def _canonical(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


# ---- what is in it


def test_a_mail_says_what_it_is_and_where_it_comes_from() -> None:
    message = _parsed(_mail(b"Subject: invoice\n\nhello\n"))

    assert (message["From"], message["To"]) == ("help@hoster.example", "info@moved.example")
    assert message["Subject"] == "Delivered late: invoice"
    assert message["Message-ID"] == f"<{LETTER.token}>"
    assert (message["Auto-Submitted"], message["X-Mailswitch-Rescue"]) == ("auto-generated", "0123456789abcdef" * 2)
    text, attachment = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert "arrived on 2026-11-02 09:30 UTC" in text.get_content()
    assert "after the mail of moved.example had moved away" in text.get_content()
    assert attachment.get_content_type() == "message/rfc822"
    assert attachment.get_filename() == "message.eml"


def test_the_text_is_in_japanese_on_request() -> None:
    message = _parsed(_mail("Subject: =?iso-2022-jp?B?GyRCQEE1YT1xGyhC?=\n\nhello\n".encode("ascii"), language="ja"))

    text, _ = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert message["Subject"] == "【遅延配信】請求書"
    assert "info@moved.example 様" in text.get_content()
    assert "2026年11月2日09:30(UTC)" in text.get_content()
    assert "内容を変更せず、添付ファイルとしてお送りいたします。" in text.get_content()


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"From: x\n", "a message to your former mailbox"),
        (b"subject:\n", "a message to your former mailbox"),
        (b"Subject: a\n b\n\tc\n", "a b c"),
        (b"Subject: =?nonsense?B?AAAA?=\n", "a message to your former mailbox"),
        (b"Subject: =?utf-8?B?!!!?=\n", None),
        (b"Subject: a\x1b[2Jb\n", "a [2Jb"),
        (b"Subject: =?utf-8?Q?a=0D=0ABcc:_evil@x.example?=\n", "a Bcc: evil@x.example"),
        (b"Subject: " + b"x" * 5_000 + b"\n", "x" * 149 + "…"),
        ("Subject: 請求書\n".encode(), "請求書"),
    ],
)
def test_a_foreign_subject_adds_nothing_but_words(header: bytes, subject: str | None) -> None:
    message = _parsed(_mail(header + b"\nhello\n"))

    assert set(message.keys()) == {
        "From", "To", "Subject", "Date", "Auto-Submitted", "X-Auto-Response-Suppress", "X-Mailswitch-Rescue",
        "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    }  # fmt: skip
    assert message["Bcc"] is None
    assert subject is None or message["Subject"] == f"Delivered late: {subject}"


_texts = st.lists(
    st.binary(max_size=60)
    | st.sampled_from([b".", b"..", b"--=_x", b"\xe3\x81\x82", b"\0", b"\r", b"x" * 998, b"y" * 999, b"From z"]),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(lines=_texts, ending=st.sampled_from([b"\n", b"\r\n"]), takes_eight_bit=st.booleans(), is_ended=st.booleans())
@example(lines=[b"a" * 65_535 + b"\r", b""], ending=b"\n", takes_eight_bit=True, is_ended=False)
def test_every_message_travels_octet_for_octet_but_for_the_ends_of_plain_lines(
    lines: list[bytes], ending: bytes, takes_eight_bit: bool, is_ended: bool
) -> None:
    content = ending.join(lines) + (ending if is_ended else b"")
    mail = _mail(content, takes_eight_bit=takes_eight_bit)

    head = mail.partition(b"\r\n\r\n")[0]
    is_encoded = b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment" in mail
    assert attached(mail) == (content if is_encoded else _canonical(content))
    assert is_encoded or all(len(line) <= 998 for line in mail.split(b"\r\n"))
    assert b"\0" not in mail
    assert b"\n" not in mail.replace(b"\r\n", b"")
    assert b"\r" not in mail.replace(b"\r\n", b"")
    assert mail.isascii() or (takes_eight_bit and b"Content-Transfer-Encoding: 8bit" in head)


@pytest.mark.parametrize(
    ("content", "kind", "encoding"),
    [
        (b"Subject: x\n\nplain\n", "message/rfc822", "7bit"),
        (b"Subject: x\n\n\xe3\x81\x82\n", "message/rfc822", "8bit"),
        (b"Subject: x\n\na\0b\n", "application/octet-stream", "base64"),
        (b"Subject: x\n\n" + b"x" * 999 + b"\n", "application/octet-stream", "base64"),
        (b"Subject: x\n\na\r\nb\n", "application/octet-stream", "base64"),
    ],
)
def test_what_cannot_travel_as_lines_is_encoded_and_no_message_rfc822(content: bytes, kind: str, encoding: str) -> None:
    """RFC 2046 §5.2.1 forbids to encode message/rfc822."""
    _, attachment = _parsed(_mail(content)).iter_parts()

    assert (attachment.get_content_type(), attachment["Content-Transfer-Encoding"]) == (kind, encoding)


def test_short_mails_are_long_enough_for_postfix_to_log_their_id() -> None:
    assert len(_mail(b"")) > 8_192
    assert len(_mail(b"x\n" * 20_000)) < 62_000


def test_our_own_mail_is_known_again_and_others_are_not() -> None:
    ours = _mail(b"Subject: x\n\nhello\n")

    assert examined(_Content(ours)).is_our_own
    assert examined(_Content(ours.replace(b"\r\n", b"\n"))).is_our_own
    assert not examined(_Content(b"Subject: x\n\n" + ours)).is_our_own
    assert not examined(_Content(b"Subject: x\n\nX-Mailswitch-Rescue: 1\n")).is_our_own


@given(st.binary(max_size=300))
def test_a_look_at_a_message_tells_its_digest_and_size(content: bytes) -> None:
    found = examined(_Content(content))

    assert (found.sha256, found.octets) == (sha256(content).hexdigest(), len(content))
    assert found.has_eight_bit == (not content.isascii())


# ---- whether the server has it


@pytest.fixture
def mta(tmp_path: Path) -> Iterator[Mta]:
    with Mta(tmp_path / "maillog") as server:
        yield server


def _outbox(port: int, *, seconds: float = 20) -> RescueMail:
    server = SubmissionSettings(
        host="127.0.0.1", port=port, timeout=timedelta(seconds=seconds), helo="web01.hoster.example"
    )
    return RescueMail(RescueMailSettings(sender="help@hoster.example", language="en", server=server))


def _send(outbox: RescueMail, content: bytes = b"Subject: x\n\n.\n..dots\n", **more: object) -> Handover:
    stream = _Content(content)
    found = outbox.examine(stream)
    try:
        return outbox.send(LETTER, stream, found, commit=more.get("commit", lambda: True))  # type: ignore[arg-type]
    finally:
        outbox.close()


def test_a_mail_that_is_taken_has_a_queue_id(mta: Mta) -> None:
    handover = _send(_outbox(mta.port))

    (mail,) = mta.taken
    assert (handover.kind, handover.queue_id) == (HandoverKind.TAKEN, mail.queue_id)
    assert (mail.sender, mail.recipient, mail.options) == ("help@hoster.example", "info@moved.example", "")
    assert attached(mail.content) == b"Subject: x\r\n\r\n.\r\n..dots\r\n"


def test_eight_bit_is_asked_for_where_it_is_needed_and_offered(mta: Mta) -> None:
    content = b"Subject: x\n\n\xe3\x81\x82\n"
    _send(_outbox(mta.port), content)
    mta.offers = ()
    _send(_outbox(mta.port), content)

    assert [mail.options for mail in mta.taken] == ["BODY=8BITMIME", ""]
    assert [attached(mail.content) for mail in mta.taken] == [_canonical(content), content]


@pytest.mark.parametrize(
    ("at", "reply", "kind"),
    [
        ("MAIL", "553 5.1.8 no such sender", HandoverKind.REFUSED),
        ("RCPT", "450 4.7.1 not now", HandoverKind.PUT_OFF),
        ("DATA", "554 5.5.1 no", HandoverKind.REFUSED),
        (".", "550 5.7.1 spam", HandoverKind.REFUSED),
        (".", "451 4.3.0 later", HandoverKind.PUT_OFF),
        ("MAIL", "", HandoverKind.PUT_OFF),
        ("DATA", "", HandoverKind.PUT_OFF),
        (".", "", HandoverKind.UNKNOWN),
    ],
)
def test_every_other_ending_is_told_apart(mta: Mta, at: str, reply: str, kind: HandoverKind) -> None:
    mta.reply = lambda command: reply if command.upper().startswith(at) else None
    committed: list[bool] = []

    def commit() -> bool:
        committed.append(True)
        return True

    handover = _send(_outbox(mta.port), commit=commit)

    assert handover.kind is kind
    assert reply in handover.answer
    assert bool(committed) == (at == ".")
    assert mta.taken == []


def test_without_a_yes_at_the_end_the_server_gets_nothing(mta: Mta) -> None:
    outbox = _outbox(mta.port)

    assert _send(outbox, commit=lambda: False).kind is HandoverKind.ON_RECORD

    def broken() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _send(outbox, commit=broken)
    assert mta.taken == []


def test_a_message_that_changed_is_not_sent(mta: Mta) -> None:
    outbox = _outbox(mta.port)
    found = outbox.examine(_Content(b"Subject: before\n\n"))
    changed: Content = _Content(b"Subject: after!\n\n")

    with pytest.raises(UnreadableMessage, match="changed while it was sent"):
        outbox.send(LETTER, changed, found, commit=lambda: True)
    assert mta.taken == []


def test_a_connection_that_was_closed_is_made_anew(mta: Mta) -> None:
    outbox = _outbox(mta.port)
    _send(outbox)
    _send(outbox)

    assert len(mta.taken) == mta.connections == 2


def test_a_server_that_is_silent_is_not_waited_for_without_an_end(mta: Mta) -> None:
    waiting = threading.Event()

    def wait(stage: str) -> None:
        if stage == "connect":
            waiting.wait(30)

    mta.at = wait
    try:
        with pytest.raises(MailError, match="it was silent"):
            _send(_outbox(mta.port, seconds=0.2))
    finally:
        waiting.set()


def test_a_server_that_is_none_is_told(mta: Mta) -> None:
    with pytest.raises(MailError, match=r"at 127\.0\.0\.1 port \d+ does not answer as one: nobody listens there"):
        _send(_outbox(closed_port()))
    mta.reply = lambda command: "554 go away\x1b[2J" if command.startswith("ehlo") else None
    with pytest.raises(MailError, match="it said 554 go away"):
        _send(_outbox(mta.port))


def test_what_is_larger_than_the_server_takes_is_told_before(mta: Mta) -> None:
    mta.offers = ("SIZE 20000",)
    outbox = _outbox(mta.port)

    assert outbox.obstacle(examined(_Content(b"x\n" * 100))) is None
    assert outbox.obstacle(examined(_Content(b"x\n" * 9_000))) == "too large for the local mail server"
    outbox.close()
    mta.offers = ("SIZE 0",)
    assert outbox.obstacle(examined(_Content(b"x\n" * 10_000))) is None
    outbox.close()
