"""How the vantages fare, for Prometheus: questions, what was lost and repeated, what was passed over, the pace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric

from mailswitch.core.limits import VantageFailures
from mailswitch.core.traffic import Stray
from mailswitch.report.families import Labels, counter, gauge

__all__ = ["LookupMetrics"]

_RESULTS = ("answered", "failed")


class LookupMetrics:
    """Collects how vantages fared, pass by pass; only those of the configuration are told of."""

    def __init__(self, vantages: Iterable[str]) -> None:
        self._last = {name: VantageFailures(name=name, queries=0, failures=0) for name in vantages}
        self._questions: Counter[Labels] = Counter()
        self._retries: Counter[Labels] = Counter({(name,): 0 for name in self._last})
        self._timeouts: Counter[Labels] = Counter({(name,): 0 for name in self._last})
        self._strays: Counter[Labels] = Counter({(name, stray.value): 0 for name in self._last for stray in Stray})
        self._unmatched: Counter[Labels] = Counter()

    def take_over(self, lookups: Iterable[VantageFailures], unmatched: int | None) -> None:
        """Take over how vantages fared in a pass, and how much came for nobody, if that is known."""
        if unmatched is not None:
            self._unmatched[()] += unmatched
        for one in lookups:
            if one.name not in self._last:
                continue
            self._last[one.name] = one
            self._questions[one.name, "answered"] += one.queries - one.failures
            self._questions[one.name, "failed"] += one.failures
            self._retries[one.name,] += one.traffic.retries
            self._timeouts[one.name,] += one.traffic.timeouts
            for stray, number in one.traffic.strays:
                self._strays[one.name, stray.value] += number

    def families(self) -> Iterator[Metric]:
        """Return everything."""
        yield from self._questions_put()
        yield from self._packets()
        yield from self._standing()

    def _questions_put(self) -> Iterator[Metric]:
        yield gauge(
            "last_pass_lookups",
            "Questions put to a vantage in the last pass, by result.",
            ("vantage", "result"),
            {
                (one.name, word): number
                for one in self._last.values()
                for word, number in zip(_RESULTS, (one.queries - one.failures, one.failures), strict=True)
            },
        )
        yield counter("lookups", "Questions since this process began.", ("vantage", "result"), self._questions)

    def _packets(self) -> Iterator[Metric]:
        yield counter("lookup_retries", "Packets sent again since this process began.", ("vantage",), self._retries)
        yield counter(
            "lookup_timeouts", "Packets left unanswered since this process began.", ("vantage",), self._timeouts
        )
        yield counter(
            "lookup_strays",
            "What was passed over since this process began, by kind.",
            ("vantage", "kind"),
            self._strays,
        )
        yield counter(
            "lookup_unmatched_datagrams",
            "Datagrams for which no socket of this host was waiting (wrong port, wrong sender, or too late), "
            "while sweeps of this process lasted.",
            (),
            self._unmatched,
        )

    def _standing(self) -> Iterator[Metric]:
        last = self._last.values()
        yield gauge(
            "vantage_rate",
            "Packets a second at the end of the last pass; less than configured while the vantage cannot keep up.",
            ("vantage",),
            {(one.name,): one.traffic.rate for one in last if one.traffic.rate is not None},
        )
        yield gauge(
            "vantage_round_trip_seconds",
            "How long a vantage took to answer in the last pass.",
            ("vantage",),
            {(one.name,): trip.total_seconds() for one in last if (trip := one.traffic.round_trip) is not None},
        )
        yield gauge(
            "vantage_given_up",
            "Whether a vantage left so many questions unanswered that it was hardly asked any more.",
            ("vantage",),
            {(one.name,): one.traffic.is_given_up for one in last},
        )
