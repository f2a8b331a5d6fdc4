"""The two writes that mailswitch may make over the XML API, and the refusal of every other (design.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mailswitch.core.domain import Switch
from mailswitch.simulation.operators import ALIAS_FILTER, alias_rows, filtered, ids_of
from mailswitch.simulation.packets import Code, Operation, add, add_error
from mailswitch.simulation.state import PanelState

__all__ = ["WRITERS", "Writing", "forbidden"]

_SWITCHES = {"true": Switch.ON, "false": Switch.OFF}


@dataclass(frozen=True, slots=True)
class Writing:
    """Where a write goes."""

    state: PanelState
    turn: int
    """Chooses the language of error texts."""
    is_applied: bool
    """False to say yes and do nothing."""


def _set_prefs(operation: Operation, reply: Element, at: Writing) -> None:
    """``mail/set_prefs`` with the single node ``mailservice`` and a filter that names its sites."""
    problem = _set_prefs_problem(operation.node)
    if problem is not None:
        at.state.record_violation(f"mail/set_prefs {problem}")
        add_error(reply, Code.PARSE, at.turn)
        return
    to = _SWITCHES[operation.node.findtext("prefs/mailservice", "").strip()]
    with at.state.reading() as connection:
        names = {row["id"]: row["name"] for row in connection.execute("SELECT id, name FROM domains")}
    for number in ids_of(operation.node, "site-id"):
        code = _turn_site(at, names.get(number), to)
        result = add(reply, "result") if code is None else add_error(reply, code, at.turn)
        if code is None:
            add(result, "status", "ok")
        add(result, "site-id", number)


def _turn_site(at: Writing, name: str | None, to: Switch) -> int | None:
    if name is None:
        return Code.NO_SUCH_OBJECT
    if at.state.switch_of(name) is Switch.NOT_CONFIGURED:
        at.state.record_violation(f"mail/set_prefs turns {name} {to}, where mail is not configured")
        return Code.OPERATION_FAILED
    at.state.perform(name, to, interface="xml", is_applied=at.is_applied)
    return None


def _set_prefs_problem(node: Element) -> str | None:
    if [child.tag for child in node] != ["filter", "prefs"]:
        return "is not one filter and one prefs"
    sites = list(node[0])
    if not sites:
        return "has an empty filter"
    if any(site.tag != "site-id" for site in sites) or len(ids_of(node, "site-id")) != len(sites):
        return "has a filter of something else than site-ids"
    if [child.tag for child in node[1]] != ["mailservice"]:
        return "sets something else than mailservice"
    if (node[1][0].text or "").strip() not in _SWITCHES:
        return "sets mailservice to something else than true or false"
    return None


def _alias_set(operation: Operation, reply: Element, at: Writing) -> None:
    """``site-alias/set`` with only ``pref/mail``; an empty filter reaches every alias, and is a violation."""
    problem = _alias_set_problem(operation.node)
    if problem is not None:
        at.state.record_violation(f"site-alias/set {problem}")
        add_error(reply, Code.PARSE, at.turn)
        return
    if operation.node.find("filter/*") is None:
        at.state.record_violation("site-alias/set has an empty filter: every alias of the server was changed")
    to = _SWITCHES[operation.node.findtext("settings/pref/mail", "").strip()]
    with at.state.reading() as connection:
        found = filtered(operation.node, alias_rows(connection), ALIAS_FILTER)
    for text, rows in found:
        if not rows and text is not None:
            add(add_error(reply, Code.NO_SUCH_OBJECT, at.turn), "filter-id", text)
        for row in rows:
            at.state.perform(row["name"], to, interface="xml", is_applied=at.is_applied)
            result = add(reply, "result")
            add(result, "status", "ok")
            add(result, "filter-id", row["id"] if text is None else text)
            add(result, "id", row["id"])
    if len(reply) == 0:
        add(add(reply, "result"), "status", "ok")


def _alias_set_problem(node: Element) -> str | None:
    if [child.tag for child in node] != ["filter", "settings"]:
        return "is not one filter and one settings"
    if any(item.tag not in ALIAS_FILTER for item in node[0]) or len({item.tag for item in node[0]}) > 1:
        return "has a filter that is not understood"
    if [child.tag for child in node[1]] != ["pref"] or [child.tag for child in node[1][0]] != ["mail"]:
        return "sets something else than pref/mail"
    if (node[1][0][0].text or "").strip() not in _SWITCHES:
        return "sets mail to something else than true or false"
    return None


WRITERS = {"mail/set_prefs": _set_prefs, "site-alias/set": _alias_set}
"""The writes that are permitted, by their path."""


def forbidden(operation: Operation, reply: Element, state: PanelState, turn: int) -> None:
    """Refuse an operation that is neither simulated nor permitted.

    A read gets "not in this version"; anything else is a violation.
    Like Plesk's own answer to ``mail/enable`` and ``mail/disable`` this one echoes no id (plesk.md section 1.5).
    """
    if operation.name.startswith("get"):
        add_error(reply, Code.NOT_IN_THIS_VERSION, turn)
        return
    state.record_violation(f"{operation.path} is no write that mailswitch may make")
    add_error(reply, Code.PERMISSION, turn)
