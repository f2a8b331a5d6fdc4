"""Who uses a name's mail on its server, by the server's own log: for the support desk that has to answer a customer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mailswitch.core.evidence import Deliveries, LoginCount, MailLog, NoEvidence
from mailswitch.core.mx import Indeterminate
from mailswitch.core.reports import DomainReport
from mailswitch.core.senders import LOG_SPAN
from mailswitch.core.words import counted, duration
from mailswitch.report.documents import moment
from mailswitch.report.impact import impact_in_words
from mailswitch.report.name_servers import NameServers, name_server_fields, name_server_words

__all__ = ["Pointing", "WebAddress", "usage_fields", "usage_rows"]

_MOST_NETWORKS = 5
_MOST_MAILBOXES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """Where a name of the domain's web site leads."""

    host: str
    addresses: tuple[str, ...]
    """What the vantages said together; empty where there is none, or none could tell."""
    is_here: bool
    """Whether one of them is this server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """Where public DNS has a name lead, mail aside."""

    web: tuple[WebAddress, ...]
    """The names of its web site."""
    name_servers: NameServers | Indeterminate


def usage_fields(entry: DomainReport, pointing: Pointing, now: datetime) -> dict[str, object]:
    """Return a name's usage with the keys it has in JSON."""
    public = {
        "web": [{"host": one.host, "addresses": list(one.addresses), "here": one.is_here} for one in pointing.web],
        "name_servers": name_server_fields(pointing.name_servers),
    }
    match entry.evidence:
        case NoEvidence(reason=reason):
            return {"log": reason, "covers_seconds": None} | public | dict.fromkeys(_LOG_KEYS)
        case MailLog() as log:
            latest = _latest(log.logins)
            return {
                "log": None,
                "covers_seconds": int(log.covers.total_seconds()),
                **public,
                "last_log_in": None if latest is None else moment(latest.last),
                "log_ins": [{"mailbox": one.mailbox, "last": moment(one.last)} for one in _by_mailbox(log.logins)],
                "outside": _network_fields(_recent(log.outside, now)),
                "refused": _network_fields(_recent(log.refused, now)),
                "co_tenants": [{"day": one.day.isoformat(), "messages": one.messages} for one in log.written],
            }


_LOG_KEYS = ("last_log_in", "log_ins", "outside", "refused", "co_tenants")


def usage_rows(entry: DomainReport, pointing: Pointing, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield a name's usage for people, as what and how."""
    for one in pointing.web:
        where = ", ".join(one.addresses) or "no address known"
        yield "web", f"{one.host}: {where}{' (this server)' if one.is_here else ''}"
    yield "name servers", name_server_words(pointing.name_servers)
    match entry.evidence:
        case NoEvidence(reason=reason):
            yield "mail log", reason
        case MailLog() as log:
            yield from _log_rows(entry, log, now)


def _log_rows(entry: DomainReport, log: MailLog, now: datetime) -> Iterator[tuple[str, str]]:
    span = duration(log.covers)
    yield "mail log", f"read without a gap for {span}" + ("" if log.covers >= LOG_SPAN else ": less than 7 days")
    latest = _latest(log.logins)
    if latest is None:
        yield "last log-in", f"none, as far back as the log was read ({span})"
    else:
        mailboxes = [f"{one.mailbox or 'others'}@ {duration(now - one.last)} ago" for one in _by_mailbox(log.logins)]
        more = f" and {len(mailboxes) - _MOST_MAILBOXES} more" if len(mailboxes) > _MOST_MAILBOXES else ""
        yield "last log-in", f"{', '.join(mailboxes[:_MOST_MAILBOXES])}{more}"
    yield "from outside", _sent(_recent(log.outside, now), now)
    refused = _recent(log.refused, now)
    if refused:
        yield "refused here", _sent(refused, now)
    written = sum(one.messages for one in log.written)
    since = f", the last on {max(one.day for one in log.written)}" if log.written else ""
    yield "from this server", f"{counted(written, 'message')}{since}"
    cost = impact_in_words(entry)
    if cost is not None:
        yield "abandoned", cost


def _recent(deliveries: Iterable[Deliveries], now: datetime) -> tuple[Deliveries, ...]:
    return tuple(one for one in deliveries if one.last >= now - LOG_SPAN)


def _sent(deliveries: tuple[Deliveries, ...], now: datetime) -> str:
    if not deliveries:
        return "nothing in 7 days"
    ranked = _by_network(deliveries)
    named = [f"{network} ({messages})" for network, messages in ranked[:_MOST_NETWORKS]]
    more = f" and {len(ranked) - _MOST_NETWORKS} more networks" if len(ranked) > _MOST_NETWORKS else ""
    total = counted(sum(messages for _, messages in ranked), "message")
    ago = duration(now - max(one.last for one in deliveries))
    return f"{total} in 7 days, the last {ago} ago: {', '.join(named)}{more}"


def _by_network(deliveries: tuple[Deliveries, ...]) -> list[tuple[str, int]]:
    found: Counter[str] = Counter()
    for one in deliveries:
        found["many networks" if one.network is None else str(one.network)] += one.messages
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _network_fields(deliveries: tuple[Deliveries, ...]) -> dict[str, object]:
    return {
        "messages": sum(one.messages for one in deliveries),
        "last": moment(max((one.last for one in deliveries), default=None)),
        "networks": [{"network": network, "messages": messages} for network, messages in _by_network(deliveries)],
    }


def _latest(logins: Iterable[LoginCount]) -> LoginCount | None:
    return max(logins, key=lambda one: one.last, default=None)


def _by_mailbox(logins: Iterable[LoginCount]) -> list[LoginCount]:
    """Return each mailbox's latest day, the one used last first."""
    found: dict[str, LoginCount] = {}
    for one in logins:
        if one.mailbox not in found or found[one.mailbox].last < one.last:
            found[one.mailbox] = one
    return sorted(found.values(), key=lambda one: (one.last, one.mailbox), reverse=True)
