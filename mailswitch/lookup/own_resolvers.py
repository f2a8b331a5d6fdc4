"""The resolvers that this machine itself asks: Postfix, too.

Facts, of resolv.conf(5) and what the C library makes of the file:

- A line that begins with ``nameserver`` and a blank names one address; the first three count, others are passed over.
- ``#`` and ``;`` begin a comment. What is no address does not count.
- Without the file, or without such a line in it, the name server on the machine itself is asked.
- The unspecified address stands for the machine itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from mailswitch.core.mx import Address, Observation, address
from mailswitch.core.names import DomainName
from mailswitch.lookup.survey import open_public_view
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings

__all__ = ["RESOLV_CONF", "OwnResolverView", "addresses_in", "own_resolvers"]

RESOLV_CONF = Path("/etc/resolv.conf")
_MOST = 3
_MOST_OCTETS = 65536
"""Far more than any such file has; the rest is not looked at."""
_LINE = re.compile(rb"nameserver[ \t]+([^ \t;#\r\n]+)")
_HERE: Address = ipaddress.IPv4Address("127.0.0.1")
_HERE_BY_IPV6: Address = ipaddress.IPv6Address("::1")


def own_resolvers(path: Path = RESOLV_CONF) -> tuple[Address, ...]:
    """Return the addresses that ``path`` names, at most three, in its order; none where it cannot be read."""
    try:
        if path.exists() and not path.is_file():
            return ()
        with path.open("rb") as file:
            return addresses_in(file.read(_MOST_OCTETS))
    except FileNotFoundError:
        return addresses_in(b"")
    except OSError:
        return ()


class OwnResolverView:
    """What a server's own resolvers say, each for itself (see service.ports.OwnView)."""

    def __init__(
        self,
        resolvers: Callable[[], Sequence[VantageSettings]],
        timing: Timing,
        now: Callable[[], datetime],
        codec: Codec = Codec.FAST,
    ) -> None:
        """``resolvers`` tells whom to ask, each time anew: the file that names them may change."""
        self._resolvers = resolvers
        self._timing = timing
        self._now = now
        self._codec = codec

    def observations(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[Observation, ...]]:
        """Ask each resolver about each name, exchanges included; of no name where there is no resolver."""
        resolvers = self._resolvers()
        if not resolvers:
            return {}
        view = open_public_view(resolvers, self._timing, self._now, codec=self._codec)
        with view.sweep(rotation=0) as sweep:
            return sweep.all_opinions(names)


def addresses_in(written: bytes) -> tuple[Address, ...]:
    """Return the addresses that the octets of a resolv.conf name, at most three, each once; never none."""
    named = [_address(found[1]) for line in written.split(b"\n") if (found := _LINE.match(line)) is not None]
    counting = [one for one in named if one is not None][:_MOST]
    return tuple(dict.fromkeys(counting)) or (_HERE,)


def _address(written: bytes) -> Address | None:
    try:
        found = address(written.decode("ascii"))
    except ValueError:
        return None
    if found.is_unspecified:
        return _HERE if found.version == 4 else _HERE_BY_IPV6
    return found
