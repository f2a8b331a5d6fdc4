"""What of a report people are told of, and what a partial pass may not say."""

from __future__ import annotations

from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.names import DomainName
from mailswitch.core.notices import NoticeKind, Trouble
from mailswitch.core.policy import Mode
from mailswitch.core.reports import DomainOutcome, PassReport, ServerError
from mailswitch.core.table import Verdict
from mailswitch.core.troubles import failed_pass, seen_in, troubles_of
from tests.support.builders import NOW, a_change, a_decision, a_report, a_server, an_alert, an_entry

LIMIT = Refusal(server="web01", code="limits.changes", text="turning off 40 switches is more than allowed")
DNS = Refusal(server="web01", code="limits.unknown_share", text="9 of 10 names are unknown now")


def back(outcome: DomainOutcome | None = None, error: str | None = None) -> PassReport:
    entry = an_entry("back.example", decision=a_decision(Verdict.TURN_ON), outcome=outcome, error=error)
    return a_report(a_server(entry), mode=Mode.ENFORCE, is_dry_run=False)


def told(report: PassReport) -> list[tuple[str, str, str | None]]:
    return [(one.kind.value, one.code, None if one.name is None else one.name.text) for one in troubles_of(report)]


def test_a_server_with_an_error_fails() -> None:
    report = a_report(a_server(error=ServerError(code="unreachable", text="no answer")))

    assert list(troubles_of(report)) == [
        Trouble(kind=NoticeKind.FAILING, code="unreachable", server="web01", name=None, text="no answer")
    ]


def test_a_limit_that_held_changes_back_is_told_with_their_number_and_not_again_as_an_alert() -> None:
    stopped = [an_entry(f"m{n}.example", outcome=DomainOutcome.REFUSED, error="limit") for n in range(3)]
    report = a_report(a_server(*stopped, refusal=LIMIT), alerts=(an_alert("limits.changes", LIMIT.text),))

    found = list(troubles_of(report))

    assert [(one.kind, one.code) for one in found] == [(NoticeKind.REFUSED, "limits.changes")]
    assert found[0].text == "turning off 40 switches is more than allowed; 3 changes held back"


def test_a_limit_that_held_nothing_back_is_only_an_alert() -> None:
    report = a_report(a_server(an_entry(), refusal=LIMIT), alerts=(an_alert("limits.changes", LIMIT.text),))

    assert told(report) == [("alert", "limits.changes", None)]


def test_a_limit_that_shows_trouble_with_public_dns_is_told_whatever_it_held_back() -> None:
    assert told(a_report(a_server(an_entry(), refusal=DNS))) == [("refused", "limits.unknown_share", None)]


def test_a_name_that_should_be_on_again_and_is_not_is_refused_mail() -> None:
    assert told(back()) == [("mail-refused", "mail-refused", "back.example")]
    assert told(back(DomainOutcome.FAILED)) == [("mail-refused", "mail-refused", "back.example")]
    assert told(back(DomainOutcome.DONE)) == []


def test_refused_mail_says_why_it_is_not_on_and_is_not_told_again_as_an_alert() -> None:
    report = back(DomainOutcome.FAILED, "Plesk refused")
    entry_and_alert = a_report(*report.servers, alerts=(an_alert("mail-refused", name="back.example"),))

    (trouble,) = troubles_of(entry_and_alert)

    assert trouble.text.endswith("not on yet: Plesk refused")


def test_a_name_that_is_turned_on_is_not_told_again_as_a_changed_route() -> None:
    alerts = (an_alert("route-changed", name="back.example"), an_alert("route-changed", name="gone.example"))
    report = a_report(*back(DomainOutcome.DONE).servers, alerts=alerts)

    assert told(report) == [("alert", "route-changed", "gone.example")]


def test_alerts_are_told_with_their_names() -> None:
    report = a_report(a_server(), alerts=(an_alert(name="gmail.com"), an_alert(Guard.RE_ENABLED, "3 names")))

    assert told(report) == [("alert", "never-local", "gmail.com"), ("alert", "re-enabled", None)]


def test_a_whole_pass_has_looked_at_servers_that_answered() -> None:
    failed = a_server(name="web02", error=ServerError(code="unreachable", text="no answer"))
    report = a_report(a_server(an_entry()), failed)

    seen = seen_in(report, whole=("web01", "web02"), changes=(a_change(),))

    assert seen.whole == {"web01"}
    assert seen.answered == {"", "web01", "web02"}
    assert seen.names == {("web01", DomainName("moved.example"))}
    assert seen.changes == (a_change(),)
    assert seen.now == report.finished


def test_a_look_at_single_names_says_nothing_of_the_whole_server_but_failures_and_limits() -> None:
    server = a_server(an_entry(outcome=DomainOutcome.REFUSED), refusal=LIMIT)
    alerts = (an_alert("unwatched"), an_alert(name="gmail.com"))

    seen = seen_in(a_report(server, alerts=alerts, is_partial=True), whole=(), changes=())

    assert seen.whole == frozenset()
    assert [(one.kind, one.code) for one in seen.troubles] == [
        (NoticeKind.REFUSED, "limits.changes"),
        (NoticeKind.ALERT, "never-local"),
    ]


def test_a_pass_that_could_not_be_made_is_the_program_s_own_trouble() -> None:
    seen = failed_pass("ledger", "cannot read the ledger", NOW)

    assert seen.answered == {""}
    assert [(one.server, one.code, one.text) for one in seen.troubles] == [("", "ledger", "cannot read the ledger")]
