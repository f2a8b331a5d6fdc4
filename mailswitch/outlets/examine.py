"""A stranded message, looked at before it is sent on: its identity, and how it can travel unchanged.

Facts:

- Inside ``message/rfc822`` only 7bit, 8bit and binary are allowed, never base64 (RFC 2046 §5.2.1). 8bit means lines of
  at most 998 octets, no NUL, and CR and LF only as a pair that ends a line (RFC 2045 §2.8).
- On the way a line's end is CRLF (RFC 5321 §2.3.8), whatever it is in a file.
- A header ends at the first empty line (RFC 5322 §2.1); a line that begins with a space goes on with the one before.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator

from mailswitch.core.mailboxes import Content, Examined

__all__ = ["MARK", "examined", "pieces"]

MARK = "X-Mailswitch-Rescue"
"""The header of every mail that sends a message on; what bears it is never sent on again."""

_LONGEST_LINE = 998
_PIECE = 1 << 16
_HEADER_OCTETS = 1 << 18
_SUBJECT_OCTETS = 2_000
_SUBJECT = re.compile(rb"(?ims)^subject:[ \t]*(.*?)(?=\r?\n(?![ \t])|\Z)")


def pieces(content: Content) -> Iterator[bytes]:
    """Yield the message from its beginning, in pieces of bounded size that end at the latest with their line."""
    content.rewind()
    while piece := content.readline(_PIECE):
        yield piece


def examined(content: Content) -> Examined:
    """Read a whole message once, in bounded memory."""
    digest, octets, has_eight_bit, is_plain = hashlib.sha256(), 0, False, True
    header, is_in_header, length = bytearray(), True, 0
    endings: Counter[bytes] = Counter()
    for piece in pieces(content):
        digest.update(piece)
        octets += len(piece)
        has_eight_bit = has_eight_bit or not piece.isascii()
        text, ending = _split(piece)
        length += len(text)
        is_plain = is_plain and length <= _LONGEST_LINE and b"\0" not in piece and b"\r" not in text
        if ending:
            endings[ending] += 1
            length = 0
        if is_in_header:
            is_in_header = bool(text) and len(header) + len(piece) <= _HEADER_OCTETS
            header += piece if is_in_header else b""
    return Examined(
        sha256=digest.hexdigest(),
        octets=octets,
        lone_feeds=endings[b"\n"],
        has_eight_bit=has_eight_bit,
        is_plain=is_plain and not (endings[b"\n"] and endings[b"\r\n"]),
        is_our_own=re.search(rb"(?im)^%b:" % MARK.encode("ascii"), header) is not None,
        subject=_subject(bytes(header)),
    )


def _split(piece: bytes) -> tuple[bytes, bytes]:
    if piece.endswith(b"\r\n"):
        return piece[:-2], b"\r\n"
    return (piece[:-1], b"\n") if piece.endswith(b"\n") else (piece, b"")


def _subject(header: bytes) -> bytes:
    found = _SUBJECT.search(header)
    return b"" if found is None else found[1][:_SUBJECT_OCTETS]
