from __future__ import annotations

import bz2
import gzip
import io
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.evidence.message_files import arrival_of, opened_content, parsed_name

NOW = 1_790_000_000.0
CONTENT = b"Subject: hello\n\nworld\n"


@pytest.mark.parametrize(
    ("name", "base", "epoch", "octets", "flags"),
    [
        ("1763000000.M1P2.web01", "1763000000.M1P2.web01", 1763000000, None, ""),
        ("1763000000.M1P2.web01,S=512,W=530:2,FS", "1763000000.M1P2.web01", 1763000000, 512, "FS"),
        ("1763000000.M1P2.web01,S=512:2,", "1763000000.M1P2.web01", 1763000000, 512, ""),
        ("1763000000.M1P2.web01;2,T", "1763000000.M1P2.web01", 1763000000, None, "T"),
        ("no epoch at all", "no epoch at all", None, None, ""),
        ("1763000000", "1763000000", None, None, ""),
        ("1763000000.a,S=12abc", "1763000000.a", 1763000000, None, ""),
        ("\x1b[2J.x:2,S", "\x1b[2J.x", None, None, "S"),
    ],
)
def test_a_name_tells_when_how_large_and_whether_it_was_seen(
    name: str, base: str, epoch: int | None, octets: int | None, flags: str
) -> None:
    found = parsed_name(name)

    assert (found.base, found.epoch, found.octets, found.flags) == (base, epoch, octets, frozenset(flags))


@pytest.mark.parametrize(("flags", "is_abandoned"), [("", False), ("S", False), ("ST", True), ("D", True)])
def test_what_its_owner_deletes_or_drafts_does_not_wait_for_a_reader(flags: str, is_abandoned: bool) -> None:
    assert parsed_name(f"1763000000.M1.web01:2,{flags}").is_abandoned_by_owner is is_abandoned


@given(name=st.text(), tail=st.sampled_from(["", ":2,S", ",S=5:2,FS", ",S=5"]))
def test_flags_and_sizes_never_change_the_base(name: str, tail: str) -> None:
    unique = name.replace(",", "").replace(":", "").replace(";", "").replace("!", "")

    assert parsed_name(unique + tail).base == unique


def test_a_message_arrived_when_its_name_or_its_file_says_whichever_is_earlier() -> None:
    name = parsed_name(f"{int(NOW) - 500}.M1.web01")

    assert arrival_of(name, NOW, NOW) == NOW - 500
    assert arrival_of(name, NOW - 900, NOW) == NOW - 900


@pytest.mark.parametrize("name", ["cur", "0.M1.web01", f"{int(NOW) + 10**7}.M1.web01"])
def test_a_name_without_a_possible_moment_does_not_count(name: str) -> None:
    assert arrival_of(parsed_name(name), NOW - 1, NOW) == NOW - 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_content_comes_as_it_was_delivered_compressed_or_not(pack: object) -> None:
    assert callable(pack)

    assert opened_content(io.BytesIO(pack(CONTENT))).read() == CONTENT


@pytest.mark.parametrize(
    ("magic", "why"), [(b"CRYPTED\x03\x07rest", "encrypted"), (b"\x28\xb5\x2f\xfdrest", "compressed with zstd")]
)
def test_what_only_dovecot_can_read_is_told(magic: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        opened_content(io.BytesIO(magic))
