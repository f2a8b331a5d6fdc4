"""The three ways in which people hand in mail in the lab."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from enum import StrEnum
from typing import assert_never

from tests.e2e.lab import places
from tests.e2e.lab.lab import Lab
from tests.e2e.lab.mailboxes import ID_FIELD
from tests.e2e.lab.tally import Sent

__all__ = ["ALL", "INSIDE", "OUTSIDE", "WEB_FORM", "Way", "send"]


class Way(StrEnum):
    """How a message is handed in."""

    WEB_FORM = "web form"
    SUBMISSION = "submission"
    OUTSIDE = "outside"


WEB_FORM, OUTSIDE = Way.WEB_FORM, Way.OUTSIDE
INSIDE = (Way.WEB_FORM, Way.SUBMISSION)
"""A co-tenant's ways."""
ALL = tuple(Way)

_WEB_USER = 33
_SUBMISSION_PORT = 587


def send(lab: Lab, message: Sent) -> None:
    """Hand in one message the way its sender does.

    Raises:
        smtplib.SMTPException, OSError: it was not taken at the door, as a mail program shows at once.
    """
    match Way(message.sender):
        case Way.WEB_FORM:
            user = [f"--reuid={_WEB_USER}", f"--regid={_WEB_USER}", "--clear-groups"]
            sender = f"info@{places.COTENANT}"
            lab.plesk.run("setpriv", *user, "--", "sendmail", "-t", "-f", sender, given=_text(message, sender))
        case Way.SUBMISSION:
            _submit(lab, message)
        case Way.OUTSIDE:
            sender = f"info@{places.OUTSIDER}"
            lab.hosts[places.SENDER].run("sendmail", "-t", "-f", sender, given=_text(message, sender))
        case _ as never:
            assert_never(never)


def _text(message: Sent, sender: str) -> str:
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, message.recipient
    mail["Subject"] = f"{message.sender} {message.number}"
    mail[ID_FIELD] = message.number
    mail.set_content(f"Message {message.number}.\n")
    return mail.as_string()


def _submit(lab: Lab, message: Sent) -> None:
    sender = f"info@{places.COTENANT}"
    with smtplib.SMTP(lab.plesk.address, _SUBMISSION_PORT, local_hostname="laptop", timeout=30) as session:
        session.login(sender, "customer")
        session.sendmail(sender, [message.recipient], _text(message, sender))
