"""Lines as Postfix logs them on a Plesk server, and what a reader makes of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailswitch.core.domain import Network
from mailswitch.core.evidence import Gathered, LogReading
from mailswitch.core.names import DomainName
from mailswitch.core.providers import ProviderTable
from mailswitch.evidence.source import MailLogSettings, PostfixLogs

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BEGIN = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOSTED = tuple(map(DomainName, ("moved.example", "alias.example", "other.example", "victim.example")))
GATEWAY = "185.201.16.7"
DELIVERED = "delay=0.2, delays=0.1/0/0/0.1, dsn=2.0.0, status=sent (delivered via plesk_virtual service)"


def line(at: datetime, program: str, text: str, *, is_iso: bool = False) -> str:
    """Return one line without its newline; the classic stamp is in UTC."""
    stamp = at.isoformat(timespec="microseconds") if is_iso else f"{at:%b} {at.day:2} {at:%H:%M:%S}"
    return f"{stamp} web01 postfix/{program}[4711]: {text}"


def arrival(at: datetime, queue_id: str, client: str = f"mx.filter.example[{GATEWAY}]") -> str:
    return line(at, "smtpd", f"{queue_id}: client={client}")


def delivery(at: datetime, queue_id: str, to: str, *, original: str | None = None, program: str = "pipe") -> str:
    before = "" if original is None else f"orig_to=<{original}>, "
    return line(at, program, f"{queue_id}: to=<{to}>, {before}relay=plesk_virtual, {DELIVERED}")


def removal(at: datetime, queue_id: str) -> str:
    return line(at, "qmgr", f"{queue_id}: removed")


def message(at: datetime, queue_id: str, to: str, client: str = f"mx.filter.example[{GATEWAY}]") -> list[str]:
    """Return all the lines of a message from a client to one mailbox."""
    return [
        line(at, "smtpd", f"connect from {client.partition(',')[0]}"),
        arrival(at, queue_id, client),
        line(at, "cleanup", f"{queue_id}: message-id=<{queue_id}@sender.example>"),
        line(at, "qmgr", f"{queue_id}: from=<bob@sender.example>, size=4321, nrcpt=1 (queue active)"),
        delivery(at, queue_id, to),
        removal(at, queue_id),
    ]


def sent_by_hand(at: datetime, queue_id: str, to: str) -> list[str]:
    """Return the lines of a message that a web site gave to sendmail."""
    return [
        line(at, "pickup", f"{queue_id}: uid=10005 from=<www>"),
        line(at, "cleanup", f"{queue_id}: message-id=<{queue_id}@web01.example>"),
        delivery(at, queue_id, to),
        removal(at, queue_id),
    ]


def later(minutes: float) -> datetime:
    """Return a moment of the log's morning."""
    return BEGIN + timedelta(minutes=minutes)


def write(path: Path, lines: Iterable[str]) -> None:
    """Append lines to a log, as of the moment at which it is looked at."""
    with path.open("a", encoding="utf-8") as log:
        log.writelines(f"{one}\n" for one in lines)
    dated(path)


def dated(path: Path, *, hours_ago: float = 0) -> None:
    """Let a file be written last at that time."""
    at = NOW.timestamp() - hours_ago * 3600
    os.utime(path, (at, at))


def gathered(
    path: Path,
    reading: LogReading | None = None,
    *,
    now: datetime = NOW,
    hosted: Iterable[DomainName] = HOSTED,
    own: Iterable[Network] = (),
    own_networks: tuple[Network, ...] = (),
    longest: timedelta = timedelta(minutes=5),
    providers: ProviderTable | None = None,
) -> Gathered:
    """Look into one log."""
    settings = MailLogSettings(
        paths=(path,), zone=UTC, own_networks=own_networks, longest_reading=longest, providers=providers
    )
    return PostfixLogs(settings).gather(reading, hosted=hosted, own=own, now=now)


def tally(*looks: Gathered) -> Counter[tuple[str, str, str | None]]:
    """Return how many messages were counted by name, kind and network, in all looks together."""
    found: Counter[tuple[str, str, str | None]] = Counter()
    for look in looks:
        for one in look.counts:
            network = None if one.network is None else str(one.network)
            found[one.name.text, one.traffic.value, network] += one.messages
    return found
