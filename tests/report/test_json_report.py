"""The JSON report has the documented shape, and its plan reads back or is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.errors import ConfigError
from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.policy import Route
from mailswitch.core.reports import DomainOutcome, PassReport, ServerError
from mailswitch.core.table import Verdict
from mailswitch.report.documents import document, moment
from mailswitch.report.json_report import LARGEST_PLAN_FILE, plan_from_json, report_json
from tests.support.builders import (
    NOW,
    a_decision,
    a_domain,
    a_finding,
    a_report,
    a_server,
    an_alert,
    an_entry,
    an_exchange,
)
from tests.support.report_strategies import passes

ON_REVIEW = a_decision(holding=(Guard.UNCONFIRMED,))


def a_plan() -> PassReport:
    back = an_entry(
        domain=a_domain("back.example", switch=Switch.OFF),
        finding=a_finding(Route.HERE, because="MX mx.example is this server"),
        decision=a_decision(Verdict.TURN_ON),
    )
    return a_report(
        a_server(an_entry("moved.example"), back, an_entry("new.example", decision=ON_REVIEW)),
        a_server(an_entry("kept.example", decision=a_decision(Verdict.KEEP)), name="web02"),
    )


def altered(change: Callable[[Any], object]) -> str:
    content = json.loads(report_json(a_plan()))
    change(content)
    return json.dumps(content)


def test_the_document_has_exactly_the_documented_keys_and_values() -> None:
    entry = an_entry(
        domain=a_domain("xn--bcher-kva.example", display_name="bücher.example", kind=Kind.ALIAS, parent="a.example"),
        finding=a_finding(
            exchanges=(
                an_exchange("alt.google.com", preference=5, addresses=()),
                an_exchange("mx.google.com", preference=1, addresses=("198.51.100.26", "2001:db8::1")),
            )
        ),
        outcome=DomainOutcome.DONE,
    )
    report = a_report(a_server(entry), alerts=(an_alert(name="gmail.com"), an_alert("unwatched", "look")))

    assert json.loads(report_json(report)) == {
        "schema": "mailswitch/report/1",
        "run": {
            "id": "20260301T120000Z-1",
            "mode": "report",
            "dry_run": True,
            "started": "2026-03-01T12:00:00Z",
            "finished": "2026-03-01T12:00:04Z",
            "plan": report.plan.digest,
        },
        "servers": [
            {
                "name": "web01",
                "panel": {"kind": "xml-api", "version": "18.0.61"},
                "addresses": ["203.0.113.10"],
                "error": None,
                "impact": None,
                "domains": [
                    {
                        "name": "xn--bcher-kva.example",
                        "display_name": "bücher.example",
                        "kind": "alias",
                        "parent": "a.example",
                        "switch": "on",
                        "route": "elsewhere",
                        "provider": "Google Workspace / Gmail",
                        "mx": [
                            {
                                "preference": 1,
                                "exchange": "mx.google.com",
                                "addresses": ["198.51.100.26", "2001:db8::1"],
                            },
                            {"preference": 5, "exchange": "alt.google.com", "addresses": []},
                        ],
                        "decision": "turn-off",
                        "on_review": False,
                        "vantages": 2,
                        "reasons": [{"code": "elsewhere", "text": "MX aspmx.l.google.com, Google Workspace / Gmail"}],
                        "outcome": "done",
                        "error": None,
                        "impact": None,
                    }
                ],
            }
        ],
        "alerts": [
            {"code": "never-local", "server": "web01", "name": "gmail.com", "text": "a tenant catches mail"},
            {"code": "unwatched", "server": "web01", "name": None, "text": "look"},
        ],
        "summary": {
            "domains": 1,
            "keep": 0,
            "hold": 0,
            "turn_off": 1,
            "turn_on": 0,
            "on_review": 0,
            "done": 1,
            "failed": 0,
        },
    }


def test_servers_stay_in_order_and_names_are_sorted() -> None:
    report = a_report(a_server(an_entry("b.example"), an_entry("a.example"), name="web02"), a_server(name="web01"))

    servers = json.loads(report_json(report))["servers"]

    assert [server["name"] for server in servers] == ["web02", "web01"]
    assert [entry["name"] for entry in servers[0]["domains"]] == ["a.example", "b.example"]


def test_a_failed_server_carries_its_error() -> None:
    report = a_report(a_server(error=ServerError(code="unreachable", text="no route"), version=None))

    server = json.loads(report_json(report))["servers"][0]

    assert server["error"] == {"code": "unreachable", "text": "no route"}
    assert server["panel"] == {"kind": "xml-api", "version": None}
    assert server["domains"] == []


def test_moments_are_in_utc_to_the_second() -> None:
    tokyo = datetime(2026, 3, 1, 21, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=9)))

    assert moment(tokyo) == "2026-03-01T12:00:00Z"
    assert moment(None) is None


def test_a_document_is_printable_ascii_without_markup_and_reads_back_exactly() -> None:
    hostile = "\x1b[31m \x7f <script>&amp; \ud800 \u202e \u2028 ü"

    text = document("mailswitch/test/1", {"text": hostile})

    assert all(character == "\n" or " " <= character <= "~" for character in text)
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"schema": "mailswitch/test/1", "text": hostile}


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(passes())
def test_a_report_has_a_line_for_each_name_and_nothing_that_could_break_out_of_a_page(report: PassReport) -> None:
    text = report_json(report)

    lines = [line for line in text.splitlines() if line.startswith('      {"name": ')]
    assert len(lines) == sum(len(server.domains) for server in report.servers)
    assert all(json.loads(line.removesuffix(","))["name"] for line in lines)
    assert all(character == "\n" or " " <= character <= "~" for character in text)
    assert not set("<>&") & set(text)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(passes())
def test_the_plan_read_back_is_the_plan_of_the_pass(report: PassReport) -> None:
    reviewed = plan_from_json(report_json(report))

    assert reviewed.entries == tuple(sorted((*report.plan.changes, *report.plan.on_review)))
    assert reviewed.digest == report.plan.digest


def test_what_a_limit_refuses_is_part_of_the_plan_read_back() -> None:
    refusal = Refusal(server="web01", code="limits.changes", text="too many")

    reviewed = plan_from_json(report_json(a_report(a_server(an_entry(), refusal=refusal))))

    assert [str(entry.name) for entry in reviewed.entries] == ["moved.example"]


def test_a_byte_order_mark_before_the_file_is_ignored() -> None:
    assert plan_from_json("\ufeff" + report_json(a_plan())).digest == a_plan().plan.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["servers"][0]["domains"].pop(),
        lambda content: content["servers"][0].update(name="web09"),
        lambda content: content["servers"][0]["domains"][1].update(route="gateway"),
        lambda content: content["servers"][0]["domains"][1].update(kind="alias"),
        lambda content: content["servers"][0]["domains"][1].update(switch="unknown"),
        lambda content: content["servers"][0]["domains"][1].update(mx=[]),
        lambda content: content["servers"][1]["domains"][0].update(decision="turn-off"),
        lambda content: content["run"].update(plan="0" * 16),
    ],
    ids=["name gone", "server", "route", "kind", "switch", "exchanges", "decision added", "digest"],
)
def test_an_altered_report_is_refused(change: Callable[[Any], object]) -> None:
    with pytest.raises(ConfigError, match="altered or is a report of a part only"):
        plan_from_json(altered(change))


def test_texts_times_and_kept_names_do_not_bind_a_plan() -> None:
    def change(content: Any) -> None:
        content["run"]["started"] = "2030-01-01T00:00:00Z"
        content["servers"][1]["domains"] = []
        for entry in content["servers"][0]["domains"]:
            entry["reasons"] = []
            entry["mx"][0]["addresses"] = ["192.0.2.1"]
            entry["mx"][0]["preference"] = 77

    assert plan_from_json(altered(change)).digest == a_plan().plan.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON"),
        ("name,switch\r\n", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('{"schema": ' + "9" * 5000 + "}", "it is not JSON"),
        ("[]", "the file is .* should be an object"),
        ("{}", "no mailswitch report"),
        ('{"schema": 1}', "no mailswitch report"),
        ('{"schema": "mailswitch/status/1"}', "no mailswitch report"),
        ('{"schema": "mailswitch/report/2"}', "this mailswitch reads 'mailswitch/report/1'"),
        ('{"schema": "mailswitch/report/1"}', "run is missing"),
    ],
)
def test_what_is_no_report_of_this_version_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_from_json(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["run"].update(plan=7), r"run\.plan is 7 and should be a text"),
        (lambda content: content.update(servers={}), r"servers is \{\} and should be a list"),
        (lambda content: content["servers"][0].update(domains=None), r"servers\[0\]\.domains is None"),
        (lambda content: content["servers"][0]["domains"][0].pop("kind"), r"domains\[0\]\.kind is missing"),
        (lambda content: content["servers"][0]["domains"][0].update(kind="zone"), "should be one of domain, addon"),
        (lambda content: content["servers"][0]["domains"][0].update(name="a b"), "should be a domain name"),
        (lambda content: content["servers"][0]["domains"][0].update(on_review="true"), "should be true or false"),
        (lambda content: content["servers"][0]["domains"][0].update(name="x" * 4000), r"\.\.\. and should be"),
    ],
)
def test_a_damaged_report_names_the_place(change: Callable[[Any], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_from_json(altered(change))


def test_a_file_beyond_all_reason_is_refused_unread() -> None:
    with pytest.raises(ConfigError, match="longer than"):
        plan_from_json("[" * (LARGEST_PLAN_FILE + 1))


def test_a_pass_without_anything_is_an_empty_plan() -> None:
    report = a_report()

    assert plan_from_json(report_json(report)).entries == ()
    assert json.loads(report_json(report))["run"]["started"] == moment(NOW)
