"""Remembered answers as a file: small, whole or ignored, and read as if somebody else had written it.

After a line that names the format and the digest of what follows comes a compressed text: each distinct answer once,
then for each vantage and type a line for each name, with when it was heard, its TTL and the number of its answer. A new
file takes the place of the former one by a rename, so that a crash leaves one or the other.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import assert_never

import dns.rdatatype

from mailswitch.core.errors import InvalidName
from mailswitch.core.mx import MX, address
from mailswitch.core.names import DomainName
from mailswitch.lookup.replies import Found, Nothing, NotThere

__all__ = ["Damaged", "Entry", "Records", "read_records", "reply_of", "write_records", "written"]

Entry = tuple[str, int, int, int]
"""A name, when it was heard in seconds since 1970, the TTL in seconds, and the number of the answer."""

_MAGIC = b"mailswitch answers 1\n"
_FORMAT = re.compile(rb"mailswitch answers [0-9]{1,9}\n")
_DIGEST_OCTETS = 32
_MOST_OCTETS = 64 * 1024 * 1024
_MOST_CHARACTERS = 256 * 1024 * 1024
_MOST_LINES = 8_000_000
_MOST_RECORDS = 100
_MOST_SECONDS = 2**40
_LONGEST_TTL = 2**31 - 1
_NUMBER = re.compile(r"0|[1-9][0-9]{0,12}")
_TYPES = {"MX": dns.rdatatype.MX, "A": dns.rdatatype.A, "AAAA": dns.rdatatype.AAAA}
_TYPE_NAMES = {int(rdtype): name for name, rdtype in _TYPES.items()}
_NO_TIME = timedelta(0)
_CHAIN = ";"
"""Before the CNAMEs: no name is written so (RFC 1035 §5.1)."""


class Damaged(Exception):
    """The file is none of ours, of another version, torn, altered, or beyond all bounds; its text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What a file holds."""

    answers: Sequence[str]
    """Each distinct answer in the words of `written`."""
    tables: Sequence[tuple[str, int, Iterable[Entry]]]
    """Of each vantage, by its key, and type."""


def read_records(path: Path) -> Records:
    """Return what the file at ``path`` holds.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read; a symbolic link is not followed.
        Damaged: it is nothing to rely on.
    """
    content = _content(path)
    if not content.startswith(_MAGIC):
        raise Damaged("another version wrote it" if _FORMAT.match(content) else "it is no file of remembered answers")
    start = len(_MAGIC) + _DIGEST_OCTETS
    packed = content[start:]
    if hashlib.sha256(packed).digest() != content[len(_MAGIC) : start]:
        raise Damaged("it is torn or was altered")
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(packed, _MOST_CHARACTERS).decode("ascii")
    except (zlib.error, UnicodeDecodeError) as error:
        raise Damaged("it is no text") from error
    if not unpacker.eof or unpacker.unused_data or text.count("\n") > _MOST_LINES:
        raise Damaged("it is larger than any such file")
    return _parsed(text)


def write_records(path: Path, records: Records) -> None:
    """Write a file that takes the place of what is at ``path`` once it is on the disk.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    packed = zlib.compress("".join(_lines(records)).encode("ascii"), level=1)
    temporary = path.with_name(f".{path.name}.tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()  # of a pass that was killed; passes over one ledger take turns
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.writelines((_MAGIC, hashlib.sha256(packed).digest(), packed))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def written(reply: Found | Nothing | NotThere) -> str:
    """Return an answer in words, its TTL apart: a kind, what was found, and after ``;`` the CNAMEs on the way."""
    match reply:
        case Found(mx=records) if records:
            words = ["mx", *(f"{record.preference} {record.exchange.text}" for record in sorted(records))]
        case Found(addresses=addresses):
            words = ["at", *sorted(map(str, addresses))]
        case Nothing():
            words = ["nothing"]
        case NotThere():
            words = ["missing"]
        case never:
            assert_never(never)
    if reply.canonical:
        words += [_CHAIN, *(name.text for name in reply.canonical)]
    return " ".join(words)


def reply_of(text: str, rdtype: int) -> Found | Nothing | NotThere:
    """Return the answer that was `written`, without its TTL.

    Raises:
        Damaged: it is none, or none to a question for ``rdtype``.
    """
    told, _, chain = text.partition(f" {_CHAIN} ")
    kind, *words = told.split(" ")
    try:
        canonical = tuple(map(DomainName, chain.split(" "))) if chain else ()
        if kind == "nothing" and not words:
            return Nothing(ttl=_NO_TIME, canonical=canonical)
        if kind == "missing" and not words:
            return NotThere(ttl=_NO_TIME, canonical=canonical)
        if words and len(words) <= 2 * _MOST_RECORDS and kind == ("mx" if rdtype == dns.rdatatype.MX else "at"):
            if kind == "at":
                return Found(addresses=frozenset(map(address, words)), ttl=_NO_TIME, canonical=canonical)
            records = zip(map(_number, words[::2]), map(DomainName, words[1::2]), strict=True)
            mx = frozenset(MX(preference=preference, exchange=exchange) for preference, exchange in records)
            return Found(mx=mx, ttl=_NO_TIME, canonical=canonical)
    except (InvalidName, ValueError) as error:
        raise Damaged("an answer in it makes no sense") from error
    raise Damaged("an answer in it makes no sense")


def _content(path: Path) -> bytes:
    """Read a plain file that is nobody else's to write."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Damaged("it is no plain file")
        if found.st_uid not in {0, os.geteuid(), path.parent.stat().st_uid} or found.st_mode & 0o022:
            raise Damaged("others may write it")
        if found.st_size > _MOST_OCTETS:
            raise Damaged("it is larger than any such file")
        return file.read(_MOST_OCTETS)


def _lines(records: Records) -> Iterator[str]:
    yield f"answers {len(records.answers)}\n"
    yield from (f"{answer}\n" for answer in records.answers)
    for vantage, rdtype, entries in records.tables:
        yield f"vantage {vantage} {_TYPE_NAMES[rdtype]}\n"
        yield from (f"{name} {heard} {ttl} {number}\n" for name, heard, ttl, number in entries)
    yield "end\n"


def _parsed(text: str) -> Records:
    lines = text.split("\n")
    head = lines[0].split(" ")
    if len(head) != 2 or head[0] != "answers" or lines[-2:] != ["end", ""]:
        raise Damaged("it makes no sense")
    try:
        count = _number(head[1])
        answers = lines[1 : count + 1]
        if len(answers) != count:
            raise Damaged("it makes no sense")
        return Records(answers=answers, tables=list(_tables(lines, count)))
    except ValueError as error:
        raise Damaged("it makes no sense") from error


def _tables(lines: list[str], answers: int) -> Iterator[tuple[str, int, list[Entry]]]:
    entries: list[Entry] | None = None
    for at in range(answers + 1, len(lines) - 2):
        words = lines[at].split(" ")
        if len(words) == 3 and words[0] == "vantage" and words[2] in _TYPES:
            entries = []
            yield words[1], int(_TYPES[words[2]]), entries
            continue
        if len(words) != 4 or entries is None:
            raise Damaged("it makes no sense")
        heard, ttl, number = int(words[1]), int(words[2]), int(words[3])
        if not (0 <= heard < _MOST_SECONDS and 0 <= ttl <= _LONGEST_TTL and 0 <= number < answers):
            raise Damaged("it makes no sense")
        entries.append((words[0], heard, ttl, number))


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text[:20]!r} is no number")
    return int(text)
