"""The text report tells an administrator what is due, what is held and what to do, and nothing in it can hurt."""

from __future__ import annotations

import io
import re
from unicodedata import category

import pytest
from hypothesis import HealthCheck, given, settings

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.plan import digest_of
from mailswitch.core.policy import Mode, Route
from mailswitch.core.reports import DomainOutcome, DomainReport, PassReport, ServerError, planned_change
from mailswitch.core.route import Reason
from mailswitch.core.table import Verdict
from mailswitch.report.text_report import print_report
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
from tests.support.report_strategies import passes

LIMIT = Refusal(server="web01", code="limits.changes", text="turning off 34 switches is more than limits.changes: 20")
FAILED = ServerError(code="unreachable", text="no answer from web02")
SGR = re.compile(r"\x1b\[[0-9;]*m")


def shown(report: PassReport, *, width: int | None = None, verbose: bool = False, is_terminal: bool = False) -> str:
    stream = io.StringIO()
    print_report(report, stream, is_terminal=is_terminal, width=width, verbose=verbose)
    return stream.getvalue()


def kept(name: str = "kept.example", *, switch: Switch = Switch.ON) -> DomainReport:
    return an_entry(
        domain=a_domain(name, switch=switch),
        finding=a_finding(Route.HERE, because="MX mx.example is this server"),
        decision=a_decision(Verdict.KEEP, reasons=(Reason(code="here", text="MX mx.example is this server"),)),
    )


def back(name: str = "back.example", *, outcome: DomainOutcome | None = None) -> DomainReport:
    return an_entry(
        domain=a_domain(name, switch=Switch.OFF),
        finding=a_finding(Route.HERE, because="MX mx.example is this server"),
        decision=a_decision(Verdict.TURN_ON),
        outcome=outcome,
    )


def held_at_a_gateway(name: str) -> DomainReport:
    because = "MX mx.filter.example is an inbound filter that relays back (Filter)"
    return an_entry(
        name,
        finding=a_finding(Route.GATEWAY, because=because),
        decision=a_decision(Verdict.HOLD, reasons=(Reason(code="gateway", text=because),)),
    )


def on_review(name: str, *guards: Guard, text: str = "seen 1 of 3 times") -> DomainReport:
    return an_entry(
        name, decision=a_decision(holding=guards, reasons=tuple(Reason(code=one, text=text) for one in guards))
    )


def test_the_head_says_what_it_is_of_what_in_which_mode_and_that_nothing_changed() -> None:
    first = shown(a_report(a_server(kept()))).splitlines()[0]

    assert first == ("Dry run of web01 (Plesk 18.0.61), mode report, 2026-03-01 12:00 UTC, 4 s: nothing was changed")


def test_what_is_due_is_listed_with_both_names_kind_and_destination() -> None:
    alias = a_domain("xn--bcher-kva.example", display_name="bücher.example", kind=Kind.ALIAS, parent="moved.example")

    text = shown(a_report(a_server(an_entry("moved.example"), an_entry(domain=alias))))

    assert "Due to be turned off: 2" in text
    assert re.search(r"^  moved\.example +domain +Google Workspace / Gmail$", text, re.MULTILINE)
    assert "bücher.example (xn--bcher-kva.example)  alias of moved.example  Google Workspace" in text


def test_the_destination_of_an_unknown_provider_is_its_exchanges_best_first() -> None:
    exchanges = tuple(an_exchange(f"mx{n}.small.example", preference=n) for n in (3, 1, 2))

    text = shown(a_report(a_server(an_entry(finding=a_finding(provider=None, exchanges=exchanges)))))

    assert "mx1.small.example, mx2.small.example and 1 more" in text


def test_the_last_line_offers_the_plan() -> None:
    report = a_report(
        a_server(
            an_entry(), back(), on_review("new.example", Guard.UNCONFIRMED), kept(), held_at_a_gateway("g.example")
        )
    )

    digest = report.plan.digest
    assert shown(report).splitlines()[-2:] == [
        "5 names: 1 to turn off, 1 to turn on again, 1 on review, 1 held, 1 kept",
        f"Plan {digest}: 2 now, 1 more if you review them: mailswitch once --apply --plan {digest}",
    ]


