"""What a rescue works with: a hoster whose moved.example is off, mailboxes, a mail server, and time that is ours."""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailswitch.core.domain import Switch
from mailswitch.core.names import DomainName
from mailswitch.core.rescue_report import RescuePlan, RescueResult
from mailswitch.evidence.follow import PostfixFates
from mailswitch.evidence.mailbox_source import PleskMailboxes
from mailswitch.evidence.mailboxes import MailboxSettings
from mailswitch.outlets.rescue_mail import RescueMail, RescueMailSettings
from mailswitch.outlets.submission import SubmissionSettings
from mailswitch.service.rescue import Terms, Tools, plan_rescue
from mailswitch.service.rescue_ports import Outbox
from mailswitch.service.rescue_send import send_rescue
from tests.support.maildirs import Mailhouse
from tests.support.ports import Scene

__all__ = ["MOVED", "SINCE", "Desk", "Hourglass", "outbox_at"]

MOVED = DomainName("moved.example")
SINCE = datetime(2026, 11, 1, tzinfo=UTC)


class Hourglass:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


def outbox_at(port: int, *, language: str = "en", timeout: timedelta = timedelta(seconds=20)) -> RescueMail:
    """Return what sends through the mail server at a loopback port."""
    server = SubmissionSettings(host="127.0.0.1", port=port, timeout=timeout, helo="web01.hoster.example")
    return RescueMail(RescueMailSettings(sender="help@hoster.example", language=language, server=server))


class Desk:
    """Where somebody types ``rescue moved.example``."""

    def __init__(self, folder: Path, port: int, log: Path) -> None:
        self.folder = folder
        self.scene = Scene(folder, "moved.example")
        self.scene.plesk.toggle("moved.example", Switch.OFF)
        root = folder / "mailnames"
        self.mailhouse = Mailhouse(root) if not root.exists() else Mailhouse.__new__(Mailhouse)
        self.mailhouse.root = root
        self.time = Hourglass()
        self.told: list[str] = []
        self.outbox: Outbox = outbox_at(port)
        self.log = log

    def look(self) -> None:
        """Let a pass see where the mail is."""
        self.scene.once()

    def arrive(self, content: bytes, **more: object) -> Path:
        """Lay a message into a mailbox."""
        return self.mailhouse.put(content, **more)  # type: ignore[arg-type]

    @property
    def tools(self) -> Tools:
        return Tools(
            mailboxes={"web01": PleskMailboxes(MailboxSettings(root=self.mailhouse.root))},
            fates={"web01": PostfixFates((self.log,))},
            outbox=self.outbox,
            host="web01.hoster.example",
            new_digits=lambda: secrets.token_hex(16),
            as_caller=nullcontext,
            sleep=self.time.sleep,
            monotonic=self.time.monotonic,
            tell=self.told.append,
        )

    def terms(self, **more: object) -> Terms:
        usual = Terms(
            name=MOVED,
            by="alice",
            servers=frozenset({"web01"}),
            sender="help@hoster.example",
            rate=6_000,
            batch=20,
            wait=timedelta(minutes=10),
            since=SINCE,
        )
        return replace(usual, **more)  # type: ignore[arg-type]

    def plan(self, **more: object) -> RescuePlan:
        return plan_rescue(self.scene.setup, self.tools, self.terms(**more))

    def send(self, **more: object) -> RescueResult:
        return send_rescue(self.scene.setup, self.tools, self.terms(**more))
