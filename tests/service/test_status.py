"""How mailswitch fares, by the ledger alone: healthy, or why not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.errors import InventoryError
from mailswitch.core.policy import Action, Limits, Mode, Policy, Route, UnknownProvider
from mailswitch.report.status import Status
from mailswitch.service.by_hand import Everything, revert
from mailswitch.service.status import status_of
from tests.support.ports import AT_ONCE, SILENT, Scene, Whim, an_alias, mx

MOVED = "moved.example"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, MOVED)


def status(scene: Scene) -> Status:
    return status_of(scene.setup, stale_after=timedelta(hours=3))


def test_it_says_that_it_never_ran_and_makes_no_file(scene: Scene) -> None:
    found = status(scene)

    assert (found.is_healthy, found.last_run) == (False, None)
    assert (found.servers[0].last_pass, found.servers[0].age) == (None, None)
    assert list(scene.folder.iterdir()) == []


def test_after_a_pass_it_is_healthy_and_knows_its_age_and_counts(scene: Scene) -> None:
    scene.once()
    scene.clock.move(timedelta(hours=1))

    found = status(scene)

    assert found.is_healthy
    (server,) = found.servers
    assert server.age is not None
    assert round(server.age / timedelta(minutes=1)) == 60
    assert dict(server.counts)["done"] == 1
    assert found.problems == ()
    assert found.warnings == ()


def test_it_asks_no_panel_and_no_vantage(scene: Scene) -> None:
    scene.once()
    opened, asked = scene.plesk.opened, len(scene.view.first)

    status(scene)

    assert (scene.plesk.opened, len(scene.view.first)) == (opened, asked)


def test_a_pass_too_long_ago_is_stale(scene: Scene) -> None:
    scene.once()
    scene.clock.move(timedelta(hours=4))

    found = status(scene)

    assert found.servers[0].is_stale
    assert not found.is_healthy


def test_a_server_that_was_never_looked_at_is_unhealthy(scene: Scene) -> None:
    scene.once()
    scene.add_server("web02")

    assert not status(scene).is_healthy


def test_a_server_whose_panel_failed_is_failing(scene: Scene) -> None:
    scene.plesk.failure = InventoryError("web01: no answer", code="unreachable")
    scene.once()

    found = status(scene)

    assert found.servers[0].error is not None
    assert found.servers[0].error.code == "unreachable"
    assert not found.is_healthy


def test_a_change_that_failed_is_unhealthy_until_a_pass_without(scene: Scene) -> None:
    scene.plesk.whims[MOVED] = [Whim.REFUSED]
    scene.once()
    failed = status(scene).is_healthy

    scene.once()

    assert not failed
    assert status(scene).is_healthy


def test_a_limit_that_held_something_back_is_failing(tmp_path: Path) -> None:
    scene = Scene(tmp_path, MOVED, policy=Policy(confirm=AT_ONCE, limits=Limits(changes=0)))
    scene.once()

    error = status(scene).servers[0].error

    assert error is not None
    assert error.code == "limits.changes"


def test_public_dns_in_trouble_is_failing_though_nothing_was_held_back(scene: Scene) -> None:
    scene.once()
    scene.view.publish(SILENT, MOVED, "here.example")
    scene.once()

    error = status(scene).servers[0].error

    assert error is not None
    assert error.code == "limits.unknown_share"


def test_an_open_intent_is_told(scene: Scene) -> None:
    scene.plesk.whims[MOVED] = [Whim.UNREADABLE]
    scene.once()

    assert status(scene).unsettled == 1


def test_an_open_intent_on_a_server_that_is_no_longer_configured_is_a_problem(scene: Scene) -> None:
    other = scene.add_server("web02")
    other.host(MOVED)
    other.whims[MOVED] = [Whim.UNREADABLE]
    scene.once()
    del scene.plesks["web02"]

    found = status(scene)

    assert found.problems == ("a change on web02 is not settled, and web02 is no longer in the configuration",)
    assert not found.is_healthy


# ---- mail that is refused


@pytest.mark.parametrize("stop", ["report", "pause", "failure"])
def test_what_should_be_on_again_is_named_while_something_stops_it(scene: Scene, stop: str) -> None:
    scene.once()
    scene.comes_back(MOVED)
    match stop:
        case "report":
            scene.mode = Mode.REPORT
        case "pause":
            scene.pause()
        case _:
            scene.plesk.whims["*"] = [Whim.REFUSED]
    scene.once()

    found = status(scene)

    assert found.refused_mail == ("moved.example (web01)",)
    assert not found.is_healthy


def test_what_an_alias_needs_again_is_told_while_something_stops_it(scene: Scene) -> None:
    an_alias(scene.plesk, "alias.example", MOVED, switch=Switch.OFF)
    scene.comes_back("alias.example")
    scene.once()
    scene.plesk.toggle("alias.example", Switch.ON)
    scene.mode = Mode.REPORT
    scene.once()

    found = status(scene)
    revert(scene.setup, Everything(), reason="undo", by="bob")

    assert found.problems == (
        "web01: 1 name is still off by mailswitch and should be on: mailswitch report shows which and why",
    )
    assert not found.is_healthy
    assert status(scene).problems == ()


def test_mail_that_came_back_and_was_accepted_again_is_healthy(scene: Scene) -> None:
    scene.once()
    scene.comes_back(MOVED)
    scene.once()

    assert status(scene).is_healthy


def test_a_gateway_that_the_policy_turns_off_is_no_mail_refused(tmp_path: Path) -> None:
    policy = Policy(confirm=AT_ONCE, actions={Route.GATEWAY: Action.TURN_OFF}, unknown_provider=UnknownProvider.WINDOW)
    scene = Scene(tmp_path, MOVED, policy=policy)
    scene.once()
    away = status(scene).is_healthy
    scene.view.publish(mx("in.filter.example"), MOVED)
    scene.once()

    assert (away, status(scene).refused_mail) == (True, ())


def test_a_name_that_was_removed_is_no_mail_refused(scene: Scene) -> None:
    scene.once()
    scene.comes_back(MOVED)
    scene.mode = Mode.REPORT
    scene.once()
    del scene.plesk.domains[MOVED]
    scene.once()

    found = status(scene)

    assert (found.refused_mail, found.warnings) == ((), ())


def test_back_in_mode_report_with_switches_off_by_us_is_warned_of(scene: Scene) -> None:
    scene.once()
    enforcing = status(scene).warnings
    scene.mode = Mode.REPORT

    found = status(scene)

    assert enforcing == ()
    assert found.warnings[0].startswith("1 switch is off by mailswitch, and in mode report nobody turns them on again")


def test_a_pause_is_told_and_unhealthy_until_it_ends(scene: Scene) -> None:
    scene.once()
    scene.pause()

    found = status(scene)

    assert found.paused is not None
    assert not found.is_healthy
    scene.resume()
    assert status(scene).is_healthy
