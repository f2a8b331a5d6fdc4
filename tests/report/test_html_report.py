"""The HTML report tells what the text report tells, on one page that no text of others can break or change."""

from __future__ import annotations

import base64
import hashlib
import re
import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.impact import Impact
from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.policy import Mode, Route
from mailswitch.core.reports import DomainOutcome, DomainReport, PassReport, ServerError
from mailswitch.core.route import Reason
from mailswitch.core.table import Verdict
from mailswitch.report.clean import printable
from mailswitch.report.html_report import html_report
from mailswitch.report.sections import names_of, title
from tests.support.builders import (
    a_decision,
    a_domain,
    a_finding,
    a_pause,
    a_report,
    a_server,
    an_alert,
    an_entry,
    an_exchange,
)
from tests.support.html_pages import Element, HtmlPage, html_page
from tests.support.report_strategies import passes, texts

LIMIT = Refusal(server="web01", code="limits.changes", text="turning off 34 switches is more than limits.changes: 20")
FAILED = ServerError(code="unreachable", text="no answer from web02")
COLUMNS = ["Name", "Kind", "Switch", "Where public mail goes", "Reasons"]
BOUND = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)


def written(report: PassReport) -> str:
    return "".join(html_report(report))


def shown(report: PassReport) -> HtmlPage:
    return html_page(written(report))


def kept(name: str = "kept.example", *, switch: Switch = Switch.ON) -> DomainReport:
    return an_entry(
        domain=a_domain(name, switch=switch),
        finding=a_finding(Route.HERE, because="MX mx.example is this server"),
        decision=a_decision(Verdict.KEEP, reasons=(Reason(code="here", text="MX mx.example is this server"),)),
    )


def on_review(name: str, *guards: Guard) -> DomainReport:
    return an_entry(name, decision=a_decision(holding=guards))


def held(name: str = "held.example") -> DomainReport:
    return an_entry(name, finding=a_finding(Route.GATEWAY, because="MX a filter"), decision=a_decision(Verdict.HOLD))


# ---- what it tells


def test_it_says_what_it_is_what_to_look_at_what_is_due_what_is_held_and_what_to_do_in_this_order() -> None:
    report = a_report(
        a_server(kept(), held(), on_review("new.example", Guard.UNCONFIRMED), an_entry(), name="web01"),
        a_server(name="web02", error=FAILED, version=None),
        alerts=(an_alert(name="moved.example"),),
    )

    assert shown(report).headings == [
        "Dry run of web01, web02",
        "Servers that failed: 1",
        "Alerts: 1",
        "Summary",
        "web01 (Plesk 18.0.61)",
        "Due to be turned off: 1",
        "Would be turned off, but held for your review: 1",
        "Held: 1",
        "Kept: 1 (1 here)",
        "Plan",
    ]


def test_a_name_has_a_row_with_both_names_kind_switch_destination_reasons_and_impact() -> None:
    alias = a_domain("xn--bcher-kva.example", display_name="bücher.example", kind=Kind.ALIAS, parent="moved.example")
    reasons = (Reason(code="elsewhere", text="not told twice"), Reason(code="null-mx-ignored", text="means nothing"))
    impact = Impact(messages=3, recent=2, since=date(2026, 2, 1))

    rows = shown(a_report(a_server(an_entry(domain=alias, decision=a_decision(reasons=reasons), impact=impact)))).rows

    assert rows == [
        COLUMNS,
        [
            "bücher.example (xn--bcher-kva.example)",
            "alias of moved.example",
            "on",
            "MX aspmx.l.google.com, Google Workspace / Gmail",
            "null-mx-ignored: means nothing; 3 messages from this server to bücher.example (xn--bcher-kva.example) "
            "went into the abandoned mailbox since 2026-02-01",
        ],
    ]


def test_held_names_are_grouped_by_guard_with_what_to_do() -> None:
    page = shown(
        a_report(
            a_server(
                on_review("a.example", Guard.ARRIVING),
                on_review("b.example", Guard.UNCONFIRMED),
                on_review("c.example", Guard.UNCONFIRMED),
                held(),
            )
        )
    )

    assert "unconfirmed: 2 - due by itself once it was seen often and long enough, or review it" in page.words
    assert "gateway: 1 - a filter relays back here" in page.words
    assert [row[0] for row in page.rows if row != COLUMNS] == ["b.example", "c.example", "a.example", "held.example"]


