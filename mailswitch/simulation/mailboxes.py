"""The mailboxes of a simulated server: a Maildir file for each message that its mail log says was delivered there."""

from __future__ import annotations

import os
from datetime import datetime
from itertools import count
from pathlib import Path

from mailswitch.simulation.mail_log import moments
from mailswitch.simulation.world import MailKind, WorldMail, WorldMailLog

__all__ = ["write_mailboxes"]

_ARRIVING = {MailKind.OUTSIDE: "bob@sender.example", MailKind.CO_TENANT: "shop@neighbour.example"}


def write_mailboxes(root: Path, log: WorldMailLog | None, now: datetime) -> Path:
    """Lay the messages down below ``root``, as Plesk does (plesk.md section 5), and return it; it is made."""
    root.mkdir(mode=0o700)
    numbers = count(1)
    for mail in () if log is None else log.mail:
        sender = _ARRIVING.get(mail.kind)
        if sender is not None:
            for at in moments(mail, now):
                _deliver(root, mail, sender, at, next(numbers))
    return root


def _deliver(root: Path, mail: WorldMail, sender: str, at: datetime, number: int) -> None:
    maildir = root / mail.name.text / mail.mailbox / "Maildir"
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    path = maildir / "new" / f"{int(at.timestamp())}.M{number}P1.web"
    path.write_text(
        f"Return-Path: <{sender}>\nFrom: <{sender}>\nTo: <{mail.mailbox}@{mail.name}>\nSubject: message {number}\n"
        f"Date: {at:%a, %d %b %Y %H:%M:%S} +0000\n\nIs anybody there?\n",
        encoding="ascii",
    )
    os.utime(path, (at.timestamp(), at.timestamp()))
