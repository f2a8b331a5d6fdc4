"""Hypothesis strategies for whole passes, with every foreign text as hostile as a text can be."""

from __future__ import annotations

from hypothesis import strategies as st

from mailswitch.core.decide import Decision
from mailswitch.core.domain import HostedDomain, Kind, Switch
from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Mode, Route
from mailswitch.core.quorum import Finding
from mailswitch.core.reports import Alert, DomainOutcome, DomainReport, PassReport, ServerError, ServerReport
from mailswitch.core.route import ExchangeSeen, Reason
from mailswitch.core.table import Verdict
from tests.support.builders import a_domain, a_finding, a_history, a_report, a_server, an_exchange

__all__ = ["names", "passes", "texts"]

_HOSTILE = (
    "\x1b[2J\x1b]0;title\x07",
    '=HYPERLINK("http://evil.example","click")',
    "<script>alert(1)</script>",
    "\u202egpj.exe\u2066",
    "one\ntwo\r\nthree\ttab",
    "[red]markup[/red] [link=http://evil.example]x[/link] :smile:",
    "\ud800 lone surrogate",
    "zero\u200bwidth\u2028line",
    "\x9b31m C1",
    "+1+1",
    "@SUM(A1)",
    '"quoted", and; more',
)


def texts() -> st.SearchStrategy[str]:
    """Texts from Plesk or DNS: anything at all, known attacks often."""
    return st.one_of(st.sampled_from(_HOSTILE), st.text(st.characters(), max_size=30))


def names() -> st.SearchStrategy[DomainName]:
    """Names as DNS allows them: octets written out and specials too."""
    labels = st.sampled_from(
        ["a", "moved", "xn--bcher-kva", "=cmd", "[red]", "_dmarc", "*", "a\\.b", "\\027", "<b>", "@"]
    )
    parts = st.lists(labels, min_size=1, max_size=3)
    return parts.map(lambda found: DomainName(".".join([*found, "example"])))


def _exchanges() -> st.SearchStrategy[ExchangeSeen]:
    return st.builds(
        lambda name, preference, addresses: an_exchange(name.text, preference=preference, addresses=tuple(addresses)),
        st.one_of(names(), st.just(DomainName("."))),
        st.integers(0, 65535),
        st.lists(st.sampled_from(["203.0.113.25", "2001:db8::25"]), max_size=2, unique=True),
    )


def _findings() -> st.SearchStrategy[Finding]:
    return st.builds(
        lambda route, because, provider, exchanges: a_finding(
            route, because=because, provider=provider, exchanges=tuple(exchanges)
        ),
        st.sampled_from(Route),
        texts(),
        st.one_of(st.none(), texts()),
        st.lists(_exchanges(), max_size=3),
    )


@st.composite
def _decisions(draw: st.DrawFn) -> Decision:
    verdict = draw(st.sampled_from(Verdict))
    guards = draw(st.lists(st.sampled_from(Guard), unique=True, max_size=3)) if verdict is Verdict.HOLD else []
    reasons = [Reason(code=guard.value, text=draw(texts())) for guard in guards]
    reasons.append(Reason(code=draw(texts()), text=draw(texts())))
    return Decision(
        verdict=verdict,
        reasons=tuple(reasons),
        is_on_review=bool(guards) and all(guard.is_liftable for guard in guards),
        holding=tuple(guards),
    )


@st.composite
def _domains(draw: st.DrawFn, name: DomainName) -> HostedDomain:
    return a_domain(
        name.text,
        display_name=draw(texts()) or name.text,
        kind=draw(st.sampled_from(Kind)),
        switch=draw(st.sampled_from(Switch)),
        parent=draw(st.one_of(st.none(), names().map(str))),
    )


@st.composite
def _entries(draw: st.DrawFn) -> tuple[DomainReport, ...]:
    found = draw(st.lists(names(), unique=True, max_size=4))
    return tuple(
        DomainReport(
            domain=draw(_domains(name)),
            finding=draw(_findings()),
            decision=draw(_decisions()),
            history=a_history(),
            is_never_local=draw(st.booleans()),
            outcome=draw(st.one_of(st.none(), st.sampled_from(DomainOutcome))),
            error=draw(st.one_of(st.none(), texts())),
        )
        for name in found
    )


@st.composite
def _servers(draw: st.DrawFn, name: str) -> ServerReport:
    return a_server(
        *draw(_entries()),
        name=name,
        version=draw(st.one_of(st.none(), texts())),
        error=draw(st.one_of(st.none(), st.builds(ServerError, code=st.just("unreachable"), text=texts()))),
        refusal=draw(
            st.one_of(st.none(), st.builds(Refusal, server=st.just(name), code=st.just("limits.changes"), text=texts()))
        ),
    )


@st.composite
def passes(draw: st.DrawFn) -> PassReport:
    """Whole passes, in every mode, applied or not."""
    servers = [draw(_servers(name)) for name in draw(st.lists(texts(), unique=True, max_size=3))]
    alerts = st.builds(Alert, code=texts(), server=texts(), name=st.one_of(st.none(), names()), text=texts())
    return a_report(
        *servers,
        mode=draw(st.sampled_from(Mode)),
        is_dry_run=draw(st.booleans()),
        alerts=tuple(draw(st.lists(alerts, max_size=2))),
        is_partial=draw(st.booleans()),
    )
