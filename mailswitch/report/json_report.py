"""The report of one pass as JSON, schema ``mailswitch/report/1`` (design.md section 7), and the plan read back from it.

Every key is always there. Servers stand in the order of the configuration, names in their own order, so that two
reports can be compared line by line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import NoReturn, TypeVar

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.errors import ConfigError, InvalidName
from mailswitch.core.mx import Address
from mailswitch.core.names import DomainName
from mailswitch.core.plan import PlannedChange, digest_of
from mailswitch.core.policy import Route
from mailswitch.core.reports import DomainReport, PassReport, ServerReport, summary_of
from mailswitch.core.route import ExchangeSeen, Reason
from mailswitch.core.table import CHANGING, Verdict
from mailswitch.report.documents import listed, moment, one_line
from mailswitch.report.impact import server_impact

__all__ = [
    "LARGEST_PLAN_FILE",
    "REPORT_SCHEMA",
    "ReviewedPlan",
    "domain_fields",
    "exchange_fields",
    "plan_from_json",
    "reason_fields",
    "report_json",
]

REPORT_SCHEMA = "mailswitch/report/1"

LARGEST_PLAN_FILE = 128 * 1024 * 1024
"""Characters a JSON report may have to be read back: some 100,000 names."""

_BYTE_ORDER_MARK = "\ufeff"
"""What some editors put before a file they save (RFC 8259 §8.1 lets a reader ignore it)."""

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedPlan:
    """A plan that somebody looked at, as it stood in a JSON report."""

    digest: str
    entries: tuple[PlannedChange, ...]
    """Sorted; what was due and what was on review."""


def report_json(report: PassReport) -> str:
    """Return the report as a JSON document, with a line for each name."""
    return "".join(_pieces(report))


def _pieces(report: PassReport) -> Iterator[str]:
    run = {
        "id": report.run_id,
        "mode": report.mode.value,
        "dry_run": report.is_dry_run,
        "started": moment(report.started),
        "finished": moment(report.finished),
        "plan": report.plan.digest,
    }
    alerts = (
        {
            "code": str(alert.code),
            "server": alert.server,
            "name": None if alert.name is None else alert.name.text,
            "text": alert.text,
        }
        for alert in report.alerts
    )
    yield f'{{\n  "schema": {one_line(REPORT_SCHEMA)},\n  "run": {one_line(run)},\n  "servers": '
    yield from listed(("".join(_server(server)) for server in report.servers), indent="    ")
    yield ',\n  "alerts": '
    yield from listed(map(one_line, alerts), indent="    ")
    yield f',\n  "summary": {one_line(asdict(summary_of(report.servers)))}\n}}\n'


def domain_fields(entry: DomainReport, shown: Callable[[Address], str] = str) -> dict[str, object]:
    """Return one name of a pass with the keys it has in every JSON document; ``shown`` writes addresses."""
    domain, finding, decision = entry.domain, entry.finding, entry.decision
    return {
        "name": domain.name.text,
        "display_name": domain.display_name,
        "kind": domain.kind.value,
        "parent": None if domain.parent is None else domain.parent.text,
        "switch": domain.switch.value,
        "route": finding.route.value,
        "provider": finding.provider,
        "mx": [exchange_fields(seen, shown) for seen in sorted(finding.exchanges, key=attrgetter("order"))],
        "decision": decision.verdict.value,
        "on_review": decision.is_on_review,
        "vantages": finding.vantages,
        "reasons": [reason_fields(reason) for reason in decision.reasons],
        "outcome": None if entry.outcome is None else entry.outcome.value,
        "error": entry.error,
        "impact": _impact(entry),
    }


def _impact(entry: DomainReport) -> dict[str, object] | None:
    impact = entry.impact
    if impact is None:
        return None
    return {"messages": impact.messages, "since": impact.since.isoformat(), "last_30_days": impact.recent}


def exchange_fields(seen: ExchangeSeen, shown: Callable[[Address], str] = str) -> dict[str, object]:
    """Return one exchange with the keys it has in every JSON document; ``shown`` writes addresses."""
    return {
        "preference": seen.preference,
        "exchange": seen.exchange.text,
        "addresses": [shown(found) for found in seen.addresses],
    }


def reason_fields(reason: Reason) -> dict[str, object]:
    """Return one reason with the keys it has in every JSON document."""
    return {"code": str(reason.code), "text": reason.text}


def _server(server: ServerReport) -> Iterator[str]:
    error, impact = server.error, server_impact(server)
    head = {
        "name": server.name,
        "panel": {"kind": server.panel, "version": server.version},
        "addresses": list(server.addresses),
        "error": None if error is None else {"code": str(error.code), "text": error.text},
        "impact": None if impact is None else {"last_30_days": impact.messages, "stopped": impact.stopped},
    }
    shown = cache(str)  # many names share their exchanges
    entries = sorted(server.domains, key=lambda entry: (entry.domain.name, entry.domain.kind))
    yield f'{one_line(head)[:-1]}, "domains": '
    yield from listed((one_line(domain_fields(entry, shown)) for entry in entries), indent="      ")
    yield "}"


def plan_from_json(text: str) -> ReviewedPlan:
    """Return the plan of a JSON report, for ``once --plan FILE``.

    Args:
        text: The file's text; at most `LARGEST_PLAN_FILE` characters.

    Raises:
        ConfigError: it is no mailswitch report, has another schema version, or its digest is not the digest of its
            entries, so that it was altered or is a part only.
    """
    root = _Place("the file", _loaded(text))
    schema = root.members().get("schema")
    if schema != REPORT_SCHEMA:
        _refuse_schema(schema)
    digest = root.at("run").at("plan").text()
    entries = [
        change
        for server in root.at("servers").items()
        for domain in server.at("domains").items()
        if (change := _planned(server.at("name").text(), domain)) is not None
    ]
    if digest_of(entries) != digest:
        raise ConfigError(
            "reading the plan file: its digest is not the one of its entries, so the file was altered or is a report "
            "of a part only; make a new one with: mailswitch report --format json --output FILE"
        )
    return ReviewedPlan(digest=digest, entries=tuple(sorted(entries)))


def _loaded(text: str) -> object:
    if len(text) > LARGEST_PLAN_FILE:
        raise ConfigError(f"reading the plan file: it is longer than {LARGEST_PLAN_FILE} characters, no report is")
    try:
        return json.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"reading the plan file: it is not JSON ({error}); give a file made by mailswitch report --format json"
        ) from error


def _refuse_schema(schema: object) -> NoReturn:
    kind, _, version = schema.rpartition("/") if isinstance(schema, str) else ("", "", "")
    if kind == REPORT_SCHEMA.rpartition("/")[0] and len(version) <= 8:
        raise ConfigError(
            f"reading the plan file: it has schema {schema!r} and this mailswitch reads {REPORT_SCHEMA!r}: make a new "
            "report with this version"
        )
    raise ConfigError(
        f"reading the plan file: it is no mailswitch report (no schema {REPORT_SCHEMA!r}); give a file made by "
        "mailswitch report --format json"
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A value within the file, with the path to it for messages."""

    path: str
    value: object

    def members(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            self.refuse("an object")
        return self.value

    def at(self, key: str) -> _Place:
        members = self.members()
        path = key if self.path == "the file" else f"{self.path}.{key}"
        if key not in members:
            raise ConfigError(f"reading the plan file: {path} is missing; the file was altered or cut off")
        return _Place(path, members[key])

    def items(self) -> list[_Place]:
        if not isinstance(self.value, list):
            self.refuse("a list")
        return [_Place(f"{self.path}[{number}]", value) for number, value in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.refuse("a text")
        return self.value

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            self.refuse("true or false")
        return self.value

    def word(self, words: type[_Word]) -> _Word:
        return self._read(words, "one of " + ", ".join(words))

    def name(self) -> DomainName:
        return self._read(DomainName, "a domain name")

    def _read(self, make: Callable[[str], _Made], wanted: str) -> _Made:
        text = self.text()
        try:
            return make(text)
        except (InvalidName, ValueError):
            self.refuse(wanted)

    def refuse(self, wanted: str) -> NoReturn:
        shown = repr(self.value)
        shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
        raise ConfigError(f"reading the plan file: {self.path} is {shown} and should be {wanted}; the file was altered")


_Made = TypeVar("_Made")


def _planned(server: str, domain: _Place) -> PlannedChange | None:
    verdict, is_on_review = domain.at("decision").word(Verdict), domain.at("on_review").truth()
    if verdict not in CHANGING and not is_on_review:
        return None
    to = Switch.ON if verdict is Verdict.TURN_ON else Switch.OFF
    return PlannedChange(
        server=server,
        kind=domain.at("kind").word(Kind),
        name=domain.at("name").name(),
        switch_from=domain.at("switch").word(Switch),
        switch_to=to,
        route=domain.at("route").word(Route),
        exchanges=tuple(sorted({seen.at("exchange").name() for seen in domain.at("mx").items()})),
    )
