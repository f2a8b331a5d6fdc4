"""Looks into every mailbox of every host for messages by their ids, and into bounces for what they are about."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from pathlib import Path

from tests.e2e.lab.hosts import Host
from tests.e2e.lab.tally import Found

__all__ = ["ID_FIELD", "Kind", "Mailboxes", "read_message"]

ID_FIELD = "X-Lab-Id"
_ID = re.compile(rb"^" + ID_FIELD.encode() + rb": ([0-9A-Za-z.-]+)\r?$", re.MULTILINE | re.IGNORECASE)
_RESCUE = re.compile(rb"^X-Mailswitch-Rescue:", re.MULTILINE | re.IGNORECASE)
_REPORT = re.compile(rb"^Content-Type: multipart/report\b", re.MULTILINE | re.IGNORECASE)


class Kind(Enum):
    """What lies in a mailbox."""

    COPY = auto()
    BOUNCE = auto()
    RESCUED = auto()
    """A stranded message that was sent on, within another."""


def read_message(content: bytes) -> tuple[str, Kind] | None:
    """Return the id that a message bears and what it is; None for mail that is not the lab's."""
    head, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    for part, kind in ((head, Kind.COPY), *_within(head, body)):
        found = _ID.search(part)
        if found is not None:
            return found.group(1).decode("ascii"), kind
    return None


def _within(head: bytes, body: bytes) -> Iterator[tuple[bytes, Kind]]:
    if _REPORT.search(head):
        yield body, Kind.BOUNCE
    elif _RESCUE.search(head):
        yield body, Kind.RESCUED


class Mailboxes:
    """All mailboxes of the lab; each message file is read once."""

    def __init__(self, stores: Mapping[Host, str]) -> None:
        """Look below the given folder of each host."""
        self._stores = dict(stores)
        self._known: dict[tuple[str, Path], tuple[str, Kind] | None] = {}

    def found(self) -> Found:
        """Return everything that lies in a mailbox now; what was sent on by a rescue is `rescued`'s."""
        bounces = {number: len(hosts) for number, hosts in self._hosts(Kind.BOUNCE).items()}
        return Found(self._hosts(Kind.COPY), bounces)

    def rescued(self) -> Found:
        """Return where messages arrived that a rescue sent on."""
        return Found(self._hosts(Kind.RESCUED))

    def _hosts(self, wanted: Kind) -> dict[str, tuple[str, ...]]:
        hosts: defaultdict[str, list[str]] = defaultdict(list)
        for host, message, _ in self._messages():
            if message is not None and message[1] is wanted:
                hosts[message[0]].append(host)
        return {number: tuple(found) for number, found in hosts.items()}

    def arrivals(self) -> dict[str, float]:
        """Return when the last copy of each message, or bounce about it, was put into a mailbox, since 1970."""
        times: dict[str, float] = {}
        for _, message, path in self._messages():
            if message is not None:
                number, _ = message
                # Of the inode: what a mailbox is told as the time of arrival has whole seconds.
                times[number] = max(times.get(number, 0.0), path.stat().st_ctime)
        return times

    def _messages(self) -> Iterator[tuple[str, tuple[str, Kind] | None, Path]]:
        for host, store in self._stores.items():
            top = host.file(store)
            for path in [*top.glob("*/*/Maildir/new/*"), *top.glob("*/*/Maildir/cur/*")]:
                # A message that was read moves from new to cur under the same unique name.
                key = (host.name, path.relative_to(top).parents[2] / path.name.partition(":")[0])
                if key not in self._known:
                    self._known[key] = read_message(path.read_bytes())
                yield host.name, self._known[key], path
