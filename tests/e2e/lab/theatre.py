"""What all plays share."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.lab.lab import Lab
from tests.e2e.lab.tally import Row

__all__ = ["Theatre", "tell"]


@dataclass(slots=True)
class Theatre:
    """What all plays share: the lab, the installed program, and the table that grows."""

    lab: Lab
    program: Path
    rows: list[Row] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    last_number: int = 0

    def next_number(self, scenario: str) -> str:
        """Return an id that no other message bears."""
        self.last_number += 1
        return f"{scenario.replace(' ', '-')}.{self.last_number:05}"


def tell(text: str) -> None:
    """Print lines at once: what is read is a log that grows."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
