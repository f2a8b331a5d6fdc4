from __future__ import annotations

import pytest

from mailswitch.core.ledger import Guard

_NEVER_LIFTED = {"not-managed", "pinned", "suspended", "stops-sending", "needed-by-alias", "own-resolver"}


@pytest.mark.parametrize("guard", Guard)
def test_a_review_lifts_every_guard_but_six(guard: Guard) -> None:
    assert guard.is_liftable is (guard.value not in _NEVER_LIFTED)


def test_guards_stand_in_the_order_of_the_design() -> None:
    names = [guard.value for guard in Guard]

    assert names == [
        "not-managed",
        "pinned",
        "suspended",
        "stops-sending",
        "needed-by-alias",
        "own-resolver",
        "still-receiving",
        "unknown-provider",
        "unconfirmed",
        "arriving",
        "re-enabled",
        "flapping",
        "approval",
    ]
