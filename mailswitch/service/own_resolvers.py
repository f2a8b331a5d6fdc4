"""What a check-up finds about the resolvers that a server itself asks, and its Postfix with it.

Postfix looks up a name that is off as any other. Where it asks a name server that serves Plesk's own zones, it finds
the MX from before the move there, takes itself for it and bounces the mail ("loops back to myself").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailswitch.core.mx import Address
from mailswitch.core.names import DomainName
from mailswitch.core.words import counted
from mailswitch.report.doctor import Grade, Symptom

__all__ = ["OwnResolver", "own_resolver_symptoms"]

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnResolver:
    """One resolver that a server asks for everything it looks up."""

    address: Address
    serves: tuple[DomainName, ...]
    """The names hosted on the server, of those tried, that it answers for with authority."""


def own_resolver_symptoms(server: str, resolvers: Iterable[OwnResolver]) -> Iterator[Symptom]:
    """Warn once of all resolvers of a server that serve zones hosted on it."""
    serving = [one for one in resolvers if one.serves]
    if not serving:
        return
    which = "own resolver" if len(serving) == 1 else "own resolvers"
    does = "serves" if len(serving) == 1 else "serve"
    addresses = " and ".join(str(one.address) for one in serving)
    text = (
        f"this machine's {which} {addresses} (/etc/resolv.conf) {does} zones of "
        f"names hosted here ({_named(serving)}): after a name moved and was turned off, Postfix finds its old MX there "
        'and bounces mail to it ("loops back to myself"); let /etc/resolv.conf name a resolver that does not serve '
        "them, or remove Plesk's DNS zones of domains that moved"
    )
    yield Symptom(subject=f"server {server}", grade=Grade.WARNING, text=text)


def _named(serving: Iterable[OwnResolver]) -> str:
    names = list(dict.fromkeys(name.text for one in serving for name in one.serves))
    more = [f"and {counted(len(names) - _SHOWN, 'other')}"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more])
