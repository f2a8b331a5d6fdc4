"""What people are told of by mail and webhook: from what was said before and what a pass found, to what is news.

A trouble is told when it is new and not again while it lasts; what comes and goes is told at most once in `QUIET`.
A change is told once, when its outcome is known, whoever made it. A daily digest says what stands and what was done.
Everything here is pure: the memory goes in and comes out, the ledger keeps it between passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Actor, Change, Outcome, ServerPass
from mailswitch.core.names import DomainName

__all__ = [
    "IN_HAND",
    "QUIET",
    "Bulletin",
    "Digest",
    "Notice",
    "NoticeKind",
    "NoticeMemory",
    "Seen",
    "Told",
    "Trouble",
    "Unsent",
    "digest_of",
    "news_of",
]

QUIET = timedelta(hours=6)
"""How long a trouble that went away and came back is kept from being told again."""

IN_HAND = timedelta(minutes=10)
"""How long a bulletin that a process is sending is left to it."""
_LONGEST_TEXT = 1_000
_DAY = timedelta(days=1)


class NoticeKind(StrEnum):
    """What a notice is about."""

    CHANGED = "changed"
    """A switch was turned, and read back."""
    CHANGE_FAILED = "change-failed"
    """A switch was to be turned and stands elsewhere."""
    REFUSED = "refused"
    """A limit stands in front of a server's turn-offs."""
    ALERT = "alert"
    """An alert of the report that was not there before."""
    FAILING = "failing"
    """A server's part of the pass, or the whole pass, newly fails."""
    RECOVERED = "recovered"
    """It works again."""
    MAIL_REFUSED = "mail-refused"
    """We turned a name off, mail to it fails for that, and it is not on yet."""
    MAIL_ACCEPTED = "mail-accepted"
    """That is over."""


_OVER = {NoticeKind.FAILING: NoticeKind.RECOVERED, NoticeKind.MAIL_REFUSED: NoticeKind.MAIL_ACCEPTED}
"""The troubles whose end is told too, and how."""

