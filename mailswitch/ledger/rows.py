"""Values to rows and back: by the fields' names, which are the columns' names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Dialect, Table, type_coerce
from sqlalchemy.types import NullType

from mailswitch.core.errors import InvalidName, LedgerError
from mailswitch.core.evidence import LoginCount, LogReading, MailCount
from mailswitch.core.ledger import Approval, Change, DomainHistory, Pause, Pin, Recheck, Run, ServerPass, ServerState
from mailswitch.core.notices import NoticeMemory
from mailswitch.core.rescue import Rescue, RescuedMessage

__all__ = ["columns_of", "damage_told", "raw", "row_of", "shared_value_maker", "value_maker"]

_Value = (
    DomainHistory
    | Change
    | LogReading
    | LoginCount
    | MailCount
    | NoticeMemory
    | Pin
    | Approval
    | Pause
    | Recheck
    | Rescue
    | RescuedMessage
    | Run
    | ServerPass
    | ServerState
)
_V = TypeVar("_V", bound=_Value)


def row_of(value: _Value) -> dict[str, Any]:
    """Return the value's fields by name, as the tables' column types take them."""
    return {name: getattr(value, name) for name in value.__slots__}


def columns_of(table: Table, kind: type[_Value]) -> list[Column[Any]]:
    """Return the columns that hold a value of ``kind``, in the order of its fields."""
    return [table.c[name] for name in kind.__slots__]


def raw(column: Column[Any]) -> ColumnElement[Any]:
    """Return a column whose values come as the driver gives them."""
    return type_coerce(column, NullType())


def value_maker(kind: type[_V]) -> Callable[[Sequence[Any]], _V]:
    """Return what makes a value of a row that begins with ``columns_of(table, kind)``."""
    names = kind.__slots__
    return lambda row: kind(**dict(zip(names, row, strict=False)))


def shared_value_maker(table: Table, kind: type[_V], dialect: Dialect) -> Callable[[tuple[Hashable, ...]], _V]:
    """Return what makes a value of a row of exactly the columns of ``kind``, each of them `raw`.

    Equal rows become one value, made once: of a hundred thousand names most differ in nothing but their name.
    """
    make = value_maker(kind)
    readers = [table.c[name].type.dialect_impl(dialect).result_processor(dialect, None) for name in kind.__slots__]

    @cache
    def made(row: tuple[Hashable, ...]) -> _V:
        return make([value if read is None else read(value) for read, value in zip(readers, row, strict=True)])

    return made


@contextmanager
def damage_told(place: str) -> Iterator[None]:
    """Turn what the column types say of a row that holds no value of ours into an error of the ledger.

    Raises:
        LedgerError: a row was written by something else, or is damaged.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, InvalidName) as error:
        raise LedgerError(
            f"cannot read the ledger {place}: a row in it makes no sense ({error}); "
            "something else wrote to it or it is damaged: keep a copy of it and restore a backup"
        ) from error
