"""What the papers say is what the program does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mailswitch import __version__
from mailswitch.cli import exit_codes
from mailswitch.cli.main import main
from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import Guard
from mailswitch.core.policy import DEFAULT_ACTIONS, Action, Mode, Route
from mailswitch.core.reports import DomainOutcome
from mailswitch.core.table import Verdict
from mailswitch.report.json_report import REPORT_SCHEMA, report_json
from tests.support.builders import a_report, a_server, an_alert, an_entry

_ROOT = Path(__file__).parent.parent
_PAPERS = [*_ROOT.glob("*.md"), *(_ROOT / "docs").glob("*.md")]
_ACTIONS = {Action.TURN_OFF: "**turn off**", Action.HOLD: "hold", Action.KEEP: "keep"}


def _text(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _rows(text: str, heading: str) -> dict[str, list[str]]:
    """Return the table rows under a heading by the code in their first cell."""
    section = re.split(r"\n## ", text.split(f"\n## {heading}\n", 1)[1])[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if re.match(r"\| `", line)]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


@pytest.mark.parametrize("paper", _PAPERS, ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(paper: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)]+)\)", paper.read_text(encoding="utf-8"))
    dead = []
    for link in links:
        place, _, anchor = link.partition("#")
        target = paper.parent / place if place else paper
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            dead.append(link)

    assert dead == []


def _anchors(paper: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", paper.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_decision_page_has_every_route_with_its_default() -> None:
    rows = _rows(_text("docs/decisions.md"), "Route")

    assert {route: row[1] for route, row in rows.items()} == {
        route.value: _ACTIONS[action] for route, action in DEFAULT_ACTIONS.items()
    }
    assert set(rows) == {route.value for route in Route}


def test_the_decision_page_has_every_guard_in_order_and_says_what_a_review_lifts() -> None:
    rows = _rows(_text("docs/decisions.md"), "Guards")

    assert list(rows) == [guard.value for guard in Guard]
    assert {guard for guard, row in rows.items() if row[1] == "review"} == {
        guard.value for guard in Guard if guard.is_liftable
    }


def test_the_decision_page_has_every_mode_and_exit_code() -> None:
    text = _text("docs/decisions.md")
    codes = re.findall(r"^\| (\d) \|", text.split("\n## Exit codes\n")[1], re.MULTILINE)
    known = {
        exit_codes.DONE,
        exit_codes.FAILED,
        exit_codes.USAGE,
        exit_codes.REFUSED,
        exit_codes.PENDING,
        exit_codes.BUSY,
    }

    assert list(_rows(text, "Modes")) == [mode.value for mode in Mode]
    assert {int(code) for code in codes} == known
    assert {str(exit_codes.INTERRUPTED), str(exit_codes.PIPE_CLOSED)} <= set(re.findall(r"\d+", text))


def test_the_decision_page_has_every_code_the_program_uses() -> None:
    modules = [path for path in (_ROOT / "mailswitch").rglob("*.py") if "simulation" not in path.parts]
    used = {code for path in modules for code in re.findall(r'\bcode="([^"]+)"', path.read_text(encoding="utf-8"))}
    documented = set(re.findall(r"^\| `([^`]+)` \|", _text("docs/decisions.md"), re.MULTILINE))

    assert used
    assert used - documented == set()


def _shape(value: object) -> object:
    """Return the keys of a JSON value, values left out; a list has the shape of its first entry."""
    match value:
        case dict():
            return {key: _shape(inner) for key, inner in value.items()}
        case [first, *_]:
            return [_shape(first)]
        case _:
            return None


def test_the_report_page_shows_the_report_s_keys_and_version() -> None:
    text = _text("docs/report.md")
    example = json.loads(text.split("```json\n")[1].split("```")[0])
    real = json.loads(report_json(a_report(a_server(an_entry()), alerts=(an_alert(),))))

    assert _shape(example) == _shape(real)
    assert example["schema"] == REPORT_SCHEMA
    assert f"`{REPORT_SCHEMA}`" in text


@pytest.mark.parametrize("words", [Kind, Switch, Verdict, DomainOutcome, Mode])
def test_the_report_page_names_every_word_of_a_closed_choice(words: type[Kind]) -> None:
    text = _text("docs/report.md")

    assert [word for word in words if f"`{word}`" not in text] == []


def test_the_readme_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])

    listed = capsys.readouterr().out.split("Commands:")[1].split("\n\n")[0]
    table = _text("README.md").split("\n## Commands\n")[1]
    assert [name for name in re.findall(r"^  (\w+)", listed, re.MULTILINE) if f"`{name}" not in table] == []


def test_the_readme_s_commands_are_there_and_can_be_run() -> None:
    text = _text("README.md")
    scripts = [_ROOT / name for name in re.findall(r"^(script/\w+)", text, re.MULTILINE)]

    assert {script.name for script in scripts} == {"demo", "test"}
    assert all(script.stat().st_mode & 0o111 for script in scripts)


def test_the_changelog_has_this_version_or_says_it_is_unreleased() -> None:
    text = _text("CHANGELOG.md")

    assert f"## [{__version__}]" in text or "## [Unreleased]" in text


def test_no_paper_waits_for_words() -> None:
    assert [paper.name for paper in _PAPERS if "TODO" in paper.read_text(encoding="utf-8")] == []
