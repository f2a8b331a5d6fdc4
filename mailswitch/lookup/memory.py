"""What vantages answered in former sweeps, for as long as it holds: nothing is asked again inside its TTL.

A memory is for one ledger: a file beside it, read once and written anew, as a whole, after each recorded sweep
(`memory_file`). It only ever saves questions: a remembered answer is no sighting, and whoever opens a sweep says which
names may be answered from it. Whatever is wrong with it, it counts as empty, with one complaint.

Facts:

- An answer holds for its TTL (RFC 1035 §3.2.1), a negative one for the smaller of its SOA's TTL and minimum
  (RFC 2308 §5); whoever keeps answers may well bound them (RFC 8767 §4): 60 seconds at least, 6 hours at most.
- No answer is none to remember (RFC 2308 §7).
- A clock is set now and then: what was heard later than now was not heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.lookup.memory_file import Damaged, Entry, Records, read_records, reply_of, write_records, written
from mailswitch.lookup.replies import Found, Nothing, NotThere, Reply

__all__ = ["AnswerMemory", "SweepMemory"]

_HOST_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)
_FLOOR, _CEILING = 60, 6 * 3600
_LONGEST_TTL = 2**31 - 1
"""Seconds (RFC 2181 §8)."""
_MOST_ENTRIES = 3_000_000
_TTL_BITS, _NUMBER_BITS = 31, 24
_TTL_MASK, _NUMBER_MASK = (1 << _TTL_BITS) - 1, (1 << _NUMBER_BITS) - 1


class AnswerMemory:
    """The answers of former sweeps; used by one sweep at a time.

    ``path`` is its file, None to remember only as long as the program runs; ``complain`` is told, once, why the file
    cannot be used.
    """

    def __init__(self, path: Path | None, complain: Callable[[str], None]) -> None:
        self.path = path
        self._complain = complain
        self._told: str | None = None
        self._is_read = path is None
        self._entries: dict[tuple[str, int], dict[str, int]] = {}
        self._answers: list[str] = []
        self._numbers: dict[str, int] = {}

    def table(self, vantage: str, rdtype: int) -> dict[str, int]:
        """Return what a vantage answered about one type, by name: what `moment_of` and `reply` understand."""
        self._read()
        return self._entries.setdefault((vantage, rdtype), {})

    def reply(self, entry: int, rdtype: int) -> Reply | None:
        """Return the answer behind an entry with its TTL as it was heard; None, and no memory, if it makes no sense."""
        try:
            found = reply_of(self._answers[entry & _NUMBER_MASK], rdtype)
        except Damaged as error:
            self._forget(str(error))
            return None
        return replace(found, ttl=timedelta(seconds=entry >> _NUMBER_BITS & _TTL_MASK))

    def entry(self, reply: Found | Nothing | NotThere, heard: int) -> int | None:
        """Return the entry of an answer heard just now; None when there is no more room."""
        text = written(reply)
        number = self._numbers.get(text)
        if number is None:
            if len(self._answers) > _NUMBER_MASK:
                return None
            number = self._numbers[text] = len(self._answers)
            self._answers.append(text)
        ttl = min(max(int(reply.ttl.total_seconds()), 0), _LONGEST_TTL)
        return (heard << _TTL_BITS | ttl) << _NUMBER_BITS | number

    def keep(self, now: int) -> None:
        """Forget what does not hold any more, and write the rest to the file."""
        self._tidy(now)
        if self.path is None:
            return
        if sum(map(len, self._entries.values())) > _MOST_ENTRIES:
            self._tell(f"{self.path}: remembered DNS answers are not kept there: there are more than {_MOST_ENTRIES}")
            return
        try:
            write_records(self.path, self._records())
        except OSError as error:
            self._tell(f"{self.path}: remembered DNS answers cannot be kept there: {error.strerror or error}")

    def _read(self) -> None:
        if self._is_read or self.path is None:
            return
        self._is_read = True
        try:
            records = read_records(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            self._forget(error.strerror or str(error))
            return
        except Damaged as error:
            self._forget(str(error))
            return
        self._answers = list(records.answers)
        self._numbers = {text: number for number, text in enumerate(self._answers)}
        for vantage, rdtype, entries in records.tables:
            self._entries[vantage, rdtype] = {
                name: (heard << _TTL_BITS | ttl) << _NUMBER_BITS | number for name, heard, ttl, number in entries
            }

    def _forget(self, reason: str) -> None:
        for table in self._entries.values():
            table.clear()
        self._answers, self._numbers = [], {}
        self._tell(f"{self.path}: remembered DNS answers are not used, all is asked anew: {reason}")

    def _tell(self, complaint: str) -> None:
        if complaint != self._told:
            self._told = complaint
            self._complain(complaint)

    def _tidy(self, now: int) -> None:
        """Drop what is over, and the answers that nothing leads to any more."""
        answers: list[str] = []
        numbers: dict[int, int] = {}
        for key, table in self._entries.items():
            kept = {}
            for name, entry in table.items():
                if holds(entry, now):
                    old = entry & _NUMBER_MASK
                    new = numbers.get(old)
                    if new is None:
                        new = numbers[old] = len(answers)
                        answers.append(self._answers[old])
                    kept[name] = entry ^ old ^ new
            self._entries[key] = kept
        self._entries = {key: table for key, table in self._entries.items() if table}
        self._answers = answers
        self._numbers = {text: number for number, text in enumerate(answers)}

    def _records(self) -> Records:
        return Records(
            answers=self._answers,
            tables=[
                (vantage, rdtype, (_unpacked(name, entry) for name, entry in table.items()))
                for (vantage, rdtype), table in self._entries.items()
            ],
        )


class SweepMemory:
    """What one sweep may recall and adds; ``vantages`` are the keys of its vantages in their order.

    Without a memory nothing is recalled and nothing kept.
    """

    def __init__(
        self, memory: AnswerMemory | None, vantages: Sequence[str], *, now: Callable[[], datetime], is_kept: bool
    ) -> None:
        self._memory = memory or AnswerMemory(None, lambda _: None)
        self._vantages = tuple(vantages)
        self._now = now
        self.is_kept = is_kept and memory is not None
        """Whether what is heard is remembered."""
        self._tables: dict[int, list[dict[str, int]]] = {}
        self._second = 0
        self._replies: dict[tuple[int, int], Reply | None] = {}
        self._learnt: dict[Found | Nothing | NotThere, int | None] = {}

    def mx(self, name: DomainName) -> tuple[int, tuple[Reply, datetime]] | None:
        """Return the vantage whose MX answer about ``name`` still holds, with that answer and when it was heard."""
        now = self._time()
        for vantage, table in enumerate(self._of(dns.rdatatype.MX)):
            known = self._recall(table.get(name.text), dns.rdatatype.MX, now)
            if known is not None:
                return vantage, known
        return None

    def holder(self, host: DomainName) -> int | None:
        """Return a vantage whose answer about a host's addresses still holds, in part at least."""
        now = self._time()
        for rdtype in _HOST_TYPES:
            for index, table in enumerate(self._of(rdtype)):
                entry = table.get(host.text)
                if entry is not None and holds(entry, now):
                    return index
        return None

    def host(self, vantage: int, host: DomainName) -> dict[dns.rdatatype.RdataType, Reply]:
        """Return what a vantage answered about a host's addresses, by type, as far as it still holds."""
        now = self._time()
        known = (
            (rdtype, self._recall(self._of(rdtype)[vantage].get(host.text), rdtype, now)) for rdtype in _HOST_TYPES
        )
        return {rdtype: found[0] for rdtype, found in known if found is not None}

    def _recall(self, entry: int | None, rdtype: int, now: int) -> tuple[Reply, datetime] | None:
        if entry is None or not holds(entry, now):
            return None
        key = rdtype, entry & (1 << _TTL_BITS + _NUMBER_BITS) - 1
        if key not in self._replies:
            self._replies[key] = self._memory.reply(entry, rdtype)
        reply = self._replies[key]
        if reply is None:
            self._replies.clear()
            self._learnt.clear()
            return None
        return reply, datetime.fromtimestamp(entry >> _TTL_BITS + _NUMBER_BITS, UTC)

    def learn(self, vantage: int, name: DomainName, rdtype: int, reply: Reply, at: datetime) -> None:
        """Remember an answer just heard, if this sweep is to be kept and it is an answer."""
        if not self.is_kept or not isinstance(reply, (Found, Nothing, NotThere)):
            return
        heard = int(at.timestamp())
        if heard != self._second:
            self._second = heard
            self._learnt.clear()
        try:
            entry = self._learnt[reply]
        except KeyError:
            entry = self._learnt[reply] = self._memory.entry(reply, heard)
        if entry is not None:
            self._of(rdtype)[vantage][name.text] = entry

    def keep(self) -> None:
        """Keep what was learnt for the sweeps to come."""
        if self.is_kept:
            self._memory.keep(self._time())

    def _of(self, rdtype: int) -> list[dict[str, int]]:
        tables = self._tables.get(rdtype)
        if tables is None:
            tables = self._tables[rdtype] = [self._memory.table(each, rdtype) for each in self._vantages]
        return tables

    def _time(self) -> int:
        return int(self._now().timestamp())


def holds(entry: int, now: int) -> bool:
    """Whether an answer still holds ``now``, in seconds since 1970."""
    heard = entry >> _TTL_BITS + _NUMBER_BITS
    ttl = entry >> _NUMBER_BITS & _TTL_MASK
    return heard <= now < heard + min(max(ttl, _FLOOR), _CEILING)


def _unpacked(name: str, entry: int) -> Entry:
    return name, entry >> _TTL_BITS + _NUMBER_BITS, entry >> _NUMBER_BITS & _TTL_MASK, entry & _NUMBER_MASK
