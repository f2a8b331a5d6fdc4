"""What both panels read, before it is known to be sensible: the input of `inventory`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mailswitch.core.domain import ServerAddress, Switch
from mailswitch.core.mx import address
from mailswitch.plesk.failures import PanelFailure, cleaned

__all__ = ["AliasRecord", "ServerRecord", "SiteRecord", "created_on", "server_address", "whole_number"]

_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRecord:
    """What a panel says of itself; None where it says nothing."""

    host_name: str | None
    version: str | None
    system: str | None
    """The operating system in the panel's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRecord:
    """A main domain, an addon domain or a subdomain: one row of psa's ``domains``."""

    id: int
    ascii_name: str | None
    name: str | None
    status: int | None
    """Plesk's bit sum, 0 for active (plesk.md section 1.3); None when it was not understood."""
    webspace_id: int
    """The id of the main domain of the subscription; 0 for the main domain itself (plesk.md section 3.4)."""
    parent_site_id: int | None = None
    """For a subdomain the domain it belongs to, 0 if it is none; None when the panel does not tell."""
    created: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRecord:
    """A domain alias."""

    id: int
    ascii_name: str | None
    name: str | None
    site_id: int | None
    status: int | None
    switch: Switch


def whole_number(text: str | None) -> int | None:
    """Return the number that ``text`` is, or None; never slow on a text of a million digits."""
    stripped = (text or "").strip()
    if not stripped.isascii() or not stripped.isdigit() or len(stripped) > _MAX_DIGITS:
        return None
    return int(stripped)


def created_on(text: str | None) -> date | None:
    """Return the day a panel gives as ``YYYY-MM-DD``, a time of day after it ignored; None for anything else."""
    try:
        return date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None


def server_address(text: str, public: str | None) -> ServerAddress:
    """Return one listed address with its NAT public one, a prefix length ignored.

    Raises:
        PanelFailure: it is no address. An incomplete list of ours is the worst mistake possible (design.md section 4),
            so one that is not understood fails the inventory instead of being left out.
    """
    try:
        own = address(_without_prefix(text))
        mapped = address(_without_prefix(public)) if public and public.strip() else None
    except ValueError as error:
        listed = cleaned(f"{text} (public {public})" if public else text)
        raise PanelFailure(f"the panel lists {listed!r}, which is no address", code="not-understood") from error
    return ServerAddress(address=own, public=None if mapped is not None and mapped.is_unspecified else mapped)


def _without_prefix(text: str) -> str:
    return text.strip().partition("/")[0]
