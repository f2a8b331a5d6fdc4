"""The worlds that are shipped, seen by the real program: what the demo promises to show, it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailswitch.cli.main import main
from mailswitch.core.domain import Switch
from mailswitch.core.policy import Route
from mailswitch.simulation.builtin import demo_world
from mailswitch.simulation.first_day import first_day
from mailswitch.simulation.schemas import SchemaSet
from mailswitch.simulation.stage import Stage
from mailswitch.simulation.world import World
from mailswitch.simulation.world_file import parse_world

GUARDS_SHOWN = {
    "not-managed", "suspended", "stops-sending", "needed-by-alias", "own-resolver", "unknown-provider", "arriving",
}  # fmt: skip
"""The others need a history or a person, and are shown by the tour or by commands."""


def domains_of(report: Any) -> dict[str, Any]:
    return {domain["name"]: domain for server in report["servers"] for domain in server["domains"]}


def report_of(world: World, folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    with Stage(world, folder / "world") as stage:
        code = main(["--config", str(stage.config_path), "report", "--format", "json"])
        writes = [write for panel in stage.panels.values() for write in panel.writes()]
        violations = [text for panel in stage.panels.values() for text in panel.violations()]
    assert (code, writes, violations) == (0, [], [])
    return json.loads(capsys.readouterr().out)


def test_the_demo_shows_every_route_and_every_guard_that_a_name_can_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    domains = domains_of(report_of(demo_world(), tmp_path, capsys))

    assert {domain["route"] for domain in domains.values()} == {route.value for route in Route}
    held_by = {reason["code"] for domain in domains.values() for reason in domain["reasons"]}
    assert held_by >= GUARDS_SHOWN
    assert {name for name, domain in domains.items() if domain["decision"] == "turn-off"} == {
        "moved.example", "xn--bcher-kva.example", "news.cotenant.example", "cotenant-shop.example", "gmail.com",
        "dead-backup.example", "half-null.example",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "route", "reason"),
    [
        ("six.example", "here", None),
        ("cname-exchange.example", "here", None),
        ("filtered.example", "here", None),
        ("backup-here.example", "backup-here", None),
        ("still-here.example", "here", None),
        ("main-moved.example", "elsewhere", "needed-by-alias"),
        ("stale-zone.example", "elsewhere", "own-resolver"),
        ("suspended.example", "elsewhere", "suspended"),
        ("suspended-addon.example", "elsewhere", "suspended"),
        ("www-only.example", None, "not-managed"),
        ("*.cotenant.example", None, "not-managed"),
        ("own-server.example", "elsewhere", "unknown-provider"),
        ("relocated.example", "elsewhere", "unknown-provider"),
        ("arriving.example", "elsewhere", "arriving"),
        ("servfail.example", "unknown", None),
        ("disagree.example", "unknown", None),
        ("old-host-name.example", "unknown", None),
        ("windows-moved.example", "elsewhere", "stops-sending"),
        ("private-exchange.example", "dangling", None),
        ("nothing.example", "dangling", None),
    ],
)
def test_a_name_of_the_demo_shows_what_its_comment_says(
    demo_domains: dict[str, Any], name: str, route: str | None, reason: str | None
) -> None:
    domain = demo_domains[name]

    assert domain["decision"] in {"keep", "hold"}
    assert route in {None, domain["route"]}
    assert reason in {None, *(given["code"] for given in domain["reasons"])}


@pytest.fixture(scope="module")
def demo_domains(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("demo")
    with Stage(demo_world(), folder / "world") as stage:
        output = folder / "report.json"
        arguments = ["report", "--format", "json", "--output", str(output)]
        assert main(["--config", str(stage.config_path), *arguments]) == 0
    return domains_of(json.loads(output.read_text(encoding="utf-8")))


def test_the_first_day_is_all_for_review(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(parse_world(first_day()), tmp_path, capsys)

    summary = report["summary"]
    assert (summary["domains"], summary["turn_off"], summary["on_review"]) == (400, 0, 140)
    routes = [domain["route"] for domain in domains_of(report).values()]
    assert [routes.count(route) for route in ("here", "elsewhere", "gateway")] == [250, 140, 10]


@pytest.mark.schemas
def test_every_packet_of_a_pass_an_apply_and_a_revert_is_valid(tmp_path: Path) -> None:
    schemas = SchemaSet.from_environment()
    assert schemas is not None
    with Stage(demo_world(), tmp_path / "world", schemas=schemas) as stage:
        arguments = ["--config", str(stage.config_path)]
        codes = [main([*arguments, "once", "--apply"]), main([*arguments, "revert", "--all"])]
        panel = stage.panel("web01")
        packets = panel.requests("xml")
        violations = [text for each in stage.panels.values() for text in each.violations()]

    assert (codes, violations) == ([0, 0], [])
    assert [problem for request in packets for problem in schemas.validate_request(request.text.encode())] == []
    written = [request for request in packets if request.is_write]
    assert {operation for request in written for operation in request.operations} == {
        "mail/set_prefs", "site-alias/set",
    }  # fmt: skip
    assert {write.to for write in panel.writes()} == {Switch.ON, Switch.OFF}
