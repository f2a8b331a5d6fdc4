r"""``plesk db`` of a simulated panel: SELECT and nothing else, printed as the mysql client prints in batch mode.

Facts (plesk.md section 3.4):

- ``-B`` separates columns by tabs, ``-N`` leaves the header out; NULL is printed as ``NULL``, as a text ``NULL`` is.
- In batch mode a line feed, a tab, a NUL and a backslash in a value are written ``\n``, ``\t``, ``\0`` and ``\\``.
- Several statements in one text are run one after the other.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterator

from mailswitch.simulation.state import PanelState
from mailswitch.simulation.tables import HIDDEN_PREFIX

__all__ = ["NotASelect", "batch_value", "run", "statements"]

_SHOW_TABLES = re.compile(r"SHOW\s+TABLES(?:\s+LIKE\s+'((?:[^'\\]|'')*)')?\Z", re.IGNORECASE)
_FIRST_WORD = re.compile(r"\s*\(*\s*([A-Za-z]*)")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\0": "\\0"})
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


class NotASelect(Exception):
    """A statement would do something else than read."""


def statements(text: str) -> Iterator[str]:
    """Split a text at the semicolons that stand outside of quotes; empty statements are left out."""
    start, quote = 0, ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        elif character == ";":
            if text[start:at].strip():
                yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()


def run(state: PanelState, text: str, *, has_header: bool = False) -> Iterator[str]:
    """Run every statement of ``text`` and yield the lines that are printed.

    Raises:
        NotASelect: a statement would change something or look where there is nothing to look for.
        sqlite3.Error: a statement cannot be run.
    """
    with state.reading() as connection:
        connection.create_function("concat", -1, _concat)
        connection.create_function("to_base64", 1, _to_base64)
        connection.set_authorizer(_authorize)
        for statement in statements(text):
            yield from _rows(connection, statement, has_header=has_header)


def _rows(connection: sqlite3.Connection, statement: str, *, has_header: bool) -> Iterator[str]:
    tables = _SHOW_TABLES.match(statement)
    if tables is not None:
        connection.set_authorizer(None)
        pattern = "%" if tables.group(1) is None else tables.group(1)
        cursor = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ? AND substr(name, 1, 4) <> ?"
            " AND name <> 'sqlite_sequence' ORDER BY name",
            (pattern, HIDDEN_PREFIX),
        )
    else:
        first = _FIRST_WORD.match(statement)
        if first is None or first.group(1).upper() not in {"SELECT", "WITH"}:
            raise NotASelect(statement)
        connection.set_authorizer(_authorize)
        cursor = connection.execute(statement)
    if has_header and cursor.description:
        yield "\t".join(column[0] for column in cursor.description)
    for row in cursor:
        yield "\t".join(batch_value(value) for value in row)


def batch_value(value: object) -> str:
    """Return a column's value as the mysql client prints it in batch mode."""
    match value:
        case None:
            return "NULL"
        case bytes():
            return value.decode("utf-8", "replace").translate(_ESCAPES)
        case _:
            return str(value).translate(_ESCAPES)


def _authorize(action: int, table: str | None, column: str | None, _database: str | None, _trigger: str | None) -> int:
    if action == sqlite3.SQLITE_READ:
        is_hidden = any((name or "").startswith((HIDDEN_PREFIX, "sqlite_")) for name in (table, column))
        return sqlite3.SQLITE_DENY if is_hidden else sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _concat(*values: object) -> str | None:
    return None if None in values else "".join(str(value) for value in values)


def _to_base64(value: object) -> str | None:
    return None if value is None else base64.b64encode(str(value).encode()).decode()
