"""Queries as octets: written without dnspython's messages, with everything in them that a forger has to guess.

Facts:

- Ids are random and unpredictable (RFC 5452 §9.2); so is the case of each letter, which a server repeats in the
  question of its reply (RFC 1035 §4.1.1; draft-vixie-dnsext-dns0x20).
- A label's length is at most 63 and a letter's octet at least 65: letters are found in a name's wire form without
  reading its labels.
- Fragments get lost and can be forged (RFC 9715 §1); 1232 octets pass nearly everywhere whole (DNS Flag Day 2020).
"""

from __future__ import annotations

import itertools
import os
import string
from array import array
from collections.abc import Callable, Sequence

from mailswitch.core.names import DomainName
from mailswitch.lookup.answers import wire_name

__all__ = ["Entropy", "query_packet", "question", "wire_form"]

_LETTERS = bytes(0x20 if chr(octet) in string.ascii_letters else 0 for octet in range(256))
_LENGTHS = tuple(bytes((length,)) for length in range(64))
_WITHOUT_EDNS = bytes.fromhex("0100 0001 0000 0000 0000")
"""The flags (RD), one question, no answer, no authority and nothing additional."""
_WITH_EDNS = bytes.fromhex("0100 0001 0000 0000 0001")
_EDNS = bytes.fromhex("00 0029 04d0 00000000 0000")
"""An OPT record: version 0, a payload of 1232 octets, no options (RFC 6891 §6.1.2)."""


class Entropy:
    """Unpredictable octets from the operating system."""

    def __init__(self, source: Callable[[int], bytes] = os.urandom) -> None:
        self._source = source

    def number(self) -> int:
        """Return a number of 32 bits; any 16 of them make a query's id."""
        return self.numbers(1)[0]

    def numbers(self, count: int) -> array[int]:
        """Return so many numbers of 32 bits."""
        return array("I", self._source(4 * count))

    def mixed_case(self, name: bytes) -> bytes:
        """Return a name in wire form with each letter in upper or lower case at random."""
        return self.mixed_cases([name])[0]

    def mixed_cases(self, names: Sequence[bytes]) -> list[bytes]:
        """Return names as ``mixed_case`` does; many at once cost a third."""
        whole = b"".join(names)
        length = len(whole)
        flips = int.from_bytes(self._source(length)) & int.from_bytes(whole.translate(_LETTERS))
        mixed = (int.from_bytes(whole) ^ flips).to_bytes(length)
        ends = itertools.accumulate(map(len, names))
        return [mixed[end - len(name) : end] for name, end in zip(names, ends, strict=True)]


def wire_form(name: DomainName) -> bytes:
    """Return ``name`` in wire form, uncompressed and in lower case."""
    text = name.text
    if "\\" in text or text == ".":
        return wire_name(name).to_wire() or b"\0"
    return b"".join([_LENGTHS[len(label)] + label for label in text.encode().split(b".")]) + b"\0"


def question(name: bytes, rdtype: int) -> bytes:
    """Return the question section for a name in wire form, class IN."""
    return name + rdtype.to_bytes(2) + b"\0\1"


def query_packet(ident: int, asked: bytes, *, has_edns: bool) -> bytes:
    """Return a recursive query for one question section."""
    if has_edns:
        return ident.to_bytes(2) + _WITH_EDNS + asked + _EDNS
    return ident.to_bytes(2) + _WITHOUT_EDNS + asked
