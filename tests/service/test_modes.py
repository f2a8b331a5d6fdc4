"""How far a pass may go: modes, pause, reviewed plans, limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from mailswitch.core.domain import HostedDomain, Switch
from mailswitch.core.errors import InventoryError, Stopped, UnsafePlan
from mailswitch.core.evidence import Deliveries, Evidence, MailLog
from mailswitch.core.ledger import Approval, Guard, Outcome, Pin
from mailswitch.core.mx import NullMX
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Confirmation, Limits, Mode, Policy, Route
from mailswitch.core.table import Verdict
from mailswitch.service.observe import Scope
from mailswitch.service.reconcile import PassRequest, Reviewed, once
from tests.support.builders import NOW
from tests.support.ports import AT_ONCE, SILENT, Scene, an_alias, entries_of, mx, outcomes_of

MANY = tuple(f"d{number:02}.example" for number in range(10))
LATER = Policy(confirm=Confirmation(sightings=2, window=timedelta(hours=1)))


def a_scene(folder: Path, mode: Mode, *names: str, policy: Policy | None = None) -> Scene:
    return Scene(folder, *(names or ("moved.example",)), mode=mode, policy=policy)


# ---- modes


def test_mode_report_writes_nothing_and_records(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.REPORT)

    report = scene.once()

    assert [str(change.name) for change in report.plan.changes] == ["moved.example"]
    assert report.is_dry_run
    assert scene.plesk.calls == [("inventory",)]
    assert scene.history().sightings == 1


def test_apply_lifts_report_to_enforce_for_one_pass(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.REPORT)

    report = scene.once(is_enforcing=True)

    assert (report.mode, outcomes_of(report)) == (Mode.ENFORCE, {"moved.example": "done"})
    assert scene.dry_run().mode is Mode.REPORT


def test_mode_enforce_applies_what_is_due(tmp_path: Path) -> None:
    assert outcomes_of(a_scene(tmp_path, Mode.ENFORCE).once()) == {"moved.example": "done"}


@pytest.mark.parametrize("is_enforcing", [False, True])
def test_mode_approve_applies_nothing_that_nobody_approved_also_with_apply(tmp_path: Path, is_enforcing: bool) -> None:
    scene = a_scene(tmp_path, Mode.APPROVE)

    report = scene.once(is_enforcing=is_enforcing)

    assert report.mode is Mode.APPROVE
    assert entries_of(report)["moved.example"].decision.holding == (Guard.APPROVAL,)
    assert scene.plesk.writes == []


def test_mode_approve_applies_what_was_approved(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.APPROVE, "moved.example", "other.example")
    with scene.place.writer(wait=timedelta(0)) as ledger:
        ledger.add_approval(
            Approval(
                server="web01",
                name=DomainName("moved.example"),
                route=Route.ELSEWHERE,
                exchanges=(DomainName("aspmx.l.google.com"),),
                despite=frozenset(),
                by="bob",
                at=NOW,
                expires=NOW + timedelta(days=30),
            )
        )

    assert outcomes_of(scene.once()) == {"moved.example": "done"}


def test_turning_on_again_needs_no_approval(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    scene.once()
    scene.mode = Mode.APPROVE
    scene.comes_back("moved.example")

    assert outcomes_of(scene.once()) == {"moved.example": "done"}


def test_back_in_mode_report_with_switches_off_by_us_is_a_loud_warning(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    scene.once()
    scene.mode = Mode.REPORT

    away = scene.once()
    scene.comes_back("moved.example")
    back = scene.once()

    assert [alert.code for alert in away.alerts] == ["unwatched"]
    assert [alert.code for alert in back.alerts] == ["mail-refused", "route-changed", "unwatched"]
    assert scene.plesk.switch("moved.example") is Switch.OFF


# ---- pause


def test_a_pause_stops_changes_and_not_observation(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    scene.pause()

    report = scene.once()

    assert report.pause is not None
    assert scene.plesk.writes == []
    assert scene.history().sightings == 1


def test_a_pause_stops_even_turning_on_and_says_whose_mail_is_refused(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    scene.once()
    scene.comes_back("moved.example")
    scene.pause()

    report = scene.once()

    first = report.alerts[0]
    assert (first.code, str(first.name)) == ("mail-refused", "moved.example")
    assert scene.plesk.switch("moved.example") is Switch.OFF
    scene.resume()
    assert outcomes_of(scene.once()) == {"moved.example": "done"}


# ---- reviewed plans


def test_a_reviewed_plan_applies_what_is_due_and_what_is_on_review(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, policy=LATER)
    scene.view.publish(mx("mx.unknown.example"), "moved.example")
    plan = scene.dry_run().plan
    assert (len(plan.changes), len(plan.on_review)) == (0, 1)

    report = scene.once(reviewed=plan.digest)

    assert outcomes_of(report) == {"moved.example": "done"}
    (change,) = scene.changes()
    assert change.is_reviewed
    decision = entries_of(report)["moved.example"].decision
    assert (decision.verdict, decision.is_on_review) == (Verdict.TURN_OFF, False)
    assert [reason.code for reason in decision.reasons][1:] == ["unknown-provider", "unconfirmed"]


def test_a_reviewed_plan_also_lifts_the_approval_guard(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.APPROVE)

    report = scene.once(reviewed=scene.dry_run().plan.digest)

    assert outcomes_of(report) == {"moved.example": "done"}


@pytest.mark.parametrize("guard", ["pinned", "suspended", "not-managed", "stops-sending", "needed-by-alias"])
def test_a_reviewed_plan_never_lifts_the_other_guards(tmp_path: Path, guard: str) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, "moved.example", "due.example")
    held = scene.plesk.domains["moved.example"]
    match guard:
        case "pinned":
            with scene.place.writer(wait=timedelta(0)) as ledger:
                ledger.add_pin(Pin(pattern=NamePattern("moved.example"), reason="asked", by="bob", at=NOW))
        case "suspended":
            scene.plesk.domains["moved.example"] = replace(held, is_suspended=True)
        case "not-managed":
            scene.plesk.toggle("moved.example", Switch.NOT_CONFIGURED)
        case "stops-sending":
            scene.plesk.version = "17.8.11"
        case _:
            an_alias(scene.plesk, "alias.example", "moved.example")
            scene.comes_back("alias.example")

    plan = scene.dry_run().plan
    report = scene.once(reviewed=plan.digest)

    assert guard in {reason.code for reason in entries_of(report)["moved.example"].decision.reasons}
    assert "moved.example" not in {name for name, _ in scene.plesk.writes}


def test_a_plan_that_differs_applies_nothing_and_the_file_says_what_differs(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, "moved.example", "gone.example")
    plan = scene.dry_run().plan
    reviewed = Reviewed(digest=plan.digest, entries=(*plan.changes, *plan.on_review))
    scene.comes_back("gone.example")
    scene.plesk.host("new.example")
    scene.moves("new.example")

    with pytest.raises(UnsafePlan) as caught:
        scene.once(reviewed=reviewed)

    lines = str(caught.value).splitlines()
    assert plan.digest in lines[0]
    assert lines[1:3] == [
        "no longer: web01: domain gone.example on -> off, elsewhere (aspmx.l.google.com)",
        "new: web01: domain new.example on -> off, elsewhere (aspmx.l.google.com)",
    ]
    assert scene.plesk.writes == []


def test_a_plan_that_differs_by_digest_only_says_the_new_digest_and_the_pass_is_recorded(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)

    with pytest.raises(UnsafePlan) as caught:
        scene.once(reviewed="0123456789abcdef")

    assert scene.dry_run().plan.digest in str(caught.value)
    assert scene.plesk.writes == []
    with scene.reading() as reader:
        run = reader.last_run()
    assert run is not None
    assert run.finished is not None


def test_a_different_plan_turns_nothing_on_either(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    scene.once()
    scene.comes_back("moved.example")

    with pytest.raises(UnsafePlan):
        scene.once(reviewed="0123456789abcdef")

    assert scene.plesk.switch("moved.example") is Switch.OFF


def test_a_plan_whose_server_does_not_answer_fails_and_says_so(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    other = scene.add_server("web02")
    other.host("moved.example")
    plan = scene.dry_run().plan
    other.failure = InventoryError("web02: no answer", code="unreachable")

    with pytest.raises(InventoryError, match="web02: no answer"):
        scene.once(reviewed=plan.digest)

    assert scene.plesk.writes == []


def test_a_reviewed_plan_waits_for_a_pause_to_end(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    digest = scene.dry_run().plan.digest
    scene.pause()

    with pytest.raises(UnsafePlan, match="paused by alice"):
        scene.once(reviewed=digest)

    assert scene.plesk.writes == []


def test_the_digest_is_the_same_for_every_mode_that_can_apply_it(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.REPORT, policy=LATER)
    digests = set()
    for mode in Mode:
        scene.mode = mode
        digests.add(scene.dry_run().plan.digest)
        scene.once()  # a sighting more changes nothing of it
        scene.clock.move(timedelta(minutes=5))
        digests.add(scene.dry_run().plan.digest)

    assert len(digests) == 1


def test_apply_lifts_nothing_where_it_was_not_asked_for() -> None:
    assert PassRequest(by="alice").mode(Mode.REPORT) is Mode.REPORT
    assert PassRequest(by="alice", is_enforcing=True).mode(Mode.APPROVE) is Mode.APPROVE


# ---- limits


def limited(folder: Path, limits: Limits, *never_local: str) -> Scene:
    policy = Policy(confirm=AT_ONCE, limits=limits, never_local=frozenset(map(DomainName, never_local)))
    return a_scene(folder, Mode.ENFORCE, *MANY, policy=policy)


@pytest.mark.parametrize(
    ("limits", "key", "words"),
    [
        (
            Limits(changes=5, share=1.0),
            "limits.changes",
            "turning off 10 switches is more than limits.changes allows: 5",
        ),
        (Limits(share=0.1), "limits.share", "is more than limits.share allows: 3 (10% of 11 names, never less than 3)"),
    ],
)
def test_limits_refuse_with_count_limit_key_and_the_command_that_passes_them(
    tmp_path: Path, limits: Limits, key: str, words: str
) -> None:
    scene = limited(tmp_path, limits)

    report = scene.once()

    assert set(outcomes_of(report).values()) == {"refused"}
    error = entries_of(report)[MANY[0]].error or ""
    assert words in error
    assert error.endswith(f"mailswitch once --apply --plan {report.plan.digest}")
    assert (len(report.plan.changes), len(report.plan.on_review)) == (0, 10)
    assert [alert.code for alert in report.alerts] == [key]
    assert scene.plesk.writes == []
    with scene.reading() as reader:
        assert reader.last_passes()[0].error_code == key


def test_a_review_passes_the_limit(tmp_path: Path) -> None:
    scene = limited(tmp_path, Limits(changes=5))
    refused = scene.once()

    report = scene.once(reviewed=refused.plan.digest)

    assert list(outcomes_of(report).values()) == ["done"] * 10


def test_the_day_before_counts_against_the_limit(tmp_path: Path) -> None:
    scene = limited(tmp_path, Limits(changes=4, share=1.0))
    scene.comes_back(*MANY[3:])
    scene.once()
    scene.moves(*MANY[3:5])
    scene.clock.move(timedelta(hours=23))
    refused = scene.once()
    scene.clock.move(timedelta(hours=2))

    report = scene.once()

    assert "turning off 2 switches with 3 in the last 24 hours" in refused.alerts[0].text
    assert outcomes_of(report) == dict.fromkeys(MANY[3:5], "done")


def test_a_limit_never_stops_a_turn_on(tmp_path: Path) -> None:
    scene = limited(tmp_path, Limits(changes=10, share=1.0))
    scene.comes_back(*MANY[:5])
    scene.once()
    scene.policy = replace(scene.policy, limits=Limits(changes=1))
    scene.moves(*MANY[:5])
    scene.comes_back(*MANY[5:])

    report = scene.once()

    assert outcomes_of(report) == dict.fromkeys(MANY[:5], "refused") | dict.fromkeys(MANY[5:], "done")


def test_names_nobody_may_host_are_turned_off_despite_limits_which_do_not_count_them(tmp_path: Path) -> None:
    scene = limited(tmp_path, Limits(changes=0), MANY[4])

    report = scene.once()

    assert {name for name, outcome in outcomes_of(report).items() if outcome == "done"} == {MANY[4]}
    assert [alert.code for alert in report.alerts][:2] == ["limits.changes", "never-local"]
    (change,) = scene.changes()
    assert change.is_never_local


def test_in_mode_report_a_limit_refuses_nothing_and_is_no_failure_of_the_pass(tmp_path: Path) -> None:
    scene = limited(tmp_path, Limits(changes=5))
    scene.mode = Mode.REPORT

    report = scene.once()

    assert report.servers[0].refusal is not None
    with scene.reading() as reader:
        assert reader.last_passes()[0].error_code is None


# ---- public DNS or the panel in trouble


def test_too_many_unknown_names_stop_turn_offs_and_not_turn_ons(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, *MANY, policy=Policy(confirm=AT_ONCE, limits=Limits(share=1.0)))
    scene.comes_back(*MANY[1:])
    scene.once()
    scene.comes_back(MANY[0])
    scene.moves(MANY[1])
    scene.view.publish(SILENT, *MANY[6:9])

    report = scene.once()

    assert outcomes_of(report) == {MANY[0]: "done", MANY[1]: "refused"}
    assert "3 of 11 names with a known route are unknown now" in (entries_of(report)[MANY[1]].error or "")
    with scene.reading() as reader:
        assert reader.last_passes()[0].error_code == "limits.unknown_share"


def test_a_name_unknown_for_longer_than_a_week_counts_no_more(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, *MANY, policy=Policy(confirm=AT_ONCE, limits=Limits(share=1.0)))
    scene.comes_back(*MANY)
    scene.once()
    scene.view.publish(SILENT, *MANY[6:9])
    scene.passes(2, every=timedelta(days=8))
    scene.moves(MANY[1])

    assert outcomes_of(scene.once()) == {MANY[1]: "done"}


def test_in_a_first_pass_a_failing_vantage_stops_turn_offs(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    scene.view.failures = 21

    report = scene.once()

    assert outcomes_of(report) == {"moved.example": "refused"}
    assert "vantage a failed 21 of 100 questions" in (entries_of(report)["moved.example"].error or "")


def test_a_shrunk_inventory_stops_turn_offs_for_a_day(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, *MANY, policy=Policy(confirm=AT_ONCE, limits=Limits(share=1.0)))
    scene.comes_back(*MANY)
    scene.once()
    for name in MANY[4:]:
        del scene.plesk.domains[name]
    scene.moves(MANY[0])
    codes = []
    for _ in range(25):
        scene.clock.move(timedelta(hours=1))
        report = scene.once()
        codes.append(report.servers[0].refusal and report.servers[0].refusal.code)

    assert codes == ["inventory-shrunk"] * 24 + [None]
    assert scene.plesk.writes == [(MANY[0], "off")]


def test_an_inventory_that_recovers_starts_no_day(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, *MANY)
    scene.comes_back(*MANY)
    scene.once()
    hosted = dict(scene.plesk.domains)
    scene.plesk.domains.clear()
    empty = scene.once()
    scene.plesk.domains.update(hosted)

    report = scene.once()

    assert empty.servers[0].refusal is not None
    assert empty.servers[0].refusal.text.startswith("the panel lists no names where it had 11")
    assert report.servers[0].refusal is None
    with scene.reading() as reader:
        state = reader.server_state("web01")
    assert state is not None
    assert state.smaller_since is None


def test_a_pass_over_some_names_judges_by_them(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, "moved.example", "null.example")
    scene.view.publish(NullMX(ttl=timedelta(hours=1)), "null.example")

    report = scene.dry_run(scope=Scope(names=frozenset({DomainName("null.example")})))

    assert list(entries_of(report)) == ["null.example"]
    assert report.is_partial


# ---- what a review lifts


class Relayed:
    """A mail log that shows that somebody outside still delivers here."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def evidence(self, domain: HostedDomain) -> Evidence:
        del domain
        now = self._scene.clock.at
        network = ip_network("198.51.100.0/24")
        days = (now - timedelta(days=1), now - timedelta(days=2))
        outside = tuple(Deliveries(day=at.date(), network=network, messages=2, last=at) for at in days)
        return MailLog(covers=timedelta(days=7), outside=outside)


