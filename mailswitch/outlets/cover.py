"""The mail that sends one stranded message on: a plain cover text, and the message as it is.

Facts:

- What holds a part with 8bit is 8bit itself (RFC 2045 §6.4); a server has to have offered 8BITMIME (RFC 6152).
- A line break before a boundary is the boundary's (RFC 2046 §5.1.1), so a message keeps the end it has.
- What cannot travel as lines of text goes as ``application/octet-stream`` in base64, since ``message/rfc822`` must not.
- What follows the last boundary is nobody's (RFC 2046 §5.1.1). Postfix logs a message's id when 4,096 octets of it have
  come, so a short mail is made longer there: of one that breaks off, the log tells that it did.
- ``Auto-Submitted: auto-generated`` keeps vacation replies from answering (RFC 3834 §5); Exchange looks for
  ``X-Auto-Response-Suppress``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.header import decode_header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mailswitch.core.mailboxes import Content, Examined
from mailswitch.core.rescue import Letter
from mailswitch.outlets.examine import MARK, pieces

__all__ = ["Cover", "cover_for"]

_ENGLISH = """\
Hello,

the attached message was sent to {address} and arrived on {arrived},
after the mail of {domain} had moved away from this server. It was put
into the former mailbox here, where nobody looks any more. We send it
on to you now, unchanged, as an attachment: open it to read it, and to
answer the sender.

From now on, mail that is sent to you from this server goes to your new
mailbox directly.

This text was written by a program. If you have questions, write to
{sender}.
"""
_JAPANESE = """\
{address} 様

添付のメールは、{domain} のメールサービスが当サーバーから他社へ移行した後、
{arrived} に当サーバー上の旧メールボックスに配信されたものです。
旧メールボックスは現在ご利用いただけないため、お手元に届いていない
可能性があります。内容を変更せず、添付ファイルとしてお送りいたします。

添付ファイルを開くと、元のメールをお読みいただけます。差出人へのご返信は、
元のメールに記載されたアドレス宛てにお願いいたします。

今後、当サーバーから送信される {domain} 宛てのメールは、移行先の
メールボックスに直接配信されます。

このメールはシステムにより自動送信されています。ご不明な点がございましたら、
{sender} までお問い合わせください。
"""
_TEXTS = {"en": _ENGLISH, "ja": _JAPANESE}
_SUBJECTS = {"en": "Delivered late: {subject}", "ja": "【遅延配信】{subject}"}
_NO_SUBJECT = {"en": "a message to your former mailbox", "ja": "旧メールボックスに届いていたメール"}
_LONGEST_SUBJECT = 150
_LEAST_OCTETS = 3 * 4_096
_FILLER = b"-" * 76 + b"\r\n"
_ENCODED_LINE = 57
"""Octets that make a line of 76 characters in base64 (RFC 2045 §6.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A mail around a message that is not kept in memory."""

    head: bytes
    tail: bytes
    is_encoded: bool
    """The message travels in base64."""
    is_eight_bit: bool
    """It needs 8BITMIME."""

    def stream(self, content: Content) -> Iterator[bytes]:
        """Yield the whole mail in pieces, every line ended by CRLF."""
        yield self.head
        yield from _encoded(content) if self.is_encoded else _lines(content)
        yield self.tail


def cover_for(letter: Letter, examined: Examined, *, sender: str, language: str, takes_eight_bit: bool) -> Cover:
    """Return the mail around a message.

    Args:
        letter: Whom it goes to.
        examined: What is known of the message.
        sender: Whom it comes from.
        language: Of the text, ``en`` or ``ja``.
        takes_eight_bit: The server offers 8BITMIME.
    """
    is_encoded = not examined.is_plain or (examined.has_eight_bit and not takes_eight_bit)
    is_eight_bit = examined.has_eight_bit and not is_encoded
    boundary = f"=_{letter.token.partition('.')[0]}"
    head = _header(letter, examined, boundary, sender=sender, language=language, is_eight_bit=is_eight_bit)
    text = _text(letter, sender=sender, language=language)
    attachment = (
        [
            'Content-Type: application/octet-stream; name="message.eml"',
            "Content-Transfer-Encoding: base64",
        ]
        if is_encoded
        else ["Content-Type: message/rfc822", f"Content-Transfer-Encoding: {'8bit' if is_eight_bit else '7bit'}"]
    )
    attachment.append('Content-Disposition: attachment; filename="message.eml"')
    parts = [f"--{boundary}".encode("ascii"), *text, f"--{boundary}".encode("ascii")]
    parts += [line.encode("ascii") for line in attachment]
    head += b"\r\n".join(parts) + b"\r\n\r\n"
    missing = _LEAST_OCTETS - len(head) - examined.octets
    return Cover(
        head=head,
        tail=f"\r\n--{boundary}--\r\n".encode("ascii") + _FILLER * max(0, -(-missing // len(_FILLER))),
        is_encoded=is_encoded,
        is_eight_bit=is_eight_bit,
    )


def _header(
    letter: Letter, examined: Examined, boundary: str, *, sender: str, language: str, is_eight_bit: bool
) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = letter.recipient
    subject = _readable(examined.subject) or _NO_SUBJECT[language]
    message["Subject"] = _SUBJECTS[language].format(subject=subject)
    message["Date"] = format_datetime(letter.at)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message[MARK] = letter.token.partition(".")[0]
    # Not by EmailMessage, which would fold the one and write a body for the other.
    kind = (
        f"Message-ID: <{letter.token}>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
        f"Content-Transfer-Encoding: {'8bit' if is_eight_bit else '7bit'}",
    )
    lines = (message.as_bytes().rstrip(b"\r\n"), *(line.encode("ascii") for line in kind))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _text(letter: Letter, *, sender: str, language: str) -> list[bytes]:
    arrived = f"{letter.arrived.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if language == "ja":
        moment = letter.arrived.astimezone(UTC)
        arrived = f"{moment.year}年{moment.month}月{moment.day}日{moment:%H:%M}(UTC)"
    written = _TEXTS[language].format(address=letter.recipient, domain=letter.domain, sender=sender, arrived=arrived)
    octets = written.replace("\n", "\r\n").encode("utf-8")
    encoded = base64.encodebytes(octets).replace(b"\n", b"\r\n").rstrip(b"\r\n")
    return [
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: base64",
        b"Content-Disposition: inline",
        b"",
        encoded,
        b"",
    ]


def _readable(subject: bytes) -> str:
    """Return a foreign subject as one line of plainly printable text, shortened; nothing where it cannot be read."""
    try:
        unfolded = "".join(
            part.decode(charset or "ascii", "replace") if isinstance(part, bytes) else part
            for part, charset in decode_header(subject.decode("utf-8", "replace"))
        )
    except (ValueError, LookupError):  # encoded words that are none, unknown character sets
        return ""
    line = " ".join("".join(one if one.isprintable() else " " for one in unfolded).split())
    return line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 1] + "…"


def _lines(content: Content) -> Iterator[bytes]:
    for piece in pieces(content):
        yield piece.rstrip(b"\r\n") + b"\r\n" if piece.endswith(b"\n") else piece


def _encoded(content: Content) -> Iterator[bytes]:
    carry = b""
    for piece in pieces(content):
        carry += piece
        whole = len(carry) - len(carry) % _ENCODED_LINE
        if whole:
            yield base64.encodebytes(carry[:whole]).replace(b"\n", b"\r\n")
            carry = carry[whole:]
    if carry:
        yield base64.encodebytes(carry).replace(b"\n", b"\r\n")
