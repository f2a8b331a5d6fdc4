"""What a step is, and how a list of them is done: in order, only what is not done yet, undone again where one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mailswitch.core.errors import InstallError

__all__ = ["Step", "carry_out", "take_away"]

Tell = Callable[[str], None]


class Step(Protocol):
    """One thing that is installed."""

    @property
    def what(self) -> str:
        """What doing it does, as words that follow "would"."""

    @property
    def takes_away(self) -> str:
        """What undoing it does, as words that follow "would"."""

    def is_done(self) -> bool:
        """Whether there is nothing to do. Looks only.

        Raises:
            InstallError: that cannot be told.
        """

    def do(self) -> None:
        """Do it, wholly or not at all.

        Raises:
            InstallError: it failed, and nothing of it is left.
        """

    def is_undone(self) -> bool:
        """Whether there is nothing to take away. Looks only; errors as `is_done`."""

    def undo(self) -> None:
        """Take away what `do` made; what is gone already is no error.

        Raises:
            InstallError: something of it is left.
        """


def carry_out(steps: Sequence[Step], tell: Tell, *, is_trying: bool = False) -> None:
    """Do every step that is not done, in order; with ``is_trying`` only say so.

    Raises:
        InstallError: a step failed; those done before it in this call were undone, and what could not be is told.
    """
    done: list[Step] = []
    for step in steps:
        try:
            if step.is_done():
                tell(f"there already: {step.what}")
                continue
            if is_trying:
                tell(f"would {step.what}")
                continue
            step.do()
        except InstallError as error:
            raise InstallError(f"could not {step.what}: {error}. {_undone(done)}") from error
        tell(f"done: {step.what}")
        done.append(step)


def take_away(steps: Sequence[Step], tell: Tell, *, is_trying: bool = False) -> None:
    """Undo every step that is not undone, last first; with ``is_trying`` only say so. One failure stops no other.

    Raises:
        InstallError: with everything that is left.
    """
    problems = []
    for step in reversed(steps):
        try:
            if step.is_undone():
                continue
            if is_trying:
                tell(f"would {step.takes_away}")
                continue
            step.undo()
            tell(f"done: {step.takes_away}")
        except InstallError as error:
            problems.append(f"could not {step.takes_away}: {error}")
    if problems:
        raise InstallError("\n".join((*problems, "put that right and run 'mailswitch uninstall' again")))


def _undone(done: Sequence[Step]) -> str:
    if not done:
        return "Nothing was changed."
    left = []
    for step in reversed(done):
        try:
            step.undo()
        except InstallError as error:
            left.append(f"{step.takes_away} ({error})")
    if left:
        return "What was done before was undone but for this, which is left to you: " + "; ".join(left)
    return "What was done before was undone: nothing is changed."
