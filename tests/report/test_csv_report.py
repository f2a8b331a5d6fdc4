"""The CSV report opens in a spreadsheet without running anything."""

from __future__ import annotations

import csv
import io
from unicodedata import category

import pytest
from hypothesis import HealthCheck, given, settings

from mailswitch.core.domain import Kind
from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.reports import DomainOutcome, PassReport, ServerError
from mailswitch.core.route import Reason
from mailswitch.report.csv_report import COLUMNS, report_csv
from tests.support.builders import a_decision, a_domain, a_finding, a_report, a_server, an_entry, an_exchange
from tests.support.report_strategies import passes


def rows(report: PassReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report_csv(report), newline=""), strict=True))


def test_each_name_is_a_row_with_every_column() -> None:
    entry = an_entry(
        domain=a_domain("xn--bcher-kva.example", display_name="bücher.example", kind=Kind.ALIAS, parent="a.example"),
        finding=a_finding(
            exchanges=(an_exchange("b.example", preference=10), an_exchange("a.example", preference=5)), vantages=3
        ),
        decision=a_decision(
            holding=(Guard.ARRIVING,),
            reasons=(Reason(code="elsewhere", text="MX a.example"), Reason(code="arriving", text="new here")),
        ),
        outcome=DomainOutcome.FAILED,
        error="the panel said no",
    )

    assert rows(a_report(a_server(entry))) == [
        {
            "server": "web01",
            "name": "xn--bcher-kva.example",
            "display_name": "bücher.example",
            "kind": "alias",
            "parent": "a.example",
            "switch": "on",
            "route": "elsewhere",
            "provider": "Google Workspace / Gmail",
            "mx": "5 a.example; 10 b.example",
            "decision": "hold",
            "on_review": "true",
            "vantages": "3",
            "reasons": "elsewhere: MX a.example; arriving: new here",
            "outcome": "failed",
            "error": "the panel said no",
            "misdelivered": "",
            "misdelivered_since": "",
            "misdelivered_30_days": "",
        }
    ]


def test_the_header_is_there_without_any_server_and_lines_end_as_rfc_4180_says() -> None:
    assert report_csv(a_report()) == ",".join(COLUMNS) + "\r\n"


def test_servers_without_names_are_still_visible() -> None:
    failed = a_server(name="web01", error=ServerError(code="unreachable", text="no route"))

    found = rows(a_report(failed, a_server(name="web02")))

    assert [(row["server"], row["name"], row["error"]) for row in found] == [
        ("web01", "", "unreachable: no route"),
        ("web02", "", ""),
    ]


def test_a_limit_has_a_row_before_the_names_it_stops() -> None:
    refusal = Refusal(server="web01", code="limits.changes", text="too many")

    found = rows(a_report(a_server(an_entry(), refusal=refusal)))

    assert [(row["name"], row["error"]) for row in found] == [
        ("", "limits.changes: too many"),
        ("moved.example", ""),
    ]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", r"'\x09=1"),
        ("\rx", r"'\x0dx"),
        ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        ('"x",y', '"x",y'),
        ("a\nb\x1b[2J\u202e", r"a\x0ab\x1b[2J\u202e"),
        ("", ""),
    ],
)
def test_no_cell_is_run_as_a_formula_or_moves_a_cursor(text: str, cell: str) -> None:
    found = rows(a_report(a_server(an_entry(outcome=DomainOutcome.FAILED, error=text))))

    assert found[0]["error"] == cell


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(passes())
def test_whatever_the_names_every_row_has_its_columns_and_no_cell_is_dangerous(report: PassReport) -> None:
    text = report_csv(report)

    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(row) for row in found} == {len(COLUMNS)}
    assert not [cell for row in found for cell in row if cell.lstrip()[:1] in set("=+-@\t\r")]
    assert not any(category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in text.replace("\r\n", ""))


def test_an_exchange_listed_twice_with_addresses_of_both_versions_is_no_trouble() -> None:
    exchanges = tuple(an_exchange(addresses=(found,)) for found in ("2001:db8::25", "203.0.113.25"))
    report = a_report(a_server(an_entry(finding=a_finding(exchanges=exchanges))))

    assert len(rows(report)) == 1
