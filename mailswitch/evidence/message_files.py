"""One message's file: what its name tells, and its content as it was delivered.

Facts:

- A name is ``TIME.UNIQUE.HOST``, unique for ever; in ``cur`` it ends in ``:2,FLAGS`` (cr.yp.to/proto/maildir.html).
- ``S`` is seen, ``T`` marked for deletion, ``D`` a draft. Dovecot adds ``,S=OCTETS,W=OCTETS`` before the flags.
- IMAP's "internal date" is the file's modification time; a copy keeps it, and gets a name of its own moment (Dovecot).
- Dovecot may keep messages compressed or encrypted; the file's first octets tell. No message begins so.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from dataclasses import dataclass
from typing import BinaryIO, cast

__all__ = ["MessageName", "arrival_of", "opened_content", "parsed_name"]

_NAME = re.compile(r"([0-9]{1,11})\.[^/]+\Z")
_SIZE = re.compile(r",S=([0-9]{1,15})(?=[,:]|\Z)")
_FLAGS = re.compile(r"[:;!]2,([A-Za-z]*)\Z")
_SLACK_SECONDS = 86_400
_ENCRYPTED = b"CRYPTED\x03\x07"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LZ4 = b"\x04\x22\x4d\x18"
_MAGIC_OCTETS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageName:
    """What a message file's name tells."""

    base: str
    """Without flags and sizes: stays the same for as long as the message is in its folder."""
    epoch: int | None
    """When the file got this name, in seconds since 1970."""
    octets: int | None
    """The message's size, where the name tells."""
    flags: frozenset[str]

    @property
    def is_abandoned_by_owner(self) -> bool:
        """Whether its owner marked it for deletion, or wrote it: it is no mail that waits for a reader."""
        return bool(self.flags & {"T", "D"})


def parsed_name(name: str) -> MessageName:
    """Return what a file name tells, of whatever kind it is."""
    found = _FLAGS.search(name)
    flags = frozenset("" if found is None else found[1])
    unique = name if found is None else name[: found.start()]
    size = _SIZE.search(unique)
    epoch = _NAME.match(unique)
    return MessageName(
        base=unique.split(",", 1)[0],
        epoch=None if epoch is None else int(epoch[1]),
        octets=None if size is None else int(size[1]),
        flags=flags,
    )


def arrival_of(name: MessageName, modified: float, now: float) -> float:
    """Return when a message arrived, in seconds since 1970: the earlier of what its name and its file say.

    A copy's name is younger than the message, and so is the time of a file that was restored from a backup.
    """
    if name.epoch is None or not 0 < name.epoch <= now + _SLACK_SECONDS:
        return modified
    return min(float(name.epoch), modified)


def opened_content(raw: BinaryIO) -> BinaryIO:
    """Return the message's octets, decompressed where Dovecot keeps them compressed. Reading may raise OSError.

    Raises:
        ValueError: it cannot be read without Dovecot; the message says why, in words.
    """
    magic = raw.read(_MAGIC_OCTETS)
    raw.seek(0)
    if magic.startswith(_ENCRYPTED):
        raise ValueError("encrypted by Dovecot")
    if magic.startswith((_ZSTD, _LZ4)):
        raise ValueError("compressed with zstd or lz4")
    if magic.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=raw))
    if magic.startswith(b"BZh"):
        return cast("BinaryIO", bz2.BZ2File(raw))
    if magic.startswith(b"\xfd7zXZ\x00"):
        return cast("BinaryIO", lzma.LZMAFile(raw))
    return raw
