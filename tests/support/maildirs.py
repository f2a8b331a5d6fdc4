"""Mailboxes as Plesk lays them out, with real files."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from mailswitch.core.names import DomainName
from mailswitch.evidence.mailboxes import Mailboxes, MailboxSettings

MOVED = datetime(2026, 11, 1, tzinfo=UTC)
DOMAIN = DomainName("moved.example")
CONTENT = b"Return-Path: <bob@sender.example>\nFrom: Bob <bob@sender.example>\nSubject: hello\n\nIs anybody there?\n"

_numbers = count(1)


class Mailhouse:
    """The directory below which all mailboxes are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    @property
    def mailboxes(self) -> Mailboxes:
        return Mailboxes(MailboxSettings(root=self.root, owner=None if os.getuid() else "root"))

    def maildir(self, user: str = "info", *, domain: str = DOMAIN.text, folder: str = "") -> Path:
        """Return a folder's directory, made if need be."""
        found = self.root / domain / user / "Maildir" / folder
        for part in ("new", "cur", "tmp"):
            (found / part).mkdir(parents=True, exist_ok=True)
        return found

    def put(
        self,
        content: bytes = CONTENT,
        *,
        days: float = 1,
        user: str = "info",
        folder: str = "",
        flags: str | None = None,
        name: str | None = None,
        domain: str = DOMAIN.text,
    ) -> Path:
        """Lay a message down that arrived ``days`` after the move; with flags somebody looked at it."""
        at = (MOVED + timedelta(days=days)).timestamp()
        base = f"{int(at)}.M{next(_numbers)}P7.web01" if name is None else name
        place = self.maildir(user, folder=folder, domain=domain)
        path = place / "new" / base if flags is None else place / "cur" / f"{base}:2,{flags}"
        path.write_bytes(content)
        os.utime(path, (at, at))
        return path