def held_by(scene: Scene, guard: Guard) -> None:
    """Bring it about that only ``guard`` holds moved.example."""
    match guard:
        case Guard.STILL_RECEIVING:
            scene.configure("web01", evidence=Relayed(scene))
        case Guard.UNKNOWN_PROVIDER:
            scene.view.publish(mx("mx.unknown.example"), "moved.example")
        case Guard.UNCONFIRMED:
            scene.policy = LATER
        case Guard.ARRIVING:
            held = scene.plesk.domains["moved.example"]
            scene.plesk.domains["moved.example"] = replace(held, created=NOW.date())
        case Guard.RE_ENABLED:
            scene.once()
            scene.plesk.toggle("moved.example", Switch.ON)
        case Guard.FLAPPING:
            scene.once()
            scene.comes_back("moved.example")
            scene.once()
            scene.moves("moved.example")
        case _:
            scene.mode = Mode.APPROVE


@pytest.mark.parametrize("guard", [guard for guard in Guard if guard.is_liftable])
def test_a_reviewed_plan_lifts_each_liftable_guard(tmp_path: Path, guard: Guard) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)
    held_by(scene, guard)
    before = scene.dry_run()

    report = scene.once(reviewed=before.plan.digest)

    assert entries_of(before)["moved.example"].decision.holding == (guard,)
    assert outcomes_of(report) == {"moved.example": "done"}


def test_a_pass_asked_to_stop_finishes_the_change_under_way_and_leaves_the_rest(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE, *MANY[:3])
    request = PassRequest(by="alice", is_stopping=lambda: len(scene.plesk.writes) == 1)

    report = once(scene.setup, request)

    assert list(outcomes_of(report).values()) == ["done"]
    assert [change.outcome for change in scene.changes()] == [Outcome.DONE]
    assert list(outcomes_of(scene.once()).values()) == ["done"] * 2


def test_a_pass_asked_to_stop_while_it_looks_records_nothing(tmp_path: Path) -> None:
    scene = a_scene(tmp_path, Mode.ENFORCE)

    with pytest.raises(Stopped):
        once(scene.setup, PassRequest(by="alice", is_stopping=lambda: True))

    with scene.reading() as reader:
        assert reader.run_count() == 0
