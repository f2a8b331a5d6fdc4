"""Passes over some names, and passes asked to stop: what they may do, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.errors import Stopped
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Limits, Policy
from mailswitch.service.observe import Scope
from mailswitch.service.reconcile import PassRequest, once
from tests.support.ports import AT_ONCE, ELSEWHERE, HERE, HOUR, Scene, outcomes_of

MOVED = tuple(f"moved{number}.example" for number in range(5))


def scope_of(*names: str) -> Scope:
    return Scope(names=frozenset(map(DomainName, names)))


def scene(folder: Path, *, changes: int = 20) -> Scene:
    return Scene(folder, *MOVED, policy=Policy(confirm=AT_ONCE, limits=Limits(changes=changes, share=1.0)))


def test_a_pass_over_some_names_turns_those_alone(tmp_path: Path) -> None:
    played = scene(tmp_path)

    report = played.once(scope=scope_of(MOVED[0]))

    assert outcomes_of(report) == {MOVED[0]: "done"}
    assert report.is_partial
    assert [name for name, _ in played.plesk.writes] == [MOVED[0]]


def test_passes_over_one_name_each_do_not_get_past_the_limit_of_the_day(tmp_path: Path) -> None:
    played = scene(tmp_path, changes=2)

    outcomes = [outcomes_of(played.once(scope=scope_of(name))) for name in MOVED[:3]]

    assert outcomes == [{MOVED[0]: "done"}, {MOVED[1]: "done"}, {MOVED[2]: "refused"}]
    assert played.plesk.switch(MOVED[2]) is Switch.ON


def test_a_pass_over_some_names_is_no_pass_over_the_server(tmp_path: Path) -> None:
    """Its counts are not the server's, and names it did not see were not seen at that moment."""
    played = scene(tmp_path, changes=0)
    played.once()
    with played.reading() as reader:
        before = (reader.last_passes(), reader.server_state("web01"))
    played.clock.move(HOUR)

    played.once(scope=scope_of(MOVED[0]))

    with played.reading() as reader:
        assert (reader.last_passes(), reader.server_state("web01")) == before
        assert reader.run_count() == 2


def test_a_first_look_at_some_names_leaves_the_others_their_first_pass(tmp_path: Path) -> None:
    played = scene(tmp_path, changes=0)

    played.once(scope=scope_of(MOVED[0]))
    played.once()

    assert played.history(MOVED[0]).is_from_first_pass
    assert played.history(MOVED[1]).is_from_first_pass


def test_a_pass_asked_to_stop_finishes_its_change_and_leaves_the_rest(tmp_path: Path) -> None:
    played = scene(tmp_path)
    request = PassRequest(by="daemon", is_stopping=lambda: bool(played.plesk.writes))

    report = once(played.setup, request)

    assert list(outcomes_of(report).values()) == ["done"]
    assert [(one.name.text, one.outcome) for one in played.changes()] == [(MOVED[0], "done")]
    assert outcomes_of(played.once()) == dict.fromkeys(MOVED[1:], "done")


@pytest.mark.parametrize("asked", [1, 2])
def test_a_pass_asked_to_stop_while_it_looks_records_nothing(tmp_path: Path, asked: int) -> None:
    played = scene(tmp_path)
    questions = iter([*[False] * (asked - 1), *[True] * 99])

    with pytest.raises(Stopped, match="nothing was recorded"):
        once(played.setup, PassRequest(by="daemon", is_stopping=lambda: next(questions)))

    assert played.plesk.writes == []
    with played.reading() as reader:
        assert reader.run_count() == 0


def test_the_lookups_of_a_pass_are_in_its_report(tmp_path: Path) -> None:
    played = scene(tmp_path)
    played.view.failures = 3

    counted = played.once().lookups

    assert [(one.name, one.queries, one.failures) for one in counted] == [("a", 100, 3), ("b", 100, 3), ("c", 100, 3)]


def test_servers_are_applied_to_side_by_side_and_each_by_itself(tmp_path: Path) -> None:
    played = scene(tmp_path)
    other = played.add_server("web02")
    other.host("other.example")
    played.view.publish(ELSEWHERE, "other.example")
    played.view.publish(HERE, "here.example")

    report = played.once()

    assert outcomes_of(report, "web02") == {"other.example": "done"}
    assert outcomes_of(report) == dict.fromkeys(MOVED, "done")
    assert played.plesk.writes_without_a_look() == []