def test_a_plan_for_review_only_says_so() -> None:
    last = shown(a_report(a_server(on_review("new.example", Guard.UNCONFIRMED)))).splitlines()[-1]

    assert ": 1 if you review them: mailswitch once --apply --plan" in last


def test_an_empty_plan_offers_no_command() -> None:
    text = shown(a_report(a_server(kept())))

    assert text.splitlines()[-1].endswith(": nothing to change")
    assert "once --apply" not in text


def test_a_report_about_some_names_lists_all_of_them_and_offers_no_plan() -> None:
    text = shown(a_report(a_server(an_entry(), kept()), is_partial=True))

    assert re.search(r"kept\.example.*switch on", text)
    assert "No plan to apply from this" in text
    assert "--plan" not in text


def test_a_report_about_one_large_server_counts_what_is_kept() -> None:
    text = shown(a_report(a_server(*(kept(f"k{number}.example") for number in range(60))), is_partial=True))

    assert "Kept: 60 (60 here)" in text
    assert "k1.example" not in text


def test_names_held_for_review_are_grouped_by_guard_with_why_and_what_to_do() -> None:
    text = shown(
        a_report(
            a_server(
                on_review("new.example", Guard.UNCONFIRMED),
                on_review("odd.example", Guard.UNKNOWN_PROVIDER, Guard.UNCONFIRMED),
            )
        )
    )

    assert "Would be turned off, but held for your review: 2" in text
    assert "unconfirmed: 1 - due by itself once it was seen often and long enough, or review it" in text
    assert re.search(r"^    odd\.example .* seen 1 of 3 times$", text, re.MULTILINE)


def test_a_further_guard_without_a_telling_text_is_named() -> None:
    text = shown(a_report(a_server(on_review("odd.example", Guard.ARRIVING, Guard.FLAPPING, text="long words"))))

    assert re.search(r"odd\.example +domain +Google Workspace / Gmail +flapping$", text, re.MULTILINE)


def test_what_a_review_would_turn_off_is_never_shortened() -> None:
    entries = [on_review(f"n{number}.example", Guard.UNCONFIRMED) for number in range(60)]

    text = shown(a_report(a_server(*entries)))

    assert all(f"n{number}.example" in text for number in range(60))


def test_long_lists_of_held_names_are_shortened_unless_all_are_wanted() -> None:
    report = a_report(a_server(*(held_at_a_gateway(f"g{number}.example") for number in range(20))))

    assert "and 15 more; --verbose lists them all" in shown(report)
    assert "g19.example" in shown(report, verbose=True)


def test_names_held_by_their_route_say_what_the_route_rests_on_and_what_to_do() -> None:
    text = shown(a_report(a_server(held_at_a_gateway("g.example"))))

    assert "gateway: 1 - a filter relays back here" in text
    assert re.search(r"g\.example +domain +MX mx\.filter\.example is an inbound filter that relays back", text)


def test_a_long_reason_of_a_held_name_is_shortened_unless_all_is_wanted() -> None:
    because = "alpha: no answer; " * 30 + "the end"
    entry = an_entry(finding=a_finding(Route.UNKNOWN, because=because), decision=a_decision(Verdict.HOLD, reasons=()))

    assert "the end" not in shown(a_report(a_server(entry)))
    assert because in shown(a_report(a_server(entry)), verbose=True)


@pytest.mark.parametrize("name", ["*.moved.example", "_dmarc.moved.example"])
def test_a_name_that_mail_cannot_go_to_is_held_as_not_managed(name: str) -> None:
    entry = an_entry(name, finding=a_finding(Route.UNKNOWN), decision=a_decision(Verdict.HOLD, reasons=()))

    assert "not-managed: 1 - never touched" in shown(a_report(a_server(entry)))


def test_a_name_that_is_not_configured_is_held_as_not_managed() -> None:
    entry = an_entry(
        domain=a_domain(switch=Switch.NOT_CONFIGURED),
        finding=a_finding(Route.GATEWAY, because="MX mx.filter.example"),
        decision=a_decision(Verdict.HOLD),
    )

    assert "not-managed: 1 - never touched" in shown(a_report(a_server(entry)))


