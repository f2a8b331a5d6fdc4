"""The daemon's side: takes what the collector left, each batch once, and tells it what is wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mailswitch.core.domain import Network
from mailswitch.core.evidence import Gathered, LoginCount, LogReading, MailCount
from mailswitch.core.names import DomainName
from mailswitch.evidence.batches import Batch, Wish, encoded_wish
from mailswitch.evidence.collecting import WISH_NAME
from mailswitch.evidence.spool import Spool, SpoolError, write_whole

__all__ = ["CollectedLogs"]

_NOT_YET = "nothing was collected yet: the timer mailswitch-evidence.timer has to run"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """How far batches were merged; kept in the ledger beside the counts."""

    spool: str = ""
    number: int = 0
    floor: datetime | None = None
    """Before this something was not merged."""


class CollectedLogs:
    """One server's mail log, read by the collector; satisfies MailLogSource."""

    def __init__(self, server: str, spool: Spool, own_folder: Path) -> None:
        """Take batches from ``spool``, and leave the wish in the daemon's own folder."""
        self._server = server
        self._spool = spool
        self._own_folder = own_folder

    def gather(
        self, reading: LogReading | None, *, hosted: Iterable[DomainName], own: Iterable[Network], now: datetime
    ) -> Gathered:
        """Return what was collected since ``reading``. Trouble is told in the answer, and nothing is remembered."""
        del own, now
        place = _place(reading)
        try:
            batches = self._new_batches(place, frozenset(hosted))
        except SpoolError as error:
            return Gathered(reading=reading, problem=str(error))
        return _merged(batches, place, reading)

    def remember(
        self, reading: LogReading | None, *, hosted: Iterable[DomainName], own: Iterable[Network]
    ) -> str | None:
        """Tell the collector what is hosted and how far its batches are in the ledger; return what went wrong."""
        place = _place(reading)
        wish = Wish(
            server=self._server,
            hosted=frozenset(hosted),
            own=frozenset(own),
            spool=place.spool,
            merged=place.number,
            until=None if reading is None else reading.until,
        )
        try:
            write_whole(self._own_folder / WISH_NAME, encoded_wish(wish))
        except SpoolError as error:
            return str(error)
        return None

    def _new_batches(self, place: _Place, hosted: frozenset[DomainName]) -> list[Batch]:
        numbers = self._spool.numbers()
        if not numbers:
            raise SpoolError(_NOT_YET)
        # Several only while the collector begins another series; the known one first, lest anything is lost.
        series = place.spool if place.spool in numbers else next(iter(numbers))
        begin = place.number if series == place.spool else 0
        found: list[Batch] = []
        trouble: SpoolError | None = None
        for number in (number for number in numbers[series] if number > begin):
            try:
                found.append(self._spool.read(series, number, hosted))
                trouble = None  # what was left out before it is a gap, and shows as one
            except SpoolError as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return found


def _merged(batches: list[Batch], place: _Place, reading: LogReading | None) -> Gathered:
    counts: list[MailCount] = []
    logins: list[LoginCount] = []
    problem: str | None = None
    for batch in batches:
        is_next = batch.spool == place.spool and batch.number == place.number + 1
        floor = place.floor
        until = None if batch.reading is None else batch.reading.until
        if not is_next:
            is_twice = reading is not None and (batch.after is None or batch.after < reading.until)
            floor = until if is_twice else (floor if batch.number == 1 and reading is None else batch.after or floor)
            if is_twice:
                batch = _emptied(batch)  # noqa: PLW2901 - what may be counted already is left out
        counts += batch.counts
        logins += batch.logins
        problem = batch.problem
        place = _Place(spool=batch.spool, number=batch.number, floor=floor)
        if batch.reading is not None:
            reading = _with_place(batch.reading, place)
    if reading is None:
        return Gathered(reading=None, problem=problem or _NOT_YET)
    return Gathered(reading=reading, counts=tuple(counts), logins=tuple(logins), problem=problem)


def _emptied(batch: Batch) -> Batch:
    return Batch(
        spool=batch.spool, number=batch.number, after=batch.after, reading=batch.reading, problem=batch.problem
    )


def _with_place(reading: LogReading, place: _Place) -> LogReading:
    since = reading.since if place.floor is None else max(reading.since, place.floor)
    floor = None if place.floor is None else place.floor.isoformat()
    bookmark = json.dumps({"spool": place.spool, "number": place.number, "floor": floor})
    return LogReading(since=since, until=reading.until, bookmark=bookmark)


def _place(reading: LogReading | None) -> _Place:
    """Return how far batches were merged; nothing where the log was read in another way before."""
    if reading is None:
        return _Place()
    try:
        found = json.loads(reading.bookmark)
        floor = found["floor"]
        return _Place(
            spool=str(found["spool"]),
            number=int(found["number"]),
            floor=None if floor is None else datetime.fromisoformat(floor).astimezone(UTC),
        )
    except (ValueError, LookupError, TypeError):
        return _Place()
