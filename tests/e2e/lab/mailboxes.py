"""Looks into every mailbox of every host for messages by their ids, and into bounces for what they are about."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.e2e.lab.hosts import Host
from tests.e2e.lab.tally import Found

__all__ = ["ID_FIELD", "Mailboxes", "read_message"]

ID_FIELD = "X-Lab-Id"
_ID = re.compile(rb"^" + ID_FIELD.encode() + rb": ([0-9A-Za-z.-]+)\r?$", re.MULTILINE | re.IGNORECASE)
_REPORT = re.compile(rb"^Content-Type: multipart/report\b", re.MULTILINE | re.IGNORECASE)


def read_message(content: bytes) -> tuple[str, bool] | None:
    """Return the id that a message bears and whether it is a bounce about it; None for mail that is not the lab's."""
    head, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    own = _ID.search(head)
    if own is not None:
        return own.group(1).decode("ascii"), False
    about = _ID.search(body) if _REPORT.search(head) else None
    return None if about is None else (about.group(1).decode("ascii"), True)


class Mailboxes:
    """All mailboxes of the lab; each message file is read once."""

    def __init__(self, stores: Mapping[Host, str]) -> None:
        """Look below the given folder of each host."""
        self._stores = dict(stores)
        self._known: dict[tuple[str, Path], tuple[str, bool] | None] = {}

    def found(self) -> Found:
        """Return everything that lies in a mailbox now."""
        copies: defaultdict[str, list[str]] = defaultdict(list)
        bounces: defaultdict[str, int] = defaultdict(int)
        for host, message, _ in self._messages():
            if message is None:
                continue
            number, is_bounce = message
            if is_bounce:
                bounces[number] += 1
            else:
                copies[number].append(host)
        return Found({number: tuple(hosts) for number, hosts in copies.items()}, dict(bounces))

    def arrivals(self) -> dict[str, float]:
        """Return when the last copy of each message, or bounce about it, was put into a mailbox, since 1970."""
        times: dict[str, float] = {}
        for _, message, path in self._messages():
            if message is not None:
                number, _ = message
                # Of the inode: what a mailbox is told as the time of arrival has whole seconds.
                times[number] = max(times.get(number, 0.0), path.stat().st_ctime)
        return times

    def _messages(self) -> Iterator[tuple[str, tuple[str, bool] | None, Path]]:
        for host, store in self._stores.items():
            top = host.file(store)
            for path in [*top.glob("*/*/Maildir/new/*"), *top.glob("*/*/Maildir/cur/*")]:
                # A message that was read moves from new to cur under the same unique name.
                key = (host.name, path.relative_to(top).parents[2] / path.name.partition(":")[0])
                if key not in self._known:
                    self._known[key] = read_message(path.read_bytes())
                yield host.name, self._known[key], path
