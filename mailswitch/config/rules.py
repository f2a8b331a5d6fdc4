"""Rules that span several keys, told beside everything else that is wrong with a file.

They look at the text as written, not at checked models: a model with one bad key is never built, and a rule that waits
for it would tell its problem only after the next correction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mailswitch.config import values
from mailswitch.config.document import Document, Problem
from mailswitch.config.names import parse_pattern
from mailswitch.config.secret_store import SECRET_KEYS
from mailswitch.config.telling import WEBHOOK_SECRET_KEYS
from mailswitch.core.errors import InvalidName
from mailswitch.core.mx import AUTHORITATIVE
from mailswitch.core.policy import NEVER_TURNED_OFF, Action

__all__ = ["entries", "problems", "section"]

Found = Iterator[tuple[tuple[str | int, ...], str]]

_FALSE = frozenset({"false", "off", "no", "n", "f", "0"})
_DEFAULT_VANTAGES = 3
_SECRET_FORMS = tuple(key for key in SECRET_KEYS if key.startswith("secret_key"))
_PASSWORD_FORMS = tuple(key for key in SECRET_KEYS if key.startswith("password"))
_NOT_LOCAL = ("url", "login", *SECRET_KEYS, "tls")


def problems(document: Document) -> tuple[Problem, ...]:
    """Return what contradicts itself in a configuration, however much else is wrong with it."""
    root = document.value
    found = [*_servers(root), *_dns(root), *_policies(root), *_notify(root)]
    return tuple(document.problem(path, message) for path, message in found)


def section(value: Any, key: str) -> Mapping[str, Any]:
    """Return the keys written in a section; none where there is no such section."""
    inner = value.get(key) if isinstance(value, Mapping) else None
    return {name: one for name, one in inner.items() if one is not None} if isinstance(inner, Mapping) else {}


def entries(value: Any, key: str) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the sections in a list, each with its place and its written keys."""
    inner = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(inner, list):
        return []
    return [
        (place, {name: one for name, one in item.items() if one is not None})
        for place, item in enumerate(inner)
        if isinstance(item, Mapping)
    ]


def _servers(root: Any) -> Found:
    servers = entries(root, "servers")
    yield from _twice(servers, ("servers",), "name", str.casefold, "another server has this name")
    yield from _twice(servers, ("servers",), "url", values.panel_url, "another server has this panel")
    local = [(place, {"plesk": "/usr/sbin/plesk", **keys}) for place, keys in servers if keys.get("panel") == "local"]
    yield from _twice(local, ("servers",), "plesk", str.strip, "another server is this machine's local panel already")
    for place, keys in servers:
        here = ("servers", place)
        if keys.get("panel", "xml-api") == "local":
            yield from _local_panel(here, keys)
        elif keys.get("panel", "xml-api") == "xml-api":
            yield from _xml_panel(here, keys)
        yield from _tls((*here, "tls"), section(keys, "tls"))


def _local_panel(here: tuple[str | int, ...], keys: Mapping[str, Any]) -> Found:
    for key in _NOT_LOCAL:
        if keys.get(key):
            yield (
                (*here, key),
                "the local panel runs the plesk program and takes none: remove it, or write panel: xml-api",
            )


def _xml_panel(here: tuple[str | int, ...], keys: Mapping[str, Any]) -> Found:
    if "url" not in keys:
        yield (*here, "url"), "this key is missing: write https://HOST:8443"
    if "plesk" in keys:
        yield (*here, "plesk"), "only the local panel runs the plesk program: remove it, or write panel: local"
    secrets = [key for key in _SECRET_FORMS if key in keys]
    passwords = [key for key in _PASSWORD_FORMS if key in keys]
    for extra in (*secrets[1:], *passwords[1:]):
        first = secrets[0] if extra in secrets else passwords[0]
        yield (*here, extra), f"{first} says already where the secret is: write one of them"
    logins = [*(key for key in ("login",) if key in keys), *passwords[:1]]
    if secrets:
        for extra in logins:
            yield (*here, extra), f"{secrets[0]} is given already: write a secret key, or login and password_file"
    elif logins == ["login"]:
        yield (*here, "login"), "a login needs password_file, password_env or password_credential"
    elif logins and "login" not in keys:
        yield (*here, logins[0]), "a password needs the key login"
    elif not logins:
        yield here, "no credential is given: write secret_key_file, or login and password_file"


def _tls(here: tuple[str | int, ...], keys: Mapping[str, Any]) -> Found:
    checks = [key for key in ("fingerprint_sha256", "ca_file", "server_name") if keys.get(key)]
    if str(keys.get("verify", "true")).strip().lower() in _FALSE:
        if checks:
            yield (*here, "verify"), f"nothing is verified, and yet {checks[0]} is given: remove one of them"
    elif "fingerprint_sha256" in checks and len(checks) > 1:
        yield (
            (*here, checks[1]),
            "with fingerprint_sha256 nothing else is checked: remove one of them",
        )


