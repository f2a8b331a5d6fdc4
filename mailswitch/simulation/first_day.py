"""An old server's first day, as the text of a world: 400 names, 150 of which moved their mail away long ago.

Of those that moved, 100 are at known mailbox hosts, 40 at exchanges nobody knows, and 10 behind filters. The
confirmation rules are the default ones and the ledger is empty, so nothing is due by itself: what this world is for
is the review. `python -m mailswitch.simulation.first_day` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

__all__ = ["BEHIND_FILTERS", "HERE", "KNOWN", "UNKNOWN", "first_day"]

HERE = 250
KNOWN = 100
UNKNOWN = 40
BEHIND_FILTERS = 10

_HOSTS = ("aspmx.l.google.com.", "mx.zoho.eu.", "mx01.mail.icloud.com.", "in1-smtp.messagingengine.com.")
_FILTERS = ("eu-smtp-inbound-1.mimecast.com.", "mx.spamexperts.com.")
_OURS = "mail.old01.hoster.example."


def first_day() -> str:
    """Return the world file."""
    names = [
        *_named("here", HERE),
        *_named("moved", KNOWN),
        *_named("own", UNKNOWN),
        *_named("filtered", BEHIND_FILTERS),
    ]
    head = (
        "# An old server's first day: 400 names, 150 long moved, nothing in the ledger.\n"
        "servers:\n  - name: old01\n    version: '18.0.61'\n"
        "    addresses: [{private: 10.0.0.7, public: 203.0.113.70}]\n    domains:\n"
    )
    domains = [
        f"      - {{name: {name}, mail: on, created: {2008 + at % 12}-{1 + at % 12:02}-{1 + at % 28:02}}}\n"
        for at, name in enumerate(names)
    ]
    return head + "".join(domains) + "dns: |\n" + "".join(f"  {record}\n" for record in _records())


def _named(kind: str, count: int) -> list[str]:
    return [f"{kind}{number:03}.example" for number in range(1, count + 1)]


def _records() -> Iterator[str]:
    for at, host in enumerate((*_HOSTS, *_FILTERS), start=1):
        yield f"{host} 300 IN A 192.0.2.{at}"
    yield f"{_OURS} 3600 IN A 203.0.113.70"
    for name in _named("here", HERE):
        yield f"{name}. 3600 IN MX 10 {_OURS}"
    for at, name in enumerate(_named("moved", KNOWN)):
        yield f"{name}. 3600 IN MX 10 {_HOSTS[at % len(_HOSTS)]}"
    for at, name in enumerate(_named("own", UNKNOWN), start=1):
        yield f"{name}. 3600 IN MX 10 mail.{name}."
        yield f"mail.{name}. 3600 IN A 198.51.100.{at}"
    for at, name in enumerate(_named("filtered", BEHIND_FILTERS)):
        yield f"{name}. 3600 IN MX 10 {_FILTERS[at % len(_FILTERS)]}"


if __name__ == "__main__":
    sys.stdout.write(first_day())
