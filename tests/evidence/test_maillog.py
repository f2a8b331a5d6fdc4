"""A log is read on through all that can happen to it; its messages count once, whatever the order of things."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailswitch.core.evidence import LogReading
from mailswitch.evidence.source import MailLogSettings, PostfixLogs, local_zone
from tests.support.mail_logs import (
    HOSTED,
    NOW,
    arrival,
    dated,
    delivery,
    gathered,
    later,
    line,
    message,
    removal,
    sent_by_hand,
    tally,
    write,
)

_OUTSIDE = ("moved.example", "outside", "185.201.16.0/24")
_FIRST = [one for n in range(5) for one in message(later(n), f"AAAAA{n}", "a@moved.example")]
_SECOND = [one for n in range(3) for one in message(later(60 + n), f"BBBBB{n}", "a@moved.example")]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "maillog"


def _renamed(log: Path) -> None:
    log.rename(f"{log}.1")


def _renamed_by_date(log: Path) -> None:
    log.rename(f"{log}-20261123")


def _renamed_and_compressed(log: Path) -> None:
    Path(f"{log}.2.gz").write_bytes(gzip.compress(log.read_bytes()))
    dated(Path(f"{log}.2.gz"), hours_ago=3)
    log.unlink()


def _copied_and_truncated(log: Path) -> None:
    shutil.copy(log, f"{log}.1")
    dated(Path(f"{log}.1"))
    os.truncate(log, 0)


def _moved_by_plesk(log: Path) -> None:
    with Path(f"{log}.processed").open("ab") as processed:
        processed.write(b"Nov 22 07:00:00 web01 postfix/anvil[1]: statistics\n" + log.read_bytes())
    dated(Path(f"{log}.processed"))
    os.truncate(log, 0)


_ROTATIONS = [_renamed, _renamed_by_date, _renamed_and_compressed, _copied_and_truncated, _moved_by_plesk]


@pytest.mark.parametrize("rotate", _ROTATIONS)
def test_a_rotation_between_two_looks_loses_and_doubles_nothing(log: Path, rotate: Callable[[Path], None]) -> None:
    write(log, _FIRST)
    first = gathered(log)
    write(log, _SECOND[:4])
    rotate(log)
    write(log, _SECOND[4:])

    second = gathered(log, first.reading)
    third = gathered(log, second.reading)

    assert tally(first) == {_OUTSIDE: 5}
    assert tally(second) == {_OUTSIDE: 3}
    assert tally(third) == {}
    assert second.problem is None
    assert second.reading is not None
    assert second.reading.since == later(0)


@pytest.mark.parametrize("rotate", _ROTATIONS)
def test_the_first_look_reads_rotated_files_too(log: Path, rotate: Callable[[Path], None]) -> None:
    write(log, _FIRST)
    rotate(log)
    write(log, _SECOND)

    assert tally(gathered(log)) == {_OUTSIDE: 8}


def test_rotated_files_are_read_oldest_first(log: Path) -> None:
    lines = message(later(1), "AAAAAA", "a@moved.example")
    for number, part in enumerate(lines, start=1):
        rotated = Path(f"{log}.{len(lines) - number}") if number < len(lines) else log
        write(rotated, [part])
        dated(rotated, hours_ago=len(lines) - number)

    assert tally(gathered(log)) == {_OUTSIDE: 1}


def test_a_log_renamed_while_its_writer_still_writes_to_it_is_read_to_its_end(log: Path) -> None:
    write(log, _FIRST)
    first = gathered(log)
    log.rename(f"{log}.1")
    log.touch()
    write(Path(f"{log}.1"), _SECOND[:6])
    second = gathered(log, first.reading)
    write(Path(f"{log}.1"), _SECOND[6:9])
    write(log, _SECOND[9:])

    third = gathered(log, second.reading)

    assert tally(first, second, third) == {_OUTSIDE: 8}


def test_a_rotation_that_has_not_made_the_new_file_yet_is_no_trouble(log: Path) -> None:
    write(log, _FIRST)
    first = gathered(log)
    log.rename(f"{log}.1")

    second = gathered(log, first.reading)

    assert second.problem is None
    assert second.reading == first.reading


def test_two_rotations_between_two_looks_lose_nothing(log: Path) -> None:
    write(log, _FIRST)
    first = gathered(log)
    log.rename(f"{log}.2")
    dated(Path(f"{log}.2"), hours_ago=2)
    write(Path(f"{log}.1"), _SECOND[:6])
    dated(Path(f"{log}.1"), hours_ago=1)
    write(log, _SECOND[6:])

    assert tally(gathered(log, first.reading)) == {_OUTSIDE: 3}


def test_a_log_truncated_in_place_counts_nothing_twice_and_shows_the_gap(log: Path) -> None:
    write(log, _FIRST)
    first = gathered(log)
    os.truncate(log, 0)
    write(log, _SECOND)

    second = gathered(log, first.reading)

    assert tally(second) == {_OUTSIDE: 3}
    assert second.reading is not None
    assert second.reading.since == later(60)


def test_a_truncated_log_that_grew_beyond_where_it_was_read_is_seen_as_another(log: Path) -> None:
    write(log, _FIRST[:2])
    first = gathered(log)
    os.truncate(log, 0)
    write(log, _SECOND * 2)

    assert tally(gathered(log, first.reading)) == {_OUTSIDE: 6}


def test_lost_files_leave_a_gap_and_old_ones_are_not_read_again(log: Path) -> None:
    write(Path(f"{log}.1"), _FIRST[:12])
    write(log, _FIRST[12:])
    first = gathered(log)
    log.unlink()
    write(log, _SECOND)

    second = gathered(log, first.reading)

    assert tally(first, second) == {_OUTSIDE: 8}
    assert second.reading is not None
    assert second.reading.since == later(60)


def test_an_old_file_somebody_touched_is_not_read_again(log: Path) -> None:
    old = [one for n in range(4) for one in message(later(-600 + n), f"CCCCC{n}", "a@moved.example")]
    write(Path(f"{log}.1"), old)
    dated(Path(f"{log}.1"), hours_ago=9)
    write(log, _FIRST)
    first = gathered(log)
    log.rename(f"{log}.2")
    dated(Path(f"{log}.2"), hours_ago=2)
    dated(Path(f"{log}.1"), hours_ago=1)
    write(log, _SECOND)

    second = gathered(log, first.reading)

    assert tally(first) == {_OUTSIDE: 9}
    assert tally(second) == {_OUTSIDE: 3}


@pytest.mark.parametrize(
    "bookmark", ["", "nonsense", "[]", "{}", '{"PATH": {}}', '{"PATH": {"mark": 1, "position": 2}}']
)
def test_a_damaged_bookmark_counts_nothing_twice(log: Path, bookmark: str) -> None:
    write(log, _FIRST)
    first = gathered(log)
    assert first.reading is not None
    write(log, _SECOND)

    second = gathered(log, replace(first.reading, bookmark=bookmark.replace("PATH", str(log))))

    assert tally(second) == {_OUTSIDE: 3}
    assert second.reading is not None
    assert second.reading.since == later(60)


def test_a_line_half_written_is_read_when_it_is_whole(log: Path) -> None:
    whole = "".join(f"{one}\n" for one in _FIRST)
    log.write_text(whole[:-200])
    first = gathered(log)
    log.write_text(whole)

    second = gathered(log, first.reading)

    assert tally(first, second) == {_OUTSIDE: 5}


@pytest.mark.parametrize("length", [20_000, 3_000_000])
def test_a_line_of_any_length_is_left_out(log: Path, length: int) -> None:
    write(log, [*_FIRST[:3], "x" * length, *_FIRST[3:]])

    assert tally(gathered(log)) == {_OUTSIDE: 5}


def test_a_long_line_cut_by_a_restart_is_left_out(log: Path) -> None:
    write(log, _FIRST[:3])
    with log.open("a") as half:
        half.write("Nov 23 08:00:00 web01 " + "x" * 50_000)
    first = gathered(log)
    with log.open("a") as half:
        half.write("postfix/smtpd[1]: AAAAAA: client=x[192.0.2.1]\n")
    write(log, _FIRST[3:])

    second = gathered(log, first.reading)

    assert tally(first, second) == {_OUTSIDE: 5}


def test_lines_without_a_stamp_and_octets_of_all_kinds_do_no_harm(log: Path) -> None:
    write(log, _FIRST[:3])
    with log.open("ab") as wild:
        wild.write(bytes(range(256)) * 20 + b"\n\n\0\0\0\n\xff\xfe\n last message repeated 3 times\n")
    write(log, _FIRST[3:])

    found = gathered(log)

    assert tally(found) == {_OUTSIDE: 5}
    assert found.problem is None


def test_a_day_without_a_line_is_a_gap(log: Path) -> None:
    write(log, message(later(-48 * 60), "AAAAAA", "a@moved.example"))
    write(log, message(later(-23 * 60), "BBBBBB", "a@moved.example"))
    write(log, message(later(1), "CCCCCC", "a@moved.example"))

    found = gathered(log)

    assert tally(found) == {_OUTSIDE: 3}
    assert found.reading is not None
    assert found.reading.since == later(-23 * 60)
    assert found.reading.until == later(1)


def test_stamps_by_rfc_3339_and_classic_ones_may_take_turns(log: Path) -> None:
    at = later(1)
    write(
        log,
        [line(at, "smtpd", "AAAAAA: client=x[185.201.16.1]", is_iso=True), delivery(at, "AAAAAA", "a@moved.example")],
    )
    write(log, [line(later(2), "qmgr", "AAAAAA: removed", is_iso=True)])

    assert tally(gathered(log)) == {_OUTSIDE: 1}


def test_a_reading_out_of_time_goes_on_next_time_where_it_was(log: Path) -> None:
    filler = [line(later(n / 100), "anvil", "statistics: " + "x" * 200) for n in range(6000)]
    write(log, [*_FIRST, *filler, *_SECOND])

    looks = [gathered(log, longest=timedelta(0))]
    while looks[-1].problem is not None:
        assert "not read to its end" in looks[-1].problem
        assert len(looks) < 10
        looks.append(gathered(log, looks[-1].reading, longest=timedelta(0) if len(looks) < 2 else timedelta(minutes=1)))

    assert len(looks) > 1
    assert tally(*looks) == {_OUTSIDE: 8}


def test_a_log_that_is_not_there_or_no_file_is_told(log: Path) -> None:
    missing = gathered(log)
    os.mkfifo(log)
    pipe = gathered(log)

    assert missing.problem is not None
    assert f"there is no mail log at {log}" in missing.problem
    assert pipe.problem is not None
    assert (missing.reading, pipe.reading) == (None, None)


def test_an_empty_log_says_nothing(log: Path) -> None:
    log.touch()

    found = gathered(log)

    assert found.problem is not None
    assert "no line yet" in found.problem


def test_a_damaged_compressed_file_is_a_gap_and_no_end(log: Path) -> None:
    whole = gzip.compress("\n".join(_FIRST).encode())
    Path(f"{log}.1.gz").write_bytes(whole[: len(whole) // 2])
    Path(f"{log}.2.gz").write_bytes(b"no gzip at all")
    write(log, _SECOND)

    found = gathered(log)

    assert ("moved.example", "outside", "185.201.16.0/24") in tally(found) or found.problem is not None
    assert tally(gathered(log, found.reading)) in ({}, {_OUTSIDE: 3})


def test_a_log_behind_a_link_has_its_rotated_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "psa").mkdir()
    log = tmp_path / "psa" / "maillog"
    write(Path(f"{log}.1"), _FIRST)
    write(log, _SECOND)
    link = tmp_path / "maillog"
    link.symlink_to(log)

    assert tally(gathered(link)) == {_OUTSIDE: 8}


_STORY = [
    *message(later(1), "AAAAAA", "a@moved.example"),
    *sent_by_hand(later(2), "BBBBBB", "a@moved.example"),
    arrival(later(3), "CCCCCC"),
    arrival(later(3), "DDDDDD", "localhost[127.0.0.1]"),
    delivery(later(3), "DDDDDD", "a@moved.example"),
    removal(later(3), "DDDDDD"),
    line(
        later(3),
        "smtp",
        "CCCCCC: to=<a@moved.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, "
        "status=sent (250 2.0.0 Ok: queued as DDDDDD)",
    ),
    removal(later(3), "CCCCCC"),
    arrival(later(4), "EEEEEE", "localhost[127.0.0.1]"),
    delivery(later(4), "EEEEEE", "a@other.example"),
    removal(later(4), "EEEEEE"),
    delivery(later(40), "AAAAAA", "never@moved.example"),
    line(later(50), "cleanup", "FFFFFF: message-id=<bounce@web01>"),
    delivery(later(50), "FFFFFF", "a@moved.example"),
]
_TOLD = {
    _OUTSIDE: 2,
    ("moved.example", "co-tenant", None): 2,
    ("other.example", "co-tenant", None): 1,
}


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["grow", "rename", "copy"])), max_size=6))
def test_cut_and_rotated_anywhere_the_counts_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[float, str]]
) -> None:
    """The log is written up to any octet, read by a new reader, perhaps rotated at a line's end, and so on."""
    log = tmp_path_factory.mktemp("log") / "maillog"
    octets = "".join(f"{one}\n" for one in _STORY).encode()
    places = sorted((round(share * len(octets)), way) for share, way in cuts)
    reading: LogReading | None = None
    looks = []
    done = 0
    for number, (place, way) in enumerate([*places, (len(octets), "grow")]):
        until = place if way == "grow" else octets.rfind(b"\n", 0, max(place, done)) + 1
        with log.open("ab") as grown:
            grown.write(octets[done : max(until, done)])
        done = max(until, done)
        looks.append(gathered(log, reading))
        reading = looks[-1].reading or reading
        if way != "grow" and octets[:done].endswith(b"\n"):
            rotated = Path(f"{log}.{999 - number}")
            if way == "rename":
                log.rename(rotated)
                log.touch()
            else:
                shutil.copy(log, rotated)
                os.truncate(log, 0)
            dated(rotated, hours_ago=1 - number / 100)

    assert tally(*looks) == _TOLD
    assert reading is not None
    assert json.loads(reading.bookmark)


