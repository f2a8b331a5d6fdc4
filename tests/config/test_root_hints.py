"""Root hints: the shipped ones, one's own, and files that are none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.config.root_hints import RootHints, hints_fault, hints_from, read_hints, shipped_hints
from mailswitch.core.errors import ConfigError
from mailswitch.core.mx import address, is_routable
from mailswitch.core.names import DomainName


def test_the_shipped_hints_are_the_thirteen_public_root_servers_with_both_kinds_of_address() -> None:
    hints = shipped_hints()

    assert [name.text for name in hints] == [f"{letter}.root-servers.net" for letter in "abcdefghijklm"]
    assert {tuple(each.version for each in found) for found in hints.values()} == {(4, 6)}
    assert all(is_routable(each) for found in hints.values() for each in found)
    assert hints[DomainName("b.root-servers.net")][0] == address("170.247.170.2")


def test_hints_of_a_closed_network_are_read_in_every_usual_form(tmp_path: Path) -> None:
    path = tmp_path / "named.root"
    path.write_text(
        "; our own root\n"
        ".            3600000  IN NS  ns1.Root.example.   ; the first\n"
        "                         NS  ns2.root.example.\n"
        "ns1.root.example. IN 60  A     10.0.0.1\n"
        "ns1.root.example.        AAAA  fd00::1\n"
        "ns1.root.example.        A     10.0.0.1\n"
        "ns2.root.example.    60  aaaa  fd00::2\n"
        "ns3.root.example.    60  A     10.0.0.3\n",
        encoding="ascii",
    )

    assert read_hints(path) == {
        DomainName("ns1.root.example"): (address("10.0.0.1"), address("fd00::1")),
        DomainName("ns2.root.example"): (address("fd00::2"),),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no name server of the root has an address"),
        (". NS a.example.\n", "no name server of the root has an address"),
        ("a.example. A 192.0.2.1\n", "no name server of the root has an address"),
        ("\n. 60 IN SOA a. b. 1 2 3 4 5\n", "line 2: '. 60 IN SOA a. b. 1 2 3 4 5' is no NS, A or AAAA record"),
        (" NS a.example.\n", "line 1: 'NS a.example.' is no NS, A or AAAA record"),
        (". NS\n", "line 1: '. NS' is no NS, A or AAAA record"),
        ("$ORIGIN example.\n", "line 1: '$ORIGIN example.' is no NS, A or AAAA record"),
        (". CH NS a.example.\n", "line 1: '. CH NS a.example.' is no NS, A or AAAA record"),
        ("example. NS a.example.\n", "line 1: 'example.' is not the root"),
        (". NS a..example.\n", "line 1: 'a..example.' is not a domain name"),
        ("a.example. A nowhere\n", "line 1: 'nowhere' does not appear to be an IPv4 or IPv6 address"),
        ("a.example. A 2001:db8::1\n", "line 1: '2001:db8::1' is no address of an A record"),
    ],
)
def test_what_is_wrong_with_hints_is_told_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^line|^no name server") as raised:
        hints_from(text)

    assert problem in str(raised.value)


def test_files_that_are_no_hints_are_told(tmp_path: Path) -> None:
    large, binary, broken = tmp_path / "large", tmp_path / "binary", tmp_path / "broken"
    large.write_bytes(b";" * 70_000)
    binary.write_bytes(b"\xff\xfe")
    broken.write_text("nothing\n", encoding="ascii")

    faults = [hints_fault(path) or "" for path in (large, binary, broken, tmp_path, tmp_path / "missing")]

    assert [fault.removeprefix(f"the root hints '{tmp_path}").lstrip("/") for fault in faults] == [
        "large' cannot be used: it is larger than 64 KiB",
        "binary' are not ASCII text",
        "broken' cannot be used: line 1: 'nothing' is no NS, A or AAAA record",
        "' cannot be used: it is no regular file",
        "missing' cannot be read: No such file or directory",
    ]
    with pytest.raises(ConfigError, match="larger than"):
        read_hints(large)


WORDS = st.sampled_from(
    [".", "a.example.", "NS", "A", "aaaa", "IN", "60", "192.0.2.1", "::1", ";", "\n", " ", "\t", "é", "²"]
)


@given(st.lists(WORDS | st.text(max_size=3), max_size=30))
def test_whatever_a_file_holds_is_hints_or_a_problem(words: list[str]) -> None:
    found: RootHints = {}
    with suppress(ValueError):
        found = hints_from(" ".join(words))

    assert all(found.values())
