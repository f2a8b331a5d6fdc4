"""The metrics say what the last passes found, in bounded label sets, in a format that Prometheus reads."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import yaml
from hypothesis import given
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from mailswitch import __version__
from mailswitch.core.ledger import Guard, ServerPass
from mailswitch.core.limits import Refusal, VantageFailures
from mailswitch.core.policy import Mode, Route
from mailswitch.core.reports import DomainOutcome, PassReport, ServerError
from mailswitch.core.table import Verdict
from mailswitch.core.traffic import Stray, Traffic
from mailswitch.report.metrics import Metrics
from tests.support.builders import NOW, a_decision, a_domain, a_finding, a_report, a_server, an_entry
from tests.support.report_strategies import passes

DOCS = Path(__file__).parents[2] / "docs"
SECOND = timedelta(seconds=1)
_ORDER = ("server", "vantage", "way", "route", "decision", "reason", "to", "outcome", "result", "kind", "version")
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(metrics: Metrics, *, with_ages: bool = True) -> Samples:
    """Every sample by its name and its label values."""
    text = metrics.exposition(now=NOW + 64 * SECOND if with_ages else None).decode()
    return {
        (
            sample.name.removeprefix("mailswitch_"),
            tuple(sample.labels[one] for one in _ORDER if one in sample.labels),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def after(*reports: PassReport, whole: tuple[str, ...] = ("web01",)) -> Samples:
    metrics = Metrics(["web01", "web02"], ["a", "b"])
    for report in reports:
        metrics.pass_done(report, whole=whole, elapsed=4 * SECOND)
    return samples(metrics)


def a_pass(*entries: object, **server: object) -> PassReport:
    return a_report(a_server(*entries, **server), mode=Mode.ENFORCE, is_dry_run=False)  # type: ignore[arg-type]


def test_a_pass_tells_when_it_ended_how_long_it_took_and_its_age() -> None:
    found = after(a_pass())

    assert found["last_pass_timestamp_seconds", ("web01",)] == (NOW + 4 * SECOND).timestamp()
    assert found["last_pass_age_seconds", ("web01",)] == 60
    assert found["last_pass_duration_seconds", ("web01",)] == 4


def test_a_server_never_looked_at_is_as_old_as_can_be() -> None:
    found = after(a_pass())

    assert found["last_pass_timestamp_seconds", ("web02",)] == 0
    assert ("last_pass_age_seconds", ("web02",)) not in found


def test_a_file_has_no_ages() -> None:
    assert not [name for name, _ in samples(Metrics(["web01"], []), with_ages=False) if name.endswith("age_seconds")]


def test_names_are_counted_by_route_and_decision() -> None:
    here = an_entry("h.example", finding=a_finding(Route.HERE), decision=a_decision(Verdict.KEEP))
    found = after(a_pass(an_entry(), an_entry("b.example"), here))

    assert found["domains", ("web01", "elsewhere", "turn-off")] == 2
    assert found["domains", ("web01", "here", "keep")] == 1


def test_held_names_are_counted_by_guard_or_else_by_route() -> None:
    pinned = an_entry(decision=a_decision(holding=(Guard.PINNED, Guard.UNCONFIRMED)))
    parked = an_entry("p.example", finding=a_finding(Route.PARKED), decision=a_decision(Verdict.HOLD))
    found = after(a_pass(pinned, parked))

    held = {labels[1]: number for (name, labels), number in found.items() if name == "held_domains"}
    assert held == {"pinned": 1, "unconfirmed": 1, "parked": 1}


def test_changes_are_counted_for_the_pass_and_for_the_process() -> None:
    done = an_entry(outcome=DomainOutcome.DONE)
    back = an_entry(
        "b.example",
        domain=a_domain("b.example"),
        decision=a_decision(Verdict.TURN_ON),
        outcome=DomainOutcome.FAILED,
    )
    found = after(a_pass(done, back), a_pass(done))

    assert found["last_pass_changes", ("web01", "off", "done")] == 1
    assert ("last_pass_changes", ("web01", "on", "failed")) not in found
    assert found["changes_total", ("web01", "off", "done")] == 2
    assert found["changes_total", ("web01", "on", "failed")] == 1


def test_refused_mail_is_counted_until_it_is_accepted() -> None:
    waiting = an_entry(decision=a_decision(Verdict.TURN_ON))
    done = an_entry(decision=a_decision(Verdict.TURN_ON), outcome=DomainOutcome.DONE)

    assert after(a_pass(waiting))["mail_refused_domains", ("web01",)] == 1
    assert after(a_pass(waiting), a_pass(done))["mail_refused_domains", ("web01",)] == 0


def test_a_limit_that_holds_back_is_told_by_its_key_while_it_does() -> None:
    refusal = Refusal(server="web01", code="limits.changes", text="too many")
    refused = a_pass(an_entry(outcome=DomainOutcome.REFUSED), refusal=refusal)

    assert after(refused)["turn_offs_refused", ("web01", "limits.changes")] == 1
    assert not [key for key in after(refused, a_pass()) if key[0] == "turn_offs_refused"]
    assert not [key for key in after(a_pass(an_entry(), refusal=refusal)) if key[0] == "turn_offs_refused"]


def test_a_server_that_fails_keeps_what_was_last_known_of_its_names() -> None:
    found = after(a_pass(an_entry()), a_pass(error=ServerError(code="unreachable", text="no answer")))

    assert found["server_failing", ("web01",)] == 1
    assert found["domains", ("web01", "elsewhere", "turn-off")] == 1
    assert after(a_pass(error=ServerError(code="x", text="y")), a_pass())["server_failing", ("web01",)] == 0


def test_a_look_at_some_names_counts_changes_and_lookups_only() -> None:
    whole = a_pass(an_entry(), an_entry("b.example"))
    metrics = Metrics(["web01"], ["a"])
    metrics.pass_done(whole, whole=("web01",), elapsed=SECOND)
    before = samples(metrics)
    metrics.pass_done(a_pass(an_entry(outcome=DomainOutcome.DONE)), whole=(), elapsed=9 * SECOND)

    found = samples(metrics)
    assert found["domains", ("web01", "elsewhere", "turn-off")] == 2
    assert found["last_pass_duration_seconds", ("web01",)] == before["last_pass_duration_seconds", ("web01",)]
    assert found["changes_total", ("web01", "off", "done")] == 1


def test_lookups_are_counted_by_vantage_and_result() -> None:
    counts = (
        VantageFailures(name="a", queries=10, failures=3),
        VantageFailures(name="stranger", queries=1, failures=0),
    )
    report = replace(a_pass(), lookups=counts)
    found = after(report, report)

    assert found["last_pass_lookups", ("a", "answered")] == 7
    assert found["last_pass_lookups", ("a", "failed")] == 3
    assert found["last_pass_lookups", ("b", "failed")] == 0
    assert found["lookups_total", ("a", "answered")] == 14
    assert not [key for key in found if "stranger" in key[1]]


def test_how_it_stands_is_told() -> None:
    metrics = Metrics(["web01"], [])
    metrics.standing(unsettled=2, is_paused=True)
    metrics.pass_failed()
    metrics.notice_sent("mail", is_done=True)
    metrics.notice_sent("webhook", is_done=False)

    found = samples(metrics)
    assert found["unsettled_intents", ()] == 2
    assert found["paused", ()] == 1
    assert (found["last_pass_failed", ()], found["pass_failures_total", ()]) == (1, 1)
    assert found["notices_total", ("mail", "done")] == found["notices_total", ("webhook", "failed")] == 1
    assert found["build_info", (__version__,)] == 1
    metrics.pass_done(a_pass(), whole=("web01",), elapsed=SECOND)
    assert (samples(metrics)["last_pass_failed", ()], samples(metrics)["passes_total", ()]) == (0, 1)


def test_passes_before_this_process_are_remembered() -> None:
    metrics = Metrics(["web01"], [])
    known = ServerPass(run_id="r", server="web01", finished=NOW, error_code="x", error_text="y", counts=())
    metrics.remember([known, ServerPass(**{**{f: getattr(known, f) for f in ServerPass.__slots__}, "server": "gone"})])

    found = samples(metrics)
    assert found["last_pass_timestamp_seconds", ("web01",)] == NOW.timestamp()
    assert found["server_failing", ("web01",)] == 1
    assert not [key for key in found if "gone" in key[1]]


@given(report=passes())
def test_whatever_a_pass_holds_the_label_sets_are_bounded_and_readable(report: PassReport) -> None:
    metrics = Metrics(["web01"], ["a"])
    metrics.pass_done(report, whole=[server.name for server in report.servers], elapsed=SECOND)

    found = samples(metrics)
    assert {labels[0] for (name, labels) in found if name == "domains"} <= {"web01"}
    assert not [labels for _, labels in found if any("example" in label for label in labels)]


A_TRAFFIC = Traffic(
    retries=3,
    timeouts=2,
    strays=((Stray.LATE, 4), (Stray.OTHER_CASE, 1)),
    rate=25.0,
    round_trip=timedelta(milliseconds=40),
)


def test_what_was_lost_repeated_and_passed_over_is_counted_for_each_vantage() -> None:
    fared = replace(
        a_pass(),
        lookups=(
            VantageFailures(name="a", queries=10, failures=1, traffic=A_TRAFFIC),
            VantageFailures(name="gone", queries=10, failures=1, traffic=A_TRAFFIC),
        ),
    )
    found = after(fared, fared)

    assert found["lookup_retries_total", ("a",)] == 6
    assert found["lookup_timeouts_total", ("a",)] == 4
    assert found["lookup_strays_total", ("a", "late")] == 8
    assert found["lookup_strays_total", ("a", "other-case")] == 2
    assert found["lookup_retries_total", ("b",)] == 0
    assert {labels[1] for name, labels in found if name == "lookup_strays_total"} == {one.value for one in Stray}
    assert not [labels for _, labels in found if "gone" in labels]


def test_what_came_for_nobody_is_counted_without_labels_and_left_out_while_it_is_not_known() -> None:
    unknown, some = a_pass(), replace(a_pass(), unmatched=4)

    assert "lookup_unmatched_datagrams_total" not in {name for name, _ in after(unknown)}
    assert after(some, unknown, some)["lookup_unmatched_datagrams_total", ()] == 8
    assert after(replace(a_pass(), unmatched=0))["lookup_unmatched_datagrams_total", ()] == 0


def test_the_pace_of_each_vantage_is_that_of_the_last_pass() -> None:
    fared = replace(a_pass(), lookups=(VantageFailures(name="a", queries=10, failures=1, traffic=A_TRAFFIC),))
    dead = Traffic(is_given_up=True)
    later = replace(a_pass(), lookups=(VantageFailures(name="a", queries=10, failures=10, traffic=dead),))

    found = after(fared)
    assert found["vantage_rate", ("a",)] == 25
    assert found["vantage_round_trip_seconds", ("a",)] == 0.04
    assert found["vantage_given_up", ("a",)] == 0
    found = after(fared, later)
    assert ("vantage_round_trip_seconds", ("a",)) not in found
    assert found["vantage_given_up", ("a",)] == 1


def test_the_page_explains_every_kind_of_stray() -> None:
    page = (DOCS / "notices.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `([a-z-]+)` \|", page.split("| kind | what came |")[1], re.MULTILINE)) == {*Stray}


def test_the_process_wide_registry_is_left_alone() -> None:
    after(a_pass())

    assert "mailswitch" not in {family.name.partition("_")[0] for family in REGISTRY.collect()}


# --- The papers ----------------------------------------------------------------------------------


def names() -> set[str]:
    text = Metrics(["web01"], ["a"]).exposition(now=NOW).decode()
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def test_the_page_lists_every_metric_with_its_labels() -> None:
    page = (DOCS / "notices.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(mailswitch_\w+)` \|", page, re.MULTILINE)) == names()


def test_the_example_rules_load_and_name_metrics_that_exist() -> None:
    text = (DOCS / "alerts.example.yml").read_text(encoding="utf-8")
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]

    assert {name for rule in rules for name in re.findall(r"mailswitch_\w+", rule["expr"])} <= names()
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 8
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