def test_lines_that_are_all_the_same_are_found_again_after_a_copy(log: Path) -> None:
    """The last line may stand there many times; as many were read as were there."""
    same = line(later(5), "anvil", "statistics")
    write(log, [*_FIRST, same])
    first = gathered(log)
    write(log, [same, same])
    second = gathered(log, first.reading)
    write(log, [same, *_SECOND])
    _moved_by_plesk(log)

    third = gathered(log, second.reading)

    assert tally(first, second, third) == {_OUTSIDE: 8}
    assert third.reading is not None
    assert third.reading.since == later(0)


def test_a_short_log_is_known_again_by_its_last_line(log: Path) -> None:
    log.write_text("Nov 23 08:00:00 web01 x: y\n")
    first = gathered(log)
    _copied_and_truncated(log)
    write(log, _FIRST)

    second = gathered(log, first.reading)

    assert tally(second) == {_OUTSIDE: 5}
    assert second.reading is not None
    assert second.reading.since == later(0)


def test_the_first_usual_place_that_there_is_is_read(tmp_path: Path) -> None:
    places = (tmp_path / "none", tmp_path / "mail.log", tmp_path / "maillog")
    write(places[1], _FIRST)
    write(places[2], _SECOND)

    found = PostfixLogs(MailLogSettings(places=places, zone=UTC)).gather(None, hosted=HOSTED, own=(), now=NOW)
    nothing = PostfixLogs(MailLogSettings(places=places[:1], zone=UTC)).gather(None, hosted=HOSTED, own=(), now=NOW)

    assert tally(found) == {_OUTSIDE: 5}
    assert nothing.problem is not None
    assert f"there is no mail log at {places[0]}" in nothing.problem


