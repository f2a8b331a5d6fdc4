"""Giving stranded mail back: what would be sent on, and sending it, each message at most once ever.

A message's intent is on record before the local mail server can have it, and its outcome after. What a crash, a power
cut or a lost answer left open is settled from the mail log, at the next start and before anything else; what the log
cannot tell was perhaps sent, and is told, and not sent again. After each batch the other side's answers are waited for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailswitch.core.errors import ConfigError, UnreadableMessage, UnsafePlan
from mailswitch.core.mailboxes import Examined, StrandedMessage
from mailswitch.core.names import DomainName
from mailswitch.core.rescue import RescuedMessage, RescueOutcome
from mailswitch.core.rescue_report import MailboxPlan, RescuePlan
from mailswitch.service.ports import LedgerReader
from mailswitch.service.rescue_gate import Gate, open_gate
from mailswitch.service.rescue_ports import FateSource, MailboxSource, Outbox
from mailswitch.service.setup import Setup
from mailswitch.service.stranded import moved_since

__all__ = ["Terms", "Tools", "addressable", "begin_at", "each", "is_blocked", "plan_rescue"]

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_LONGEST_LOCAL_PART = 64
NOT_ADDRESSABLE = "message in a mailbox whose name is no address"
OWN = "message that an earlier rescue sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is asked for, and how it is to be done."""

    name: DomainName
    by: str
    servers: frozenset[str]
    """Those whose mailboxes are on this machine, or the one that was named."""
    sender: str | None
    """``rescue.sender``."""
    rate: int
    """Messages a minute at most."""
    batch: int
    wait: timedelta
    only: frozenset[str] = frozenset()
    """Local parts; empty for every mailbox."""
    since: datetime | None = None
    is_with_spam: bool = False
    is_again: bool = False
    """Send once more what the other side refused before."""

    @property
    def despite(self) -> frozenset[RescueOutcome]:
        """The outcomes after which a message may be sent: it is there not even once."""
        again = {RescueOutcome.REJECTED} if self.is_again else set()
        return frozenset({RescueOutcome.NOT_TAKEN, *again})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a rescue works with."""

    mailboxes: Mapping[str, MailboxSource]
    """By server."""
    fates: Mapping[str, FateSource]
    """By server."""
    outbox: Outbox
    host: str
    """What this machine calls itself."""
    new_digits: Callable[[], str]
    """Gives 32 random hexadecimal digits."""
    as_caller: Callable[[], AbstractContextManager[None]]
    """Gives back the rights of whoever started the command, to open mailboxes and the log (root's)."""
    sleep: Callable[[float], None]
    """Waits for some seconds."""
    monotonic: Callable[[], float]
    """Seconds that only grow."""
    tell: Callable[[str], None]
    """Told how it goes."""
    display: Callable[[DomainName], str] = str


@dataclass(slots=True)
class _MailboxCount:
    messages: int = 0
    octets: int = 0
    known: Counter[RescueOutcome | None] = field(default_factory=Counter)


def plan_rescue(setup: Setup, tools: Tools, terms: Terms) -> RescuePlan:
    """Return what would be sent on and what stands in the way; nothing is sent, recorded or changed.

    Raises:
        ConfigError: the name is not hosted on this machine, or nobody knows since when its mail is away.
        InventoryError: a panel that may host it did not answer.
        MailError: the mailboxes cannot be looked into.
        LedgerError: the ledger cannot be read.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(closing(setup.ledger.reader()))
        gate = open_gate(setup, reader, terms.name, terms.servers, stack)
        leave = gate.ask(reader)
        since, remark = begin_at(reader, gate, terms)
        obstacles = list(leave.obstacles)
        if terms.sender is None:
            obstacles.append("rescue.sender is not configured: say whom the mail comes from")
        skipped: Counter[str] = Counter()
        mailboxes = _counted(reader, tools, terms, gate, since=since, skipped=skipped)
    return RescuePlan(
        server=gate.server,
        name=terms.name,
        since=since,
        remark=remark,
        exchanges=leave.exchanges,
        obstacles=tuple(obstacles),
        mailboxes=mailboxes,
        skipped=dict(skipped),
    )


def begin_at(reader: LedgerReader, gate: Gate, terms: Terms) -> tuple[datetime, str | None]:
    """Return from when on mail is stranded, and what is to be said about that moment.

    Raises:
        ConfigError: nobody knows.
        LedgerError: the ledger cannot be read.
    """
    if terms.since is not None:
        return terms.since, None
    history = reader.histories(gate.server).get(terms.name)
    if history is None:
        raise ConfigError(f"{terms.name}: no pass has seen it on {gate.server}: say from when on with --since")
    since, remark = moved_since(reader, gate.server, history)
    if since is None:
        raise UnsafePlan(f"{terms.name}: nothing to send on, {remark}")
    return since, remark


def each(messages: Iterator[StrandedMessage], tools: Tools) -> Iterator[StrandedMessage]:
    """Yield messages; only opening them is done with the rights of whoever started the command."""
    while True:
        with tools.as_caller():
            message = next(messages, None)
        if message is None:
            return
        yield message


def addressable(mailbox: str) -> bool:
    """Whether a mailbox's directory is called as an address's local part can be (RFC 5321 §4.1.2, without quotes)."""
    return len(mailbox) <= _LONGEST_LOCAL_PART and _ATOM.match(mailbox) is not None


def is_blocked(record: RescuedMessage, terms: Terms) -> bool:
    """Whether a message on record must not be sent again."""
    return record.outcome not in terms.despite


def _counted(
    reader: LedgerReader, tools: Tools, terms: Terms, gate: Gate, *, since: datetime, skipped: Counter[str]
) -> tuple[MailboxPlan, ...]:
    has_records = bool(reader.rescue_counts(gate.server, terms.name))
    counts: dict[str, _MailboxCount] = {}
    messages = tools.mailboxes[gate.server].messages(
        terms.name, since=since, skipped=skipped, only=terms.only, is_with_spam=terms.is_with_spam
    )
    for message in each(messages, tools):
        if not addressable(message.mailbox):
            skipped[NOT_ADDRESSABLE] += 1
            continue
        count = counts.setdefault(message.mailbox, _MailboxCount())
        record = _record(reader, tools.outbox, gate.server, terms.name, message) if has_records else None
        if record is not None and is_blocked(record, terms):
            count.known[record.outcome] += 1
            continue
        count.messages += 1
        count.octets += message.octets
    return tuple(
        MailboxPlan(mailbox=mailbox, messages=one.messages, octets=one.octets, known=dict(one.known))
        for mailbox, one in counts.items()
    )


def _record(
    reader: LedgerReader, outbox: Outbox, server: str, name: DomainName, message: StrandedMessage
) -> RescuedMessage | None:
    """Return what is on record of a message, by its file's name or else by its content."""
    by_file = reader.rescued(server, name, message.mailbox, files=(message.file,))
    if by_file:
        return by_file[0]
    try:
        examined: Examined = outbox.examine(message.content)
    except UnreadableMessage:
        return None
    by_content = reader.rescued(server, name, message.mailbox, sums=(examined.sha256,))
    return by_content[0] if by_content else None
