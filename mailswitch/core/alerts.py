"""What an administrator should look at in one server's part of a pass, whatever the decisions are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mailswitch.core.decide import BOUNCED_HERE, REFUSED_HERE
from mailswitch.core.domain import Inventory, Switch
from mailswitch.core.ledger import Claim, Guard
from mailswitch.core.limits import VantageFailures
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Mode, Route
from mailswitch.core.reports import Alert, DomainReport, ServerReport
from mailswitch.core.table import Verdict
from mailswitch.core.words import counted

__all__ = ["alerts_of", "gravest_first", "why_refused"]

_MOST_NAMED = 10
_FEW_FAILED = 5
_FAILING_SHARE = 0.2
_NOTED_CODES = ("off-here", "route-changed")


def alerts_of(
    report: ServerReport, inventory: Inventory, mode: Mode, vantages: Iterable[VantageFailures] = ()
) -> tuple[Alert, ...]:
    """Return a server's alerts, the gravest first; ``vantages`` are how they fared in the whole pass."""
    return (
        *_with_code(report, REFUSED_HERE),
        *_refusals(report),
        *_never_local(report),
        *_refused_mail(report, mode),
        *_bounced(report),
        *_re_enabled(report),
        *_noted(report),
        *_incomplete(report, tuple(vantages)),
        *_unwatched(report, mode),
        *(Alert(code="not-understood", server=report.name, name=None, text=text) for text in inventory.oddities),
        *_unknown_exchanges(report),
    )


