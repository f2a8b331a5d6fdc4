"""Column types that take and give core values, so that no row holds what the core would refuse.

Facts:

- SQLite has no type for moments; text of one fixed width in UTC sorts and compares as the moments do.
- PostgreSQL cannot keep U+0000 in text, and neither database can keep half a surrogate pair (no UTF-8 for it).
- 64 bits hold 292,000 years of microseconds.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from ipaddress import ip_network
from typing import Any, TypeVar

from sqlalchemy import TIMESTAMP, BigInteger, Dialect, Integer, String, Text, TypeDecorator
from sqlalchemy import Enum as EnumColumn
from sqlalchemy.types import TypeEngine

from mailswitch.core.domain import Network
from mailswitch.core.ledger import Guard
from mailswitch.core.names import DomainName, NamePattern

__all__ = [
    "Counts",
    "Duration",
    "Guards",
    "Moment",
    "Name",
    "Names",
    "Number",
    "Pattern",
    "SenderNetwork",
    "Words",
    "choice",
]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_WIDEST = 2**63 - 1
_MOMENT_WIDTH = 32
_CHOICE_WIDTH = 32
_E = TypeVar("_E", bound=Enum)

Number = BigInteger().with_variant(Integer(), "sqlite")
"""A row's own number: 64 bits on PostgreSQL, SQLite's rowid (which has to be called INTEGER) there."""


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept and given back in UTC to the microsecond; naive ones are refused."""

    impl = String(_MOMENT_WIDTH)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use the database's own type where it has one."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(_MOMENT_WIDTH))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Return what is stored; raise ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} is naive: the ledger keeps moments with their time zone only")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else _written(moment)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC; raise ValueError for a text that is none."""
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        moment = datetime.fromisoformat(value)
        if moment.utcoffset() is None:
            raise ValueError(f"{value!r} has no time zone")
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


class Duration(TypeDecorator[timedelta]):
    """A timedelta as whole microseconds; what 64 bits cannot hold is refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        """Return microseconds; raise ValueError beyond 64 bits."""
        if value is None:
            return None
        microseconds = value // timedelta(microseconds=1)
        if abs(microseconds) > _WIDEST:
            raise ValueError(f"{value} is too long to be kept")
        return microseconds

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:
        """Return the duration."""
        return None if value is None else timedelta(microseconds=value)


class Words(TypeDecorator[str]):
    """Free text, foreign text included: what no database can keep becomes U+FFFD, so that recording never fails."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text without U+0000 and lone surrogates."""
        return None if value is None else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)


class Name(TypeDecorator[DomainName]):
    """One domain name in presentation form."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: DomainName | None, dialect: Dialect) -> str | None:
        """Return the presentation form."""
        return None if value is None else value.text

    def process_result_value(self, value: str | None, dialect: Dialect) -> DomainName | None:
        """Return the name; raise InvalidName for a text that is none."""
        return None if value is None else DomainName(value)


class Pattern(TypeDecorator[NamePattern]):
    """One name or pattern as written in configurations."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: NamePattern | None, dialect: Dialect) -> str | None:
        """Return the pattern's text."""
        return None if value is None else value.text

    def process_result_value(self, value: str | None, dialect: Dialect) -> NamePattern | None:
        """Return the pattern; raise InvalidName for a text that is none."""
        return None if value is None else NamePattern(value)


class Names(TypeDecorator[tuple[DomainName, ...]]):
    """Several names in their order, as a JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[DomainName, ...] | None, dialect: Dialect) -> str | None:
        """Return the JSON text."""
        if value is None:
            return None
        return json.dumps([name.text for name in value]) if value else "[]"

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[DomainName, ...] | None:
        """Return the names; raise ValueError or InvalidName for anything else."""
        if value is None:
            return None
        return () if value == "[]" else tuple(map(DomainName, _strings(value)))


class SenderNetwork(TypeDecorator[Network | None]):
    """A network, or the empty text for none: a primary key holds no NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Network | None, dialect: Dialect) -> str:
        """Return the network's text."""
        return "" if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Network | None:
        """Return the network; raise ValueError for a text that is none."""
        return ip_network(value) if value else None


class Guards(TypeDecorator[frozenset[Guard]]):
    """A set of guards, as a sorted JSON array of their codes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: frozenset[Guard] | None, dialect: Dialect) -> str | None:
        """Return the JSON text."""
        return None if value is None else json.dumps(sorted(guard.value for guard in value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> frozenset[Guard] | None:
        """Return the guards; raise ValueError for a code that is none."""
        return None if value is None else frozenset(map(Guard, _strings(value)))


class Counts(TypeDecorator[tuple[tuple[str, int], ...]]):
    """Named numbers in their order, as a JSON array of pairs."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[tuple[str, int], ...] | None, dialect: Dialect) -> str | None:
        """Return the JSON text."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[tuple[str, int], ...] | None:
        """Return the pairs; raise ValueError or TypeError for anything else."""
        return None if value is None else tuple((str(word), int(number)) for word, number in json.loads(value))


def choice(members: type[_E], name: str) -> EnumColumn:
    """Return a text column type that holds one of an enum's values, with a CHECK called after ``name``."""
    return EnumColumn(
        members,
        name=name,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=_CHOICE_WIDTH,
        values_callable=lambda enum: [member.value for member in enum],
    )


@lru_cache(maxsize=1_000)
def _written(moment: datetime) -> str:
    """Return a moment in UTC as text; a pass writes the same few many thousand times."""
    return moment.isoformat(timespec="microseconds")


def _strings(text: str) -> list[str]:
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError(f"{text!r} is no JSON array of strings")
    return found