def test_kept_names_are_counted_and_listed_only_on_request() -> None:
    report = a_report(a_server(kept("a.example"), kept("b.example"), kept("c.example", switch=Switch.OFF)))

    assert "Kept: 3 (2 here, 1 off already)" in shown(report)
    assert "a.example" not in shown(report)
    assert re.search(r"c\.example .* switch off", shown(report, verbose=True))


def test_verbose_gives_every_reason() -> None:
    text = shown(a_report(a_server(on_review("odd.example", Guard.ARRIVING, text="new here for 3 d"))), verbose=True)

    assert "arriving: new here for 3 d" in text


def test_alerts_come_before_everything_that_is_due() -> None:
    domain = a_domain("xn--bcher-kva.example", display_name="bücher.example")
    alerts = (
        an_alert("off-here", "look at it", name="xn--bcher-kva.example"),
        an_alert("unwatched", "2 switches are off", name="elsewhere.example"),
    )

    text = shown(a_report(a_server(an_entry(domain=domain)), alerts=alerts))

    assert text.index("Alerts: 2") < text.index("Due to be turned off")
    assert re.search(r"off-here +bücher\.example \(xn--bcher-kva\.example\) +look at it", text)
    assert re.search(r"unwatched +elsewhere\.example +2 switches", text)


def test_with_several_servers_each_row_names_its_server_and_failures_are_listed() -> None:
    report = a_report(
        a_server(an_entry("moved.example")),
        a_server(name="web02", error=FAILED),
        alerts=(an_alert("unwatched", "look"),),
    )

    text = shown(report)

    assert "Dry run of web01, web02," in text
    assert re.search(r"moved\.example +web01 +domain", text)
    assert "Servers that failed: 1\n  web02  unreachable  no answer from web02" in text
    assert re.search(r"unwatched +web01 +look", text)


def test_many_servers_are_counted_in_the_head() -> None:
    assert "Dry run of 7 servers," in shown(a_report(*(a_server(name=f"web{n}") for n in range(7))))


def test_a_limit_says_why_and_the_exact_command_that_passes_it() -> None:
    report = a_report(
        a_server(an_entry(), an_entry("gmail.com", is_never_local=True), refusal=LIMIT),
        alerts=(an_alert(LIMIT.code, LIMIT.text),),
    )

    text = shown(report)

    assert "Due to be turned off: 1" in text
    assert "Due to be turned off, but a limit stands in front: 1" in text
    assert text.count(LIMIT.text) == 1
    assert f"pass the limit with: mailswitch once --apply --plan {report.plan.digest}" in text
    assert "1 now, 1 more if you review them" in text


def test_a_pause_is_told_with_who_and_why() -> None:
    text = shown(a_report(a_server(an_entry()), pause=a_pause()))

    assert "Paused by alice since 2026-03-01 11:00 UTC: migration of web01; no switch is turned until" in text


def test_after_an_apply_it_says_what_was_done_what_failed_and_what_was_refused() -> None:
    report = a_report(
        a_server(
            an_entry("done.example", outcome=DomainOutcome.DONE),
            back(outcome=DomainOutcome.DONE),
            an_entry("bad.example", outcome=DomainOutcome.FAILED, error="the panel said no"),
            an_entry("late.example", outcome=DomainOutcome.REFUSED, error="the name is gone"),
        ),
        mode=Mode.ENFORCE,
        is_dry_run=False,
    )

    text = shown(report)

    assert "Pass of web01 (Plesk 18.0.61), mode enforce, 2026-03-01 12:00 UTC, 4 s: 2 switches turned (run 2026" in text
    assert "Turned off: 1\n  done.example" in text
    assert "Turned on again: 1\n  back.example" in text
    assert re.search(r"Failed: 1\n  bad\.example .* the panel said no", text)
    assert re.search(r"Refused: 1\n  late\.example .* the name is gone", text)
    assert "4 names: 2 done, 1 failed" in text


