"""The goals of lookups and what came of them: each line of the table is made of the medians of all repetitions."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import le

from benchmarks.others import GO
from benchmarks.runs import THREADS, Run, Survey
from benchmarks.table import Line

__all__ = ["counted", "far", "limited", "million", "near"]

_ROOM = 50e6
_ROOM_FOR_A_NAME = 500
"""Octets of memory: 50 MB + 0.5 KB per domain."""
_PEER_GOALS = {"pycares": 3.0, "blastdns": 2.0, "node": 2.0, GO: 1.05}
"""How many times faster; aiodns, which is made of pycares, has no goal of its own."""


def near(runs: Mapping[str, Sequence[Run]], surveys: Sequence[Survey]) -> Iterator[Line]:
    """Yield P1 to P7: the engine beside other ways of asking, and the survey."""
    speed = {way: statistics.median(run.per_second for run in each) for way, each in runs.items()}
    cost = {way: statistics.median(run.cpu_microseconds for run in each) for way, each in runs.items()}
    yield _against("P1", "massdns", speed, goal="≤ 1.75 times", is_met=lambda ratio: 1 / ratio <= 1.75)
    yield _against("P2", "dnsperf", speed, goal="≥ 0.55 times", is_met=lambda ratio: ratio >= 0.55)
    yield _against_threads("P3", "fast", speed, cost, goal=25)
    yield from _libraries(speed)
    yield _against_threads("P5", "dnspython", speed, cost, goal=4.5)
    yield _cost(cost)
    seconds = statistics.median(each.seconds / each.names for each in surveys) * 100_000
    for_each = statistics.median(each.cpu_microseconds for each in surveys)
    yield Line(
        number="P7",
        what="survey, for 100,000 domains",
        goal="≤ 3 s, ≤ 25 µs CPU per domain",
        figure=f"{seconds:.2f} s, {for_each:.1f} µs",
        holds=seconds <= 3 and for_each <= 25,
    )


def million(fewer: Sequence[Survey], more: Sequence[Survey]) -> Iterator[Line]:
    """Yield P8 and P9: what becomes of time and memory with many more names."""
    times = {
        each[0].names: (
            statistics.median(survey.seconds / survey.names for survey in each) * 1e6,
            statistics.median(survey.cpu_microseconds for survey in each),
        )
        for each in (fewer, more)
    }
    (time_few, cpu_few), (time_many, cpu_many) = times[fewer[0].names], times[more[0].names]
    yield Line(
        number="P8",
        what=f"{more[0].names:,} domains, for each of them, against {fewer[0].names:,}",
        goal="≤ 1.2 times the time",
        figure=f"{time_many / time_few:.2f} times ({time_many:.1f} against {time_few:.1f} µs; "
        f"CPU {cpu_many:.1f} against {cpu_few:.1f} µs)",
        holds=time_many / time_few <= 1.2,
    )
    memory = {each[0].names: max(survey.most_resident for survey in each) for each in (fewer, more)}
    told = "; ".join(
        f"{most / 1e6:.0f} MB for {names:,} (≤ {(_ROOM + _ROOM_FOR_A_NAME * names) / 1e6:.0f})"
        for names, most in memory.items()
    )
    yield Line(
        number="P9",
        what="memory of the survey's process",
        goal="≤ 50 MB + 0.5 KB per domain",
        figure=told,
        holds=all(most <= _ROOM + _ROOM_FOR_A_NAME * names for names, most in memory.items()),
    )


def far(runs: Sequence[Run], *, window: int, round_trip: float) -> Line:
    """Return P10: many under way over a slow network that loses some; ``round_trip`` is the mean, in seconds."""
    speed = statistics.median(run.per_second for run in runs)
    best = window / round_trip
    unresolved = sum(run.unresolved for run in runs)
    again = statistics.median(run.retries / run.queries for run in runs)
    return Line(
        number="P10",
        what=f"20 to 50 ms, 1 % loss, {window:,} under way",
        goal="≥ 80 % of window ÷ round trip, 0 unresolved, ≤ 1.1 % sent again",
        figure=f"{speed / best:.0%} ({speed:,.0f} q/s), {unresolved} unresolved, {again:.2%} sent again",
        holds=speed >= 0.8 * best and not unresolved and again <= 0.011,
    )


def limited(runs: Sequence[Run], *, rate: float, limit: float) -> Line:
    """Return P11: a resolver that drops what is above its limit, asked at a rate just below."""
    speed = statistics.median(run.per_second for run in runs)
    unresolved, again = (sum(counts) for counts in ([run.unresolved for run in runs], [run.retries for run in runs]))
    return Line(
        number="P11",
        what=f"a limiter at {limit:,.0f} q/s, asked at {rate:,.0f}",
        goal="≥ 97 % of the configured rate, 0 unresolved, 0 sent again",
        figure=f"{speed / rate:.1%} ({speed:,.0f} q/s), {unresolved} unresolved, {again} sent again",
        holds=speed >= 0.97 * rate and not unresolved and not again,
    )


def counted(surveys: Iterable[Survey], exchanges: int) -> Line:
    """Return P12: how many queries a survey takes, and a second one that may remember."""
    every = list(surveys)
    expected = {each.names + 2 * exchanges for each in every}
    queries, again = {each.queries for each in every}, {each.again for each in every if each.again is not None}
    return Line(
        number="P12",
        what="queries on a clean network",
        goal="N + 2 per distinct exchange; 0 when remembered",
        figure=f"{_listed(queries)} (expected {_listed(expected)}), then {_listed(again)}",
        holds=queries == expected and again == {0},
    )


def _listed(counts: Iterable[int]) -> str:
    return ", ".join(f"{each:,}" for each in sorted(counts))


def _against(number: str, peer: str, speed: Mapping[str, float], *, goal: str, is_met: Callable[[float], bool]) -> Line:
    """A line about a peer; with a goal of at most so many times its time, that is the figure."""
    what = f"time against {peer}" if goal.startswith("≤") else f"q/s against {peer}"
    if peer not in speed:
        return Line(number=number, what=what, goal=goal, figure=f"{peer} is not installed", holds=None)
    ratio = speed["fast"] / speed[peer]
    shown = 1 / ratio if goal.startswith("≤") else ratio
    told = f"{speed['fast']:,.0f} against {speed[peer]:,.0f} q/s"
    return Line(number=number, what=what, goal=goal, figure=f"{shown:.2f} times ({told})", holds=is_met(ratio))


def _against_threads(
    number: str, way: str, speed: Mapping[str, float], cost: Mapping[str, float], *, goal: float
) -> Line:
    what = "dnspython reads all" if way == "dnspython" else f"against `dns.resolver`, {THREADS} threads"
    ratio = speed[way] / speed["threads"]
    told = f"{speed[way]:,.0f} against {speed['threads']:,.0f} q/s; CPU {cost['threads'] / cost[way]:.1f} times less"
    return Line(
        number=number, what=what, goal=f"≥ {goal:g} times", figure=f"{ratio:.1f} times ({told})", holds=ratio >= goal
    )


def _libraries(speed: Mapping[str, float]) -> Iterator[Line]:
    for peer, least in _PEER_GOALS.items():
        yield _against("P4", peer, speed, goal=f"≥ {least:g} times", is_met=partial(le, least))
    if "aiodns" in speed:
        yield replace(_against("P4", "aiodns", speed, goal="none", is_met=bool), holds=None)


def _cost(cost: Mapping[str, float]) -> Line:
    told, holds = f"{cost['fast']:.1f} µs", cost["fast"] <= 15
    if "massdns" in cost:
        ratio = cost["fast"] / cost["massdns"]
        told, holds = f"{told}, {ratio:.1f} times massdns' {cost['massdns']:.1f}", holds and ratio <= 2
    else:
        told += "; massdns is not installed"
    return Line(number="P6", what="CPU per query", goal="≤ 15 µs, ≤ 2 times massdns", figure=told, holds=holds)
