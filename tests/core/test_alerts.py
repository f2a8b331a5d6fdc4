"""What an administrator is told to look at, whatever the decisions are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailswitch.core.alerts import alerts_of, gravest_first, why_refused
from mailswitch.core.decide import REFUSED_HERE
from mailswitch.core.domain import Inventory, Platform, Switch
from mailswitch.core.ledger import Claim, Guard
from mailswitch.core.limits import Refusal, VantageFailures
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Mode, Route
from mailswitch.core.reports import Alert, DomainReport
from mailswitch.core.route import Reason
from mailswitch.core.table import Verdict
from mailswitch.core.traffic import Traffic
from tests.support.builders import a_decision, a_domain, a_finding, a_history, a_server, an_entry, an_exchange

AN_INVENTORY = Inventory(
    server="web01",
    panel="xml-api",
    version="18.0.61",
    platform=Platform.LINUX,
    host_name=None,
    addresses=(),
    domains=(),
)


def alerts(
    *entries: DomainReport, mode: Mode = Mode.ENFORCE, refusal: Refusal | None = None, oddities: tuple[str, ...] = ()
) -> tuple[Alert, ...]:
    return alerts_of(a_server(*entries, refusal=refusal), replace(AN_INVENTORY, oddities=oddities), mode)


def codes(found: tuple[Alert, ...]) -> list[str]:
    return [alert.code for alert in found]


def re_enabled(name: str) -> DomainReport:
    return an_entry(name, decision=a_decision(holding=(Guard.RE_ENABLED,)))


def off_by_us(name: str = "moved.example", verdict: Verdict = Verdict.KEEP) -> DomainReport:
    return an_entry(
        domain=a_domain(name, switch=Switch.OFF),
        decision=a_decision(verdict),
        history=a_history(claim=Claim.OURS, claim_route=Route.ELSEWHERE),
    )


def at_unknown(name: str, *exchanges: str) -> DomainReport:
    seen = tuple(an_exchange(exchange) for exchange in exchanges)
    return an_entry(name, finding=a_finding(provider=None, exchanges=seen))


@pytest.mark.parametrize("mode", Mode)
def test_an_ordinary_pass_alerts_nobody(mode: Mode) -> None:
    assert alerts(an_entry(), mode=mode) == ()


def test_a_refusal_is_an_alert() -> None:
    (alert,) = alerts(refusal=Refusal(server="web01", code="limits.share", text="too many"))

    assert alert == Alert(code="limits.share", server="web01", name=None, text="too many")


@pytest.mark.parametrize(
    ("switch", "is_alert"),
    [(Switch.ON, True), (Switch.UNKNOWN, True), (Switch.OFF, False), (Switch.NOT_CONFIGURED, False)],
)
@pytest.mark.parametrize("route", [Route.HERE, Route.ELSEWHERE])
def test_a_name_nobody_may_host_is_an_alert_while_it_catches_mail(switch: Switch, route: Route, is_alert: bool) -> None:
    entry = an_entry(domain=a_domain(switch=switch), finding=a_finding(route), is_never_local=True)

    found = alerts(entry)

    assert codes(found) == (["never-local"] if is_alert else [])
    assert not found or found[0].name == DomainName("moved.example")


@pytest.mark.parametrize(("mode", "is_alert"), [(Mode.REPORT, True), (Mode.APPROVE, False), (Mode.ENFORCE, False)])
def test_mail_refused_because_the_mode_only_reports_is_an_alert(mode: Mode, is_alert: bool) -> None:
    assert ("mail-refused" in codes(alerts(off_by_us(verdict=Verdict.TURN_ON), mode=mode))) is is_alert


@pytest.mark.parametrize(("mode", "is_alert"), [(Mode.REPORT, True), (Mode.APPROVE, False), (Mode.ENFORCE, False)])
def test_switches_off_by_us_that_nobody_watches_are_one_loud_alert(mode: Mode, is_alert: bool) -> None:
    found = alerts(off_by_us("a.example"), off_by_us("b.example"), an_entry(), mode=mode)

    assert codes(found) == (["unwatched"] if is_alert else [])
    assert not found or "2 switches are off by mailswitch" in found[0].text


def test_one_name_turned_on_against_us_is_named() -> None:
    (alert,) = alerts(re_enabled("moved.example"))

    assert (alert.code, alert.name) == ("re-enabled", DomainName("moved.example"))
    assert "1 name turned on against mailswitch" in alert.text


def test_many_names_turned_on_against_us_are_one_alert() -> None:
    (alert,) = alerts(*(re_enabled(f"d{number:02}.example") for number in range(12)))

    assert (alert.code, alert.name) == ("re-enabled", None)
    assert alert.text.startswith("12 names turned on")
    assert alert.text.endswith("d09.example and 2 more")


@pytest.mark.parametrize("code", ["off-here", "route-changed"])
def test_what_only_a_person_can_settle_is_an_alert(code: str) -> None:
    decision = a_decision(Verdict.KEEP, reasons=(Reason(code="here", text="MX"), Reason(code=code, text="look at it")))

    (alert,) = alerts(an_entry(decision=decision))

    assert alert == Alert(code=code, server="web01", name=DomainName("moved.example"), text="look at it")


def test_answers_that_were_not_understood_are_alerts() -> None:
    assert codes(alerts(oddities=("one", "two"))) == ["not-understood", "not-understood"]


def test_exchanges_nobody_knows_are_listed_by_number_of_names() -> None:
    (alert,) = alerts(
        at_unknown("a.example", "mx.rare.example"),
        at_unknown("b.example", "mx.common.example", "mx.common.example"),
        at_unknown("c.example", "mx.common.example"),
        an_entry("d.example"),
        an_entry("e.example", finding=a_finding(Route.GATEWAY)),
    )

    assert alert.code == "unknown-exchanges"
    assert "not known as mailbox hosts: mx.common.example (2 names), mx.rare.example (1 name);" in alert.text


def test_only_the_commonest_unknown_exchanges_are_listed() -> None:
    (alert,) = alerts(*(at_unknown("a.example", f"mx{number:02}.example") for number in range(13)))

    assert "mx09.example (1 name) and 3 more;" in alert.text


def test_the_gravest_alerts_come_first() -> None:
    noted = a_decision(Verdict.KEEP, reasons=(Reason(code="off-here", text="x"),))
    found = alerts(
        at_unknown("a.example", "mx.rare.example"),
        an_entry("n.example", decision=noted),
        re_enabled("r.example"),
        off_by_us("o.example", Verdict.TURN_ON),
        an_entry("never.example", is_never_local=True),
        mode=Mode.REPORT,
        refusal=Refusal(server="web01", code="limits.share", text="too many"),
        oddities=("odd",),
    )

    assert codes(found) == [
        "limits.share",
        "never-local",
        "mail-refused",
        "re-enabled",
        "off-here",
        "unwatched",
        "not-understood",
        "unknown-exchanges",
    ]


def a_vantage_that(name: str, *, queries: int = 40, failures: int = 0, **traffic: object) -> VantageFailures:
    return VantageFailures(
        name=name,
        queries=queries,
        failures=failures,
        traffic=Traffic(**traffic),  # type: ignore[arg-type]
    )


def an_unknown(name: str) -> DomainReport:
    return an_entry(name, finding=a_finding(Route.UNKNOWN), decision=a_decision(Verdict.HOLD))


def incomplete(*vantages: VantageFailures, entries: tuple[DomainReport, ...]) -> list[str]:
    found = alerts_of(a_server(*entries), AN_INVENTORY, Mode.ENFORCE, vantages)
    return [alert.text for alert in found if alert.code == "lookups-incomplete"]


def test_names_that_are_unknown_for_want_of_answers_are_counted_with_what_each_vantage_left_out() -> None:
    entries = (an_unknown("a.example"), an_unknown("b.example"), an_entry("c.example"))
    dead = a_vantage_that("x", failures=40, is_given_up=True)
    slow = a_vantage_that("y", failures=3, cut_off=20)
    sound = a_vantage_that("z", failures=4)

    assert incomplete(dead, slow, sound, entries=entries) == [
        "2 of 3 names are unknown, because public DNS did not answer in full: x left 40 of 40 questions without an "
        "answer and was taken for dead; y left 3 of 40 questions without an answer (20 had no time any more: "
        "dns.deadline, dns.rate); look at the vantages with mailswitch doctor"
    ]


def test_a_failing_vantage_that_nobody_missed_and_a_name_unknown_for_itself_are_not_told() -> None:
    dead, sound = a_vantage_that("x", failures=40), a_vantage_that("y", failures=4)

    assert incomplete(dead, entries=(an_entry(),)) == []
    assert incomplete(sound, entries=(an_unknown("a.example"),)) == []


def refused(name: str, verdict: Verdict = Verdict.TURN_ON) -> DomainReport:
    reasons = (
        Reason(code="elsewhere", text="MX mx.example"),
        Reason(code=REFUSED_HERE, text="3 messages refused here"),
    )
    return an_entry(
        domain=a_domain(name, switch=Switch.OFF),
        decision=a_decision(verdict, reasons=reasons),
        history=a_history(claim=Claim.OURS, claim_route=Route.ELSEWHERE),
    )


@pytest.mark.parametrize("verdict", [Verdict.TURN_ON, Verdict.KEEP])
def test_names_whose_mail_is_refused_come_before_all_else(verdict: Verdict) -> None:
    refusal = Refusal(server="web01", code="limits.share", text="too many")

    found = alerts(re_enabled("a.example"), refused("z.example", verdict), refusal=refusal)

    assert codes(found)[:2] == ["refused-here", "limits.share"]
    assert (found[0].name, found[0].text) == (DomainName("z.example"), "3 messages refused here")


def test_of_several_servers_those_whose_mail_is_refused_come_first_and_the_rest_stays_in_order() -> None:
    one, two = alerts(re_enabled("a.example")), alerts(refused("z.example", Verdict.KEEP))

    assert codes(gravest_first((*one, *two, *one))) == ["refused-here", "re-enabled", "re-enabled"]


def test_why_mail_is_refused_is_told_by_what_shows_it() -> None:
    assert why_refused(refused("a.example")) == "its mail is still sent here and refused"
    assert why_refused(off_by_us(verdict=Verdict.TURN_ON)) == "mail is routed here again and refused"
