"""The process that libFuzzer takes over: ``python -m tests.fuzz.child TARGET PROGRAM LIBFUZZER-ARGUMENT…``.

``PROGRAM`` is what libFuzzer starts when it wants a second process of this kind.
"""

from __future__ import annotations

import sys

import atheris

from tests.fuzz.target import TARGETS, load

__all__ = ["main"]


def main(name: str, program_and_arguments: list[str]) -> None:
    """Fuzz one target until libFuzzer ends the process."""
    with atheris.instrument_imports(include=list(TARGETS[name])):
        target = load(name)
    atheris.Setup(program_and_arguments, target.try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
