"""What one process reads for another: handed over once whatever happens, and believed no more than needed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.evidence import Gathered, LoginCount, LogReading, MailCount, Traffic
from mailswitch.core.names import DomainName
from mailswitch.evidence.batches import (
    Batch,
    Wish,
    decoded_batch,
    decoded_wish,
    encoded_batch,
    encoded_wish,
)
from mailswitch.evidence.collected import CollectedLogs
from mailswitch.evidence.collecting import WISH_NAME, collect
from mailswitch.evidence.source import MailLogSettings, PostfixLogs
from mailswitch.evidence.spool import Spool, SpoolError, read_trusted
from tests.support.mail_logs import NOW, later, line, message, tally, write

MOVED, OTHER = DomainName("moved.example"), DomainName("other.example")
GATEWAY = ("moved.example", "outside", "185.201.16.0/24")
SERIES = "0123456789abcdef"


class House:
    """A log that root's collector reads, and a daemon with a ledger of its own."""

    def __init__(self, folder: Path) -> None:
        self.log, self.spool, self.own = folder / "maillog", Spool(folder / "spool"), folder / "own"
        self.spool.folder.mkdir()
        self.own.mkdir()
        self.daemon = CollectedLogs("web01", self.spool, self.own)
        self.reading: LogReading | None = None
        self.counted: list[Gathered] = []
        self._number = 0
        write(self.log, [line(later(-30), "anvil", "statistics")])

    def mail(self, number: int = 1) -> None:
        """Let messages come in, each a few minutes after the one before."""
        for _ in range(number):
            self._number += 1
            write(self.log, message(later(3 * self._number), f"AAAA{self._number:04X}", "info@moved.example"))

    def collects(self) -> str:
        source = PostfixLogs(MailLogSettings(paths=(self.log,), zone=UTC))

        def gather(reading: LogReading | None, wish: Wish) -> Gathered:
            return source.gather(reading, hosted=wish.hosted, own=wish.own, now=NOW)

        return collect(self.spool, self.own / WISH_NAME, gather)

    def look(self) -> Gathered:
        """Look as a dry run does."""
        return self.daemon.gather(self.reading, hosted=(MOVED,), own=(), now=NOW)

    def passes(self, *, is_killed: bool = False) -> Gathered:
        """Make a pass that records; killed, it does not get to tell the collector."""
        found = self.look()
        if found.reading is not None:
            self.reading = found.reading
        self.counted.append(found)
        if not is_killed:
            assert self.daemon.remember(self.reading, hosted=(MOVED,), own=()) is None
        return found

    @property
    def total(self) -> int:
        return tally(*self.counted).total()

    def batches(self) -> list[int]:
        return [number for numbers in self.spool.numbers().values() for number in numbers]


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(tmp_path)
    found.passes()
    return found


def test_messages_reach_the_daemon_once(house: House) -> None:
    house.mail(2)
    house.collects()
    assert tally(house.passes()) == {GATEWAY: 2}
    house.mail()
    house.collects()
    house.mail()
    house.collects()
    dry = house.look()

    assert tally(dry) == tally(house.passes()) == {GATEWAY: 2}
    assert house.passes().counts == ()
    assert house.total == 4
    assert dry.problem is None
    assert dry.reading is not None
    assert dry.reading.since == later(-30)


