"""Column types for what was told: small JSON arrays, read and written whole.

Facts:

- JSON escapes keep every text, U+0000 and lone surrogates included, in plain ASCII (RFC 8259 §7).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Dialect, Text, TypeDecorator

from mailswitch.core.names import DomainName
from mailswitch.core.notices import Bulletin, NoticeKind, Told, Unsent

__all__ = ["Numbers", "ToldTroubles", "UnsentBulletins"]


class Numbers(TypeDecorator[tuple[int, ...]]):
    """Whole numbers in their order, as a JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> str | None:
        """Return the JSON text."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[int, ...] | None:
        """Return the numbers; raise ValueError or TypeError for anything else."""
        return None if value is None else tuple(map(int, json.loads(value)))


class ToldTroubles(TypeDecorator[tuple[Told, ...]]):
    """Troubles that were told, as a JSON array of objects."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Told, ...] | None, dialect: Dialect) -> str | None:
        """Return the JSON text."""
        return None if value is None else json.dumps([_told_fields(told) for told in value])

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Told, ...] | None:
        """Return the troubles; raise ValueError, TypeError, LookupError or InvalidName for anything else."""
        return None if value is None else tuple(map(_told, json.loads(value)))


class UnsentBulletins(TypeDecorator[tuple[Unsent, ...]]):
    """Bulletins still to be sent, as a JSON array of objects."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Unsent, ...] | None, dialect: Dialect) -> str | None:
        """Return the JSON text."""
        return None if value is None else json.dumps([_unsent_fields(unsent) for unsent in value])

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Unsent, ...] | None:
        """Return the bulletins; raise ValueError, TypeError or LookupError for anything else."""
        return None if value is None else tuple(map(_unsent, json.loads(value)))


def _told_fields(told: Told) -> dict[str, object]:
    return {
        "kind": told.kind.value,
        "code": told.code,
        "server": told.server,
        "name": None if told.name is None else told.name.text,
        "text": told.text,
        "said_at": told.said_at.isoformat(),
        "is_over": told.is_over,
    }


def _told(fields: Any) -> Told:
    return Told(
        kind=NoticeKind(fields["kind"]),
        code=_text(fields["code"]),
        server=_text(fields["server"]),
        name=None if fields["name"] is None else DomainName(_text(fields["name"])),
        text=_text(fields["text"]),
        said_at=_moment(fields["said_at"]),
        is_over=fields["is_over"] is True,
    )


def _unsent_fields(unsent: Unsent) -> dict[str, object]:
    bulletin = unsent.bulletin
    return {
        "way": unsent.way,
        "id": bulletin.id,
        "subject": bulletin.subject,
        "text": bulletin.text,
        "document": bulletin.document,
        "taken_at": None if unsent.taken_at is None else unsent.taken_at.isoformat(),
    }


def _unsent(fields: Any) -> Unsent:
    bulletin = Bulletin(
        id=_text(fields["id"]),
        subject=_text(fields["subject"]),
        text=_text(fields["text"]),
        document=_text(fields["document"]),
    )
    taken_at = fields.get("taken_at")  # not in rows of earlier versions
    return Unsent(way=_text(fields["way"]), bulletin=bulletin, taken_at=None if taken_at is None else _moment(taken_at))


def _moment(found: object) -> datetime:
    moment = datetime.fromisoformat(_text(found))
    if moment.utcoffset() is None:
        raise ValueError(f"{found!r} has no time zone")
    return moment


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise TypeError(f"{found!r} is no text")
    return found
