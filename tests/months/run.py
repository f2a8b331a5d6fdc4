"""Live many stories and print the figures: ``python -m tests.months.run --seeds 0:1000``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from tests.months.faults import KINDS
from tests.months.hoster import Result, Variant, live
from tests.months.oracle import Violation
from tests.months.shrink import shrunk
from tests.months.story import Story, story_of

__all__ = ["figures", "live_all", "lived", "main", "minimal", "tales", "told"]

_MOST_TOLD = 5


def lived(seed: int, *, days: int = 0, names: int = 0) -> Result:
    """Live one seed's story in a folder of its own."""
    return _live(story_of(seed, days=days, names=names))


def _live(story: Story, variant: Variant | None = None, *, until: int | None = None) -> Result:
    with TemporaryDirectory(prefix="mailswitch-months-") as folder:
        return live(story, Path(folder), variant, until=until)


def minimal(story: Story, variant: Variant | None = None) -> tuple[Story, Result]:
    """Return the shortest story that violates the same invariant as this one does first, and how it goes."""
    first = _live(story, variant).violations[0]
    cut = replace(story, events=tuple(event for event in story.events if event.step <= first.step))

    def fails(candidate: Story) -> bool:
        found = _live(candidate, variant, until=first.step).violations
        return bool(found) and _kind(found[0]) == _kind(first)

    shortest = shrunk(cut if fails(cut) else story, first.name, fails)
    return shortest, _live(shortest, variant)


def _kind(violation: Violation) -> tuple[str, ...]:
    """Tell violations of different kinds apart; numbers, names and times in the sentence do not count."""
    return (violation.invariant, *violation.text.split()[:3])


def figures(total: Result, seeds: int, seconds: float) -> str:
    """Return the figures for people: of so many seeds, lived in so many seconds."""
    wrong = [one for one in total.violations if one.invariant in "abd"]
    records = [one for one in total.violations if one.invariant == "c"]
    lines = [
        f"seeds                        {seeds:>10,}",
        f"seconds                      {seconds:>10,.0f}",
        f"simulated domain-days        {total.domain_days:>10,}",
        f"passes                       {total.passes:>10,}",
        f"passes a second              {total.passes / max(seconds, 0.001):>10,.1f}",
        f"passes that failed           {total.failed_passes:>10,}",
        f"crashes survived             {total.crashes:>10,}",
        f"writes at the panel          {total.writes:>10,}",
        f"turned off                   {total.turned_off:>10,}",
        f"turned on                    {total.turned_on:>10,}",
        f"wrong changes                {len(wrong):>10,}",
        f"lost or doubled records      {len(records):>10,}",
        f"other violations             {len(total.violations) - len(wrong) - len(records):>10,}",
        f"longest calm time to off     {total.to_off.total_seconds() / 3600:>10,.0f} hours",
        f"longest time to on           {total.to_on:>10,} passes, faults and pauses included",
        "faults met, by kind:",
        *(f"  {kind:<27}{total.faults[kind]:>10,}" for kind in sorted({*KINDS, *total.faults})),
    ]
    return "\n".join(lines)


def main(arguments: Iterable[str]) -> int:
    """Live the seeds asked for; 1 where anything happened that must never be."""
    parser = argparse.ArgumentParser(prog="python -m tests.months.run", description=__doc__)
    parser.add_argument("--seeds", default="0:100", help="first:last, the last one not included")
    parser.add_argument("--days", type=int, default=0, help="days of each life; without it the seed chooses")
    parser.add_argument("--names", type=int, default=0, help="names of each life; without it the seed chooses")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    chosen = parser.parse_args(list(arguments))
    first, _, last = chosen.seeds.partition(":")
    seeds = range(int(first), int(last or int(first) + 1))
    began = monotonic()
    total, failing = live_all(seeds, days=chosen.days, names=chosen.names, jobs=chosen.jobs)
    print(figures(total, len(seeds), monotonic() - began))  # noqa: T201 - a command
    if failing:
        print(f"failing seeds: {failing}; looking for their shortest stories", flush=True)  # noqa: T201 - a command
    for tale in tales(failing, days=chosen.days, names=chosen.names):
        print(tale)  # noqa: T201 - a command
    return 1 if failing else 0


def live_all(seeds: Sequence[int], *, days: int = 0, names: int = 0, jobs: int = 1) -> tuple[Result, list[int]]:
    """Live many seeds; return all their figures together, and which of them failed."""
    total, failing = Result(), []
    living = partial(lived, days=days, names=names)
    with ProcessPoolExecutor(max_workers=jobs) if jobs > 1 else nullcontext() as pool:
        for seed, result in zip(seeds, map(living, seeds) if pool is None else pool.map(living, seeds), strict=True):
            total.add(result)
            failing += [seed] if result.violations else []
    return total, failing


def tales(failing: Sequence[int], *, days: int = 0, names: int = 0) -> Iterator[str]:
    """Return what people read of the seeds that failed: the stories of the first of them."""
    for seed in failing[:_MOST_TOLD]:
        yield told(seed, days=days, names=names)
    if len(failing) > _MOST_TOLD:
        yield f"and {len(failing) - _MOST_TOLD} more seeds: {list(failing[_MOST_TOLD:])}"


def told(seed: int, *, days: int = 0, names: int = 0) -> str:
    """Return a failing seed's minimal story, and the command that lives it again."""
    story, result = minimal(story_of(seed, days=days, names=names))
    again = f"python -m tests.months.run --seeds {seed}:{seed + 1}"
    again += (f" --days {days}" if days else "") + (f" --names {names}" if names else "")
    return "\n".join(["", story.told(), *map(str, result.violations), f"once more: {again}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