def test_the_summary_names_each_server_with_its_counts_impact_and_a_link_to_it() -> None:
    impact = Impact(messages=3, recent=2, since=date(2026, 2, 1))
    page = shown(a_report(a_server(an_entry(impact=impact)), a_server(kept(), name="web02"), a_server(name="web03")))

    assert (
        "2 names: 1 to turn off, 1 kept "
        "web01: this server mis-delivered 2 messages in 30 days; turning this switch off stops 2 of them "
        "web01 (Plesk 18.0.61): 1 name: 1 to turn off web02 (Plesk 18.0.61): 1 name: 1 kept "
        "web03 (Plesk 18.0.61): 0 names"
    ) in page.words
    assert [Element("a", (("href", f"#{place}"),)) for place in ("server-1", "server-2", "server-3", "plan")] == [
        element for element in page.elements if element.tag == "a"
    ]
    assert {("id", "server-1"), ("id", "server-2"), ("id", "server-3"), ("id", "plan")} <= {
        attribute for element in page.elements for attribute in element.attributes
    }


def test_it_ends_with_the_plan_and_the_exact_command() -> None:
    report = a_report(a_server(an_entry(), on_review("new.example", Guard.UNCONFIRMED)))

    digest = report.plan.digest
    assert shown(report).words.endswith(
        f"Plan Plan {digest}: 1 now, 1 more if you review them: mailswitch once --apply --plan {digest}"
    )


def test_without_anything_to_change_or_about_a_part_only_there_is_no_command() -> None:
    calm, part = a_report(a_server(kept())), a_report(a_server(an_entry()), is_partial=True)

    assert shown(calm).words.endswith(f"Plan {calm.plan.digest}: nothing to change")
    assert "No plan to apply from this" in shown(part).words
    assert "--plan" not in shown(calm).words + shown(part).words


def test_a_limit_is_told_once_with_the_command_that_passes_it() -> None:
    report = a_report(a_server(an_entry(), refusal=LIMIT), alerts=(an_alert(LIMIT.code, LIMIT.text),))

    page = shown(report)

    assert "Alerts: 1" not in page.headings
    assert "Due to be turned off, but a limit stands in front: 1" in page.headings
    assert page.words.count(LIMIT.text) == 1
    assert f"pass the limit with: mailswitch once --apply --plan {report.plan.digest}" in page.words


def test_a_limit_that_stops_nothing_has_no_command_of_its_own() -> None:
    assert "pass the limit with" not in shown(a_report(a_server(kept(), refusal=LIMIT))).words


def test_a_pause_and_a_failed_server_say_why() -> None:
    page = shown(a_report(a_server(an_entry()), a_server(name="web02", error=FAILED), pause=a_pause()))

    assert "Paused by alice since 2026-03-01 11:00 UTC: migration of web01; no switch is turned until" in page.words
    assert ["web02", "unreachable", "no answer from web02"] in page.rows


def test_a_pass_that_applied_says_what_was_done_and_what_failed() -> None:
    page = shown(
        a_report(
            a_server(
                an_entry("done.example", outcome=DomainOutcome.DONE),
                an_entry("bad.example", outcome=DomainOutcome.FAILED, error="the panel said no"),
            ),
            mode=Mode.ENFORCE,
            is_dry_run=False,
        )
    )

    assert page.headings[:1] == ["Pass of web01 (Plesk 18.0.61)"]
    assert {"Turned off: 1", "Failed: 1"} <= set(page.headings)
    assert page.rows[-1][0::4] == ["bad.example", "the panel said no"]


def test_kept_names_are_in_a_closed_part_unless_somebody_asked_for_them() -> None:
    whole = shown(a_report(a_server(kept(), kept("off.example", switch=Switch.OFF))))
    asked = shown(a_report(a_server(kept()), is_partial=True))

    assert "Kept: 2 (1 here, 1 off already)" in whole.headings
    assert [element.attributes for element in whole.elements if element.tag == "details"] == [()]
    assert [element.attributes for element in asked.elements if element.tag == "details"] == [(("open", ""),)]


# ---- what it is


def test_it_is_one_page_that_may_use_its_own_style_and_nothing_else() -> None:
    page = shown(a_report(a_server(an_entry())))

    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert page.elements[:5] == [
        Element("html", (("lang", "en"),)),
        Element("head"),
        Element("meta", (("charset", "utf-8"),)),
        Element("meta", (("http-equiv", "Content-Security-Policy"), ("content", policy))),
        Element("meta", (("name", "referrer"), ("content", "no-referrer"))),
    ]
    assert re.search(r"url\(|@import|@font-face|//", page.style) is None


