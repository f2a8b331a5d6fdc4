"""Public DNS as the service sees it: sweeps over many names from several vantages."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from mailswitch.core.errors import ResolverError
from mailswitch.core.mx import Vantage
from mailswitch.lookup.memory import AnswerMemory, SweepMemory
from mailswitch.lookup.sweep import VantageSweep
from mailswitch.lookup.vantages import Codec, Timing, VantageSettings

__all__ = ["VantageView", "open_public_view", "rare_collections"]

_RARE_COLLECTIONS = (50_000, 50, 1_000)
"""Objects made before the youngest are looked through, such looks before one at the older ones, and such before all."""


class VantageView:
    """Public DNS, seen from several vantages (see service.ports.PublicView)."""

    def __init__(
        self,
        settings: Sequence[VantageSettings],
        timing: Timing,
        *,
        codec: Codec,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        memory: AnswerMemory | None,
    ) -> None:
        self._memory = memory
        self._settings = tuple(settings)
        self._codec = codec
        self._timing = timing
        self._now = now
        self._monotonic = monotonic

    @property
    def vantages(self) -> tuple[Vantage, ...]:
        """The vantages in configuration order."""
        return tuple(each.vantage for each in self._settings)

    @contextmanager
    def sweep(
        self, *, rotation: int, progress: Callable[[int], None] | None = None, is_kept: bool = False
    ) -> Iterator[VantageSweep]:
        """Open a sweep; its deadline runs from now.

        ``rotation`` shifts who gives the first opinion; ``progress`` is told how many names have their first opinion,
        a number that only grows; with ``is_kept`` later sweeps may remember what this one hears.
        """
        end = self._monotonic() + self._timing.deadline.total_seconds()
        keys = [each.key for each in self._settings]
        memory = SweepMemory(self._memory, keys, now=self._now, is_kept=is_kept)
        with rare_collections(), asyncio.Runner() as runner:
            yield VantageSweep(
                settings=self._settings,
                timing=self._timing,
                codec=self._codec,
                now=self._now,
                remaining=lambda: end - self._monotonic(),
                runner=runner,
                rotation=rotation,
                progress=progress,
                memory=memory,
            )
        memory.keep()


def open_public_view(
    vantages: Sequence[VantageSettings],
    timing: Timing,
    now: Callable[[], datetime],
    monotonic: Callable[[], float] = time.monotonic,
    codec: Codec = Codec.FAST,
    *,
    memory: AnswerMemory | None = None,
) -> VantageView:
    """Return the public view that the vantages are together; nothing is asked before a sweep.

    ``now`` gives aware UTC moments, ``monotonic`` seconds for the deadline. Without ``memory`` all is asked anew.

    Raises:
        ResolverError: there is no vantage.
    """
    if not vantages:
        raise ResolverError("public DNS cannot be asked: no vantage is configured; add one under dns.vantages")
    return VantageView(vantages, timing, codec=codec, now=now, monotonic=monotonic, memory=memory)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for garbage rarely, and among what is young only.

    What a sweep makes has no cycles and stays until its end: to look through hundreds of thousands of answers again and
    again took a quarter of the time of all else.
    """
    usual = gc.get_threshold()
    gc.set_threshold(*_RARE_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
