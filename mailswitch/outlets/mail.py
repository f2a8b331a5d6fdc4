"""Notices by mail, through the local mail server (RFC 5321), as a message no text in it can add anything to.

Facts:

- A header's value never holds a line break: `email.message.EmailMessage` refuses one (RFC 5322 §2.2).
- ``Auto-Submitted: auto-generated`` keeps vacation replies from answering (RFC 3834 §5).
- A server may take the message for some recipients and not for others (RFC 5321 §3.3); that is a failure, told by name.
"""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mailswitch.core.errors import OutletError
from mailswitch.core.notices import Bulletin
from mailswitch.outlets.failures import cleaned, is_silence, opened, watched

__all__ = ["MailSettings", "MailWay"]

_READY = 220
"""A server's greeting (RFC 5321 §4.2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Where mail goes and how long that may take."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    timeout: timedelta
    """For connecting, and again for all the rest of the delivery."""
    helo: str
    """What this machine calls itself."""


class MailWay:
    """Sends bulletins to some people by mail."""

    def __init__(self, settings: MailSettings) -> None:
        """Connect to nothing yet."""
        self._settings = settings

    @property
    def name(self) -> str:
        """``mail``."""
        return "mail"

    @property
    def shown(self) -> str:
        """Where it goes, for people."""
        return f"mail to {', '.join(self._settings.to)} through {self._server}"

    @property
    def _server(self) -> str:
        return f"{self._settings.host} port {self._settings.port}"

    def send(self, bulletin: Bulletin, *, at: datetime) -> None:
        """Send one bulletin to everybody.

        Raises:
            OutletError: it was not taken for everybody.
        """
        settings = self._settings
        client = smtplib.SMTP(timeout=settings.timeout.total_seconds(), local_hostname=settings.helo)
        try:
            client.sock = opened(settings.host, settings.port, settings.timeout)
            with watched(settings.timeout, lambda: client.sock, self._too_slow):
                refused = self._delivered(client, self._message(bulletin, at))
        except (smtplib.SMTPException, OSError) as error:
            raise OutletError(f"{self._attempt}: {_told(error)}; {self._advice}") from error
        finally:
            # The message is taken or not: nobody waits for the farewell to be answered.
            client.close()
        if refused:
            raise OutletError(f"{self._attempt}: not taken for {cleaned(', '.join(sorted(refused)))}")

    def _delivered(self, client: smtplib.SMTP, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
        """Hand the message over and return who was refused."""
        code, greeting = client.getreply()
        if code != _READY:
            raise smtplib.SMTPConnectError(code, greeting)
        refused = client.send_message(message, from_addr=self._settings.sender, to_addrs=list(self._settings.to))
        client.putcmd("quit")
        return refused

    @property
    def _attempt(self) -> str:
        return f"notice not sent by mail through {self._server}"

    @property
    def _advice(self) -> str:
        return "look at notify.mail and at the mail server's log"

    def _too_slow(self) -> OutletError:
        seconds = self._settings.timeout.total_seconds()
        return OutletError(f"{self._attempt}: not done within {seconds:g} s; {self._advice}")

    def _message(self, bulletin: Bulletin, at: datetime) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.to)
        message["Subject"] = bulletin.subject
        message["Date"] = format_datetime(at)
        message["Message-ID"] = f"<{bulletin.id}.mailswitch@{self._settings.helo}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(bulletin.text, cte="quoted-printable")
        return message


def _told(error: Exception) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused():
            refused = ", ".join(f"{who}: {_reply(*said)}" for who, said in sorted(error.recipients.items()))
            return cleaned(f"no recipient was taken ({refused})")
        case smtplib.SMTPSenderRefused():
            return cleaned(f"the sender was refused ({_reply(error.smtp_code, error.smtp_error)})")
        case smtplib.SMTPResponseException():
            return cleaned(f"the server said {_reply(error.smtp_code, error.smtp_error)}")
        case ConnectionRefusedError():
            return "nobody listens there"
        case _ if is_silence(error):
            return "the server was silent"
    return cleaned(str(error)) or type(error).__name__


def _reply(code: int, text: bytes | str) -> str:
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {shown}"
