"""The configuration in force: loaded, checked whole, and turned into the core's values."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr, SecretStr

from mailswitch.config import rules
from mailswitch.config.document import Document, Problem, check, read_text, scan
from mailswitch.config.models import RootSection
from mailswitch.config.never_local import shipped_names
from mailswitch.config.root_hints import hints_fault
from mailswitch.config.secret_store import (
    OTHERS,
    SECRET_KEYS,
    SecretFault,
    certificate_fault,
    masked,
    resolve,
)
from mailswitch.config.servers import ServerSection
from mailswitch.config.telling import WEBHOOK_SECRET_KEYS
from mailswitch.core.domain import Network
from mailswitch.core.errors import ConfigError
from mailswitch.core.mx import Address
from mailswitch.core.names import NamePattern
from mailswitch.core.policy import DEFAULT_ACTIONS, Action, Confirmation, Limits, Policy, Route

__all__ = [
    "DEFAULT_PATH",
    "LocalAdditions",
    "Settings",
    "default_settings",
    "find_settings",
    "load",
    "load_text",
    "local_additions",
    "policy_for",
]

DEFAULT_PATH = Path("/etc/mailswitch/mailswitch.yaml")
"""Where the configuration is when none is named."""

_PLESK = Path("/usr/sbin/plesk")


class Settings(RootSection):
    """Every key with its value in force; secrets are kept aside and never shown."""

    _secrets: dict[str, SecretStr] = PrivateAttr(default_factory=dict)
    _webhook_secret: SecretStr | None = PrivateAttr(default=None)
    _origin: str = PrivateAttr(default="")

    @property
    def origin(self) -> str:
        """The file this came from, or words that say that there was none."""
        return self._origin

    def server(self, name: str) -> ServerSection:
        """Return a server by its name.

        Raises:
            ConfigError: there is none of this name.
        """
        for server in self.servers:
            if server.name == name:
                return server
        known = ", ".join(server.name for server in self.servers)
        raise ConfigError(f"no server is called {name!r} in {self.origin or 'the configuration'} (there are: {known})")

    def secret(self, server: ServerSection | str) -> str:
        """Return the secret key or password of a server.

        Raises:
            ConfigError: it has none (the local panel needs none).
        """
        name = server if isinstance(server, str) else server.name
        if name not in self._secrets:
            raise ConfigError(f"the server {name!r} has no secret")
        return self._secrets[name].get_secret_value()

    def webhook_secret(self) -> str:
        """Return the secret that signs webhook notices.

        Raises:
            ConfigError: there is no webhook.
        """
        if self._webhook_secret is None:
            raise ConfigError("notify.webhook is not configured, so there is no secret to sign with")
        return self._webhook_secret.get_secret_value()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAdditions:
    """What an administrator adds to a server's *ours*."""

    addresses: frozenset[Address]
    networks: tuple[Network, ...]
    hosts: tuple[NamePattern, ...]
    is_confirmed: bool


