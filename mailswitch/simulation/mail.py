"""What becomes of a co-tenant's message: the hole that mailswitch closes, as a customer sees it (design.md section 1).

A sender on the same server hands its message to the server's own MTA. As long as the recipient's switch is on the MTA
puts it in a local mailbox, whatever public DNS says. When it is off the MTA does as the rest of the world does
(RFC 5321 §5.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.name
import dns.rcode
import dns.rdatatype

from mailswitch.core.domain import Switch
from mailswitch.core.names import DomainName
from mailswitch.simulation.public_dns import PublicRecords
from mailswitch.simulation.state import PanelState

__all__ = ["BOUNCED", "LOCAL", "Delivery", "deliver"]

LOCAL = "local mailbox"
BOUNCED = "bounced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where one message ended."""

    where: str
    """``local mailbox``, ``bounced``, or ``exchange NAME``."""
    text: str
    """One line, as a mail log would have it."""

    @property
    def is_local(self) -> bool:
        """Whether it lies in a mailbox of this server."""
        return self.where == LOCAL


def deliver(state: PanelState, records: PublicRecords, recipient_domain: DomainName | str) -> Delivery:
    """Return what happens to a message that somebody on this server writes to ``info@recipient_domain``."""
    name = recipient_domain if isinstance(recipient_domain, DomainName) else DomainName(recipient_domain)
    if _is_local(state, name):
        return Delivery(where=LOCAL, text=f"to=<info@{name}>, relay=plesk_virtual, status=sent (250 2.0.0 Ok: local)")
    exchange, reason = _exchange(records, name)
    if exchange is None:
        return _bounce(name, reason)
    addresses = _addresses(records, exchange)
    if not addresses:
        return _bounce(name, f"no address for the exchange {exchange}")
    if addresses & _own_addresses(state):
        return _bounce(name, "mail for this domain loops back to myself")
    text = f"to=<info@{name}>, relay={exchange}[{min(addresses)}]:25, status=sent (250 2.0.0 Ok)"
    return Delivery(where=f"exchange {exchange}", text=text)


def _is_local(state: PanelState, name: DomainName) -> bool:
    try:
        return state.switch_of(name) is Switch.ON
    except KeyError:
        return False


def _bounce(name: DomainName, reason: str) -> Delivery:
    return Delivery(where=BOUNCED, text=f"to=<info@{name}>, relay=none, status=bounced ({reason})")


def _exchange(records: PublicRecords, name: DomainName) -> tuple[str | None, str]:
    """Return the best exchange by name, or why there is none."""
    found = records.find(dns.name.from_text(name.text), dns.rdatatype.MX)
    if found.rcode != dns.rcode.NOERROR:
        return None, f"domain not found: {dns.rcode.to_text(found.rcode)}"
    exchanges = sorted(
        (record.preference, record.exchange.to_text(omit_final_dot=True))
        for rrset in found.answer
        if rrset.rdtype == dns.rdatatype.MX
        for record in rrset
    )
    if not exchanges:
        return name.text, ""  # the implicit MX
    if exchanges == [(0, ".")]:
        return None, "the domain accepts no mail (null MX)"
    return next((exchange for _, exchange in exchanges if exchange != "."), None), "no usable exchange"


def _addresses(records: PublicRecords, host: str) -> set[str]:
    return {
        record.address
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for rrset in records.find(dns.name.from_text(host), kind).answer
        if rrset.rdtype == kind
        for record in rrset
    }


def _own_addresses(state: PanelState) -> set[str]:
    with state.reading() as connection:
        rows = connection.execute("SELECT ip_address, public_ip_address FROM IP_Addresses").fetchall()
    return {text for row in rows for text in row if text is not None}
