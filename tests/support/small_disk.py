"""A ledger on a file system of a few hundred kilobytes: ``python -m tests.support.small_disk WHAT FOLDER``.

Run in a mount namespace of its own (``unshare --mount``), so that the file system goes with the process.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

from mailswitch.core.errors import LedgerError
from mailswitch.ledger.health import inspect
from mailswitch.ledger.place import open_place
from mailswitch.ledger.store import StoredLedger
from tests.support import ledger_values as values

_MS_RDONLY, _MS_REMOUNT = 1, 32
_OPTIONS = b"size=768k,mode=750"


def mount(folder: Path, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, _OPTIONS) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def fill(folder: Path) -> dict[str, object]:
    """Record intents until the disk is full, then make room and record another."""
    url, ballast = f"sqlite:///{folder / 'ledger.db'}", folder / "ballast"
    ballast.write_bytes(bytes(200_000))
    promised, error = 0, ""
    try:
        with open_place(url).locked() as ledger:
            while True:
                ledger.intend(values.change())
                promised += 1
    except LedgerError as full:
        error = str(full)
    reader = open_place(url).reader()
    kept = len(reader.changes())
    reader.close()
    ballast.unlink()
    with open_place(url).locked() as ledger:
        ledger.intend(values.change())
        after = len(ledger.changes())
    return {
        "error": error,
        "promised": promised,
        "kept": kept,
        "after_making_room": after,
        "problems": list(inspect(url).problems),
    }


def fill_marker(folder: Path) -> dict[str, object]:
    """Have a ledger elsewhere whose marker's disk is full."""
    small = folder / "small"
    (small / "ballast").write_bytes(b"")
    with (small / "ballast").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            """Full."""
    try:
        with open_place(f"sqlite:///{folder / 'ledger.db'}", marker=small / "marker").locked() as ledger:
            ledger.intend(values.change())
    except LedgerError as error:
        return {"error": str(error)}
    return {"error": ""}


def read_only(folder: Path) -> dict[str, object]:
    """Make a ledger, take the right to write away from its file system, and use it."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    with open_place(url).locked() as ledger:
        ledger.begin_run(values.run())
    mount(folder, _MS_REMOUNT | _MS_RDONLY)
    reader = open_place(url).reader()
    runs = reader.run_count()
    reader.close()
    return {"runs": runs, "error": refused(url), "problems": list(inspect(url).problems)}


def refused(url: str) -> str:
    try:
        with open_place(url).writer(wait=timedelta(0)) as ledger:
            write(ledger)
    except LedgerError as error:
        return str(error)
    return ""


def write(ledger: StoredLedger) -> None:
    ledger.intend(values.change())


def main(what: str, folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    mount(small, 0)
    match what:
        case "fill":
            found = fill(small)
        case "fill-marker":
            found = fill_marker(folder)
        case _:
            found = read_only(small)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
