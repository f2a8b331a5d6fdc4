"""Queries written as octets are what dnspython writes, and nothing in them can be foretold."""

from __future__ import annotations

import itertools

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.names import DomainName
from mailswitch.lookup.answers import wire_name
from mailswitch.lookup.queries import Entropy, query_packet, question, wire_form

LABEL = st.binary(min_size=1, max_size=20)


@given(labels=st.lists(LABEL, max_size=8), ident=st.integers(0, 65535), has_edns=st.booleans())
def test_a_query_is_what_dnspython_writes(labels: list[bytes], ident: int, has_edns: bool) -> None:
    owner = dns.name.Name([*(label.lower() for label in labels), b""])
    name = DomainName(owner.to_text())
    theirs = dns.message.make_query(
        wire_name(name), "AAAA", use_edns=0 if has_edns else -1, payload=1232, id=ident, flags=dns.flags.RD
    )

    ours = query_packet(ident, question(wire_form(name), dns.rdatatype.AAAA), has_edns=has_edns)

    assert ours == theirs.to_wire()


@pytest.mark.parametrize("text", [".", r"\@", "a", r"a\.b.example", r"\000\255.example", "x" * 63 + ".example"])
def test_names_of_every_kind_have_dnspythons_wire_form(text: str) -> None:
    assert wire_form(DomainName(text)) == wire_name(DomainName(text)).to_wire()


@given(names=st.lists(st.lists(LABEL, min_size=1, max_size=8), max_size=4))
def test_mixing_case_changes_letters_only(names: list[list[bytes]]) -> None:
    plain = [dns.name.Name([*(label.lower() for label in labels), b""]).to_wire() or b"" for labels in names]

    mixed = Entropy().mixed_cases(plain)

    assert [name.lower() for name in mixed] == plain
    for name, labels in zip(mixed, names, strict=True):
        assert [len(label) for label in dns.name.from_wire(name, 0)[0].labels] == [*map(len, labels), 0]


def test_each_letter_is_its_own_toss() -> None:
    entropy = Entropy()
    plain = wire_form(DomainName("a-name-with-so-many-letters-that-chance-is-out-of-the-question.example"))

    assert len({entropy.mixed_case(plain) for _ in range(100)}) == 100


def test_no_octet_of_the_source_is_used_twice() -> None:
    draws = itertools.cycle((b"\0\0\xff", b"\xff\xff\0"))
    entropy = Entropy(lambda count: next(draws) * (count // 3))

    mixed = [name for _ in range(2) for name in entropy.mixed_cases([b"aa", b"a"])]

    assert mixed == [b"aa", b"A", b"AA", b"a"]


def test_numbers_drawn_together_differ() -> None:
    assert len(set(Entropy().numbers(5000))) > 4900


def test_ids_take_every_octet_value() -> None:
    entropy = Entropy()
    idents = [entropy.number() & 0xFFFF for _ in range(5000)]

    assert {ident >> 8 for ident in idents} == {ident & 0xFF for ident in idents} == set(range(256))
