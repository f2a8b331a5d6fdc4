"""Where a simulated process is killed."""

from __future__ import annotations

import pytest

from tests.months.ports import Calls, Killed


def test_what_was_killed_makes_no_call_until_it_is_started_again() -> None:
    """The thread of another server may be about to make one."""
    calls, made = Calls(), []
    calls.arm(kill_at=1, port="turn")

    for port in ("turn", "intend"):
        with pytest.raises(Killed):
            calls.made_one(port, lambda: made.append("dead"))
    calls.is_dead = False
    calls.made_one("intend", lambda: made.append("alive"))

    assert made == ["alive"]
