"""Where a message came from, by its client's address: this server, or which network outside."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from mailswitch.core.domain import Network
from mailswitch.core.errors import InvalidName
from mailswitch.core.names import DomainName
from mailswitch.core.providers import ProviderKind, ProviderTable

__all__ = ["Places"]

_LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_PREFIX_LENGTH = {4: 24, 6: 48}
_MOST_REMEMBERED = 100_000


class Places:
    """Sorts addresses into ours and the /24 or /48 of everybody else, each looked at once."""

    def __init__(self, ours: Iterable[Network], providers: ProviderTable | None = None) -> None:
        """Count ``ours`` and loopback as this server: its addresses and Postfix's ``mynetworks``."""
        self._ours = (*_LOOPBACK, *ours)
        self._providers = providers
        self._known: dict[bytes, str | None] = {}
        self._gateways: dict[bytes, bool] = {}

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

    def is_gateway(self, host: bytes) -> bool:
        """Whether a client's checked name is one of a known filter that hands mail on."""
        found = self._gateways.get(host)
        if found is None:
            if len(self._gateways) >= _MOST_REMEMBERED:
                self._gateways.clear()
            found = self._gateways[host] = self._is_gateway(host)
        return found

    def _is_gateway(self, host: bytes) -> bool:
        if self._providers is None:
            return False
        try:
            row = self._providers.classify(DomainName(host.decode("ascii", "replace")))
        except InvalidName:
            return False
        return row is not None and row.kind is ProviderKind.GATEWAY

    def _look_at(self, written: bytes) -> str | None:
        address = ipaddress.ip_address(written.decode("ascii", "replace"))
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        number, version = int(address), address.version
        if any(version == network.version and address in network for network in self._ours):
            return None
        length = _PREFIX_LENGTH[version]
        others = address.max_prefixlen - length
        return f"{type(address)(number >> others << others)}/{length}"