def gravest_first(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Return the alerts of several servers in their order, mail that is being refused now before all else."""
    return tuple(sorted(alerts, key=lambda alert: alert.code != REFUSED_HERE))


def why_refused(entry: DomainReport) -> str:
    """Return why a name that we turned off is to be on again, for people."""
    codes = {reason.code for reason in entry.decision.reasons}
    if REFUSED_HERE in codes:
        return "its mail is still sent here and refused"
    if BOUNCED_HERE in codes:
        return "this server's own mail to it bounces"
    return "mail is routed here again and refused"


def _refusals(report: ServerReport) -> Iterable[Alert]:
    if report.refusal is not None:
        yield Alert(code=report.refusal.code, server=report.name, name=None, text=report.refusal.text)


def _never_local(report: ServerReport) -> Iterable[Alert]:
    for entry in report.domains:
        if entry.is_never_local and entry.domain.switch in {Switch.ON, Switch.UNKNOWN}:
            text = (
                "a name nobody hosts on a shared server has local mail on: its tenant catches every neighbour's mail "
                "to it"
            )
            yield Alert(code="never-local", server=report.name, name=entry.domain.name, text=text)


def _refused_mail(report: ServerReport, mode: Mode) -> Iterable[Alert]:
    """Name what should be on again but is not turned on because the mode only reports."""
    for entry in report.domains:
        if entry.decision.verdict is Verdict.TURN_ON and mode is Mode.REPORT:
            text = f"mailswitch turned it off, {why_refused(entry)}: turn it on with once --apply"
            yield Alert(code="mail-refused", server=report.name, name=entry.domain.name, text=text)


def _re_enabled(report: ServerReport) -> Iterable[Alert]:
    """Many at once are one alert: that is a plan sync, not many administrators."""
    names = [entry.domain.name for entry in report.domains if Guard.RE_ENABLED in entry.decision.holding]
    text = "turned on against mailswitch, by hand or by a plan sync"
    yield from _of_all(report, Guard.RE_ENABLED, names, text)


def _bounced(report: ServerReport) -> Iterable[Alert]:
    """Name what is off by us and led back here by the server's own resolvers: one cause, however many names."""
    names = [
        entry.domain.name
        for entry in report.domains
        if any(reason.code == BOUNCED_HERE for reason in entry.decision.reasons)
    ]
    text = (
        "turned off by mailswitch and led back here by this server's own resolver, so that its own mail to them "
        "bounces; let /etc/resolv.conf name a resolver without their zones, or remove these from Plesk's DNS"
    )
    yield from _of_all(report, BOUNCED_HERE, names, text)


def _of_all(report: ServerReport, code: str, names: list[DomainName], text: str) -> Iterable[Alert]:
    """Say once what is so of several names."""
    if names:
        shown = ", ".join(str(name) for name in names[:_MOST_NAMED])
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        text = f"{counted(len(names), 'name')} {text}: {shown}{more}"
        yield Alert(code=code, server=report.name, name=names[0] if len(names) == 1 else None, text=text)


def _noted(report: ServerReport) -> Iterable[Alert]:
    for code in _NOTED_CODES:
        yield from _with_code(report, code)


def _with_code(report: ServerReport, code: str) -> Iterable[Alert]:
    for entry in report.domains:
        for reason in entry.decision.reasons:
            if reason.code == code:
                yield Alert(code=code, server=report.name, name=entry.domain.name, text=reason.text)


def _unwatched(report: ServerReport, mode: Mode) -> Iterable[Alert]:
    """Mode report turns nothing on again, so switches off by us are a danger in it."""
    ours = [entry for entry in report.domains if _is_off_by_us(entry)]
    if mode is Mode.REPORT and ours:
        text = (
            f"{counted(len(ours), 'switch is', 'switches are')} off by mailswitch, and in mode report nobody turns "
            "them on again when mail comes back: use mode enforce, or restore them with mailswitch revert --all"
        )
        yield Alert(code="unwatched", server=report.name, name=None, text=text)


def _is_off_by_us(entry: DomainReport) -> bool:
    return entry.domain.switch is Switch.OFF and entry.history.claim is Claim.OURS


def _incomplete(report: ServerReport, vantages: tuple[VantageFailures, ...]) -> Iterable[Alert]:
    """Say what is missing where vantages did not answer, or the pass had no more time to ask them."""
    unknown = sum(1 for entry in report.domains if entry.finding.route is Route.UNKNOWN)
    lacking = [_lack(one) for one in vantages if one.traffic.cut_off or _is_failing(one)]
    if unknown and lacking:
        text = (
            f"{unknown} of {counted(len(report.domains), 'name')} are unknown, because public DNS did not answer in "
            f"full: {'; '.join(lacking)}; look at the vantages with mailswitch doctor"
        )
        yield Alert(code="lookups-incomplete", server=report.name, name=None, text=text)


def _is_failing(vantage: VantageFailures) -> bool:
    failed, asked = vantage.failures, vantage.queries
    return not vantage.is_authoritative and failed >= _FEW_FAILED and failed > _FAILING_SHARE * asked


def _lack(vantage: VantageFailures) -> str:
    said = [f"{vantage.name} left {vantage.failures} of {counted(vantage.queries, 'question')} without an answer"]
    if vantage.traffic.is_given_up:
        said.append("and was taken for dead")
    if vantage.traffic.cut_off:
        said.append(f"({vantage.traffic.cut_off} had no time any more: dns.deadline, dns.rate)")
    return " ".join(said)


def _unknown_exchanges(report: ServerReport) -> Iterable[Alert]:
    """List the exchanges the provider table does not know, by number of names: this is how the table grows."""
    names: Counter[str] = Counter()
    for entry in report.domains:
        if entry.finding.route is Route.ELSEWHERE and entry.finding.provider is None:
            names.update(str(exchange) for exchange in entry.finding.exchange_names)
    if names:
        ranked = sorted(names.items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"{exchange} ({counted(number, 'name')})" for exchange, number in ranked[:_MOST_NAMED])
        more = f" and {len(ranked) - _MOST_NAMED} more" if len(ranked) > _MOST_NAMED else ""
        text = f"not known as mailbox hosts: {shown}{more}; name them in policy.providers if you know them"
        yield Alert(code="unknown-exchanges", server=report.name, name=None, text=text)
