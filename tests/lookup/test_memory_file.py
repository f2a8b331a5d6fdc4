"""The file of remembered answers: whole or ignored, whatever somebody or something did to it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.mx import MX, Address
from mailswitch.core.names import DomainName
from mailswitch.lookup.memory import AnswerMemory, SweepMemory
from mailswitch.lookup.memory_file import Damaged, Records, read_records, reply_of, write_records, written
from mailswitch.lookup.replies import Found, Nothing, NotThere

_LABELS = st.lists(st.integers(0, 255), min_size=1, max_size=6).map(
    lambda octets: "".join(f"\\{one:03d}" for one in octets)
)
domain_names = st.one_of(
    st.just(DomainName(".")), st.lists(_LABELS, min_size=1, max_size=3).map(".".join).map(DomainName)
)
"""With whatever octets a name can have, written as names with them are."""
MX_TYPE, A_TYPE = dns.rdatatype.MX, dns.rdatatype.A
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEARD = int(NOW.timestamp())
NO_TIME, HOUR = timedelta(0), timedelta(hours=1)
MAGIC = b"mailswitch answers 1\n"
SEVERAL = Records(
    answers=["mx 10 mx.other.example", "nothing", "at 192.0.2.1 2001:db8::1"],
    tables=[("udp://192.0.2.53#53", MX_TYPE, [("a.example", HEARD, 3600, 0), ("b.example", HEARD, 0, 1)]),
            ("udp://192.0.2.53#53", A_TYPE, [("mx.other.example", HEARD, 60, 2)])],
)  # fmt: skip


def packed(text: str) -> bytes:
    body = zlib.compress(text.encode("ascii", errors="replace"))
    return MAGIC + hashlib.sha256(body).digest() + body


def as_lists(records: Records) -> object:
    return list(records.answers), [(vantage, rdtype, list(entries)) for vantage, rdtype, entries in records.tables]


def recalled(file: Path) -> tuple[list[str], list[object]]:
    """Return the complaints, and what is recalled of every name there could be."""
    complaints: list[str] = []
    keys = ["udp://192.0.2.53#53"]
    sweep = SweepMemory(AnswerMemory(file, complaints.append), keys, now=lambda: NOW, is_kept=True)
    names = [DomainName(name) for name in ("a.example", "b.example", "mx.other.example")]
    found: list[object] = [known for name in names for known in (sweep.mx(name), sweep.host(0, name)) if known]
    sweep.keep()
    return complaints, found


@given(
    st.one_of(
        st.builds(
            Found,
            mx=st.frozensets(
                st.builds(MX, preference=st.integers(0, 65535), exchange=domain_names), min_size=1, max_size=4
            ),
            ttl=st.just(NO_TIME),
            canonical=st.lists(domain_names, max_size=3).map(tuple),
        ),
        st.builds(Nothing, ttl=st.just(NO_TIME), canonical=st.lists(domain_names, max_size=3).map(tuple)),
        st.builds(NotThere, ttl=st.just(NO_TIME), canonical=st.lists(domain_names, max_size=3).map(tuple)),
    )
)
def test_an_mx_answer_reads_back_as_it_was(reply: Found | Nothing | NotThere) -> None:
    assert "\n" not in written(reply)
    assert reply_of(written(reply), MX_TYPE) == reply


@given(
    st.frozensets(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), min_size=1, max_size=5).filter(
        lambda found: not any(getattr(each, "ipv4_mapped", None) for each in found)
    )
)
def test_addresses_read_back_as_they_were(addresses: frozenset[Address]) -> None:
    reply = Found(addresses=addresses, ttl=NO_TIME)

    assert reply_of(written(reply), A_TYPE) == reply


@pytest.mark.parametrize(
    ("text", "rdtype"),
    [
        ("mx 10 a.example", A_TYPE),
        ("at 192.0.2.1", MX_TYPE),
        ("mx", MX_TYPE),
        ("mx 10", MX_TYPE),
        ("mx 65536 a.example", MX_TYPE),
        ("mx -1 a.example", MX_TYPE),
        ("mx ten a.example", MX_TYPE),
        ("mx 10 " + "a" * 64, MX_TYPE),
        ("mx" + " 10 a.example" * 101, MX_TYPE),
        ("at 192.0.2.256", A_TYPE),
        ("nothing more", MX_TYPE),
        ("nothing ; ü", MX_TYPE),
        ("", MX_TYPE),
    ],
)
def test_words_that_are_no_answer_are_refused(text: str, rdtype: int) -> None:
    with pytest.raises(Damaged):
        reply_of(text, rdtype)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80), st.sampled_from([MX_TYPE, A_TYPE]))
def test_no_words_break_the_reading_of_an_answer(text: str, rdtype: int) -> None:
    with suppress(Damaged):
        assert reply_of(text, rdtype).ttl == NO_TIME


def test_a_file_reads_back_as_it_was_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "answers"

    write_records(file, SEVERAL)

    assert as_lists(read_records(file)) == as_lists(SEVERAL)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_file_with_one_octet_changed_or_cut_off_there_is_ignored_whole(
    tmp_path_factory: pytest.TempPathFactory, place: int, octet: int
) -> None:
    file = tmp_path_factory.mktemp("memory") / "answers"
    write_records(file, SEVERAL)
    whole = file.read_bytes()
    at = place % len(whole)

    for damaged in (whole[:at], whole[:at] + bytes((octet,)) + whole[at + 1 :]):
        if damaged != whole:
            file.write_bytes(damaged)
            complaints, found = recalled(file)
            assert len(complaints) == 1
            assert "remembered DNS answers are not used" in complaints[0]
            assert found == []


@given(st.binary(max_size=300))
def test_no_octets_at_all_break_a_sweep(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    file = tmp_path_factory.mktemp("memory") / "answers"
    for content in (octets, MAGIC + octets, MAGIC + hashlib.sha256(octets).digest() + octets):
        file.write_bytes(content)
        complaints, found = recalled(file)
        assert len(complaints) == 1
        assert found == []


_LINES = st.one_of(
    st.sampled_from(
        [
            "answers 1",
            "answers 2",
            "mx 10 a.example",
            "nothing",
            "at 192.0.2.1",
            "vantage udp://192.0.2.53#53 MX",
            "vantage udp://192.0.2.53#53 A",
            "vantage udp://192.0.2.53#53 TXT",
            f"a.example {HEARD} 3600 0",
            f"a.example {HEARD} 3600 1",
            f"b.example {HEARD} 3600 9",
            f"b.example {'9' * 5000} 3600 0",
            f"b.example {HEARD} -1 0",
            "b.example 1 2 3 4",
            "end",
            "",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)


@given(st.lists(_LINES, max_size=12), st.sampled_from(["", "\n", "\nend\n"]))
def test_no_text_under_a_right_digest_breaks_a_sweep(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str
) -> None:
    file = tmp_path_factory.mktemp("memory") / "answers"
    file.write_bytes(packed("\n".join(lines) + end))

    complaints, _ = recalled(file)

    assert len(complaints) <= 1
    assert recalled(file)[0] == []  # the next sweep's file is in its place


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no file of remembered answers"),
        (b"PK\x03\x04", "no file of remembered answers"),
        (b"mailswitch answers 2\n" + bytes(60), "another version"),
        (MAGIC + bytes(60), "torn"),
        (packed("answers 1\n"), "makes no sense"),
        (packed("answers x\nend\n"), "makes no sense"),
        (packed("answers 5\nnothing\nend\n"), "makes no sense"),
        (packed("answers 0\na.example 1 2 0\nend\n"), "makes no sense"),
        (packed("answers 1\nnothing\nvantage v MX\na.example 1 2 1\nend\n"), "makes no sense"),
        (packed("answers 1\nnothing\nvantage v MX\na.example 1 4000000000 0\nend\n"), "makes no sense"),
        (packed("answers 0\n" + "\n" * 8_000_001 + "end\n"), "larger than any such file"),
        (packed("answers 0\nend\n") + b"more", "torn"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "answers"
    file.write_bytes(content)

    with pytest.raises(Damaged, match=why):
        read_records(file)


def test_a_file_that_would_unpack_beyond_all_bounds_is_not_unpacked(tmp_path: Path) -> None:
    packer = zlib.compressobj(level=9)
    piece = bytes(1 << 20)
    bomb = b"".join([*(packer.compress(piece) for _ in range(300)), packer.flush()])
    file = tmp_path / "answers"
    file.write_bytes(MAGIC + hashlib.sha256(bomb).digest() + bomb)

    with pytest.raises(Damaged, match="larger"):
        read_records(file)


def test_a_file_larger_than_any_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    with file.open("wb") as stream:
        stream.write(MAGIC)
        stream.truncate(64 * 1024 * 1024 + 1)

    with pytest.raises(Damaged, match="larger"):
        read_records(file)


def _as_symlink(file: Path, whole: Path) -> None:
    file.symlink_to(whole)


def _as_dangling_symlink(file: Path, whole: Path) -> None:
    file.symlink_to(whole.with_name("nowhere"))


def _as_fifo(file: Path, whole: Path) -> None:
    del whole
    os.mkfifo(file)


def _open_to_others(file: Path, whole: Path) -> None:
    file.write_bytes(whole.read_bytes())
    file.chmod(0o666)


@pytest.mark.parametrize("planted", [_as_symlink, _as_dangling_symlink, _as_fifo, _open_to_others])
def test_what_somebody_planted_is_not_read_and_gives_way(tmp_path: Path, planted: Callable[[Path, Path], None]) -> None:
    whole, file = tmp_path / "whole", tmp_path / "answers"
    write_records(whole, SEVERAL)
    before = whole.read_bytes()
    planted(file, whole)

    complaints, found = recalled(file)

    assert found == []
    assert len(complaints) == 1
    assert whole.read_bytes() == before
    assert file.is_file()
    assert not file.is_symlink()
    assert recalled(file)[0] == []


def test_a_folder_in_its_place_stays_and_is_complained_about(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    file.mkdir()

    complaints, found = recalled(file)

    assert found == []
    assert len(complaints) == 2
    assert file.is_dir()
    assert list(tmp_path.iterdir()) == [file]


def test_a_symlink_in_the_way_of_the_writing_is_not_followed(tmp_path: Path) -> None:
    victim, file = tmp_path / "victim", tmp_path / "answers"
    victim.write_text("untouched", encoding="ascii")
    (tmp_path / ".answers.tmp").symlink_to(victim)

    write_records(file, SEVERAL)

    assert victim.read_text(encoding="ascii") == "untouched"
    assert as_lists(read_records(file)) == as_lists(SEVERAL)


_WRITER = """
import sys
from pathlib import Path
from mailswitch.lookup.memory_file import Records, write_records
turn = 0
while True:
    turn += 1
    entries = [(f"d{at}.example", turn, 3600, 0) for at in range(20_000)]
    write_records(Path(sys.argv[1]), Records(answers=["nothing"], tables=[("v", 15, entries)]))
    if turn == 1:
        sys.stdout.write("written\\n")
        sys.stdout.flush()
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    for wait in _moments():
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(file)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"written\n"
            with suppress(subprocess.TimeoutExpired):
                writer.wait(wait)
            writer.send_signal(signal.SIGKILL)
        ((_, _, entries),) = read_records(file).tables
        assert len({heard for _, heard, _, _ in entries}) == 1
        assert len(list(entries)) == 20_000
    write_records(file, SEVERAL)
    assert list(tmp_path.iterdir()) == [file]


