"""Puts a whole world on loopback: its panels, its public DNS, and the configuration to run mailswitch against it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from mailswitch.core.errors import ConfigError
from mailswitch.simulation.certificates import self_signed
from mailswitch.simulation.mail_log import mail_log_text
from mailswitch.simulation.mailboxes import write_mailboxes
from mailswitch.simulation.plesk_executable import write_executable
from mailswitch.simulation.plesk_xml import XmlApiServer
from mailswitch.simulation.public_dns import Fault, PublicDNSServer, PublicRecords, overlay, parse_records
from mailswitch.simulation.schemas import SchemaSet
from mailswitch.simulation.state import PanelState
from mailswitch.simulation.world import World, WorldMailLog, WorldResolver, WorldServer, WorldVantage
from mailswitch.simulation.world_config import PanelPlace, VantagePlace, configuration, yaml_text

__all__ = ["CONFIG_NAME", "Stage"]

CONFIG_NAME = "mailswitch.yaml"

_HEAD = """\
The configuration of a simulated world: every address in it is on this machine.
Written by mailswitch; it works for as long as the world runs."""


class Stage:
    """A world that runs, from ``with`` until its end.

    Below its directory lie ``mailswitch.yaml``, the panels' secret keys in ``keys``, their states in ``panels``, and
    the ledger, once there is one.
    """

    def __init__(self, world: World, directory: Path, *, schemas: SchemaSet | None = None) -> None:
        """Keep what is to be staged below ``directory``.

        Without ``schemas`` those are used that the environment names, if any.
        """
        self.world = world
        self.directory = directory.absolute()
        self.config_path = self.directory / CONFIG_NAME
        self._schemas = schemas
        self._panels: dict[str, PanelState] = {}
        self._servers: dict[str, XmlApiServer] = {}
        self._vantages: dict[str, PublicDNSServer] = {}
        self._own: dict[str, PublicDNSServer] = {}
        self._resolvers: list[tuple[WorldResolver, PublicDNSServer]] = []
        """The vantages and the servers' own."""
        self._records = parse_records(world.dns)
        self._running = ExitStack()

    def start(self) -> None:
        """Start everything, and write the configuration by rename when all of it listens.

        Raises:
            ConfigError: the directory is not empty, or cannot be used.
            OSError: nothing can be listened on.
        """
        _empty_directory(self.directory)
        with ExitStack() as starting:
            schemas = self._schemas or SchemaSet.from_environment()
            panels = [
                replace(self._start_panel(starting, server, schemas), resolver=self._own_resolver(starting, server))
                for server in self.world.servers
            ]
            vantages = [self._start_vantage(starting, vantage) for vantage in self.world.vantages]
            value = configuration(panels, vantages, ledger=self.directory / "ledger.db", over=self.world.config)
            _write_by_rename(self.config_path, yaml_text(value, head=_HEAD))
            self._running = starting.pop_all()

    def close(self) -> None:
        """Stop everything; the files stay. Harmless when called again."""
        self._running.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    # ---- what tests and the tour look at and meddle with

    @property
    def panels(self) -> Mapping[str, PanelState]:
        """The state of every panel, by its server's name."""
        return dict(self._panels)

    def panel(self, name: str) -> PanelState:
        """Return the state of one panel; raise KeyError for a server that is not there."""
        return self._panels[name]

    def xml_api(self, name: str) -> XmlApiServer:
        """Return the XML API of one panel; raise KeyError for a server without one."""
        return self._servers[name]

    def vantage(self, name: str) -> PublicDNSServer:
        """Return one public view; raise KeyError for one that is not there."""
        return self._vantages[name]

    def own_resolver(self, name: str) -> PublicDNSServer:
        """Return what one server asks itself; raise KeyError for a server of which that is not known."""
        return self._own[name]

    @property
    def records(self) -> PublicRecords:
        """The public truth as it is now."""
        return self._records

    def set_dns(self, text: str) -> None:
        """Replace the public truth as a whole; what vantages see differently stays as it was.

        Raises:
            ConfigError: the master file is broken; nothing was changed.
        """
        self._publish(parse_records(text))

    def change_dns(self, text: str) -> None:
        """Replace the RRsets of the public truth that ``text`` has: a customer moves. Errors as `set_dns`."""
        self._publish(overlay(self._records, text))

    def _publish(self, records: PublicRecords) -> None:
        self._records = records
        for resolver, server in self._resolvers:
            server.replace(overlay(records, resolver.dns))

    # ---- starting

    def _start_panel(self, starting: ExitStack, server: WorldServer, schemas: SchemaSet | None) -> PanelPlace:
        folder = self.directory / "panels" / server.name
        folder.mkdir(mode=0o700, parents=True)
        key = str(uuid.uuid4())
        state = PanelState.create(folder / "panel.db", server, secret_key=key, key_address="127.0.0.1")
        self._panels[server.name] = state
        log = _write_mail_log(folder / "maillog", server.mail_log)
        mailboxes = write_mailboxes(folder / "mailnames", server.mail_log, datetime.now(UTC))
        if server.panel == "local":
            plesk = write_executable(folder / "plesk", state.path)
            return PanelPlace(name=server.name, plesk=plesk, mail_log=log, mailboxes=mailboxes)
        identity = self_signed("Plesk", server.host_name.text)
        api = XmlApiServer(state, identity.write(folder / "panel.pem"), schemas=schemas)
        starting.callback(api.close)
        self._servers[server.name] = api
        key_file = _write_secret(self.directory / "keys" / f"{server.name}.key", key)
        return PanelPlace(
            name=server.name,
            url=api.url,
            key_file=key_file,
            fingerprint=identity.fingerprint,
            mail_log=log,
            mailboxes=mailboxes,
        )

    def _own_resolver(self, starting: ExitStack, server: WorldServer) -> str | None:
        if server.resolver is None:
            return None
        started = self._own[server.name] = self._start_resolver(starting, server.resolver)
        return f"{started.address}:{started.port}"

    def _start_vantage(self, starting: ExitStack, vantage: WorldVantage) -> VantagePlace:
        server = self._vantages[vantage.name] = self._start_resolver(starting, vantage)
        return VantagePlace(name=vantage.name, operator=vantage.operator, endpoint=f"{server.address}:{server.port}")

    def _start_resolver(self, starting: ExitStack, resolver: WorldResolver) -> PublicDNSServer:
        faults = {name: Fault(word) for name, word in resolver.faults.items()}
        server = PublicDNSServer(overlay(self._records, resolver.dns), faults)
        server.start()
        starting.callback(server.close)
        self._resolvers.append((resolver, server))
        return server


def _empty_directory(path: Path) -> None:
    attempt = f"cannot set up a world in {str(path)!r}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_empty = not any(path.iterdir())
    except OSError as error:
        raise ConfigError(f"{attempt}: {error.strerror}; name another directory") from error
    if not is_empty:
        raise ConfigError(f"{attempt}: it is not empty; name a new or an empty directory")


def _write_mail_log(path: Path, log: WorldMailLog | None) -> Path | None:
    if log is None:
        return None
    path.write_text(mail_log_text(log, datetime.now(UTC)), encoding="utf-8")
    return path


def _write_secret(path: Path, text: str) -> Path:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text + "\n", encoding="ascii")
    return path


def _write_by_rename(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.touch(mode=0o600)
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
