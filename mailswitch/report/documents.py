"""What all JSON documents of mailswitch have in common: a schema key, UTC moments, and bytes that nothing can break."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

__all__ = ["document", "listed", "moment", "one_line"]

_MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False)


def document(schema: str, body: Mapping[str, object]) -> str:
    """Return a JSON document with a final line feed, all of it printable ASCII.

    Whatever foreign text is in it reads back exactly, lone surrogates included. ``<``, ``>`` and ``&`` are written as
    escapes, so that a document pasted into a web page stays data.

    Args:
        schema: What the document is and its version ("mailswitch/report/1"); its first key.
        body: The other keys in their order.
    """
    text = json.dumps({"schema": schema, **body}, ensure_ascii=True, allow_nan=False, indent=2)
    return text.translate(_MARKUP) + "\n"


def one_line(value: object) -> str:
    """Return a value of a document on one line, in the same characters: for documents of many thousand entries.

    Indented ones are written without the standard library's fast encoder, at a tenth of its speed.
    """
    return _ENCODER.encode(value).translate(_MARKUP)


def listed(rows: Iterable[str], *, indent: str) -> Iterator[str]:
    """Yield a JSON array with each of its items, which are JSON already, on a line of its own."""
    before = "[\n"
    for row in rows:
        yield before + indent + row
        before = ",\n"
    yield "[]" if before == "[\n" else f"\n{indent[2:]}]"


def moment(at: datetime | None) -> str | None:
    """Return an aware moment in ISO 8601, in UTC, to the second ("2026-03-01T12:00:00Z")."""
    if at is None:
        return None
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