def _dns(root: Any) -> Found:
    dns = section(root, "dns")
    vantages = entries(root.get("dns") if isinstance(root, Mapping) else None, "vantages")
    here = ("dns", "vantages")
    yield from _twice(vantages, here, "name", str.casefold, "another vantage has this name")
    yield from _twice(vantages, here, "address", _endpoint_key, "another vantage is asked at this address")
    for place, keys in vantages:
        if str(keys.get("name", "")).strip().casefold() == AUTHORITATIVE:
            yield (*here, place, "name"), "this name stands for the domain's own name servers: choose another one"
        tls = section(keys, "tls")
        yield from _tls((*here, place, "tls"), tls)
        if tls and not str(keys.get("address", "tls://")).strip().lower().startswith("tls://"):
            yield (*here, place, "tls"), "the address is not asked over TLS: write tls:// before it, or remove this"
    written = dns.get("quorum", "2")
    if not (isinstance(written, str) and written.isascii() and written.isdigit() and len(written) < 10):
        return
    if "vantages" in dns and isinstance(dns["vantages"], list):
        unknown = len(dns["vantages"]) - len(vantages)
        operators = {_operator(place, keys) for place, keys in vantages}
        count, where = len(operators) + unknown, here
    else:
        count, where = _DEFAULT_VANTAGES, ("dns", "quorum")
    if count < max(int(written), 2):
        have = "1 operator" if count == 1 else f"{count} operators"
        yield where, f"a quorum of {max(int(written), 2)} needs as many operators, and the vantages have {have}"


def _operator(place: int, keys: Mapping[str, Any]) -> str:
    """Return who runs a vantage, as far as it was written; one of its own where it was not."""
    named = keys.get("operator", keys.get("name"))
    return named.strip().casefold() if isinstance(named, str) else f"\0{place}"


def _endpoint_key(text: str) -> str:
    found = values.endpoint(text)
    # Whatever the transport, at the usual ports of one address it is one resolver, and one opinion.
    return f"{found.address} {'' if found.port == found.transport.port else found.port}"


def _notify(root: Any) -> Found:
    here = ("notify", "webhook")
    notify = section(root, "notify")
    if "digest" in notify and not section(notify, "mail") and not section(notify, "webhook"):
        yield ("notify", "digest"), "there is no way to send it: write notify.mail or notify.webhook"
    webhook = section(notify, "webhook")
    given = [key for key in WEBHOOK_SECRET_KEYS if key in webhook]
    for extra in given[1:]:
        yield (*here, extra), f"{given[0]} says already where the secret is: write one of them"
    if webhook and not given:
        yield here, "no secret is given to sign with: write secret_file, secret_env or secret_credential"


def _policies(root: Any) -> Found:
    general = section(root, "policy")
    yield from _policy(("policy",), general)
    rows = entries(general, "providers")
    yield from _twice(rows, ("policy", "providers"), "pattern", _pattern_key, "another row has this pattern")
    for place, keys in entries(root, "servers"):
        yield from _policy(("servers", place, "policy"), section(keys, "policy"))


def _policy(here: tuple[str | int, ...], keys: Mapping[str, Any]) -> Found:
    yield from _routes((*here, "routes"), section(keys, "routes"))
    seen: dict[str, str] = {}
    for pattern in section(keys, "domains"):
        yield from _routes((*here, "domains", pattern), section(section(keys, "domains"), pattern))
        try:
            folded = _pattern_key(pattern)
        except InvalidName:
            continue
        if folded in seen:
            yield (*here, "domains", pattern), f"the same pattern is written above as {seen[folded]!r}"
        seen.setdefault(folded, pattern)


def _pattern_key(text: str) -> str:
    return parse_pattern(text).text


def _routes(here: tuple[str | int, ...], keys: Mapping[str, Any]) -> Found:
    for route, action in keys.items():
        if route in list(NEVER_TURNED_OFF) and action == Action.TURN_OFF:
            yield (*here, route), f"'{route}' can never be turn-off: mail may still arrive here (hold or keep)"


def _twice(
    items: Sequence[tuple[int, Mapping[str, Any]]],
    here: tuple[str | int, ...],
    key: str,
    fold: Callable[[str], str],
    message: str,
) -> Found:
    """Tell every later entry whose ``key`` is, folded, the same as an earlier one's."""
    seen: set[str] = set()
    for place, keys in items:
        written = keys.get(key)
        if not isinstance(written, str):
            continue
        try:
            folded = fold(written)
        except (ValueError, InvalidName):
            continue
        if folded in seen:
            yield (*here, place, key), message
        seen.add(folded)