_END_TEXT = {
    NoticeKind.RECOVERED: "works again",
    NoticeKind.MAIL_ACCEPTED: "mail is no longer refused",
}

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that stands as long as nobody mends it."""

    kind: NoticeKind
    """REFUSED, ALERT, FAILING or MAIL_REFUSED."""
    code: str
    server: str
    """Empty where it is the whole pass."""
    name: DomainName | None
    text: str

    @property
    def key(self) -> _Key:
        """What makes two troubles the same; a server that fails for another reason still is the one failing server."""
        return _key(self.kind, self.code, self.server, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Trouble):
    """A trouble that was told, with the text as it was told."""

    said_at: datetime
    is_over: bool = False
    """It went away; remembered for `QUIET` all the same, so that one that comes and goes is not told each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell."""

    kind: NoticeKind
    code: str
    """For alerts, refusals and failures their code; else the kind."""
    server: str
    name: DomainName | None
    text: str
    change: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """What is sent at one time, in the forms in which it is sent."""

    id: str
    """Hexadecimal digits; the same when it is sent again, so that a receiver can tell."""
    subject: str
    text: str
    document: str
    """The JSON document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A bulletin that did not go out one way; it is tried once more with the next pass."""

    way: str
    bulletin: Bulletin
    taken_at: datetime | None = None
    """When a process began to send it; None after it has failed."""

    def is_in_hand(self, now: datetime) -> bool:
        """Whether somebody is sending it, and was not killed over it long ago."""
        return self.taken_at is not None and timedelta(0) <= now - self.taken_at < IN_HAND


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeMemory:
    """What the ledger remembers of what was told."""

    last_change: int = 0
    """The newest change looked at; older ones were told, but for `open_changes`."""
    open_changes: tuple[int, ...] = ()
    """Changes looked at while they had no outcome."""
    told: tuple[Told, ...] = ()
    digest_at: datetime | None = None
    """When the last digest was made, or when counting began."""
    done: int = 0
    """Changes done since then."""
    failed: int = 0
    unsent: tuple[Unsent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one pass found, as far as people are told of it."""

    now: datetime
    troubles: tuple[Trouble, ...] = ()
    whole: frozenset[str] = frozenset()
    """Servers of which every name was looked at without an error."""
    answered: frozenset[str] = frozenset()
    """Servers, and the whole pass as the empty text, that were tried: one that does not fail now works."""
    names: frozenset[tuple[str, DomainName]] = frozenset()
    """Single names that were looked at."""
    changes: tuple[Change, ...] = ()
    """Changes newer than the memory's last, and its open ones, as they stand now."""

    def has_looked_at(self, told: Told) -> bool:
        """Whether the pass would have found a trouble told before, were it still there."""
        if told.kind is NoticeKind.FAILING:
            return told.server in self.answered
        if told.server in self.whole:
            return True
        return told.name is not None and (told.server, told.name) in self.names


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One day in short."""

    since: datetime
    until: datetime
    done: int
    failed: int
    standing: tuple[Told, ...]
    passes: tuple[ServerPass, ...]
    """The last pass of each server."""


def news_of(memory: NoticeMemory, seen: Seen) -> tuple[NoticeMemory, tuple[Notice, ...]]:
    """Return what is to be remembered and what is to be told, changes first."""
    changes = {change.id: change for change in seen.changes if change.id is not None}
    settled = [changes[number] for number in sorted(changes) if changes[number].outcome is not None]
    done = sum(1 for change in settled if change.outcome is Outcome.DONE)
    told, notices = _standing(memory.told, seen)
    memory = replace(
        memory,
        last_change=max((*changes, memory.last_change)),
        open_changes=tuple(sorted(number for number, change in changes.items() if change.outcome is None)),
        told=told,
        digest_at=memory.digest_at or seen.now,
        done=memory.done + done,
        failed=memory.failed + len(settled) - done,
    )
    return memory, (*map(_change_notice, settled), *notices)


def digest_of(
    memory: NoticeMemory, now: datetime, at: time, passes: Iterable[ServerPass]
) -> tuple[NoticeMemory, Digest | None]:
    """Return the digest if the time of day ``at`` (UTC) has come since the last one, and what to remember."""
    today = datetime.combine(now.astimezone(UTC).date(), at, tzinfo=UTC)
    due = today if today <= now else today - _DAY
    if memory.digest_at is None or not memory.digest_at < due:
        return memory, None
    digest = Digest(
        since=memory.digest_at,
        until=now,
        done=memory.done,
        failed=memory.failed,
        standing=tuple(one for one in memory.told if not one.is_over),
        passes=tuple(passes),
    )
    return replace(memory, digest_at=now, done=0, failed=0), digest


def _standing(before: tuple[Told, ...], seen: Seen) -> tuple[tuple[Told, ...], list[Notice]]:
    known = {told.key: told for told in before}
    present = {trouble.key: trouble for trouble in seen.troubles}
    notices: list[Notice] = []
    after: dict[_Key, Told] = {}
    for key, trouble in sorted(present.items()):
        told = known.get(key)
        if told is None or _is_worth_repeating(told, trouble, seen.now):
            text = trouble.text[:_LONGEST_TEXT]
            after[key] = Told(
                kind=trouble.kind,
                code=trouble.code,
                server=trouble.server,
                name=trouble.name,
                text=text,
                said_at=seen.now,
            )
            notices.append(
                Notice(kind=trouble.kind, code=trouble.code, server=trouble.server, name=trouble.name, text=text)
            )
        else:
            after[key] = told
    for key, told in sorted(known.items()):
        if key in present:
            continue
        if not seen.has_looked_at(told):
            after[key] = told
            continue
        if not told.is_over and told.kind in _OVER:
            notices.append(_end_notice(told))
        if _is_recent(told, seen.now):
            after[key] = replace(told, is_over=True)
    return tuple(after.values()), notices


def _is_recent(told: Told, now: datetime) -> bool:
    """Whether it was told within `QUIET`; a clock that went backwards makes nothing recent."""
    return timedelta(0) <= now - told.said_at < QUIET


def _is_worth_repeating(told: Told, trouble: Trouble, now: datetime) -> bool:
    """Whether a trouble told before came back, or turned into another one, and is not too fresh to be told again."""
    return (told.is_over or told.code != trouble.code) and not _is_recent(told, now)


def _end_notice(told: Told) -> Notice:
    kind = _OVER[told.kind]
    text = f"{_END_TEXT[kind]} (it was: {told.text})"
    return Notice(kind=kind, code=kind.value, server=told.server, name=told.name, text=text)


def _change_notice(change: Change) -> Notice:
    is_done = change.outcome is Outcome.DONE
    kind = NoticeKind.CHANGED if is_done else NoticeKind.CHANGE_FAILED
    to = "on" if change.switch_to is Switch.ON else "off"
    who = "mailswitch" if change.actor is Actor.MAILSWITCH else change.by
    if is_done:
        text = f"turned {to} by {who}: {change.reason}"
    else:
        text = f"not turned {to} by {who}: {change.error or 'the switch stands elsewhere'}"
    return Notice(
        kind=kind, code=kind.value, server=change.server, name=change.name, text=text[:_LONGEST_TEXT], change=change
    )


def _key(kind: NoticeKind, code: str, server: str, name: DomainName | None) -> _Key:
    told_apart = code if kind in {NoticeKind.ALERT, NoticeKind.REFUSED} else ""
    return kind.value, server, "" if name is None else name.text, told_apart
