"""Approvals: a yes to what is seen now, bound to route and exchanges."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.core.ledger import APPROVAL_LIFE, Approval, Guard
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Confirmation, Mode, Policy, Route
from mailswitch.service.approve import approve
from tests.support.ports import Scene, entries_of, mx, outcomes_of

MOVED = DomainName("moved.example")
DOWN = InventoryError("web02: no answer", code="unreachable")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "moved.example", mode=Mode.APPROVE)


def approved(scene: Scene, *names: str, despite: frozenset[Guard] = frozenset(), server: str | None = None) -> None:
    approve(scene.setup, tuple(map(DomainName, names or ("moved.example",))), despite, by="bob", server=server)


def on_record(scene: Scene) -> tuple[Approval, ...]:
    with scene.reading() as reader:
        return reader.approvals()


def test_an_approval_is_bound_to_what_is_seen_now(scene: Scene) -> None:
    approved(scene)

    (found,) = on_record(scene)
    assert (found.server, found.name, found.by) == ("web01", MOVED, "bob")
    assert (found.route, found.exchanges) == (Route.ELSEWHERE, (DomainName("aspmx.l.google.com"),))
    assert found.expires - found.at == APPROVAL_LIFE


def test_the_next_pass_turns_it_off(scene: Scene) -> None:
    scene.once()
    approved(scene)

    assert outcomes_of(scene.once()) == {"moved.example": "done"}


def test_other_exchanges_or_an_expired_approval_need_a_new_one(scene: Scene) -> None:
    approved(scene)
    scene.view.publish(mx("alt1.aspmx.l.google.com"), "moved.example")
    changed = scene.once()
    scene.moves("moved.example")
    scene.clock.move(APPROVAL_LIFE)

    expired = scene.once()

    for report in (changed, expired):
        assert entries_of(report)["moved.example"].decision.holding == (Guard.APPROVAL,)
    assert scene.plesk.writes == []


def test_despite_lifts_the_named_guards_in_any_mode(tmp_path: Path) -> None:
    confirm = Confirmation(sightings=9, window=timedelta(days=3))
    scene = Scene(tmp_path, "moved.example", "other.example", policy=Policy(confirm=confirm))

    approved(scene, "moved.example", despite=frozenset({Guard.UNCONFIRMED}))

    assert outcomes_of(scene.once()) == {"moved.example": "done"}


def test_an_approval_changes_nothing_by_itself(scene: Scene) -> None:
    approved(scene)

    assert scene.plesk.writes == []
    assert scene.changes() == []


def test_all_or_none_with_every_problem_told(scene: Scene) -> None:
    scene.plesk.host("off.example", switch=Switch.OFF)
    scene.moves("off.example")

    with pytest.raises(ConfigError) as caught:
        approved(scene, "moved.example", "here.example", "off.example", "nobody.example")

    assert len(caught.value.problems) == 3
    assert caught.value.problems[0] == "nobody.example is not hosted on any server that was asked"
    assert "here.example: nothing to approve, the switch is on and the route here" in caught.value.problems[1]
    assert on_record(scene) == ()


def test_a_name_that_moved_between_two_of_our_servers_is_approved_where_it_left(scene: Scene) -> None:
    scene.add_server("web02", addresses=frozenset({address("198.51.100.26")})).host("moved.example")

    approved(scene)

    assert [one.server for one in on_record(scene)] == ["web01"]


def test_a_name_on_two_servers_can_be_approved_on_one(scene: Scene) -> None:
    scene.add_server("web02").host("moved.example")

    approved(scene, server="web02")

    assert [one.server for one in on_record(scene)] == ["web02"]


def test_a_silent_server_matters_only_for_names_found_nowhere_else(scene: Scene) -> None:
    scene.add_server("web02").failure = DOWN

    approved(scene)
    with pytest.raises(InventoryError, match=r"cannot tell who hosts nobody.example: web02: no answer"):
        approved(scene, "nobody.example")

    assert [one.name for one in on_record(scene)] == [MOVED]
