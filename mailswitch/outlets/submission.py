"""Handing mail to the local mail server (RFC 5321) so that it is known of each whether the server has it.

Facts:

- A message is the server's business once it has answered 250 to the lone dot that ends it; a connection that ends
  before the dot leaves nothing (RFC 5321 §4.1.1.4, §6.1). So the intent to send is put on record before the dot.
- A dot at a line's beginning is doubled on the way (§4.5.2).
- Postfix's answer ends in ``queued as QUEUE_ID``.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from mailswitch.core.errors import MailError
from mailswitch.core.rescue import Handover, HandoverKind
from mailswitch.outlets.failures import cleaned, is_silence, opened

__all__ = ["Submission", "SubmissionSettings"]

_READY, _OK, _GO_ON = 220, 250, 354
_LASTING = 500
_QUEUED_AS = re.compile(r"queued as ([0-9A-Za-z]{5,24})\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSettings:
    """Which mail server, and how patiently it is waited for."""

    host: str
    port: int
    timeout: timedelta
    """For connecting, and for each answer."""
    helo: str
    """What this machine calls itself."""


class Submission:
    """One connection to a mail server, made when it is needed, and again after it broke."""

    def __init__(self, settings: SubmissionSettings) -> None:
        """Connect to nothing yet."""
        self._settings = settings
        self._client: smtplib.SMTP | None = None

    @property
    def takes_eight_bit(self) -> bool:
        """Whether the server offers 8BITMIME.

        Raises:
            MailError: it cannot be reached, or does not greet.
        """
        return self._connected().has_extn("8bitmime")

    @property
    def largest(self) -> int | None:
        """The largest message the server takes, in octets; None where it does not say."""
        told = self._connected().esmtp_features.get("size", "")
        return int(told) if told.isdigit() and int(told) > 0 else None

    def hand_over(
        self,
        mail: Iterable[bytes],
        *,
        sender: str,
        recipient: str,
        is_eight_bit: bool,
        commit: Callable[[], bool],
    ) -> Handover:
        """Send one mail, and say whether the server has it.

        Args:
            mail: Pieces with CRLF at the end of each line.
            sender: For the envelope.
            recipient: For the envelope.
            is_eight_bit: It holds octets above 127.
            commit: Asked when all is sent but its end; the mail counts as sent from then on. When it returns False, or
                raises, the server gets nothing.

        Raises:
            MailError: the server cannot be reached at all; nothing was sent.
        """
        client = self._connected()
        is_committed = False
        try:
            refused = self._envelope(client, sender, recipient, is_eight_bit=is_eight_bit)
            if refused is not None:
                return refused
            _send_body(client, mail)
            if not commit():
                self.close()
                return Handover(kind=HandoverKind.ON_RECORD, answer="sent by somebody else meanwhile")
            is_committed = True
            client.send(b".\r\n")
            return _answered(*client.getreply())
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            kind = HandoverKind.UNKNOWN if is_committed else HandoverKind.PUT_OFF
            return Handover(kind=kind, answer=f"the connection to {self._server} ended: {_told(error)}")
        except BaseException:
            self.close()  # without the dot
            raise

    def close(self) -> None:
        """End the connection. Harmless when called again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def _server(self) -> str:
        return f"{self._settings.host} port {self._settings.port}"

    def _envelope(self, client: smtplib.SMTP, sender: str, recipient: str, *, is_eight_bit: bool) -> Handover | None:
        """Say who writes to whom; return what refuses it."""
        options = ["BODY=8BITMIME"] if is_eight_bit else []
        for code, words in (client.mail(sender, options), client.rcpt(recipient)):
            if code != _OK:
                client.rset()
                return _answered(code, words)
        client.putcmd("data")
        code, words = client.getreply()
        if code != _GO_ON:
            client.rset()
            return _answered(code, words)
        return None

    def _connected(self) -> smtplib.SMTP:
        if self._client is not None:
            return self._client
        settings = self._settings
        client = smtplib.SMTP(timeout=settings.timeout.total_seconds(), local_hostname=settings.helo)
        try:
            client.sock = opened(settings.host, settings.port, settings.timeout)
            code, words = client.getreply()
            if code == _READY:
                code, words = client.ehlo()
            if code not in {_READY, _OK}:
                raise smtplib.SMTPResponseException(code, words)
        except (smtplib.SMTPException, OSError) as error:
            client.close()
            raise MailError(
                f"nothing is sent: the mail server at {self._server} does not answer as one: {_told(error)}; look at "
                "rescue.smtp and at the mail server's log"
            ) from error
        self._client = client
        return client


def _send_body(client: smtplib.SMTP, mail: Iterable[bytes]) -> None:
    """Send all but the end; a piece may end within a line."""
    is_at_start = True
    for piece in mail:
        stuffed = re.sub(rb"(?<=\n)\.", b"..", piece)
        if is_at_start and stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        client.send(stuffed)
        is_at_start = piece.endswith(b"\n")


def _answered(code: int, words: bytes) -> Handover:
    told = cleaned(f"{code} {words.decode('utf-8', 'replace')}")
    if code == _OK:
        found = _QUEUED_AS.search(told)
        return Handover(kind=HandoverKind.TAKEN, answer=told, queue_id=None if found is None else found[1])
    kind = HandoverKind.REFUSED if code >= _LASTING else HandoverKind.PUT_OFF
    return Handover(kind=kind, answer=told)


def _told(error: Exception) -> str:
    match error:
        case smtplib.SMTPResponseException():
            words = error.smtp_error
            shown = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
            return cleaned(f"it said {error.smtp_code} {shown}")
        case ConnectionRefusedError():
            return "nobody listens there"
        case _ if is_silence(error):
            return "it was silent"
    return cleaned(str(error)) or type(error).__name__
