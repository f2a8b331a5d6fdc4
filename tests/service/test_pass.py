"""One pass: the same look for dry run and once, what each leaves behind, and who is asked how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.errors import AlreadyRunning, ConfigError, InventoryError
from mailswitch.core.ledger import Claim, Outcome
from mailswitch.core.mx import Addresses, HostAnswer, Indeterminate, NoMX, NoSuchHost, address
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Mode, Route
from mailswitch.core.table import Verdict
from mailswitch.service.observe import Scope
from mailswitch.service.reconcile import PassRequest, dry_run
from tests.support.ports import (
    HERE,
    SILENT,
    Scene,
    Whim,
    an_alias,
    entries_of,
    mx,
    outcomes_of,
    stands_for,
)

DOWN = InventoryError("web02: the panel does not answer", code="unreachable")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "moved.example")


# ---- dry run and once


def test_a_dry_run_writes_nothing_records_nothing_and_makes_no_file(scene: Scene) -> None:
    report = scene.dry_run()

    assert [str(change.name) for change in report.plan.changes] == ["moved.example"]
    assert report.is_dry_run
    assert scene.plesk.calls == [("inventory",)]
    assert list(scene.folder.iterdir()) == []


def test_a_dry_run_beside_a_ledger_leaves_it_as_it_is(scene: Scene) -> None:
    scene.once()
    scene.comes_back("moved.example")
    with scene.reading() as reader:
        before = (reader.run_count(), reader.histories("web01"), reader.changes(), reader.last_passes())

    scene.dry_run()

    with scene.reading() as reader:
        assert (reader.run_count(), reader.histories("web01"), reader.changes(), reader.last_passes()) == before


def test_a_dry_run_needs_no_lock_and_a_pass_does(scene: Scene) -> None:
    with scene.place.locked():
        assert scene.dry_run().plan.changes
        with pytest.raises(AlreadyRunning):
            scene.once()


def test_a_dry_run_and_a_pass_decide_the_same(scene: Scene) -> None:
    dry, real = scene.dry_run(), scene.once()

    assert dry.plan == real.plan
    assert outcomes_of(dry) == {}
    assert outcomes_of(real) == {"moved.example": "done"}
    assert not real.is_dry_run


def test_a_pass_records_its_run_and_what_it_saw(scene: Scene) -> None:
    report = scene.once()

    with scene.reading() as reader:
        run, (done,) = reader.last_run(), reader.last_passes()
        state = reader.server_state("web01")
    assert run is not None
    assert (run.id, run.by, run.mode, run.plan) == (report.run_id, "alice", Mode.ENFORCE, report.plan.digest)
    assert (run.finished, run.changes_done, run.changes_failed) == (report.finished, 1, 0)
    assert (dict(done.counts)["domains"], dict(done.counts)["done"], done.error_code) == (2, 1, None)
    assert state is not None
    assert state.inventory_size == 2


def test_deciding_again_after_applying_gives_an_empty_plan(scene: Scene) -> None:
    scene.once()

    again = scene.once()

    assert (again.plan.changes, again.plan.on_review) == ((), ())
    assert scene.plesk.writes == [("moved.example", "off")]


def test_panels_are_closed_after_a_pass(scene: Scene) -> None:
    opened = []
    (server,) = scene.setup.servers

    def opener() -> object:
        opened.append(scene.plesk.open())
        return opened[-1]

    setup = replace(scene.setup, servers=(replace(server, open_panel=opener),))  # type: ignore[arg-type]  # a fake
    dry_run(setup, PassRequest(by="alice"))

    assert [panel.is_open for panel in opened] == [False]


def test_progress_is_told(scene: Scene) -> None:
    told: list[tuple[int, int]] = []

    dry_run(scene.setup, PassRequest(by="alice", progress=lambda done, total: told.append((done, total))))

    assert told == [(1, 2), (2, 2)]


# ---- several servers


def test_a_server_that_fails_is_reported_and_stops_nobody_else(scene: Scene) -> None:
    scene.add_server("web02").failure = DOWN

    report = scene.once()

    failed = report.servers[1]
    assert failed.error is not None
    assert (failed.error.code, failed.domains) == ("unreachable", ())
    assert outcomes_of(report) == {"moved.example": "done"}
    with scene.reading() as reader:
        assert [one.error_code for one in reader.last_passes()] == [None, "unreachable"]
        assert reader.server_state("web02") is None


def test_a_panel_that_breaks_off_while_it_is_read_stops_nobody_else(scene: Scene) -> None:
    other = scene.add_server("web02")

    def break_off() -> None:
        raise DOWN

    other.meanwhile = break_off

    report = scene.once()

    error = report.servers[1].error
    assert error is not None
    assert error.text == str(DOWN)
    assert outcomes_of(report) == {"moved.example": "done"}


def test_a_server_that_is_configured_wrongly_stops_nobody_else(scene: Scene) -> None:
    def unusable() -> None:
        raise ConfigError("tls.ca_file cannot be read")

    scene.add_server("web02", open_panel=unusable)

    report = scene.once()

    error = report.servers[1].error
    assert error is not None
    assert (error.code, error.text) == ("configuration", "web02: tls.ca_file cannot be read")
    assert outcomes_of(report) == {"moved.example": "done"}


def test_a_pass_in_which_every_panel_fails_asks_public_dns_nothing(scene: Scene) -> None:
    scene.plesk.failure = DOWN

    scene.once()

    assert scene.view.first == []


def test_two_servers_with_one_name_are_judged_each_by_its_own_addresses(scene: Scene) -> None:
    old_home = scene.plesk
    new_home = scene.add_server("web02", addresses=frozenset({address("198.51.100.26")}))
    new_home.host("moved.example")

    report = scene.once()

    assert entries_of(report, "web01")["moved.example"].finding.route is Route.ELSEWHERE
    assert entries_of(report, "web02")["moved.example"].finding.route is Route.HERE
    assert (old_home.switch("moved.example"), new_home.switch("moved.example")) == (Switch.OFF, Switch.ON)
    assert scene.view.first.count("moved.example") == 1


def test_only_the_servers_asked_for_are_looked_at(scene: Scene) -> None:
    other = scene.add_server("web02")

    report = scene.dry_run(scope=Scope(servers=frozenset({"web01"})))

    assert [server.name for server in report.servers] == ["web01"]
    assert report.is_partial
    assert other.opened == 0


def test_a_configuration_without_the_server_asked_for_gives_an_empty_report(scene: Scene) -> None:
    assert scene.dry_run(scope=Scope(servers=frozenset({"nobody"}))).servers == ()


# ---- who is asked


def test_most_names_cost_one_opinion_and_only_a_possible_change_asks_everybody(scene: Scene) -> None:
    scene.plesk.host("gateway.example", "broken.example")
    scene.view.publish(mx("in.filter.example"), "gateway.example")
    scene.view.publish(SILENT, "broken.example")

    scene.once()

    assert sorted(scene.view.first) == ["broken.example", "gateway.example", "here.example", "moved.example"]
    assert sorted(scene.view.every) == ["broken.example", "moved.example"]


def test_a_thorough_look_asks_everybody_about_every_name(scene: Scene) -> None:
    scene.dry_run(scope=Scope(is_thorough=True))

    assert sorted(scene.view.every) == ["here.example", "moved.example"]


def test_what_is_off_already_asks_everybody_only_if_it_could_be_turned_on(scene: Scene) -> None:
    scene.plesk.host("off.example", switch=Switch.OFF)
    scene.view.publish(HERE, "off.example")
    scene.once()
    scene.view.every.clear()

    scene.once()
    still_away = list(scene.view.every)
    scene.comes_back("moved.example")
    scene.once()

    assert still_away == []
    assert scene.view.every == ["moved.example"]


def test_the_first_opinion_rotates_from_pass_to_pass(scene: Scene) -> None:
    for _ in range(3):
        scene.once()

    assert scene.view.rotations == [0, 1, 2]


def test_nobody_is_asked_about_wildcards_and_underscore_names(scene: Scene) -> None:
    scene.plesk.host("*.moved.example", "_dmarc.moved.example")

    report = scene.once()

    assert sorted(scene.view.first) == ["here.example", "moved.example"]
    assert entries_of(report)["*.moved.example"].decision.verdict is Verdict.HOLD


def test_one_vantage_that_disagrees_stops_a_turn_off(scene: Scene) -> None:
    scene.view.says("c", "moved.example", HERE)

    report = scene.once()

    entry = entries_of(report)["moved.example"]
    assert (entry.finding.route, entry.decision.verdict) == (Route.UNKNOWN, Verdict.HOLD)
    assert scene.plesk.writes == []


# ---- aliases


def test_an_alias_that_one_vantage_sees_parked_and_others_here_still_holds_its_domain(scene: Scene) -> None:
    """The first opinion about the alias changes nothing of the alias, but would let its domain be turned off."""
    an_alias(scene.plesk, "alias.example", "moved.example")
    scene.view.publish(HERE, "alias.example")
    scene.view.says("a", "alias.example", NoMX(ttl=timedelta(hours=1)))

    report = scene.once()

    assert entries_of(report)["moved.example"].decision.holding == ("needed-by-alias",)
    assert "alias.example" in scene.view.every
    assert scene.plesk.writes == []


def test_an_alias_needed_turns_its_domain_on_again(scene: Scene) -> None:
    an_alias(scene.plesk, "alias.example", "moved.example", switch=Switch.OFF)
    scene.view.publish(HERE, "alias.example")
    scene.once()
    assert scene.plesk.switch("moved.example") is Switch.OFF
    scene.plesk.toggle("alias.example", Switch.ON)

    report = scene.once()

    assert outcomes_of(report) == {"moved.example": "done"}
    assert scene.plesk.switch("moved.example") is Switch.ON


def test_a_look_at_one_name_takes_its_aliases_and_its_main_domain_along(scene: Scene) -> None:
    an_alias(scene.plesk, "alias.example", "moved.example")
    scene.plesk.host("sub.moved.example", kind=Kind.SUBDOMAIN, parent="moved.example")

    of_domain = scene.dry_run(scope=Scope(names=frozenset({DomainName("moved.example")})))
    of_alias = scene.dry_run(scope=Scope(names=frozenset({DomainName("alias.example")})))

    assert sorted(entries_of(of_domain)) == sorted(entries_of(of_alias)) == ["alias.example", "moved.example"]


# ---- what is ours


def hosts(scene: Scene, *, answer: HostAnswer) -> None:
    scene.view.hosts["filter.hoster.example"] = answer


@pytest.mark.parametrize("answer", [Indeterminate("SERVFAIL"), NoSuchHost()])
def test_local_hosts_that_cannot_be_resolved_refuse_the_server(tmp_path: Path, answer: HostAnswer) -> None:
    scene = Scene(tmp_path, "moved.example", hosts=(NamePattern("filter.hoster.example"),))
    hosts(scene, answer=answer)

    report = scene.once()

    error = report.servers[0].error
    assert error is not None
    assert error.code == "ours-incomplete"
    assert "filter.hoster.example" in error.text
    assert scene.plesk.writes == []


def test_local_hosts_are_ours_by_their_addresses(tmp_path: Path) -> None:
    """A customer's own name for the hoster's filter is ours too."""
    scene = Scene(tmp_path, "vanity.example", hosts=(NamePattern("filter.hoster.example"), NamePattern("*.in.example")))
    hosts(scene, answer=Addresses(addresses=frozenset({address("198.51.100.99")})))
    scene.view.publish(mx("mx.vanity.example"), "vanity.example")
    scene.view.hosts["mx.vanity.example"] = Addresses(addresses=frozenset({address("198.51.100.99")}))

    report = scene.once()

    assert entries_of(report)["vanity.example"].finding.route is Route.HERE


def test_what_is_seen_with_an_incomplete_ours_is_no_sighting(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "moved.example", hosts=(NamePattern("filter.hoster.example"),))
    hosts(scene, answer=SILENT)

    scene.once()

    with scene.reading() as reader:
        assert reader.histories("web01") == {}
        assert reader.server_state("web01") is None
        assert [one.error_code for one in reader.last_passes()] == ["ours-incomplete"]


def test_mail_that_comes_back_is_accepted_even_while_ours_is_incomplete(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "moved.example", hosts=(NamePattern("filter.hoster.example"),))
    hosts(scene, answer=Addresses(addresses=frozenset({address("198.51.100.99")})))
    scene.once()
    scene.comes_back("moved.example")
    hosts(scene, answer=SILENT)

    report = scene.once()

    assert outcomes_of(report) == {"moved.example": "done"}
    assert scene.plesk.switch("moved.example") is Switch.ON


# ---- settling


def test_open_intents_are_settled_before_anything_else(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.UNREADABLE]
    scene.once()
    (change,) = scene.changes()
    scene.plesk.unreadable.clear()
    scene.plesk.calls.clear()

    scene.once()

    assert scene.plesk.calls[:2] == [("read", "moved.example"), ("inventory",)]
    (settled,) = scene.changes()
    assert (change.outcome, settled.outcome) == (None, Outcome.DONE)
    assert scene.history().claim is Claim.OURS
    assert scene.plesk.writes == []


def test_an_intent_on_a_silent_panel_stays_open_and_is_told(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.UNREADABLE]
    scene.once()
    scene.plesk.failure = DOWN

    report = scene.once()

    assert [alert.code for alert in report.alerts] == ["unsettled"]
    assert [change.outcome for change in scene.changes()] == [None]


def test_a_name_with_an_open_intent_is_not_touched(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.LOST_UNREADABLE]
    scene.once()

    report = scene.once()

    entry = entries_of(report)["moved.example"]
    assert entry.outcome == "refused"
    assert "not settled yet" in (entry.error or "")
    assert scene.plesk.writes == [("moved.example", "off")]


def test_a_server_without_open_intents_is_not_bothered_for_settling(scene: Scene) -> None:
    scene.add_server("web02").host("here.example")
    scene.plesk.whims["moved.example"] = [Whim.UNREADABLE]
    scene.once()
    opened = scene.plesks["web02"].opened

    scene.once()

    assert scene.plesks["web02"].opened == opened + 1
    assert stands_for(scene.changes()) == [("moved.example", "off", None)]
