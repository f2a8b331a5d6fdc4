"""What a server's own resolvers say of a name, beside what the public sees.

Facts:

- A name that is off is any other name to the server's mail server: it looks up the MX, through the resolvers of
  ``/etc/resolv.conf``, and sends the mail there (RFC 5321 §5.1).
- A mail server that finds itself the best exchange of a name that is not local sends the mail back as a loop
  (RFC 5321 §5.1). Plesk's own name server goes on serving the zone from before the move, with the MX from before it.
- Its resolver library asks them in the order of that file, and the next one only where one gives no answer
  (resolv.conf(5)).
- An answer with authority is no public view (design.md section 4), but the very view that counts here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailswitch.core.policy import HERE_ROUTES, Route
from mailswitch.core.quorum import Finding
from mailswitch.core.route import Opinion

__all__ = ["LedHere", "led_astray", "led_here"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedHere:
    """One of a server's own resolvers leads a name's mail here that the public sees elsewhere."""

    is_asked_first: bool
    """It is the first one that answers at all: what is off bounces, and not only now and then."""
    text: str


def led_astray(own: Sequence[Opinion], finding: Finding) -> str | None:
    """Return why the server's own mail to a name would not get where the public's does; None where it would.

    One resolver that leads elsewhere is enough, since any of them may be asked; one that cannot answer leaves it to the
    others, but some answer it takes. Nothing is held where nobody was asked.

    Args:
        own: An opinion of each of the server's own resolvers; empty where they are not known.
        finding: Where the public's mail goes.
    """
    for one in own:
        if one.is_here:
            return f"{_leading_back(one)}: mail from this server would bounce"
        if one.route is not Route.UNKNOWN and not _is_same(one, finding):
            return (
                f"{_who(one)} sees {one.route} ({one.because}) and not what the public sees: mail from this server "
                "would go astray"
            )
    if own and all(one.route is Route.UNKNOWN for one in own):
        told = "; ".join(f"{one.vantage.name}: {one.because}" for one in own)
        return f"no resolver of this server's own tells where its mail goes ({told}): mail from this server would wait"
    return None


def led_here(own: Sequence[Opinion], finding: Finding) -> LedHere | None:
    """Return which of the server's own resolvers leads a name's mail here that the public sees elsewhere.

    Args:
        own: An opinion of each of the server's own resolvers, in the order in which they are asked.
        finding: Where the public's mail goes.
    """
    if finding.is_sighting and finding.route in HERE_ROUTES:
        return None
    answering = [one for one in own if one.is_here or one.route is not Route.UNKNOWN]
    leading = next((one for one in answering if one.is_here), None)
    if leading is None:
        return None
    return LedHere(is_asked_first=leading is answering[0], text=_leading_back(leading))


def _is_same(own: Opinion, finding: Finding) -> bool:
    """Whether one resolver sees no other route and no other exchange than the public does."""
    return own.route is finding.route and {one.exchange for one in own.exchanges} <= set(finding.exchange_names)


def _leading_back(opinion: Opinion) -> str:
    return f"{_who(opinion)} leads its mail back here ({opinion.because})"


def _who(opinion: Opinion) -> str:
    return f"this server's own resolver {opinion.vantage.name}"
