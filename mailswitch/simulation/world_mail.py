"""The mail log of a world's server, as its file writes it.

``{name: moved.example, kind: co-tenant, number: 3, days: 7}``: three messages a day on the last seven days.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from mailswitch.config import fields
from mailswitch.core.mx import address
from mailswitch.simulation.world import MailKind, WorldMail, WorldMailLog
from mailswitch.simulation.world_names import HostedName

__all__ = ["MailLogSection", "MailSection"]

_MOST_DAYS = 30


def _address(value: object) -> str:
    try:
        return str(address(str(value)))
    except ValueError as error:
        raise ValueError("is no IP address") from error


def _plain(text: str) -> str:
    if not text.isascii() or not text.isprintable() or set(text) & set(" <>[]@,"):
        raise ValueError("is no plain word")
    return text


_Word = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain)]


class MailSection(fields.Section):
    """The same thing on each of some days, up to now."""

    name: HostedName
    kind: MailKind = MailKind.OUTSIDE
    mailbox: _Word = "info"
    address: Annotated[str, BeforeValidator(_address)] = "198.51.100.77"
    host: _Word = "unknown"
    number: int = Field(default=1, ge=1, le=1000)
    days: int = Field(default=7, ge=1, le=_MOST_DAYS)

    @property
    def mail(self) -> WorldMail:
        """The value."""
        return WorldMail(**dict(self))


class MailLogSection(fields.Section):
    """One server's mail log."""

    days: int = Field(default=9, ge=1, le=_MOST_DAYS)
    mail: tuple[MailSection, ...] = ()
    lines: str = ""

    @property
    def mail_log(self) -> WorldMailLog:
        """The value."""
        return WorldMailLog(days=self.days, mail=tuple(one.mail for one in self.mail), lines=self.lines)
