"""What the other side answered, by the local mail server's log: waited for after each batch, and looked up later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailswitch.core.names import DomainName
from mailswitch.core.rescue import Fate, FateKind, RescuedMessage, RescueOutcome
from mailswitch.core.words import counted, duration
from mailswitch.service.ports import Ledger
from mailswitch.service.rescue import Tools
from mailswitch.service.rescue_ports import Followed

__all__ = ["Answers", "answers_to", "settle_earlier", "still_queued"]

_LOOK_EVERY_SECONDS = 1.0
_GRACE_SECONDS = 10.0
"""How long to look on where a message seems to have been delivered here (a filter may still give it back), and for the
other answers of a batch of which one message was refused."""
_LONGEST_IN_QUEUE = timedelta(days=6)
"""Postfix gives up after five days (``maximal_queue_lifetime``)."""
_MOST_ANSWERS = 3

_OUTCOMES = {
    FateKind.DELIVERED: RescueOutcome.DELIVERED,
    FateKind.REJECTED: RescueOutcome.REJECTED,
    FateKind.KEPT_HERE: RescueOutcome.REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came of one batch."""

    counts: Counter[RescueOutcome | None]
    words: str
    """How it went, for people."""
    stopped: str | None
    """Why nothing more may be sent, in words."""


def settle_earlier(ledger: Ledger, tools: Tools, server: str, name: DomainName, now: Callable[[], datetime]) -> None:
    """Learn from the mail log what became of messages of earlier runs; what it does not tell stays as it is.

    Raises:
        MailError: the log cannot be read.
        LedgerError: the ledger cannot be used.
    """
    waiting = ledger.unanswered(server, name)
    if not waiting:
        return
    since = min(one.intended_at for one in waiting)
    with tools.as_caller(), closing(tools.fates[server].follow([one.token for one in waiting], since=since)) as log:
        fates = log.look()
    for message in waiting:
        fate = fates[message.token]
        outcome = _OUTCOMES.get(fate.kind)
        if outcome is None and message.outcome is None and fate.kind is not FateKind.UNSEEN:
            outcome = RescueOutcome.TAKEN if fate.kind.is_taken else RescueOutcome.NOT_TAKEN
        if outcome is not None:
            _settle(ledger, message, outcome, fate, now())


def still_queued(ledger: Ledger, server: str, name: DomainName, now: datetime) -> tuple[RescuedMessage, ...]:
    """Return the messages that the local mail server still tries to deliver."""
    return tuple(
        one
        for one in ledger.unanswered(server, name)
        if one.outcome is RescueOutcome.TAKEN and now - one.intended_at < _LONGEST_IN_QUEUE
    )


def answers_to(
    sent: Sequence[RescuedMessage],
    followed: Followed,
    ledger: Ledger,
    tools: Tools,
    *,
    wait: timedelta,
    now: Callable[[], datetime],
) -> Answers:
    """Wait until the other side has answered for each message, and record what it said.

    Raises:
        MailError: the log cannot be read any more.
        LedgerError: the ledger cannot be used.
    """
    fates = _awaited(sent, followed, tools, wait)
    counts: Counter[RescueOutcome | None] = Counter()
    refused: list[str] = []
    late: list[str] = []
    for message in sent:
        fate = fates.get(message.token, Fate(kind=FateKind.UNSEEN))
        outcome = _OUTCOMES.get(fate.kind, RescueOutcome.TAKEN)
        _settle(ledger, message, outcome, fate, now())
        counts[outcome] += 1
        if outcome is RescueOutcome.REJECTED:
            refused.append(_words(fate))
        elif outcome is RescueOutcome.TAKEN:
            late.append(fate.answer or "nothing in the mail log yet")
    stopped = None
    if refused:
        stopped = f"{counted(len(refused), 'message')} of {len(sent)} not taken by the other side: {_some(refused)}"
    elif late:
        stopped = f"the other side has not taken {len(late)} of {len(sent)} within {duration(wait)}: {_some(late)}"
    done = f"{counts[RescueOutcome.DELIVERED]} of {counted(len(sent), 'message')} taken by the other side"
    return Answers(counts=counts, words=done, stopped=stopped)


def _awaited(sent: Sequence[RescuedMessage], followed: Followed, tools: Tools, wait: timedelta) -> dict[str, Fate]:
    began = tools.monotonic()
    deadline = began + wait.total_seconds()
    while True:
        with tools.as_caller():
            fates = dict(followed.look())
        kinds = [fates[one.token].kind for one in sent]
        if all(kind in {FateKind.DELIVERED, FateKind.REJECTED} for kind in kinds):
            return fates
        now = tools.monotonic()
        if any(kind in {FateKind.REJECTED, FateKind.KEPT_HERE} for kind in kinds):
            deadline = min(deadline, now + _GRACE_SECONDS)
        if now >= deadline:
            return fates
        tools.sleep(_LOOK_EVERY_SECONDS)


def _settle(ledger: Ledger, message: RescuedMessage, outcome: RescueOutcome, fate: Fate, at: datetime) -> None:
    if message.id is not None:
        ledger.settle_message(message.id, outcome=outcome, at=at, queue_id=fate.queue_id, answer=_words(fate) or None)


def _words(fate: Fate) -> str:
    if fate.kind is FateKind.KEPT_HERE:
        return f"it was delivered on this server itself, not elsewhere ({fate.answer})"
    return fate.answer or ""


def _some(answers: list[str]) -> str:
    """Return different answers, a few of them."""
    different = list(dict.fromkeys(answers))
    more = f" (and {len(different) - _MOST_ANSWERS} other answers)" if len(different) > _MOST_ANSWERS else ""
    return "; ".join(different[:_MOST_ANSWERS]) + more
