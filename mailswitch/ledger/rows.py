"""Values to rows and back: by the fields' names, which are the columns' names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Column, Table

from mailswitch.core.errors import InvalidName, LedgerError
from mailswitch.core.evidence import LoginCount, LogReading, MailCount
from mailswitch.core.ledger import Approval, Change, DomainHistory, Pause, Pin, Recheck, Run, ServerPass, ServerState
from mailswitch.core.notices import NoticeMemory
from mailswitch.core.rescue import Rescue, RescuedMessage

__all__ = ["columns_of", "damage_told", "row_of", "value_maker"]

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
    return {field.name: getattr(value, field.name) for field in fields(value)}


def columns_of(table: Table, kind: type[_Value]) -> list[Column[Any]]:
    """Return the columns that hold a value of ``kind``, in the order of its fields."""
    return [table.c[field.name] for field in fields(kind)]


def value_maker(kind: type[_V]) -> Callable[[Sequence[Any]], _V]:
    """Return what makes a value of a row that begins with ``columns_of(table, kind)``."""
    names = tuple(field.name for field in fields(kind))
    return lambda row: kind(**dict(zip(names, row, strict=False)))


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
