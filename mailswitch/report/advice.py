"""What an administrator can do about a name that is held, by reason code (docs/decisions.md explains the codes)."""

from __future__ import annotations

from mailswitch.core.ledger import Guard
from mailswitch.core.policy import Route

__all__ = ["advice"]

_REVIEW = "or review it"

_BY_CODE: dict[str, str] = {
    Route.NO_DOMAIN: "public DNS does not know the name: expired or mistyped; remove it from Plesk if nobody needs it",
    Route.NO_MAIL: "it says that it takes no mail: policy.routes no-mail: turn-off if you want that obeyed here",
    Route.UNKNOWN: "no clear answer from public DNS: looked at again in the next pass; explain NAME shows the answers",
    Route.FORWARDER: "a forwarding service may relay back here: ask the customer; policy.domains forwarder: turn-off",
    Route.GATEWAY: "a filter relays back here: if it does not, policy.domains gateway: turn-off",
    Route.PARKED: "parked or half set up: ask the customer, or policy.domains parked: turn-off",
    Route.DANGLING: "its mail can be delivered nowhere: tell the customer that the MX is wrong",
    Route.IMPLICIT_ELSEWHERE: "no MX, and its web address is elsewhere: ask the customer to publish an MX",
    Route.ELSEWHERE: "the policy holds it: policy.routes or policy.domains",
    Route.HERE: "the policy holds it: policy.routes or policy.domains",
    Route.BACKUP_HERE: "the policy holds it: policy.routes or policy.domains",
    Route.IMPLICIT_HERE: "the policy holds it: policy.routes or policy.domains",
    Guard.NOT_MANAGED: "never touched: it has no switch that could be turned, or no mail can be addressed to it",
    Guard.PINNED: "mailswitch unpin NAME lets it go",
    Guard.SUSPENDED: "decided again once it is active",
    Guard.STOPS_SENDING: "accept_full_off for the server if its sites may stop sending",
    Guard.NEEDED_BY_ALIAS: "move the alias's mail, or turn its mail off, first",
    Guard.OWN_RESOLVER: "let /etc/resolv.conf name a resolver without this zone, or remove the zone from Plesk's DNS",
    Guard.STILL_RECEIVING: f"find out who still relays to this server, {_REVIEW}",
    Guard.UNKNOWN_PROVIDER: f"ask the customer, name a host you know in policy.providers, {_REVIEW}",
    Guard.UNCONFIRMED: f"due by itself once it was seen often and long enough, {_REVIEW}",
    Guard.ARRIVING: f"new and never routed here, perhaps a move in: due by itself when old enough, {_REVIEW}",
    Guard.RE_ENABLED: f"somebody turned it on against mailswitch: pin it if they are right, {_REVIEW}",
    Guard.FLAPPING: f"find out what turns it to and fro, {_REVIEW}",
    Guard.APPROVAL: f"mailswitch approve NAME, {_REVIEW}",
}


def advice(code: str) -> str:
    """Return what to do about ``code`` in a few words; empty for a code that asks for nothing."""
    return _BY_CODE.get(code, "")
