"""How mailswitch fares, for Prometheus (docs/notices.md lists every metric).

Label sets are bounded: servers and vantages are those of the configuration, everything else is a closed choice, and no
domain name is ever a label. The registry is this module's own, never the process-wide one.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from mailswitch import __version__
from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Guard, ServerPass
from mailswitch.core.policy import Route
from mailswitch.core.reports import DomainOutcome, DomainReport, PassReport, ServerReport
from mailswitch.core.table import Verdict
from mailswitch.core.troubles import has_held_back
from mailswitch.report.families import Labels, counter, gauge
from mailswitch.report.lookup_metrics import LookupMetrics

__all__ = ["Metrics"]

_OTHER = "other"
_LIMITS = frozenset({"limits.changes", "limits.share", "limits.unknown_share", "inventory-shrunk", "ours-incomplete"})
_REASONS = frozenset({*(guard.value for guard in Guard), *(route.value for route in Route)})


@dataclass(slots=True)
class _Server:
    """What is known of one server."""

    finished: datetime | None = None
    elapsed: timedelta = timedelta(0)
    is_failing: bool = False
    domains: Counter[Labels] = field(default_factory=Counter)
    held: Counter[Labels] = field(default_factory=Counter)
    mail_refused: int = 0
    refused_by: str | None = None
    changes: Counter[Labels] = field(default_factory=Counter)


class Metrics:
    """Collects what passes, the daemon and notices tell, and writes it out; safe to share between threads."""

    def __init__(self, servers: Iterable[str], vantages: Iterable[str]) -> None:
        """Know of no pass yet; only the servers and vantages named here, those of the configuration, are told of."""
        self._servers = {name: _Server() for name in servers}
        self._lookups = LookupMetrics(vantages)
        self._all_changes: Counter[Labels] = Counter()
        self._notices: Counter[Labels] = Counter()
        self._passes = self._failed_passes = 0
        self._is_last_failed = False
        self._unsettled = 0
        self._is_paused = False
        self._lock = threading.Lock()

    # --- What happened ---------------------------------------------------------------------------

    def remember(self, passes: Iterable[ServerPass]) -> None:
        """Take over what the ledger says of passes before this process."""
        with self._lock:
            for one in passes:
                if one.server in self._servers:
                    self._servers[one.server].finished = one.finished
                    self._servers[one.server].is_failing = one.error_code is not None

    def pass_done(self, report: PassReport, *, whole: Iterable[str], elapsed: timedelta) -> None:
        """Take over a recorded pass that was to look at every name of the servers ``whole``."""
        looked_at_whole = frozenset(whole)
        with self._lock:
            self._passes += 1
            self._is_last_failed = False
            for server in report.servers:
                known = self._servers.get(server.name)
                if known is not None:
                    self._take_over(known, server, is_whole=server.name in looked_at_whole)
                    if server.name in looked_at_whole:
                        known.finished, known.elapsed = report.finished, elapsed
            self._lookups.take_over(report.lookups, report.unmatched)

    def pass_failed(self) -> None:
        """Count a pass that could not be made."""
        with self._lock:
            self._failed_passes += 1
            self._is_last_failed = True

    def standing(self, *, unsettled: int, is_paused: bool) -> None:
        """Take over how it stands between passes."""
        with self._lock:
            self._unsettled, self._is_paused = unsettled, is_paused

    def notice_sent(self, way: str, *, is_done: bool) -> None:
        """Count an attempt to tell people; ``way`` is one of the ways there are."""
        with self._lock:
            self._notices[way, "done" if is_done else "failed"] += 1

    def _take_over(self, known: _Server, server: ServerReport, *, is_whole: bool) -> None:
        known.is_failing = server.error is not None
        known.changes = Counter(_change(entry) for entry in server.domains if entry.outcome is not None)
        for (to, outcome), number in known.changes.items():
            self._all_changes[server.name, to, outcome] += number
        refusal = server.refusal if server.refusal is not None and has_held_back(server, server.refusal) else None
        known.refused_by = None if refusal is None else _one_of(_LIMITS, refusal.code)
        if is_whole and server.error is None:
            known.domains = Counter(
                (entry.finding.route.value, entry.decision.verdict.value) for entry in server.domains
            )
            known.held = Counter(reason for entry in server.domains for reason in _holding(entry))
            known.mail_refused = sum(
                1
                for entry in server.domains
                if entry.decision.verdict is Verdict.TURN_ON and entry.outcome is not DomainOutcome.DONE
            )

    # --- What is told ----------------------------------------------------------------------------

    def exposition(self, *, now: datetime | None = None) -> bytes:
        """Return everything in Prometheus' text format; ages as of ``now``, and none for a file, where none grows."""
        with self._lock:
            found = [*self._of_servers(now), *self._of_names(), *self._of_passes()]
        registry = CollectorRegistry()
        registry.register(_Collected(found))
        return generate_latest(registry)

    def _of_servers(self, now: datetime | None) -> Iterator[Metric]:
        by_server = self._servers.items()
        yield gauge(
            "last_pass_timestamp_seconds",
            "When the last pass over all names of a server ended; 0 before the first.",
            ("server",),
            {(name,): 0 if one.finished is None else one.finished.timestamp() for name, one in by_server},
        )
        if now is not None:
            ages = {(name,): now - one.finished for name, one in by_server if one.finished is not None}
            text = "How long ago that was."
            yield gauge(
                "last_pass_age_seconds", text, ("server",), {key: age.total_seconds() for key, age in ages.items()}
            )
        yield gauge(
            "last_pass_duration_seconds",
            "How long that pass took.",
            ("server",),
            {(name,): one.elapsed.total_seconds() for name, one in by_server},
        )
        yield gauge(
            "server_failing",
            "Whether the server's part of its last pass failed.",
            ("server",),
            {(name,): one.is_failing for name, one in by_server},
        )

    def _of_names(self) -> Iterator[Metric]:
        by_server = self._servers.items()
        yield gauge(
            "domains",
            "Names by route and decision in the last pass over all of them.",
            ("server", "route", "decision"),
            {(name, *labels): number for name, one in by_server for labels, number in one.domains.items()},
        )
        yield gauge(
            "held_domains",
            "Names held, by what holds them; a name may be held by several guards.",
            ("server", "reason"),
            {(name, *labels): number for name, one in by_server for labels, number in one.held.items()},
        )
        yield gauge(
            "mail_refused_domains",
            "Names turned off by mailswitch that should be on again and are not.",
            ("server",),
            {(name,): one.mail_refused for name, one in by_server},
        )
        yield gauge(
            "turn_offs_refused",
            "Whether a limit held the server's turn-offs back in its last pass.",
            ("server", "reason"),
            {(name, one.refused_by): 1 for name, one in by_server if one.refused_by is not None},
        )
        yield gauge(
            "last_pass_changes",
            "Changes tried in the server's last pass, by aim and outcome.",
            ("server", "to", "outcome"),
            {(name, *labels): number for name, one in by_server for labels, number in one.changes.items()},
        )

    def _of_passes(self) -> Iterator[Metric]:
        yield counter(
            "changes", "Changes tried since this process began.", ("server", "to", "outcome"), self._all_changes
        )
        yield from self._lookups.families()
        yield counter("passes", "Passes made since this process began.", (), {(): self._passes})
        yield counter("pass_failures", "Passes that could not be made at all.", (), {(): self._failed_passes})
        yield gauge(
            "last_pass_failed", "Whether the last pass could not be made at all.", (), {(): self._is_last_failed}
        )
        yield gauge("unsettled_intents", "Changes whose outcome is not known yet.", (), {(): self._unsettled})
        yield gauge("paused", "Whether all changes are paused.", (), {(): self._is_paused})
        yield counter("notices", "Attempts to tell people.", ("way", "result"), self._notices)
        yield gauge("build_info", "The program's version.", ("version",), {(__version__,): 1})


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _change(entry: DomainReport) -> Labels:
    to = Switch.ON if entry.decision.verdict is Verdict.TURN_ON else Switch.OFF
    return to.value, "" if entry.outcome is None else entry.outcome.value


def _holding(entry: DomainReport) -> Iterator[Labels]:
    """Return what holds a name: its guards, or for one that no guard holds its route."""
    if entry.decision.verdict is Verdict.HOLD:
        codes = [guard.value for guard in entry.decision.holding] or [entry.finding.route.value]
        yield from ((_one_of(_REASONS, code),) for code in codes)


def _one_of(known: frozenset[str], word: str) -> str:
    return word if word in known else _OTHER
