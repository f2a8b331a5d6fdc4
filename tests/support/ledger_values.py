"""Values for ledgers: plain ones to start from, and strategies for all there can be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import (
    Actor,
    Approval,
    Change,
    Claim,
    DomainHistory,
    Guard,
    Pause,
    Pin,
    Run,
    ServerPass,
    ServerState,
)
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Mode, Route
from mailswitch.service.ports import LedgerReader

NOW = datetime(2026, 11, 23, 4, 0, 0, 123456, tzinfo=UTC)
NAME = DomainName("moved.example")
SERVER = "web01"
HOSTILE = (
    "'); DROP TABLE names;--",
    '"%(x)s :y ? %s',
    "\x1b[2J\x1b]0;title\x07",
    "=cmd()|' /C calc'!A0",
    "<script>alert(1)</script>",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
    "\N{PILE OF POO}\r\n\t\\x00",
)


def run(run_id: str = "run-1", *, started: datetime = NOW) -> Run:
    return Run(id=run_id, mode=Mode.ENFORCE, by="daemon", started=started, finished=None, plan=None)


def change(name: DomainName = NAME, *, server: str = SERVER, run_id: str | None = None, at: datetime = NOW) -> Change:
    return Change(
        id=None,
        run_id=run_id,
        server=server,
        name=name,
        kind=Kind.DOMAIN,
        panel_id="17",
        switch_from=Switch.ON,
        switch_to=Switch.OFF,
        actor=Actor.MAILSWITCH,
        by="daemon",
        reason="mail lives elsewhere",
        route=Route.ELSEWHERE,
        exchanges=(DomainName("mx.other.example"),),
        evidence=json.dumps({"vantages": {}}),
        is_reviewed=False,
        is_never_local=False,
        reverts=None,
        intended_at=at,
    )


def server_pass(run_id: str = "run-1", *, server: str = SERVER, finished: datetime = NOW) -> ServerPass:
    return ServerPass(
        run_id=run_id,
        server=server,
        finished=finished,
        error_code=None,
        error_text=None,
        counts=(("keep", 2), ("turn_off", 1)),
    )


def state(server: str = SERVER, *, size: int = 3) -> ServerState:
    return ServerState(server=server, first_pass=NOW, last_pass=NOW, inventory_size=size, smaller_since=None)


def pin(pattern: str = "*.example", *, at: datetime = NOW) -> Pin:
    return Pin(pattern=NamePattern(pattern), reason="ask first", by="root", at=at)


def approval(name: DomainName = NAME, *, server: str = SERVER, at: datetime = NOW) -> Approval:
    return Approval(
        server=server,
        name=name,
        route=Route.ELSEWHERE,
        exchanges=(DomainName("mx.other.example"),),
        despite=frozenset({Guard.FLAPPING, Guard.ARRIVING}),
        by="root",
        at=at,
        expires=at + timedelta(days=30),
    )


def everything(ledger: LedgerReader, server: str) -> list[object]:
    """What each of a reader's methods answers."""
    return [
        ledger.run_count(),
        ledger.histories(server),
        ledger.server_state(server),
        ledger.pins(),
        ledger.approvals(),
        ledger.pause(),
        ledger.changes(),
        ledger.unsettled(),
        ledger.last_run(),
        ledger.last_passes(),
        ledger.changes_after(0),
        ledger.notice_memory(),
        ledger.recent_passes(server, limit=9),
        ledger.rechecks(limit=9),
        ledger.next_passes(),
        ledger.rescues(),
        ledger.unanswered(server, NAME),
        ledger.rescue_counts(server, NAME),
    ]


# What both databases can keep: no U+0000 and no half surrogate pairs; those have a test of their own.
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.sampled_from(HOSTILE)
_zones = st.just(UTC) | st.sampled_from([timezone(timedelta(hours=14)), timezone(timedelta(hours=-12, minutes=-30))])
moments = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 31), timezones=_zones)  # noqa: DTZ001 - zones come from the strategy
durations = st.timedeltas(timedelta(0), timedelta(days=100_000))
_unit = st.sampled_from([*"abcz059-_'\"`;%?:*/=<>()[]{}|&$#@!~^+,", "\\.", "\\\\", "\\000", "\\009", "\\127", "\\200"])
_label = st.lists(_unit, min_size=1, max_size=12).map("".join)
names = st.lists(_label, min_size=1, max_size=4).map(lambda labels: DomainName(".".join(labels))) | st.just(
    DomainName(".")
)
patterns = names.map(lambda name: NamePattern(name.text))
_many_names = st.lists(names, max_size=4).map(tuple)
_counts = st.integers(0, 2**31 - 1)


def _maybe(strategy: st.SearchStrategy[datetime]) -> st.SearchStrategy[datetime | None]:
    return st.none() | strategy


def histories(change_ids: tuple[int, ...] = ()) -> st.SearchStrategy[DomainHistory]:
    return st.builds(
        DomainHistory,
        first_seen=moments,
        is_from_first_pass=st.booleans(),
        route=st.none() | st.sampled_from(Route),
        since=_maybe(moments),
        sightings=_counts,
        last_sighting=_maybe(moments),
        credited=durations,
        ttl=durations,
        last_seen_here=_maybe(moments),
        was_here=st.booleans(),
        unknown_since=_maybe(moments),
        gone_since=_maybe(moments),
        claim=st.sampled_from(Claim),
        claim_change=st.none() | st.sampled_from(change_ids) if change_ids else st.none(),
        claim_route=st.none() | st.sampled_from(Route),
        claim_exchanges=_many_names,
    )


intents = st.builds(
    Change,
    id=st.none(),
    run_id=st.none(),
    server=words,
    name=names,
    kind=st.sampled_from(Kind),
    panel_id=words,
    switch_from=st.sampled_from(Switch),
    switch_to=st.sampled_from(Switch),
    actor=st.sampled_from(Actor),
    by=words,
    reason=words,
    route=st.none() | st.sampled_from(Route),
    exchanges=_many_names,
    evidence=st.dictionaries(st.text(), st.text(), max_size=3).map(json.dumps),
    is_reviewed=st.booleans(),
    is_never_local=st.booleans(),
    reverts=st.none(),
    intended_at=moments,
    finished_at=st.none(),
    outcome=st.none(),
    error=st.none(),
)
runs = st.builds(
    Run,
    id=words,
    mode=st.sampled_from(Mode),
    by=words,
    started=moments,
    finished=_maybe(moments),
    plan=st.none() | words,
    changes_done=_counts,
    changes_failed=_counts,
)
passes = st.builds(
    ServerPass,
    run_id=st.just("run-1"),
    server=words,
    finished=moments,
    error_code=st.none() | words,
    error_text=st.none() | words,
    counts=st.lists(st.tuples(st.text(), _counts), max_size=3).map(tuple),
    is_partial=st.just(False),
)
states = st.builds(
    ServerState,
    server=words,
    first_pass=moments,
    last_pass=moments,
    inventory_size=_counts,
    smaller_since=_maybe(moments),
)
pins = st.builds(Pin, pattern=patterns, reason=words, by=words, at=moments, until=_maybe(moments))
approvals = st.builds(
    Approval,
    server=words,
    name=names,
    route=st.sampled_from(Route),
    exchanges=_many_names,
    despite=st.frozensets(st.sampled_from(Guard)),
    by=words,
    at=moments,
    expires=moments,
)
pauses = st.builds(Pause, by=words, at=moments, reason=st.none() | words)
