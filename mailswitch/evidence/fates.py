"""What became of single messages, by Postfix's log: found by their Message-ID, followed by queue id through filters.

Facts, from Postfix's sources (3.5 to 3.9) and manual pages:

- ``cleanup`` logs ``QUEUE_ID: message-id=<…>`` while it reads the header, also of a message whose connection ends
  before it does and which is then thrown away; it gets what ``smtpd`` reads 4,096 octets at a time, so of a shorter
  one that broke off it never hears. ``qmgr`` logs ``from=<…>, size=`` only of what was taken.
- ``smtpd`` logs ``lost connection after DATA`` or ``timeout after DATA`` where a message was not sent to its end;
  after the end the words are ``after END-OF-MESSAGE``. Between ``client=`` and that line one process has one message.
- Each attempt ends in ``to=<…>, relay=…, dsn=…, status=sent|deferred|bounced (WORDS)``; qmgr ends with ``expired``.
  The words are the other side's; what they hold comes after the status, and so cannot be taken for it. An address may
  look like fields before Postfix 3.5; ours never hold a quote.
- A queue id may come again once its message has gone (short ones are made of the inode's number).
- A filter's message comes back with the same Message-ID under another queue id, and the filter's words end in
  ``queued as`` that one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from mailswitch.core.rescue import Fate, FateKind

__all__ = ["FateReader"]

_LINE = re.compile(rb" postfix[^ \[\]]*/([a-z]+)\[([0-9]+)\]: (?:([0-9A-Za-z]{5,24}): )?(.*)\Z", re.DOTALL)
_MESSAGE_ID = re.compile(rb"message-id=<([0-9a-f]{32}\.mailswitch-rescue@[A-Za-z0-9.-]+)>\Z")
_DELIVERY = re.compile(
    rb"to=<[^<>\"\s]*>, (?:orig_to=<[^<>\"\s]*>, )?relay=([^\s,]+), (?:conn_use=[0-9]+, )?"
    rb"delay=[0-9.]+, delays=[0-9./]+, dsn=[245]\.[0-9]+\.[0-9]+, status=([a-z]+) \((.*)\)\Z",
    re.DOTALL,
)
_QUEUED_AS = re.compile(rb"queued as ([0-9A-Za-z]{5,24})\Z")
_BROKEN_OFF = re.compile(rb"(?:lost connection|timeout) after DATA\b")
_MOST_CLIENTS = 10_000
_LONGEST_ANSWER = 500


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt to deliver to one recipient."""

    queue_id: bytes
    program: bytes
    relay: bytes
    status: bytes
    words: bytes

    @property
    def answer(self) -> str:
        """The other side's words with its name."""
        told = self.words.decode("utf-8", "replace")[:_LONGEST_ANSWER]
        return told if self.relay == b"none" else f"{self.relay.decode('ascii', 'replace')}: {told}"


@dataclass(slots=True)
class _Queued:
    """One queue id of a message of ours; changes as its lines come."""

    is_taken: bool = False
    is_removed: bool = False
    is_expired: bool = False
    last: dict[bytes, _Attempt] = field(default_factory=dict)
    """By recipient."""


