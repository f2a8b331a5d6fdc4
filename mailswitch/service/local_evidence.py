"""What a server's own mail log adds to a pass: read before judging, recorded unless it is a dry run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Protocol

from mailswitch.core.domain import HostedDomain, Inventory, Network, ServerIdentity
from mailswitch.core.evidence import (
    Deliveries,
    Evidence,
    Gathered,
    LoginCount,
    LogReading,
    MailCount,
    MailLog,
    NoEvidence,
    Traffic,
    Written,
)
from mailswitch.core.names import DomainName
from mailswitch.core.reports import Alert
from mailswitch.core.senders import LOG_SPAN
from mailswitch.core.words import duration
from mailswitch.service.ports import Ledger, LedgerReader

__all__ = ["SILENCE", "LocalEvidence", "MailLogSource", "UnreadLog", "look_into_log", "mail_log"]

COUNTS_KEPT = timedelta(days=400)
"""How far back co-tenants' messages are counted together; the ledger keeps no day longer."""
SILENCE = timedelta(days=1)
"""A log whose newest line is older speaks of the past only: nobody writes it any more, or its writer is stuck."""


class MailLogSource(Protocol):
    """One server's mail log, read on from where the last look ended."""

    def gather(
        self, reading: LogReading | None, *, hosted: Iterable[DomainName], own: Iterable[Network], now: datetime
    ) -> Gathered:
        """Return what is new since ``reading`` for the ``hosted`` names; nothing is remembered here.

        ``own`` are the server's addresses. A log that cannot be read is told in the answer.
        """

    def remember(
        self, reading: LogReading | None, *, hosted: Iterable[DomainName], own: Iterable[Network]
    ) -> str | None:
        """Be told what is in the ledger by now and what is hosted; return what went wrong, for people."""


@dataclass(frozen=True, slots=True)
class UnreadLog:
    """The source of a server whose mail log is not read; satisfies MailLogSource."""

    reason: str

    def gather(self, *arguments: object, **more: object) -> Gathered:
        """Say why there is nothing."""
        del arguments, more
        return Gathered(reading=None, problem=self.reason)

    def remember(self, *arguments: object, **more: object) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEvidence:
    """One server's mail log as one pass sees it; satisfies EvidenceSource."""

    server: str
    now: datetime
    gathered: Gathered
    reader: LedgerReader
    unrecorded: Mapping[DomainName, tuple[MailCount, ...]] = field(default_factory=dict)
    """What was gathered and is in no ledger."""
    unrecorded_logins: tuple[LoginCount, ...] = ()
    is_thorough: bool = False
    """Log-ins are told too, which no decision rests on."""

    def evidence(self, domain: HostedDomain) -> Evidence:
        """Return what the log shows of one hosted domain, or why it shows nothing.

        Raises:
            LedgerError: what was recorded cannot be read.
        """
        reading, silence = self.gathered.reading, self._silence()
        if silence is not None or reading is None:
            return NoEvidence(silence or "no mail log is read")
        recorded = self.reader.mail_counts(self.server, domain.name, since=(self.now - COUNTS_KEPT).date())
        log = mail_log((*recorded, *self.unrecorded.get(domain.name, ())), reading, self.now)
        return replace(log, logins=self._logins(domain.name)) if self.is_thorough else log

    def _logins(self, name: DomainName) -> tuple[LoginCount, ...]:
        recorded = self.reader.mail_logins(self.server, name, since=(self.now - COUNTS_KEPT).date())
        return (*recorded, *(one for one in self.unrecorded_logins if one.name == name))

    def alerts(self) -> tuple[Alert, ...]:
        """Say what the log cannot speak for, in every report of the server."""
        lacking = self._silence()
        if lacking is None and self.gathered.reading is not None:
            covers = self.now - self.gathered.reading.since
            if covers >= LOG_SPAN:
                return ()
            lacking = f"the mail log covers only {duration(covers)} of the 7 days needed"
        text = (
            f"{lacking}: names at hosts not known as mailbox hosts are held for review, and a filter that relays "
            "back to this server would not be noticed"
        )
        return (Alert(code="mail-log", server=self.server, name=None, text=text),)

    def _silence(self) -> str | None:
        """Return why the log says nothing about today."""
        if self.gathered.problem is not None:
            return self.gathered.problem
        reading = self.gathered.reading
        if reading is None:
            return "no mail log is read"
        age = self.now - reading.until
        return f"the newest line of the mail log is {duration(age)} old" if age > SILENCE else None


def mail_log(counts: Iterable[MailCount], reading: LogReading, now: datetime) -> MailLog:
    """Return what a name's counts say, as decisions take it."""
    recently = now.date() - LOG_SPAN
    outside: list[Deliveries] = []
    refused: list[Deliveries] = []
    written: list[Written] = []
    for one in counts:
        if one.traffic is Traffic.CO_TENANT:
            written.append(Written(day=one.day, messages=one.messages))
        elif one.day >= recently:
            told = Deliveries(
                day=one.day,
                network=one.network,
                messages=one.messages,
                last=one.last,
                is_gateway=one.traffic is Traffic.REFUSED_GATEWAY,
            )
            (outside if one.traffic is Traffic.OUTSIDE else refused).append(told)
    return MailLog(covers=now - reading.since, outside=tuple(outside), refused=tuple(refused), written=tuple(written))


def look_into_log(
    source: MailLogSource,
    inventory: Inventory,
    identity: ServerIdentity,
    known: Iterable[DomainName],
    *,
    reader: LedgerReader,
    ledger: Ledger | None,
    now: datetime,
) -> LocalEvidence:
    """Read what is new in a server's mail log, and with a ledger to write record it at once.

    Counted are the names hosted now and those ``known`` from before: what a panel leaves out once is not lost.

    Raises:
        LedgerError: the ledger cannot be read or written.
    """
    before = reader.mail_reading(inventory.server)
    hosted = {*known, *(domain.name for domain in inventory.domains)}
    own = [*(ip_network(address) for address in identity.addresses), *identity.networks]
    gathered = source.gather(before, hosted=hosted, own=own, now=now)
    unrecorded: dict[DomainName, tuple[MailCount, ...]] = {}
    if ledger is None:
        for count in gathered.counts:
            unrecorded[count.name] = (*unrecorded.get(count.name, ()), count)
    elif gathered.reading is not None:
        ledger.record_mail(
            inventory.server, gathered.reading, gathered.counts, logins=gathered.logins, today=now.date()
        )
    if ledger is not None:
        problem = source.remember(gathered.reading or before, hosted=hosted, own=own)
        gathered = replace(gathered, problem=gathered.problem or problem)
    return LocalEvidence(
        server=inventory.server,
        now=now,
        gathered=gathered,
        reader=reader,
        unrecorded=unrecorded,
        unrecorded_logins=gathered.logins if ledger is None else (),
    )
