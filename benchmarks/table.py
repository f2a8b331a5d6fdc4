"""The one small table that a benchmark prints: what was measured where, and which goals hold."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

__all__ = ["Line", "heading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One goal and what came of it."""

    number: str
    what: str
    goal: str
    figure: str
    holds: bool | None
    """None: it was not measured."""

    def __str__(self) -> str:
        """Return the line as Markdown has it."""
        verdict = "skipped" if self.holds is None else "pass" if self.holds else "**short**"
        return f"| {self.number} | {self.what} | {self.goal} | {self.figure} | {verdict} |"


def heading(packages: Sequence[str], scale: str) -> list[str]:
    """Return what stands above the lines: the machine, the versions, how much was done, the columns' names.

    ``packages`` are installed ones, or with a version (and so a blank) in them whatever else was used.
    """
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    versions = ", ".join(package if " " in package else f"{package} {version(package)}" for package in packages)
    return [
        f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} CPUs, load {load}; "
        f"Python {platform.python_version()}, {versions}; {scale}, {datetime.now(UTC):%Y-%m-%d}.",
        "",
        "| | what | goal | figure | |",
        "|---|---|---|---|---|",
    ]
