"""``explain`` tells everything about one name: vantages, exchanges, guards, history, what administrators said."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from unicodedata import category

from hypothesis import HealthCheck, given, settings

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import Claim, Guard
from mailswitch.core.mx import Indeterminate
from mailswitch.core.policy import Mode, Route
from mailswitch.core.reports import PassReport
from mailswitch.core.route import Reason
from mailswitch.core.table import Verdict
from mailswitch.report.explain import Explanation, explain_json, print_explain
from mailswitch.report.explanation import GuardState, guard_answers
from mailswitch.report.name_servers import NameServer, NameServers, Place
from mailswitch.report.usage import Pointing
from tests.support.builders import (
    NOW,
    a_change,
    a_decision,
    a_domain,
    a_finding,
    a_history,
    a_pause,
    a_pin,
    an_approval,
    an_entry,
    an_exchange,
    an_opinion,
)
from tests.support.report_strategies import passes

EXCHANGES = (
    an_exchange("mx.here.example", preference=20, addresses=("203.0.113.10", "2001:db8::25", "192.0.2.1")),
    an_exchange("mx.dead.example", preference=30, addresses=()),
)
NOWHERE = Pointing(web=(), name_servers=Indeterminate("alpha: SERVFAIL"))
HELD = Explanation(
    server="web01",
    addresses=("203.0.113.10", "2001:db8::/64", "*.filter.example"),
    pointing=NOWHERE,
    entry=an_entry(
        domain=a_domain("xn--bcher-kva.example", display_name="bücher.example", kind=Kind.ALIAS, parent="a.example"),
        finding=a_finding(
            exchanges=EXCHANGES,
            opinions=(an_opinion("quad9", operator="Quad9"), an_opinion("b", Route.UNKNOWN, is_remembered=True)),
        ),
        decision=a_decision(
            holding=(Guard.UNCONFIRMED,),
            reasons=(
                Reason(code="elsewhere", text="MX mx.here.example"),
                Reason(code="unconfirmed", text="seen 1 of 3 times"),
                Reason(code="arriving", text="new here (lifted by the approval of alice)"),
                Reason(code="exchange-ignored", text="mx.dead.example has no address"),
            ),
            due=NOW + timedelta(hours=20),
        ),
    ),
    mode=Mode.ENFORCE,
    now=NOW,
    pins=(a_pin("*.example", until=NOW + timedelta(days=2)), a_pin()),
    approval=an_approval(despite=frozenset({Guard.ARRIVING})),
    changes=(a_change(),),
)


def shown(explanation: Explanation) -> str:
    stream = io.StringIO()
    print_explain(explanation, stream, is_terminal=False, width=None)
    return stream.getvalue()


def test_each_guard_says_whether_it_holds() -> None:
    states = {answer.guard: answer.state for answer in guard_answers(HELD.entry)}

    assert list(states) == list(Guard)
    assert states[Guard.UNCONFIRMED] is GuardState.HOLDS
    assert states[Guard.ARRIVING] is GuardState.LIFTED
    assert states[Guard.PINNED] is GuardState.DOES_NOT_HOLD


def test_guards_are_not_asked_where_nothing_is_to_be_turned_off() -> None:
    entry = an_entry(finding=a_finding(Route.HERE), decision=a_decision(Verdict.KEEP))

    assert {answer.state for answer in guard_answers(entry)} == {GuardState.NOT_ASKED}
    assert "not asked: they stand in front of turning off" in shown(replace(HELD, entry=entry))


def test_few_guards_are_asked_about_a_name_nobody_may_host() -> None:
    answers = guard_answers(an_entry(is_never_local=True))

    asked = {answer.guard for answer in answers if answer.state is not GuardState.NOT_ASKED}
    assert asked == {Guard.NOT_MANAGED, Guard.PINNED, Guard.SUSPENDED, Guard.APPROVAL}


def test_the_text_answers_why_and_what_next() -> None:
    text = shown(HELD)

    assert text.startswith("bücher.example (xn--bcher-kva.example), alias of a.example on web01\n")
    assert re.search(r"decision +hold, on review", text)
    assert "it is due to be turned off at 2026-03-02 08:00 UTC at the earliest" in text
    assert re.search(r"quad9 +\(Quad9\) +elsewhere +MX aspmx", text)
    assert re.search(r"b +unknown +MX .* \(from memory\)", text)
    assert re.search(r"MX 20 +mx\.here\.example +203\.0\.113\.10 \(ours\), 2001:db8::25 \(ours\), 192\.0\.2\.1\n", text)
    assert re.search(r"MX 30 +mx\.dead\.example +no address known", text)
    assert re.search(r"unconfirmed +holds +seen 1 of 3 times", text)
    assert re.search(r"arriving +lifted +new here", text)
    assert re.search(r"note +exchange-ignored +mx\.dead\.example has no address", text)


def test_the_text_tells_what_is_remembered_and_what_administrators_said() -> None:
    text = shown(HELD)

    assert re.search(r"first seen +2026-01-30 12:00 UTC", text)
    assert re.search(r"route +elsewhere since 2026-02-19", text)
    assert re.search(r"sightings +5, the last 2026-03-01 12:00 UTC", text)
    assert re.search(r"last seen here +never", text)
    assert re.search(r"largest TTL +1 h", text)
    assert re.search(r"pinned +\*\.example +by alice +until 2026-03-03", text)
    assert "approved by alice, until 2026-03-30 12:00 UTC: elsewhere (aspmx.l.google.com) despite arriving" in text
    assert re.search(r"Changes\n +#12 ", text)


def test_a_name_never_seen_before_has_little_to_tell() -> None:
    entry = an_entry(
        domain=a_domain(switch=Switch.OFF, is_suspended=True),
        finding=a_finding(Route.UNKNOWN, because="not looked up", exchanges=(), opinions=()),
        decision=a_decision(Verdict.KEEP, reasons=(Reason(code="unconfirmed", text="no quorum"),)),
        history=a_history(route=None, since=None, sightings=0, unknown_since=NOW, claim=Claim.OURS, claim_change=12),
        error="the panel said no",
    )

    text = shown(replace(HELD, entry=entry, pins=(), approval=None, changes=(), addresses=(), pause=a_pause()))

    assert re.search(r"switch +off, suspended", text)
    assert re.search(r"mode +enforce, paused by alice", text)
    assert "error: the panel said no" in text
    assert "Ours: no address known" in text
    assert re.search(r"route +none yet", text)
    assert re.search(r"unknown since +2026-03-01 12:00 UTC", text)
    assert re.search(r"turned off by us +yes \(change #12\)", text)
    assert re.search(r"note +unconfirmed +no quorum", text)
    assert "What administrators said" not in text
    assert "Changes" not in text


def test_the_document_has_every_key() -> None:
    document = json.loads(explain_json(replace(HELD, pause=a_pause())))

    assert document["schema"] == "mailswitch/explain/1"
    assert set(document) == {
        "schema", "server", "now", "mode", "paused", "addresses", "domain", "opinions", "guards", "history", "due",
        "pins", "approval", "usage", "changes", "next",
    }  # fmt: skip
    assert document["domain"]["mx"][0]["addresses"][0] == {"address": "203.0.113.10", "ours": True}
    assert document["domain"]["mx"][0]["addresses"][2] == {"address": "192.0.2.1", "ours": False}
    assert document["domain"]["created"] == "2023-06-05"
    assert document["opinions"][1]["remembered"] is True
    assert document["guards"][8] == {
        "guard": "unconfirmed",
        "state": "holds",
        "liftable": True,
        "text": "seen 1 of 3 times",
    }
    assert document["history"]["credited_seconds"] == 4 * 86400
    assert document["due"] == "2026-03-02T08:00:00Z"
    assert document["approval"]["despite"] == ["arriving"]
    assert document["changes"][0]["id"] == 12
    assert len(document["next"]) == 2


def test_absent_things_are_null_in_the_document() -> None:
    entry = an_entry(domain=a_domain(created=None), history=a_history(route=None, claim_route=Route.ELSEWHERE))

    document = json.loads(explain_json(replace(HELD, entry=entry, approval=None)))

    assert document["paused"] is None
    assert document["approval"] is None
    assert document["due"] is None
    assert document["domain"]["created"] is None
    assert document["history"]["route"] is None
    assert document["history"]["claim_route"] == "elsewhere"


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=30)
@given(passes())
def test_nothing_foreign_controls_the_terminal_or_breaks_the_document(report: PassReport) -> None:
    for server in report.servers:
        for entry in server.domains:
            explanation = replace(HELD, entry=entry, server=server.name)

            text = shown(explanation).replace("\n", "")

            assert not {category(one) for one in text} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
            assert json.loads(explain_json(explanation))["domain"]["name"] == entry.domain.name.text


def test_names_of_name_servers_are_written_out() -> None:
    host = "ns\x1b[2J\u202e.example"
    server = NameServer(host=host, addresses=(), place=Place.NOWHERE)
    found = NameServers(zone=host, is_above=True, servers=(server,))

    text = shown(replace(HELD, pointing=Pointing(web=(), name_servers=found)))

    assert "(no address)" in text
    assert {c for c in text if category(c) in {"Cc", "Cf"}} <= {"\n"}
