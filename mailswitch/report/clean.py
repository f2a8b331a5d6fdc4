"""Makes foreign text fit to be shown: nothing in it can move the cursor, colour, hide or reorder anything.

Facts:

- Terminals obey C0 and C1 control characters, ESC sequences above all (ECMA-48 §5).
- Bidirectional marks, embeddings and isolates change the order in which a line is read (UAX #9 §2).
- Format characters, zero-width ones among them, make two different names look the same (UTS #39 §5).
- Some characters are letters or marks by category and still show nothing (Default_Ignorable_Code_Point, UAX #44).
"""

from __future__ import annotations

import unicodedata

__all__ = ["printable"]

_SHOWS_NOTHING = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
"""Joiners, fillers and variation selectors that are no format characters, and the blank Braille pattern."""


def printable(text: str, *, keep_newlines: bool = False) -> str:
    r"""Return ``text`` with every character that is not plainly visible written out as ``\xNN`` or ``\uNNNN``.

    ``keep_newlines`` leaves line feeds alone, for texts of ours that have several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if _is_visible(character) or (keep_newlines and character == "\n") else _written_out(character)
        for character in text
    )


def _is_visible(character: str) -> bool:
    # isprintable() refuses categories C* and Z*; spaces other than U+0020 are harmless and used by people.
    if not character.isprintable():
        return unicodedata.category(character) == "Zs"
    return character not in _SHOWS_NOTHING


def _written_out(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