def test_a_reviewed_name_that_was_applied_counts_as_turned_off() -> None:
    entry = an_entry("new.example", decision=a_decision(holding=(Guard.UNCONFIRMED,)), outcome=DomainOutcome.DONE)

    text = shown(a_report(a_server(entry), is_dry_run=False))

    assert "Turned off: 1" in text
    assert "held for your review" not in text


def test_after_an_apply_the_plan_offered_is_what_is_left_of_it() -> None:
    left = an_entry("left.example")
    report = a_report(a_server(left, back(outcome=DomainOutcome.DONE), refusal=LIMIT), is_dry_run=False)

    digest = digest_of([planned_change("web01", left)])
    assert digest != report.plan.digest
    assert shown(report).splitlines()[-1] == (
        f"Plan {digest}: 1 if you review them: mailswitch once --apply --plan {digest}"
    )


def test_a_pipe_gets_plain_text_and_a_terminal_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    report = a_report(a_server(an_entry()), alerts=(an_alert(),))

    coloured = shown(report, is_terminal=True, width=100)

    assert "\x1b" not in shown(report)
    assert "\x1b[" in coloured
    assert SGR.sub("", coloured) == shown(report, width=100)


@pytest.mark.parametrize("width", [30, 59, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    report = a_report(
        a_server(an_entry(), on_review("new.example", Guard.UNCONFIRMED), held_at_a_gateway("g.example")),
        a_server(name="web02", error=FAILED),
        alerts=(an_alert(text="a long text about what is wrong " * 4, name="gmail.com"),),
    )

    assert max(len(line) for line in shown(report, width=width).splitlines()) <= width


def test_a_pipe_is_never_wrapped() -> None:
    report = a_report(a_server(an_entry()), alerts=(an_alert(text="word " * 100 + "end"),))

    assert "word " * 100 + "end" in shown(report)


def test_a_stream_that_cannot_show_a_letter_gets_its_escape() -> None:
    octets = io.BytesIO()
    stream = io.TextIOWrapper(octets, encoding="ascii")
    domain = a_domain("xn--bcher-kva.example", display_name="bücher.example")

    print_report(a_report(a_server(an_entry(domain=domain))), stream, is_terminal=False, width=None)
    stream.flush()

    assert rb"b\xfccher.example (xn--bcher-kva.example)" in octets.getvalue()


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[2J\x1b]0;x\x07", r"\x1b[2J\x1b]0;x\x07"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("one\ntwo\r", r"one\x0atwo\x0d"),
        ("[red]x[/red] :smile:", "[red]x[/red] :smile:"),
        ("<script>", "<script>"),
    ],
)
def test_foreign_text_is_shown_and_never_obeyed(hostile: str, harmless: str) -> None:
    report = a_report(
        a_server(
            an_entry(
                domain=a_domain(display_name=hostile), outcome=DomainOutcome.FAILED, error=f"the panel said {hostile}"
            ),
            name=f"web {hostile}",
        ),
        alerts=(an_alert(text=f"alert {hostile}"),),
        is_dry_run=False,
    )

    text = shown(report)

    assert f"web {harmless}" in text
    assert f"{harmless} (moved.example)" in text
    assert f"the panel said {harmless}" in text
    assert f"alert {harmless}" in text


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(passes())
def test_nothing_but_line_feeds_and_our_own_colours_controls_the_terminal(report: PassReport) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        texts = [shown(report, width=80, verbose=True), SGR.sub("", shown(report, is_terminal=True, width=70))]

    for text in texts:
        assert not {category(one) for one in text.replace("\n", "")} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_a_pass_that_applies_counts_what_is_held_and_leaves_the_list_to_the_dry_run() -> None:
    held = held_at_a_gateway("filtered.example")
    review = on_review("review.example", Guard.UNCONFIRMED)
    report = a_report(a_server(held, review), is_dry_run=False, mode=Mode.ENFORCE)

    text = shown(report)
    listed = shown(report, verbose=True)

    assert "Held: 1 (mailswitch report lists them)" in text
    assert "gateway: 1" in text
    assert "filtered.example" not in text
    assert "review.example" not in text
    assert "filtered.example" in listed
