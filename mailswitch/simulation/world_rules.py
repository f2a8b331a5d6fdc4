"""Rules of a world file that span several keys; told beside everything else that is wrong with it.

They look at the document as it was written, so that they hold however much of it is broken elsewhere: what is no
name or no list is passed over here, because the models complain about it already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailswitch.config.document import Document, Place, Problem
from mailswitch.config.messages import did_you_mean, shorten
from mailswitch.config.names import parse_name
from mailswitch.core.domain import Kind
from mailswitch.core.errors import ConfigError, InvalidName
from mailswitch.core.names import DomainName
from mailswitch.simulation.public_dns import parse_records
from mailswitch.simulation.world_config import broken_config

__all__ = ["broken_rules"]

_BLOCK = re.compile(r"[|>][-+0-9]*\s*(#.*)?$")
_LINE = re.compile(r"line ([0-9]+): (.*)\Z", re.DOTALL)

_QUORUM = 2

_Found = Iterator[tuple[Place, str]]


def broken_rules(document: Document, text: str) -> tuple[Problem, ...]:
    """Return every rule that the world breaks; ``text`` is what the document was read from."""
    root = document.value if isinstance(document.value, dict) else {}
    found = [document.problem(place, message) for place, message in _rules(root)]
    found.extend(broken_config(document))
    found.extend(_dns_problems(document, ("dns",), root.get("dns"), text))
    for at, keys in _sections(root, "vantages"):
        found.extend(_dns_problems(document, ("vantages", at, "dns"), keys.get("dns"), text))
    for at, keys in _sections(root, "servers"):
        own = keys.get("resolver")
        if isinstance(own, dict):
            found.extend(_dns_problems(document, ("servers", at, "resolver", "dns"), own.get("dns"), text))
    return tuple(found)


def _rules(root: Mapping[str, Any]) -> _Found:
    servers = _sections(root, "servers")
    yield from _names_once(servers, "servers", "server")
    yield from _names_once(_sections(root, "vantages"), "vantages", "vantage")
    yield from _quorum(_sections(root, "vantages"))
    for at, keys in servers:
        yield from _hosted(("servers", at, "domains"), _sections(keys, "domains"))
    known = [keys["name"] for _, keys in servers if isinstance(keys.get("name"), str)]
    config = root.get("config")
    for at, keys in _sections(config if isinstance(config, dict) else {}, "servers"):
        name = keys.get("name")
        if not isinstance(name, str):
            yield ("config", "servers", at), "which server is meant? Give it the name of one of this world's"
        elif name not in known:
            yield (
                ("config", "servers", at, "name"),
                f"this world has no server {shorten(name)}{did_you_mean(name, known)}",
            )


def _names_once(items: Sequence[tuple[int, Mapping[str, Any]]], key: str, noun: str) -> _Found:
    seen: set[str] = set()
    for at, keys in items:
        name = keys.get("name")
        if isinstance(name, str) and name.casefold() in seen:
            yield (key, at, "name"), f"there is a {noun} {shorten(name)} already"
        elif isinstance(name, str):
            seen.add(name.casefold())


def _quorum(vantages: Sequence[tuple[int, Mapping[str, Any]]]) -> _Found:
    operators = {keys.get("operator") or keys.get("name") for _, keys in vantages}
    if vantages and len(operators) < _QUORUM:
        yield ("vantages",), f"a quorum takes vantages of {_QUORUM} operators: add another one"


def _hosted(place: Place, items: Sequence[tuple[int, Mapping[str, Any]]]) -> _Found:
    kinds: dict[DomainName, str] = {}
    for at, keys in items:
        name = _name(keys.get("name"))
        if name is not None and name in kinds:
            yield (*place, at, "name"), f"this server hosts {shorten(name.text)} already"
        elif name is not None:
            kinds[name] = _kind(keys)
    for at, keys in items:
        yield from _belonging((*place, at), keys, kinds)


def _belonging(place: Place, keys: Mapping[str, Any], kinds: Mapping[DomainName, str]) -> _Found:
    kind = _kind(keys)
    if kind not in list(Kind):
        return
    name, of = _name(keys.get("name")), _name(keys.get("of"))
    if kind == Kind.ALIAS and str(keys.get("mail")).lower() == "not-configured":
        yield (*place, "mail"), "an alias has mail on or off; only domains can be not-configured"
    if kind == Kind.DOMAIN:
        if "of" in keys:
            yield (*place, "of"), "a main domain belongs to nothing: is it an addon, a subdomain or an alias?"
        return
    if "of" not in keys:
        yield place, f"what is this {kind} of? The key 'of' is missing"
    elif of is not None and of not in kinds:
        near = did_you_mean(of.text, [known.text for known in kinds if known != name])
        yield (*place, "of"), f"this server hosts no {shorten(of.text)}{near}"
    elif of is not None and not _may_belong(kind, kinds[of]):
        yield (*place, "of"), f"{shorten(of.text)} is of the kind {kinds[of]}, which has no {kind}"
    elif kind == Kind.SUBDOMAIN and name is not None and of is not None and not name.is_below(of):
        yield (*place, "name"), f"a subdomain of {shorten(of.text)} has a name that ends with it"


def _may_belong(kind: str, parent: str) -> bool:
    return parent == Kind.DOMAIN if kind == Kind.ADDON else parent != Kind.ALIAS


def _kind(keys: Mapping[str, Any]) -> str:
    kind = keys.get("kind", Kind.DOMAIN.value)
    return kind if isinstance(kind, str) else ""


def _name(value: object) -> DomainName | None:
    try:
        return parse_name(value) if isinstance(value, str) else None
    except InvalidName:
        return None


def _sections(keys: Mapping[str, Any], key: str) -> list[tuple[int, Mapping[str, Any]]]:
    found = keys.get(key)
    items = found if isinstance(found, list) else []
    return [(at, item) for at, item in enumerate(items) if isinstance(item, dict)]


def _dns_problems(document: Document, place: Place, value: object, text: str) -> Iterator[Problem]:
    """Yield the problems of a master file; its lines are counted from where its text begins in the world file."""
    if not isinstance(value, str):
        return
    line = document.line(place)
    lines = text.splitlines()
    is_block = 0 < line <= len(lines) and _BLOCK.search(lines[line - 1]) is not None
    path = document.problem(place, "").path
    try:
        parse_records(value, first_line=line + 1 if is_block else line)
    except ConfigError as error:
        for problem in error.problems:
            found = _LINE.match(problem)
            yield Problem(line, path, problem) if found is None else Problem(int(found[1]), path, found[2])
