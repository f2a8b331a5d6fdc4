"""The child that is killed on its way through a write truly dies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.ledger.place import open_place
from tests.months.dying import call_and_die
from tests.support import ledger_values as values


@pytest.mark.parametrize(("instructions", "kept"), [(0, []), (20, []), (10**9, ["one"])])
def test_a_write_is_killed_on_the_way_or_right_after(instructions: int, kept: list[str], tmp_path: Path) -> None:
    path, marker = tmp_path / "ledger.db", tmp_path / "marker"
    with open_place(f"sqlite:///{path}").locked():
        """Made and migrated."""

    call_and_die(path, marker, instructions, "begin_run", values.run("one"))

    with open_place(f"sqlite:///{path}").locked() as ledger:
        last = ledger.last_run()
    assert ([] if last is None else [last.id]) == kept
