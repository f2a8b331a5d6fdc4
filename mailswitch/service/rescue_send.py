"""Sending stranded mail on, in batches; see `mailswitch.service.rescue`."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from mailswitch.core.errors import MailError, UnreadableMessage, UnsafePlan
from mailswitch.core.mailboxes import Examined, StrandedMessage
from mailswitch.core.rescue import Handover, HandoverKind, Letter, Rescue, RescuedMessage, RescueOutcome, token_of
from mailswitch.core.rescue_report import RescueResult
from mailswitch.core.words import counted
from mailswitch.service.ports import Ledger
from mailswitch.service.rescue import NOT_ADDRESSABLE, OWN, Terms, Tools, addressable, begin_at, each, is_blocked
from mailswitch.service.rescue_answers import answers_to, settle_earlier, still_queued
from mailswitch.service.rescue_gate import Gate, Leave, open_gate
from mailswitch.service.rescue_ports import Followed
from mailswitch.service.setup import Setup

__all__ = ["send_rescue"]

_PATIENCE = timedelta(seconds=30)
"""How long a busy ledger is waited for."""


class _Next(Enum):
    """What to do after one message."""

    GO_ON = auto()
    STOP = auto()


@dataclass(slots=True)
class _Batch:
    """Messages after which the answers are waited for; grows while they are sent."""

    size: int
    followed: Followed
    sent: list[RescuedMessage] = field(default_factory=list)


def send_rescue(setup: Setup, tools: Tools, terms: Terms) -> RescueResult:
    """Send a name's stranded mail on, and return what came of it.

    Raises:
        UnsafePlan: it must not be sent now; nothing was.
        ConfigError: the name is not hosted on this machine, or nobody knows since when its mail is away.
        InventoryError: a panel that may host it did not answer.
        MailError: mailboxes, log or mail server are out of reach; nothing more was sent.
        LedgerError: the ledger cannot be used; nothing was sent after that moment.
    """
    with setup.ledger.writer(wait=_PATIENCE) as ledger, ExitStack() as stack:
        gate = open_gate(setup, ledger, terms.name, terms.servers, stack)
        stack.callback(tools.outbox.close)
        settle_earlier(ledger, tools, gate.server, terms.name, setup.now)
        leave = gate.ask(ledger)
        since, _ = begin_at(ledger, gate, terms)
        _insist(leave, ledger, gate, terms, setup.now())
        with tools.as_caller():
            tools.fates[gate.server].follow((), since=None).close()  # without a log nothing is to begin
        started = Rescue(
            id=None, server=gate.server, name=terms.name, by=terms.by, exchanges=leave.exchanges, started=setup.now()
        )
        run = _Run(setup=setup, tools=tools, terms=terms, ledger=ledger, gate=gate, id=ledger.begin_rescue(started))
        run.go(since)
        return run.result(leave)


def _insist(leave: Leave, ledger: Ledger, gate: Gate, terms: Terms, now: datetime) -> None:
    obstacles = list(leave.obstacles)
    if terms.sender is None:
        obstacles.append("rescue.sender is not configured: say whom the mail comes from")
    waiting = still_queued(ledger, gate.server, terms.name, now)
    if waiting:
        said = waiting[-1].answer
        obstacles.append(
            f"the other side has not taken {counted(len(waiting), 'message')} of before, still in the local queue"
            + (f" ({said})" if said else "")
            + ": look at `postqueue -p`, and try again when it is empty"
        )
    if obstacles:
        raise UnsafePlan("\n".join(f"{terms.name}: nothing is sent, {one}" for one in obstacles))


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run under way."""

    setup: Setup
    tools: Tools
    terms: Terms
    ledger: Ledger
    gate: Gate
    id: int
    counts: Counter[RescueOutcome | None] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    stopped: str | None = "it was interrupted"
    batch: _Batch | None = None
    is_first: bool = True
    next_at: float = 0.0

    def go(self, since: datetime) -> None:
        """Send until nothing is left or something stops it; how it ended is on record in either case."""
        try:
            self.stopped = self._walks(since)
        except MailError as error:
            self.stopped = str(error)
            raise
        finally:
            if self.batch is not None:
                self.batch.followed.close()
            counts = tuple(("perhaps" if one is None else one.value, number) for one, number in self.counts.items())
            self.ledger.finish_rescue(self.id, at=self.setup.now(), counts=counts, stopped=self.stopped)

    def result(self, leave: Leave) -> RescueResult:
        """Return what came of it."""
        server, name = self.gate.server, self.terms.name
        if self.counts[None]:
            settle_earlier(self.ledger, self.tools, server, name, self.setup.now)
        perhaps = tuple(one for one in self.ledger.unanswered(server, name) if one.outcome is None)
        return RescueResult(
            server=server,
            name=name,
            id=self.id,
            exchanges=leave.exchanges,
            counts=dict(self.counts),
            stopped=self.stopped,
            skipped=dict(self.skipped),
            perhaps=perhaps,
            rejected=self.ledger.rescue_counts(server, name).get(RescueOutcome.REJECTED, 0),
        )

    def _walks(self, since: datetime) -> str | None:
        """Walk through the mailboxes until a walk finds nothing to send: a file may move while it is looked for."""
        while True:
            before = self.counts.total()
            self.skipped.clear()
            stopped = self._walk(since)
            if stopped is not None or self.counts.total() == before:
                return stopped

    def _walk(self, since: datetime) -> str | None:
        terms = self.terms
        messages = self.tools.mailboxes[self.gate.server].messages(
            terms.name, since=since, skipped=self.skipped, only=terms.only, is_with_spam=terms.is_with_spam
        )
        for message in each(messages, self.tools):
            examined = self._wanted(message)
            if examined is None:
                continue
            if self.batch is None:
                obstacles = self.gate.ask(self.ledger).obstacles
                if obstacles:
                    return "; ".join(obstacles)
                self.batch = self._new_batch()
            stopped = self._send(self.batch, message, examined)
            if len(self.batch.sent) >= self.batch.size or stopped is not None:
                stopped = self._answered() or stopped
            if stopped is not None:
                return stopped
        return self._answered()

    def _wanted(self, message: StrandedMessage) -> Examined | None:
        """Return what is known of a message that is to be sent; None for one that is not."""
        ledger, server, name = self.ledger, self.gate.server, self.terms.name
        if not addressable(message.mailbox):
            self.skipped[NOT_ADDRESSABLE] += 1
            return None
        if self._is_blocked(ledger.rescued(server, name, message.mailbox, files=(message.file,))):
            return None
        try:
            examined = self.tools.outbox.examine(message.content)
        except UnreadableMessage:
            self.skipped["unreadable message"] += 1
            return None
        if self._is_blocked(ledger.rescued(server, name, message.mailbox, sums=(examined.sha256,))):
            return None
        reason = OWN if examined.is_our_own else self.tools.outbox.obstacle(examined)
        if reason is not None:
            self.skipped[reason] += 1
            return None
        return examined

    def _is_blocked(self, records: tuple[RescuedMessage, ...]) -> bool:
        """Whether a message on record must not be sent; one of this very run never is sent again."""
        return any(is_blocked(one, self.terms) or one.rescue_id == self.id for one in records)

    def _new_batch(self) -> _Batch:
        """Begin a batch; the first is a single message, so that a side that takes nothing is asked only once."""
        size, self.is_first = 1 if self.is_first else self.terms.batch, False
        with self.tools.as_caller():
            followed = self.tools.fates[self.gate.server].follow((), since=None)
        return _Batch(size=size, followed=followed)

    def _send(self, batch: _Batch, message: StrandedMessage, examined: Examined) -> str | None:
        """Send one message; return why nothing more may be sent, if so."""
        self._pace()
        # Never the same twice, not even after an attempt that was broken off: the log's word is for one attempt.
        token = token_of(self.tools.new_digits(), self.tools.host)
        batch.followed.add(token)
        intent = self._intent(token, message, examined)
        letter = Letter(
            recipient=f"{message.mailbox}@{self.terms.name}",
            domain=self.tools.display(self.terms.name),
            token=intent.token,
            arrived=message.arrived,
            at=self.setup.now(),
        )
        recorded: list[RescuedMessage] = []

        def commit() -> bool:
            written = self.ledger.intend_message(intent, despite=self.terms.despite)
            if written is not None:
                recorded.append(written)
            return written is not None

        try:
            handover = self.tools.outbox.send(letter, message.content, examined, commit=commit)
        except UnreadableMessage:
            self.skipped["message changed meanwhile"] += 1
            return None
        if recorded:
            return self._handed_over(batch, recorded[0], handover)
        if handover.kind is HandoverKind.ON_RECORD:
            return None
        return f"the local mail server did not take a message: {handover.answer}"

    def _handed_over(self, batch: _Batch, message: RescuedMessage, handover: Handover) -> str | None:
        match handover.kind:
            case HandoverKind.TAKEN:
                self._settle(message, RescueOutcome.TAKEN, handover)
                batch.sent.append(message)
                return None
            case HandoverKind.UNKNOWN:
                self.counts[None] += 1
                return f"a message was perhaps sent, which the next run finds out from the mail log: {handover.answer}"
            case HandoverKind.REFUSED:
                self._settle(message, RescueOutcome.REJECTED, handover)
            case _:
                self._settle(message, RescueOutcome.NOT_TAKEN, handover)
        self.counts[RescueOutcome.REJECTED if handover.kind is HandoverKind.REFUSED else RescueOutcome.NOT_TAKEN] += 1
        return f"the local mail server did not take a message: {handover.answer}"

    def _settle(self, message: RescuedMessage, outcome: RescueOutcome, handover: Handover) -> None:
        if message.id is not None:
            self.ledger.settle_message(
                message.id,
                outcome=outcome,
                at=self.setup.now(),
                queue_id=handover.queue_id,
                answer=handover.answer,
            )

    def _intent(self, token: str, message: StrandedMessage, examined: Examined) -> RescuedMessage:
        return RescuedMessage(
            id=None,
            rescue_id=self.id,
            server=self.gate.server,
            name=self.terms.name,
            mailbox=message.mailbox,
            sha256=examined.sha256,
            file=message.file,
            octets=examined.octets,
            token=token,
            intended_at=self.setup.now(),
        )

    def _answered(self) -> str | None:
        """Wait for the other side's answers to the batch; return why nothing more may be sent, if so."""
        batch, self.batch = self.batch, None
        if batch is None:
            return None
        if not batch.sent:
            batch.followed.close()
            return None
        self.tools.outbox.close()  # no server waits as long as we may
        try:
            answers = answers_to(
                batch.sent, batch.followed, self.ledger, self.tools, wait=self.terms.wait, now=self.setup.now
            )
        finally:
            batch.followed.close()
        self.counts.update(answers.counts)
        self.tools.tell(answers.words)
        return answers.stopped

    def _pace(self) -> None:
        now = self.tools.monotonic()
        if now < self.next_at:
            self.tools.sleep(self.next_at - now)
        self.next_at = max(now, self.next_at) + 60 / self.terms.rate