def luminance(colour: str) -> float:
    """Return WCAG 2.2's relative luminance of ``#rrggbb``."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(scheme: str) -> None:
    roots = re.findall(r":root \{(.*?)\}", shown(a_report()).style, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w{6});", roots[["light", "dark"].index(scheme)]))

    def contrast(ink: str, paper: str) -> float:
        dark, light = sorted((luminance(colours[ink]), luminance(colours[paper])))
        return (light + 0.05) / (dark + 0.05)

    inks, papers = ("ink", "quiet", "link", "bad", "due", "done"), ("paper", "band")
    assert {(ink, paper) for ink in inks for paper in papers if contrast(ink, paper) < 4.5} == set()


def test_every_table_has_a_caption_and_headings_for_columns_and_rows() -> None:
    page = shown(a_report(a_server(an_entry(), kept(), held(), refusal=LIMIT), alerts=(an_alert(),)))

    counts = Counter(element.tag for element in page.elements)
    scopes = Counter(dict(element.attributes).get("scope") for element in page.elements if element.tag == "th")
    assert counts["caption"] == counts["thead"] == counts["table"] == 5
    assert scopes == {"col": 3 * len(COLUMNS) + 4 + 3, "row": counts["tr"] - counts["table"]}


def test_pieces_and_memory_stay_bounded_however_many_names_there_are() -> None:
    because = "MX mx.example is this server, and more is to be told of it. " * 20
    entry = an_entry(finding=a_finding(Route.HERE, because=because), decision=a_decision(Verdict.KEEP))
    lengths, peaks = [], []
    for amount in (1_000, 4_000):
        entries = (replace(entry, domain=a_domain(f"n{number}.example")) for number in range(amount))
        report = a_report(a_server(*entries))
        tracemalloc.start()
        pieces = [len(piece) for piece in html_report(report)]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        lengths.append(sum(pieces))

        assert max(pieces) < 300_000

    assert lengths[1] > 5_000_000
    assert peaks[1] - peaks[0] < (lengths[1] - lengths[0]) / 8


# ---- what it is not


@BOUND
@given(passes())
def test_whatever_the_names_it_is_well_formed_ascii_with_a_row_for_each_name(report: PassReport) -> None:
    text = written(report)

    page = html_page(text)
    etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    names = [printable(title(named.entry)) for named in names_of(report)]
    assert Counter(row[0] for row in page.rows if len(row) == len(COLUMNS) and row != COLUMNS) == Counter(names)
    assert all(character == "\n" or " " <= character <= "~" for character in text)
    assert all(printable(words, keep_newlines=True) == words for words in page.texts)
    assert {element.tag for element in page.elements} <= TAGS
    assert {name for element in page.elements for name, _ in element.attributes} <= ATTRIBUTES
    links = [value for element in page.elements for name, value in element.attributes if name == "href"]
    assert all(re.fullmatch(r"#(server-\d+|plan)", link or "") for link in links)


TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "nav", "section", "h1", "h2", "h3", "p",
    "strong", "span", "ul", "li", "a", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary",
    "pre", "code",
}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "scope", "aria-label", "open"}

PLACES = 15


def told_of(foreign: list[str]) -> PassReport:
    """Return a pass with these texts in every place where a text of others can be."""
    display, code, reason, because, provider, error, server, version, failure = foreign[:9]
    alert, its_code, its_server, limit, by, why = foreign[9:]
    due = an_entry(
        domain=a_domain(display_name=display),
        finding=a_finding(because=because, provider=provider, exchanges=(an_exchange("\\027<b>.example"),)),
        decision=a_decision(reasons=(Reason(code=f"x{code}", text=reason),)),
        impact=Impact(messages=1, recent=1, since=date(2026, 2, 1)),
    )
    failed = an_entry("<i>.example", outcome=DomainOutcome.FAILED, error=f"x{error}")
    keeps = replace(kept("'\"&.example"), finding=a_finding(Route.HERE, because=because))
    stopped = a_server(an_entry(), name="web03", refusal=Refusal(server="web03", code="limits.changes", text=limit))
    return a_report(
        a_server(due, failed, keeps, name=f"1{server}", version=f"x{version}"),
        a_server(name=f"2{server}", error=ServerError(code=f"x{code}", text=failure)),
        stopped,
        alerts=(
            an_alert(its_code, alert, server=its_server, name="moved.example"),
            an_alert(its_code, alert, server=f"1{server}", name="moved.example"),
        ),
        pause=replace(a_pause(), by=by, reason=f"x{why}"),
    )


def harmless() -> list[Element]:
    return shown(told_of(["harmless"] * PLACES)).elements


@BOUND
@given(st.lists(texts(), min_size=PLACES, max_size=PLACES))
def test_no_text_of_others_makes_or_changes_an_element(foreign: list[str]) -> None:
    assert shown(told_of(foreign)).elements == harmless()


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "</title></style><img src=x onerror=x>",
        '" onmouseover="x',
        "<!--",
        "]]>",
        "{{ 7 * 7 }}",
        "&lt;b&gt;",
        "\u202ex\x1b[2J\0",
    ],
)
def test_hostile_texts_are_shown_as_they_are_written_and_cleaned(hostile: str) -> None:
    page = shown(told_of([hostile] * PLACES))

    assert page.elements == harmless()
    assert page.words.count(printable(hostile)) >= PLACES