def load(path: Path, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check a configuration file, the secrets it points to included.

    Args:
        path: the file.
        environ: the environment, by default the process's.

    Raises:
        ConfigError: with every problem found.
    """
    text = read_text(path)
    try:
        is_open = bool(path.stat().st_mode & OTHERS)
    except OSError as error:
        raise ConfigError(f"{path}: cannot look at the file: {error.strerror}") from error
    environment = os.environ if environ is None else environ
    return _load(text, str(path), path.absolute().parent, environment, is_open=is_open)


def load_text(
    text: str, *, origin: str, base: Path | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Check a configuration given as text; ``base`` is the directory from which its relative paths count.

    Raises:
        ConfigError: with every problem found.
    """
    environment = os.environ if environ is None else environ
    return _load(text, origin, Path.cwd() if base is None else base, environment, is_open=False)


def default_settings() -> Settings:
    """Return what holds on a Plesk server without a configuration: the local panel, the default policy."""
    host = socket.gethostname().split(".")[0]
    name = "".join(one for one in host if one.isascii() and (one.isalnum() or one in "-_"))[:63].strip("-_")
    document = Document({"servers": [{"name": name or "localhost", "panel": "local"}]}, "the default settings")
    settings, problems = check(Settings, document, context=Path.cwd())
    if settings is None:
        raise document.error(problems)
    settings._origin = document.origin
    return settings


def find_settings(path: Path | None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings a command works with.

    ``path`` if one is named, else the default path, else, as root on a Plesk server, the defaults.

    Raises:
        ConfigError: with every problem found, or with how to begin where there is no configuration at all.
    """
    if path is not None:
        return load(path, environ=environ)
    try:
        is_there = DEFAULT_PATH.exists()
    except OSError:  # a directory that may not be searched: loading says so
        is_there = True
    if is_there:
        return load(DEFAULT_PATH, environ=environ)
    if _PLESK.exists() and os.geteuid() == 0:
        return default_settings()
    raise ConfigError(
        f"{DEFAULT_PATH}: there is no configuration, and this is no Plesk server seen as root: "
        f"write one with 'mailswitch config init --output {DEFAULT_PATH}', or name one with --config FILE"
    )


def policy_for(settings: Settings, server_name: str) -> Policy:
    """Return the policy in force on one server: the general one with the server's own laid over it.

    Raises:
        ConfigError: there is no server of this name.
    """
    server, general = settings.server(server_name), settings.policy
    confirm, limits = settings.confirm, settings.limits
    return Policy(
        mode=settings.mode,
        actions={**DEFAULT_ACTIONS, **general.routes, **server.policy.routes},
        domain_actions=_laid_over(general.domains, server.policy.domains),
        never_local=shipped_names() | {*general.never_local, *server.policy.never_local},
        unknown_provider=server.policy.unknown_provider or general.unknown_provider,
        confirm=Confirmation(
            sightings=confirm.sightings,
            window=confirm.window,
            unknown_provider_window=confirm.unknown_provider_window,
            new_domain_age=confirm.new_domain_age,
        ),
        limits=Limits(changes=limits.changes, share=limits.share, unknown_share=limits.unknown_share),
        quorum=settings.dns.quorum,
        is_full_off_accepted=server.accept_full_off,
        incoming_only_since=general.incoming_only_since,
    )


def local_additions(server: ServerSection) -> LocalAdditions:
    """Return what ``local`` adds to a server's addresses."""
    written = server.local.addresses
    return LocalAdditions(
        addresses=frozenset(one for one in written if isinstance(one, Address)),
        networks=tuple(one for one in written if not isinstance(one, Address)),
        hosts=server.local.hosts,
        is_confirmed=server.local.confirmed,
    )


def _load(text: str, origin: str, base: Path, environ: Mapping[str, str], *, is_open: bool) -> Settings:
    """Check everything at once; ``is_open``: every user of the machine can read the file."""
    document, broken = scan(text, origin=origin)
    settings, invalid = check(Settings, document, context=base)
    secrets, faults = _secrets(document, base, environ)
    webhook_secret, webhook_faults = _webhook_secret(document, base, environ)
    told = {(problem.line, problem.path) for problem in invalid}
    found = [*broken, *invalid, *rules.problems(document), *_files(document, base)]
    found += [fault for fault in (*faults, *webhook_faults) if (fault.line, fault.path) not in told]
    ledger = document.value.get("ledger") if isinstance(document.value, dict) else None
    if is_open and isinstance(ledger, str) and masked(ledger) != ledger:
        found.append(document.problem(["ledger"], "the password here is open to every user: chmod o= this file"))
    if found or settings is None:
        raise document.error(found)
    settings._secrets = secrets
    settings._webhook_secret = webhook_secret
    settings._origin = origin
    return settings


def _laid_over(
    general: Mapping[NamePattern, Mapping[Route, Action]], own: Mapping[NamePattern, Mapping[Route, Action]]
) -> tuple[tuple[NamePattern, dict[Route, Action]], ...]:
    patterns = {**general, **own}
    return tuple((pattern, {**general.get(pattern, {}), **own.get(pattern, {})}) for pattern in patterns)


def _secrets(document: Document, base: Path, environ: Mapping[str, str]) -> tuple[dict[str, SecretStr], list[Problem]]:
    """Read every secret that is pointed to, in servers with other problems too."""
    secrets: dict[str, SecretStr] = {}
    problems = []
    for place, keys in rules.entries(document.value, "servers"):
        for key in SECRET_KEYS:
            written = keys.get(key)
            if not isinstance(written, str) or not written.strip() or keys.get("panel") == "local":
                continue
            try:
                secret = resolve(key, written, base=base, environ=environ)
            except SecretFault as fault:
                problems.append(document.problem(("servers", place, key), fault.reason))
            else:
                secrets[str(keys.get("name"))] = SecretStr(secret)
    return secrets, problems


def _webhook_secret(
    document: Document, base: Path, environ: Mapping[str, str]
) -> tuple[SecretStr | None, list[Problem]]:
    webhook = rules.section(rules.section(document.value, "notify"), "webhook")
    for key in WEBHOOK_SECRET_KEYS:
        written: Any = webhook.get(key)
        if isinstance(written, str) and written.strip():
            try:
                return SecretStr(resolve(key, written, base=base, environ=environ)), []
            except SecretFault as fault:
                return None, [document.problem(("notify", "webhook", key), fault.reason)]
    return None, []


def _files(document: Document, base: Path) -> list[Problem]:
    servers = rules.entries(document.value, "servers")
    places: list[tuple[tuple[str | int, ...], Any]] = [
        (("servers", place, "tls", "ca_file"), rules.section(keys, "tls").get("ca_file")) for place, keys in servers
    ]
    vantages = rules.entries(rules.section(document.value, "dns"), "vantages")
    places += [
        (("dns", "vantages", at, "tls", "ca_file"), rules.section(keys, "tls").get("ca_file")) for at, keys in vantages
    ]
    webhook = rules.section(rules.section(document.value, "notify"), "webhook")
    places.append((("notify", "webhook", "ca_file"), webhook.get("ca_file")))
    problems = []
    for path, written in places:
        if isinstance(written, str) and written.strip():
            fault = certificate_fault(base / written)
            if fault is not None:
                problems.append(document.problem(path, fault))
    written = rules.section(document.value, "dns").get("root_hints")
    if isinstance(written, str) and written.strip() and (fault := hints_fault(base / written)) is not None:
        problems.append(document.problem(("dns", "root_hints"), fault))
    return problems