class FateReader:
    """Takes a log's lines in their order and tells what they say of some messages."""

    def __init__(self, tokens: Collection[str]) -> None:
        """Follow the messages with these Message-IDs (without brackets)."""
        self._tokens = {token.encode("ascii"): token for token in tokens}
        self._queued: dict[bytes, _Queued] = {}
        self._ids: dict[str, list[bytes]] = {}
        self._clients: dict[bytes, bytes] = {}
        self._broken_off: set[bytes] = set()
        self._retired = 0

    def add(self, token: str) -> None:
        """Follow one more message; lines fed before say nothing of it."""
        self._tokens[token.encode("ascii")] = token

    def feed(self, line: bytes) -> None:
        """Take one line, without its newline; what is none of Postfix's says nothing."""
        found = _LINE.search(line)
        if found is None:
            return
        program, process, queue_id, words = found.groups()
        match program:
            case b"smtpd":
                self._smtpd(process, queue_id, words)
            case b"pickup" if queue_id is not None:
                self._retire(queue_id)
            case b"cleanup":
                self._cleanup(queue_id, words)
            case b"qmgr":
                self._qmgr(queue_id, words)
            case _:
                self._delivery(program, queue_id, words)

    def fate(self, token: str) -> Fate:
        """Return what is known by now of one message."""
        ids = self._ids.get(token, [])
        taken = [one for one in ids if self._is_taken(one)]
        if not taken:
            is_aborted = bool(ids) and all(one in self._broken_off for one in ids)
            return Fate(kind=FateKind.ABORTED if is_aborted else FateKind.UNSEEN)
        attempts = [
            attempt for one in taken for attempt in self._queued[one].last.values() if not self._is_handover(attempt)
        ]
        for kind in (FateKind.REJECTED, FateKind.DEFERRED, FateKind.DELIVERED, FateKind.KEPT_HERE):
            for attempt in attempts:
                if self._kind(attempt) is not kind:
                    continue
                is_over = all(self._queued[one].is_removed for one in taken)
                told = FateKind.QUEUED if kind is FateKind.KEPT_HERE and not is_over else kind
                return Fate(kind=told, queue_id=_shown(attempt.queue_id), answer=attempt.answer)
        return Fate(kind=FateKind.QUEUED, queue_id=_shown(taken[-1]))

    def _kind(self, attempt: _Attempt) -> FateKind:
        match attempt.status:
            case b"sent":
                return FateKind.DELIVERED if attempt.program == b"smtp" else FateKind.KEPT_HERE
            case b"deferred":
                return FateKind.REJECTED if self._is_expired(attempt) else FateKind.DEFERRED
            case _:
                return FateKind.REJECTED

    def _is_expired(self, attempt: _Attempt) -> bool:
        return any(one.is_expired and attempt in one.last.values() for one in self._queued.values())

    def _is_taken(self, queue_id: bytes) -> bool:
        queued = self._queued[queue_id]
        return queued.is_taken or bool(queued.last)

    def _is_handover(self, attempt: _Attempt) -> bool:
        """Whether a message was only given to a filter, which gave it back."""
        given = _QUEUED_AS.search(attempt.words)
        return attempt.status == b"sent" and given is not None and given[1] in self._queued

    def _smtpd(self, process: bytes, queue_id: bytes | None, words: bytes) -> None:
        if queue_id is not None and words.startswith(b"client="):
            self._retire(queue_id)
            if len(self._clients) >= _MOST_CLIENTS:
                self._clients.clear()
            self._clients[process] = queue_id
        elif queue_id is None:
            client = (
                self._clients.pop(process, None) if words.startswith((b"lost", b"timeout", b"disconnect")) else None
            )
            if client is not None and _BROKEN_OFF.match(words):
                if len(self._broken_off) >= _MOST_CLIENTS:
                    self._broken_off.clear()
                self._broken_off.add(client)

    def _cleanup(self, queue_id: bytes | None, words: bytes) -> None:
        if queue_id is None:
            return
        found = _MESSAGE_ID.match(words)
        token = None if found is None else self._tokens.get(found[1])
        if token is not None:
            self._queued[queue_id] = _Queued()
            self._ids.setdefault(token, []).append(queue_id)

    def _retire(self, queue_id: bytes) -> None:
        """Put a message aside whose queue id is another's from now on."""
        was_broken_off = queue_id in self._broken_off
        self._broken_off.discard(queue_id)
        if queue_id not in self._queued:
            return
        self._retired += 1
        kept = b"%b!%d" % (queue_id, self._retired)
        self._queued[kept] = self._queued.pop(queue_id)
        self._ids = {token: [kept if one == queue_id else one for one in ids] for token, ids in self._ids.items()}
        if was_broken_off:
            self._broken_off.add(kept)

    def _qmgr(self, queue_id: bytes | None, words: bytes) -> None:
        queued = None if queue_id is None else self._queued.get(queue_id)
        if queued is None:
            return
        queued.is_taken = True
        queued.is_removed |= words == b"removed"
        queued.is_expired |= b", status=expired, " in words

    def _delivery(self, program: bytes, queue_id: bytes | None, words: bytes) -> None:
        queued = None if queue_id is None else self._queued.get(queue_id)
        found = _DELIVERY.match(words)
        if queue_id is not None and queued is not None and found is not None:
            queued.last[words.partition(b">")[0]] = _Attempt(queue_id, program, *found.groups())


def _shown(queue_id: bytes) -> str:
    return queue_id.partition(b"!")[0].decode("ascii")
