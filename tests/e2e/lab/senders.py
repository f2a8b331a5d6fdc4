"""The three ways in which people hand in mail in the lab."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from tests.e2e.lab import places
from tests.e2e.lab.lab import Lab
from tests.e2e.lab.mailboxes import ID_FIELD
from tests.e2e.lab.tally import Sent

__all__ = ["ALL", "INSIDE", "OUTSIDE", "SUBMISSION", "WEB_FORM", "send"]

WEB_FORM, SUBMISSION, OUTSIDE = "web form", "submission", "outside"
INSIDE = (WEB_FORM, SUBMISSION)
"""A co-tenant's ways to send."""
ALL = (*INSIDE, OUTSIDE)

_WEB_USER = 33
_SUBMISSION_PORT = 587


def send(lab: Lab, message: Sent) -> None:
    """Hand in one message the way its sender does.

    A refusal at the door is the sender's to know of, as a mail program shows it: here it is written down as a bounce
    by the mail server, which takes everything that a customer who is logged in hands in.
    """
    match message.sender:
        case "web form":
            user = [f"--reuid={_WEB_USER}", f"--regid={_WEB_USER}", "--clear-groups"]
            sender = f"info@{places.COTENANT}"
            lab.plesk.run("setpriv", *user, "--", "sendmail", "-t", "-f", sender, given=_text(message, sender))
        case "submission":
            _submit(lab, message)
        case "outside":
            sender = f"info@{places.OUTSIDER}"
            lab.hosts[places.SENDER].run("sendmail", "-t", "-f", sender, given=_text(message, sender))
        case way:
            raise ValueError(way)


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
