"""Datagrams that no socket of this host was waiting for, as the system counts them.

The sockets of lookups are connected, so an answer from another port or address never reaches them, however well it is
forged. A socket that heard such answers, to count them, would also tell a stranger which port is open.

Facts:

- A datagram for which there is no socket is counted under ``NoPorts``, by network namespace: of IPv4 in a table of two
  lines, names and values (RFC 4113 ``udpNoPorts``; proc(5)), of IPv6 in a list of names and values.
- Below ``/proc/self`` both are readable for everybody, also where ``ProcSubset=pid`` hides the rest of ``/proc``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["UnmatchedDatagrams"]

_FOLDER = Path("/proc/self/net")


class UnmatchedDatagrams:
    """What came for nobody since this was made: wrong port, wrong sender, or too late; whoever it was meant for."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        """Begin to count; ``folder`` holds the system's counters."""
        self._folder = folder
        self._before = _counters(folder)

    def so_far(self) -> int | None:
        """Return how many there were, over IPv4 and IPv6; None where the system tells of neither."""
        pairs = zip(self._before, _counters(self._folder), strict=True)
        # A counter that went back is another one: nothing can be told of it.
        more = [now - before for before, now in pairs if before is not None and now is not None and now >= before]
        return sum(more) if more else None


def _counters(folder: Path) -> tuple[int | None, int | None]:
    return _read(folder / "snmp", _of_ipv4), _read(folder / "snmp6", _of_ipv6)


def _read(path: Path, parse: Callable[[str], int]) -> int | None:
    try:
        return parse(path.read_text(encoding="ascii"))
    except (OSError, ValueError, LookupError):
        return None


def _of_ipv4(text: str) -> int:
    names, values = (line.split() for line in text.splitlines() if line.startswith("Udp: "))
    return int(dict(zip(names, values, strict=True))["NoPorts"])


def _of_ipv6(text: str) -> int:
    return int(dict(line.split() for line in text.splitlines())["Udp6NoPorts"])