def test_two_logs_are_read_as_far_as_both_reach(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write(first, _FIRST)
    write(second, _SECOND)
    source = PostfixLogs(MailLogSettings(paths=(first, second), zone=UTC))

    found = source.gather(None, hosted=HOSTED, own=(), now=NOW)
    again = source.gather(found.reading, hosted=HOSTED, own=(), now=NOW)

    assert tally(found) == {_OUTSIDE: 8}
    assert tally(again) == {}
    assert found.reading is not None
    assert (found.reading.since, found.reading.until) == (later(60), later(4))


def test_counts_of_one_log_wait_while_the_other_cannot_be_read(tmp_path: Path) -> None:
    """They would have no bookmark beside them, and be counted again."""
    first, second = tmp_path / "a", tmp_path / "b"
    write(first, _FIRST)
    source = PostfixLogs(MailLogSettings(paths=(first, second), zone=UTC))

    missing = source.gather(None, hosted=HOSTED, own=(), now=NOW)
    write(second, _SECOND)
    there = source.gather(missing.reading, hosted=HOSTED, own=(), now=NOW)

    assert missing.counts == ()
    assert missing.reading is None
    assert tally(there) == {_OUTSIDE: 8}


@pytest.mark.parametrize("content", [None, b"no zone"])
def test_a_machine_without_a_zone_is_in_utc(tmp_path: Path, content: bytes | None) -> None:
    zone = tmp_path / "localtime"
    if content is not None:
        zone.write_bytes(content)

    assert local_zone(zone) is UTC
