"""The master file of a world's public DNS: read whole, with every problem told at once.

Facts:

- A record is owner, TTL, class and type, and rdata; parentheses go over lines, ``;`` begins a comment (RFC 1035 §5.1).
- A line that begins with a blank belongs to the owner before it; TTL and class may be left out and stand in either
  order (RFC 1035 §5.1). A TTL is at most 2^31 - 1 (RFC 2181 §8).
- A CNAME stands alone at its name (RFC 1034 §3.6.2, RFC 2181 §10.1).

Names stand absolute in worlds (design.md section 9). U-labels are accepted and kept as A-labels (IDNA 2008).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tokenizer
import dns.ttl

from mailswitch.core.errors import ConfigError
from mailswitch.simulation.public_dns_records import PublicRecords, RecordKey, index_records

__all__ = ["overlay", "parse_records"]

_IDNA = dns.name.IDNA_2008_UTS_46
_DEFAULT_TTL = 3600
_MAX_TTL = 2**31 - 1
_CLASSES = frozenset({"IN", "CH", "HS", "CS"})
_SHOWN = 60

_Types = dict[dns.rdatatype.RdataType, int]
"""The types seen at a name, with the line of the first record of each."""


def parse_records(text: str, *, first_line: int = 1) -> PublicRecords:
    """Read an RFC 1035 master file with absolute names; ``$ORIGIN`` and ``$TTL`` are understood.

    ``first_line`` is the number that the text's first line bears in messages.

    Raises:
        ConfigError: naming every problem with its line: a bad TTL, class, type or rdata, a relative name, a parenthesis
            that is not closed, a CNAME beside other records.
    """
    reading = _Reading(entries=[], problems=[])
    for line, entry in _entries(text, first_line, reading.problems):
        try:
            reading.read(entry, line)
        except (dns.exception.DNSException, ValueError) as error:
            reading.problems.append((line, f"{_shortened(entry)}: {error}"))
    rrsets = _rrsets(reading.entries, reading.problems)
    if reading.problems:
        raise ConfigError(tuple(f"line {line}: {problem}" for line, problem in sorted(reading.problems)))
    return index_records(rrsets)


def overlay(base: PublicRecords, text: str, *, first_line: int = 1) -> PublicRecords:
    """Return ``base`` with each RRset of the master file ``text`` in the place of the one of the same name and type.

    A CNAME also takes the place of everything else at its name, and other records that of a CNAME.

    Raises:
        ConfigError: as for parse_records.
    """
    laid = parse_records(text, first_line=first_line).rrsets
    with_cname = {name for name, rdtype in laid if rdtype == dns.rdatatype.CNAME}
    without_cname = {name for name, rdtype in laid if rdtype != dns.rdatatype.CNAME}
    kept = {
        (name, rdtype): rrset
        for (name, rdtype), rrset in base.rrsets.items()
        if name not in with_cname and not (rdtype == dns.rdatatype.CNAME and name in without_cname)
    }
    return index_records(kept | dict(laid))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    line: int
    owner: dns.name.Name
    ttl: int
    rdata: dns.rdata.Rdata


@dataclass(slots=True, kw_only=True)
class _Reading:
    """A master file as far as it was read."""

    entries: list[_Entry]
    problems: list[tuple[int, str]]
    origin: dns.name.Name | None = None
    owner: dns.name.Name | None = None
    ttl: int = _DEFAULT_TTL

    def read(self, entry: str, line: int) -> None:
        """Read one record or directive; raise ValueError or DNSException for one that cannot be used."""
        if entry.startswith("$"):
            self._direct(entry.split())
            return
        words = entry.split()
        if not entry[0].isspace():
            self.owner = None
            self.owner = _absolute(words.pop(0), self.origin)
        if self.owner is None:
            raise ValueError("there is no owner name that this record could belong to")
        ttl, rdtype, taken = _header(words, self.ttl)
        # The rest keeps its own spacing: it may hold quoted strings.
        rest = entry.split(maxsplit=taken + (not entry[0].isspace()))
        text = rest[-1] if len(rest) > taken + (not entry[0].isspace()) else ""
        rdata = dns.rdata.from_text(
            dns.rdataclass.IN, rdtype, text, origin=self.origin, relativize=False, idna_codec=_IDNA
        )
        try:
            rdata.to_wire()
        except dns.name.NeedAbsoluteNameOrOrigin:
            raise ValueError("the rdata holds a relative name; write it with a final dot") from None
        self.entries.append(_Entry(line=line, owner=self.owner, ttl=ttl, rdata=rdata))

    def _direct(self, words: list[str]) -> None:
        match words:
            case ["$ORIGIN", name]:
                self.origin = _absolute(name, self.origin)
            case ["$TTL", ttl]:
                self.ttl = _ttl(ttl)
            case _:
                raise ValueError("only $ORIGIN NAME and $TTL SECONDS are understood")


def _header(words: list[str], default_ttl: int) -> tuple[int, dns.rdatatype.RdataType, int]:
    """Return TTL, type and how many words they and the class took."""
    ttl = default_ttl
    has_ttl = has_class = False
    for taken, word in enumerate(words, 1):
        if not has_ttl and (word[0].isdigit() or word[0] in "-+"):
            ttl, has_ttl = _ttl(word), True
        elif not has_class and word.upper() in _CLASSES:
            if word.upper() != "IN":
                raise ValueError(f"class {word!r} is not IN")
            has_class = True
        else:
            return ttl, _rdtype(word), taken
    raise ValueError("the record has no type")


def _rdtype(word: str) -> dns.rdatatype.RdataType:
    try:
        rdtype = dns.rdatatype.from_text(word)
    except (dns.exception.DNSException, ValueError):
        raise ValueError(f"{word!r} is no record type") from None
    if dns.rdatatype.is_metatype(rdtype):
        raise ValueError(f"{word!r} is no type that a master file can hold")
    return rdtype


def _ttl(word: str) -> int:
    try:
        ttl = dns.ttl.from_text(word)
    except (dns.exception.DNSException, ValueError):
        raise ValueError(f"{word!r} is no TTL") from None
    if ttl > _MAX_TTL:
        raise ValueError(f"the TTL {word!r} is above {_MAX_TTL} seconds")
    return ttl


def _absolute(word: str, origin: dns.name.Name | None) -> dns.name.Name:
    name = origin if word == "@" and origin is not None else dns.name.from_text(word, origin, idna_codec=_IDNA)
    if not name.is_absolute():
        raise ValueError(f"{word!r} is a relative name; write it with a final dot")
    return name


def _rrsets(entries: list[_Entry], problems: list[tuple[int, str]]) -> dict[RecordKey, dns.rrset.RRset]:
    rrsets: dict[RecordKey, dns.rrset.RRset] = {}
    lines: dict[dns.name.Name, dict[dns.rdatatype.RdataType, int]] = {}
    for entry in entries:
        owner, rdtype = entry.owner.canonicalize(), entry.rdata.rdtype
        rrset = rrsets.setdefault((owner, rdtype), dns.rrset.RRset(owner, dns.rdataclass.IN, rdtype))
        rrset.add(entry.rdata, entry.ttl)
        at = lines.setdefault(owner, {})
        others = at.keys() - {rdtype}
        if rdtype == dns.rdatatype.CNAME and (others or rdtype in at):
            problems.append((entry.line, f"a CNAME of {entry.owner} can stand beside no other record"))
        elif rdtype != dns.rdatatype.CNAME and dns.rdatatype.CNAME in at:
            problems.append((entry.line, f"{entry.owner} has a CNAME and can have no other record"))
        at.setdefault(rdtype, entry.line)
    return rrsets


def _shortened(entry: str) -> str:
    text = " ".join(entry.split())
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """Where the splitting of a master file into entries stands."""

    depth: int = 0
    opened: int = 0
    """The line of the parenthesis still open."""


def _entries(text: str, first_line: int, problems: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Split a master file into records: the line each starts at, and its text without comments and parentheses."""
    scan, start, parts = _Scan(), first_line, list[str]()
    for number, line in enumerate(text.splitlines(), first_line):
        if not scan.depth:
            start, parts = number, []
        try:
            part, scan = _scanned(line, number, scan)
        except ValueError as error:
            problems.append((number, str(error)))
            scan, parts = _Scan(), []
            continue
        parts.append(part)
        entry = " ".join(parts).rstrip()
        if not scan.depth and entry:
            yield start, entry
    if scan.depth:
        problems.append((scan.opened, "a parenthesis is opened and never closed"))


def _scanned(line: str, number: int, scan: _Scan) -> tuple[str, _Scan]:
    """Return one line without comment and parentheses, and how the scan goes on."""
    kept, place, quoted = list[str](), 0, False
    while place < len(line):
        character = line[place]
        width = 1
        if character == "\\":
            width = 2  # an escaped character means nothing special
            character = line[place : place + width]
        elif character == '"':
            quoted = not quoted
        elif not quoted and character == ";":
            break
        elif not quoted and character == "(":
            scan = replace(scan, depth=scan.depth + 1, opened=scan.opened or number)
            character = " "
        elif not quoted and character == ")":
            if not scan.depth:
                raise ValueError("a parenthesis is closed that was not opened")
            scan = replace(scan, depth=scan.depth - 1) if scan.depth > 1 else _Scan()
            character = " "
        kept.append(character)
        place += width
    if quoted:
        raise ValueError("a quoted string is not closed on its line")
    return "".join(kept), scan