def _moments() -> Iterator[float]:
    """Yield seconds to wait before the kill: they fall anywhere in the writing of a file."""
    yield from (0.0, 0.013, 0.031, 0.057, 0.083)


def test_a_hundred_thousand_names_take_little_room_and_are_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    memory = AnswerMemory(file, pytest.fail)
    sweep = SweepMemory(memory, ["v0", "v1", "v2"], now=lambda: NOW, is_kept=True)
    own = [DomainName(f"mail{number}.some-hoster.example") for number in range(10_000)]
    for number in range(100_000):
        records = frozenset({MX(preference=10, exchange=own[number // 10])})
        name = DomainName(f"customer-{number}.example")
        sweep.learn(number % 3, name, MX_TYPE, Found(mx=records, ttl=HOUR), NOW)
    for number, host in enumerate(own):
        sweep.learn(number % 3, host, A_TYPE, Nothing(ttl=HOUR), NOW)
    sweep.keep()
    began = time.process_time()
    read = SweepMemory(AnswerMemory(file, pytest.fail), ["v0", "v1", "v2"], now=lambda: NOW, is_kept=False)
    known = read.mx(DomainName("customer-99999.example"))
    seconds = time.process_time() - began

    assert known is not None
    assert file.stat().st_size <= 100 * 100_000
    assert seconds <= 1.0
