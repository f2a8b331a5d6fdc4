"""What a target is, and the inputs that are kept for it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

__all__ = ["TARGETS", "Target", "load", "read_corpus", "write_corpus"]

TARGETS = {
    "dns": ("mailswitch", "dns"),
    "xml": ("mailswitch", "defusedxml"),
    "local": ("mailswitch",),
    "maillog": ("mailswitch",),
    "config": ("mailswitch", "yaml"),
    "plan": ("mailswitch",),
    "shown": ("mailswitch",),
}
"""The modules of ``tests.fuzz.targets``, each with the packages whose branches guide the fuzzer.

They stand here because nothing of them may be imported before the fuzzer watches.
"""
_CORPUS = Path(__file__).parent / "corpus"


class Target(Protocol):
    """What each module of ``tests.fuzz.targets`` has."""

    TOKENS: tuple[bytes, ...]
    """What the input language is made of, for the mutator to insert."""
    MAX_OCTETS: int
    """The longest input worth trying."""

    def try_one(self, data: bytes, /) -> None:
        """Try one input; any exception is a finding, and so is whatever takes more than a few seconds."""
        ...

    def seeds(self) -> Iterable[bytes]:
        """Return inputs of the usual shapes to begin with."""
        ...


def load(name: str) -> Target:
    """Return the target of that name."""
    if name not in TARGETS:
        raise ValueError(f"{name!r} is no target: choose among {', '.join(TARGETS)}")
    return cast("Target", import_module(f"tests.fuzz.targets.{name}"))


def read_corpus(name: str, folder: Path = _CORPUS) -> list[bytes]:
    """Return the inputs kept for a target; none for one that has no corpus yet."""
    path = folder / f"{name}.hex"
    return [bytes.fromhex(line) for line in path.read_text(encoding="ascii").splitlines()] if path.exists() else []


def write_corpus(name: str, inputs: Iterable[bytes], folder: Path = _CORPUS) -> int:
    """Keep these inputs for a target, shortest first; return how many they are."""
    lines = [each.hex() + "\n" for each in sorted(set(inputs) - {b""}, key=lambda each: (len(each), each))]
    (folder / f"{name}.hex").write_text("".join(lines), encoding="ascii")
    return len(lines)