def test_before_the_daemon_said_what_it_wants_nothing_is_read(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.mail()

    assert house.collects().startswith("nothing to do: the daemon has not left ")
    assert house.batches() == []
    assert house.look().problem == "nothing was collected yet: the timer mailswitch-evidence.timer has to run"


def test_merged_batches_are_taken_away_but_for_the_last(house: House) -> None:
    for _ in range(4):
        house.mail()
        house.collects()
    house.passes()
    house.collects()

    assert house.batches() == [4, 5]


def test_a_daemon_killed_before_it_told_merges_nothing_twice(house: House) -> None:
    house.mail()
    house.collects()
    house.passes(is_killed=True)
    house.mail()
    house.collects()
    house.passes()

    assert house.total == 2


def test_a_collector_killed_before_its_rename_counts_nothing_twice(house: House) -> None:
    house.mail()
    (house.spool.folder / f".batch-{SERIES}-1.json.new").write_text("half", encoding="ascii")
    house.collects()
    house.passes()
    house.collects()

    assert house.total == 1
    assert [path.name for path in house.spool.folder.iterdir() if path.name.startswith(".")] == []


def test_a_lost_spool_begins_behind_what_is_in_the_ledger(house: House) -> None:
    house.mail(2)
    house.collects()
    house.passes()
    for path in house.spool.folder.iterdir():
        path.unlink()
    house.mail()
    house.collects()
    found = house.passes()

    assert house.total == 3
    assert found.reading is not None
    assert found.reading.since > later(6)


def test_a_lost_spool_whose_daemon_had_not_told_counts_nothing_twice(house: House) -> None:
    house.mail(2)
    house.collects()
    house.passes(is_killed=True)
    for path in house.spool.folder.iterdir():
        path.unlink()
    house.mail()
    house.collects()
    house.passes()

    assert house.total == 2  # the third cannot be told apart and is left out; the log counts from there on
    house.mail()
    house.collects()
    house.passes()
    assert house.total == 3


def test_a_new_ledger_counts_from_where_batches_are_left(house: House) -> None:
    for _ in range(3):
        house.mail()
        house.collects()
        house.passes()
    house.collects()
    house.reading, house.counted = None, []
    found = house.passes()

    assert house.batches() == [3, 4]
    assert tally(found) == {GATEWAY: 1}
    assert found.reading is not None
    assert found.reading.since == later(6)  # the minute in which batch 2 ended


def test_a_damaged_batch_is_told_and_then_a_gap(house: House) -> None:
    house.mail()
    house.collects()
    house.passes()
    house.mail()
    house.collects()
    (series,) = house.spool.numbers()
    (house.spool.folder / f"batch-{series}-2.json").write_text("{", encoding="ascii")

    assert "was left out" in (house.look().problem or "")
    (house.spool.folder / f"batch-{series}-3.json").write_text(
        encoded_batch(_batch(series, 3, after=later(6))), encoding="utf-8"
    )
    found = house.passes()
    assert found.reading is not None
    assert found.reading.since == later(6)
    assert house.total == 2


def test_a_collector_that_finds_no_daemon_ends_reading(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailswitch.evidence.collecting._MOST_UNMERGED", 3)
    for _ in range(3):
        house.collects()
    house.mail()

    assert house.collects() == "nothing was read: 3 batches wait for the daemon"
    house.passes()
    house.collects()
    house.passes()
    assert house.total == 1


def test_a_log_that_cannot_be_read_is_told_to_the_daemon(house: House) -> None:
    house.log.unlink()
    house.collects()

    assert "there is no mail log" in (house.look().problem or "")


def test_files_are_for_the_group_to_read_and_nobody_elses(house: House) -> None:
    house.collects()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (*house.spool.folder.iterdir(), *house.own.iterdir())}

    assert modes == {0o640}


# --- hostile contents -----------------------------------------------------------------------------


def _batch(series: str = SERIES, number: int = 1, **known: Any) -> Batch:
    count = MailCount(
        name=MOVED, day=NOW.date(), traffic=Traffic.OUTSIDE, network=ip_network("185.201.16.0/24"), messages=1, last=NOW
    )
    usual = Batch(
        spool=series,
        number=number,
        after=None,
        reading=LogReading(since=NOW - timedelta(days=8), until=NOW, bookmark="{}"),
        counts=(count,),
        logins=(LoginCount(name=MOVED, mailbox="info", day=NOW.date(), logins=2, last=NOW),),
    )
    return replace(usual, **known)


def test_batches_and_wishes_come_back_as_they_were() -> None:
    batch = _batch(after=NOW, problem="odd")
    wish = Wish(
        server="web01", hosted=frozenset({MOVED}), own=frozenset({ip_network("2001:db8::/32")}), spool=SERIES, until=NOW
    )

    assert decoded_batch(encoded_batch(batch), None) == decoded_batch(encoded_batch(batch), (MOVED,)) == batch
    assert decoded_wish(encoded_wish(wish)) == wish
    assert decoded_batch(encoded_batch(batch), (OTHER,)).counts == ()


_SPOILT: dict[str, Any] = {
    "version": 2, "spool": "../../etc", "number": -1, "after": "yesterday", "reading": [1, 2, 3],
    "counts": [["moved.example", "2026-11-23", "outside", "185.201.16.7/32", 1, NOW.isoformat()]],
    "logins": [["moved.example", "a\nb", "2026-11-23", 1, NOW.isoformat()]],
}  # fmt: skip


@pytest.mark.parametrize("key", _SPOILT)
def test_a_batch_with_something_wrong_is_left_out_as_a_whole(key: str) -> None:
    text = json.dumps(json.loads(encoded_batch(_batch())) | {key: _SPOILT[key]})

    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        decoded_batch(text, (MOVED,))


@pytest.mark.parametrize(
    "count",
    [
        ["moved.example", "2026-11-23", "outside", None, 0, NOW.isoformat()],
        ["moved.example", "2026-11-23", "outside", None, True, NOW.isoformat()],
        ["moved.example", "2026-11-23", "outside", None, 10**30, NOW.isoformat()],
        ["moved.example", "2026-11-23", "lost", None, 1, NOW.isoformat()],
        ["moved.example", "someday", "outside", None, 1, NOW.isoformat()],
        ["moved.example", "2026-11-23", "outside", None, 1, "2026-11-23T00:00:00"],
        ["moved.example"],
        "moved.example",
    ],
)
def test_a_count_that_makes_no_sense_spoils_its_batch(count: Any) -> None:
    text = json.dumps(json.loads(encoded_batch(_batch())) | {"counts": [count]})

    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        decoded_batch(text, None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_no_json_at_all_upsets_either_side(value: Any) -> None:
    for reader in (lambda text: decoded_batch(text, (MOVED,)), decoded_wish):
        with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
            reader(json.dumps(value))


def test_deep_nesting_upsets_neither_side() -> None:
    for reader in (lambda text: decoded_batch(text, (MOVED,)), decoded_wish):
        with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
            reader("[" * 100_000)


def _as_link(path: Path) -> None:
    (path.parent / "elsewhere").write_text(encoded_batch(_batch()), encoding="utf-8")
    path.symlink_to(path.parent / "elsewhere")


def _as_pipe(path: Path) -> None:
    os.mkfifo(path)


def _as_open_file(path: Path) -> None:
    path.write_text(encoded_batch(_batch()), encoding="utf-8")
    path.chmod(0o666)


def _as_other_number(path: Path) -> None:
    path.write_text(encoded_batch(_batch(number=7)), encoding="utf-8")


def _as_rubbish(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("made", [_as_link, _as_pipe, _as_open_file, _as_other_number, _as_rubbish])
def test_what_is_no_batch_of_the_collector_is_told_and_counts_nothing(
    house: House, made: Callable[[Path], None]
) -> None:
    made(house.spool.folder / f"batch-{SERIES}-1.json")
    found = house.look()

    assert found.counts == ()
    assert f"batch-{SERIES}-1.json" in (found.problem or "")


def test_a_spool_that_is_not_there_is_told(house: House) -> None:
    house.spool.folder.rmdir()

    assert "cannot be listed: No such file or directory" in (house.look().problem or "")


def test_a_wish_that_is_a_link_is_not_followed(house: House) -> None:
    (house.own / WISH_NAME).unlink()
    (house.own / WISH_NAME).symlink_to("/etc/passwd")

    with pytest.raises(SpoolError, match="cannot be read"):
        house.collects()


def test_a_wish_that_is_none_is_told_without_its_contents(house: House) -> None:
    (house.own / WISH_NAME).write_text("secret words", encoding="ascii")

    with pytest.raises(SpoolError, match="was left out") as told:
        house.collects()
    assert "secret" not in str(told.value)


def test_an_own_folder_that_cannot_be_written_is_told(house: House) -> None:
    daemon = CollectedLogs("web01", house.spool, Path("/nowhere"))

    assert "cannot be written" in (daemon.remember(None, hosted=(), own=()) or "")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpoolError):
        read_trusted(tmp_path)


def test_moments_are_told_in_utc() -> None:
    text = encoded_batch(_batch(after=datetime.fromisoformat("2026-11-23T13:00:00+01:00")))

    assert json.loads(text)["after"] == "2026-11-23T12:00:00+00:00"
