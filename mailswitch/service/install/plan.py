"""What an installation consists of, in order, and what has to be so before it begins."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from mailswitch.core.errors import InstallError
from mailswitch.core.ledger import Claim
from mailswitch.service.install.evidence_steps import Collector, needs_collector
from mailswitch.service.install.host import Host
from mailswitch.service.install.machine_steps import Configuration, Service, SystemUser, Units
from mailswitch.service.install.panel_steps import PLESK, EventHandlers, SecretKey
from mailswitch.service.install.steps import Step
from mailswitch.service.ports import LedgerReader

__all__ = ["DAEMON", "REPORT", "everything", "installation", "off_by_us", "program_path", "require_plesk"]

DAEMON = "mailswitch.service"
REPORT = "mailswitch-report.timer"

_USER = "mailswitch"
_DIRECTORY = "/etc/mailswitch"
_CONFIG = f"{_DIRECTORY}/mailswitch.yaml"
_HOMES = ("/root", "/home", "/run/user")
"""What ProtectHome= hides from the service."""


def installation(host: Host, program: Path, *, unit: str = DAEMON) -> tuple[Step, ...]:
    """Return the steps of an installation in the order in which they are done."""
    if unit != DAEMON:
        return (*_files(host, program), Service(host=host, unit=unit))
    is_collected = needs_collector(host, host.path(_CONFIG), group=_USER)
    collector = (Collector(host=host),) if is_collected else ()
    service, handlers = Service(host=host, unit=unit), EventHandlers(host=host, program=program)
    return (*_files(host, program, is_collected=is_collected), service, *collector, handlers)


def everything(host: Host, program: Path) -> tuple[Step, ...]:
    """Return the steps of every kind of installation, to be taken away."""
    services = (Service(host=host, unit=DAEMON), Service(host=host, unit=REPORT))
    return (*_files(host, program), *services, Collector(host=host), EventHandlers(host=host, program=program))


def _files(host: Host, program: Path, *, is_collected: bool = False) -> tuple[Step, ...]:
    config, key = host.path(_CONFIG), host.path(f"{_DIRECTORY}/panel.key")
    return (
        SystemUser(host=host, name=_USER),
        SecretKey(host=host, path=key, config=config, group=_USER),
        Configuration(host=host, path=config, key=key, group=_USER, is_collected=is_collected),
        Units(host=host, program=program),
    )


def require_plesk(host: Host) -> None:
    """Check that this is a Plesk server with systemd, seen as root.

    Raises:
        InstallError: it is not, with what is missing.
    """
    if os.geteuid() != 0:
        raise InstallError("this has to be run as root")
    if not host.path(PLESK).exists():
        raise InstallError(f"this is no Plesk server: there is no {PLESK}")
    if not host.has("systemctl", "--version"):
        raise InstallError("this machine has no systemd: run 'mailswitch run' under the supervisor you have")


def program_path(called_as: str) -> Path:
    """Return the path of this program as units and handlers call it.

    Raises:
        InstallError: it cannot be called from there, by the service's user or at all.
    """
    path = Path(called_as).absolute()
    where = "install mailswitch in /opt/mailswitch, as the README says"
    if not path.is_file() or path.suffix == ".py":
        raise InstallError(f"{str(path)!r} is no installed program; {where}")
    if re.fullmatch(r"[A-Za-z0-9_./+-]+", str(path)) is None:
        raise InstallError(f"units and event handlers cannot call {str(path)!r}, for the characters in it; {where}")
    real = path.resolve()
    for place in (path, real):
        if any(place.is_relative_to(home) for home in _HOMES):
            raise InstallError(f"the service cannot see {str(place)!r}, since homes are hidden from it; {where}")
        closed = [one for one in place.parents if not one.stat().st_mode & stat.S_IXOTH]
        if closed or not real.stat().st_mode & stat.S_IROTH:
            raise InstallError(f"other users than root cannot read {str(place)!r}; {where}")
    return path


def off_by_us(ledger: LedgerReader, servers: tuple[str, ...]) -> tuple[str, ...]:
    """Return every switch that is still off by us, as ``server: name``.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return tuple(
        f"{server}: {name}"
        for server in servers
        for name, history in sorted(ledger.histories(server).items(), key=lambda item: item[0].text)
        if history.claim is Claim.OURS
    )
