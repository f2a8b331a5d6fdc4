"""Makes foreign text fit to be shown: nothing in it can move the cursor, colour, hide or reorder anything.

Facts:

- Terminals obey C0 and C1 control characters, ESC sequences above all (ECMA-48 §5).
- Bidirectional marks, embeddings and isolates change the order in which a line is read (UAX #9 §2).
- Format characters, zero-width ones among them, make two different names look the same (UTS #39 §5).
"""

from __future__ import annotations

import unicodedata

__all__ = ["printable"]


def printable(text: str, *, keep_newlines: bool = False) -> str:
    r"""Return ``text`` with every character that is not plainly visible written out as ``\xNN`` or ``\uNNNN``.

    ``keep_newlines`` leaves line feeds alone, for texts of ours that have several lines.
    """
    if text.isprintable():
        return text
    return "".join(
        character if _is_visible(character) or (keep_newlines and character == "\n") else _written_out(character)
        for character in text
    )


def _is_visible(character: str) -> bool:
    # isprintable() refuses categories C* and Z*; spaces other than U+0020 are harmless and used by people.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _written_out(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
