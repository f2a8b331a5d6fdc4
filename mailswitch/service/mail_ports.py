"""What the ledger gives and takes for what mail logs show, as Protocols."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from mailswitch.core.evidence import LoginCount, LogReading, MailCount
from mailswitch.core.names import DomainName

__all__ = ["MailReader", "MailWriter"]


class MailReader(Protocol):
    """What mail logs showed; part of LedgerReader."""

    def mail_reading(self, server: str) -> LogReading | None:
        """Return how far a server's mail log was read; None where it never was."""

    def mail_counts(self, server: str, name: DomainName, *, since: date) -> tuple[MailCount, ...]:
        """Return what a server's mail log showed of a name, the oldest day first."""

    def mail_logins(self, server: str, name: DomainName, *, since: date) -> tuple[LoginCount, ...]:
        """Return who logged in to a name's mailboxes, the oldest day first."""


class MailWriter(MailReader, Protocol):
    """Recording what mail logs showed; part of Ledger. Every write is durable when the method returns."""

    def record_mail(
        self,
        server: str,
        reading: LogReading,
        counts: Iterable[MailCount],
        *,
        logins: Iterable[LoginCount] = (),
        today: date,
    ) -> None:
        """Add what a mail log showed and how far it was read, in one transaction; fold up or delete what is old."""
