"""Where a message came from, by its client's address: this server, or which network outside."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from mailswitch.core.domain import Network

__all__ = ["Places"]

_LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_PREFIX_LENGTH = {4: 24, 6: 48}
_MOST_REMEMBERED = 100_000


class Places:
    """Sorts addresses into ours and the /24 or /48 of everybody else, each looked at once."""

    def __init__(self, ours: Iterable[Network]) -> None:
        """Count ``ours`` and loopback as this server: its addresses and Postfix's ``mynetworks``."""
        self._ours = (*_LOOPBACK, *ours)
        self._known: dict[bytes, str | None] = {}

    def outside(self, address: bytes) -> str | None:
        """Return the network outside that an address is in, as text, or None for one of ours.

        Raises:
            ValueError: it is no address (``unknown``, or a socket's path).
        """
        if address in self._known:
            return self._known[address]
        found = self._look_at(address)
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[address] = found
        return found

    def is_ours(self, address: bytes | None) -> bool:
        """Whether an address is ours; a socket's path is."""
        try:
            return address is not None and self.outside(address) is None
        except ValueError:
            return address is not None and b"/" in address

    def _look_at(self, written: bytes) -> str | None:
        address = ipaddress.ip_address(written.decode("ascii", "replace"))
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address.version == network.version and address in network for network in self._ours):
            return None
        return str(ipaddress.ip_network((address, _PREFIX_LENGTH[address.version]), strict=False))
