"""The steps on the machine itself: the user, the configuration, the units, and the service that runs."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mailswitch.core.errors import InstallError, InventoryError
from mailswitch.service.install.host import Host

__all__ = ["Configuration", "Service", "SystemUser", "Units", "unit_text"]

_SYSUSERS = "/etc/sysusers.d/mailswitch.conf"
_UNIT_DIRECTORY = "/etc/systemd/system"
_UNIT_FILES = (
    "mailswitch.service", "mailswitch-report.service", "mailswitch-report.timer", "mailswitch-evidence.service",
    "mailswitch-evidence.timer",
)  # fmt: skip
_SHIPPED_PROGRAM = "/opt/mailswitch/bin/mailswitch"

_CONFIGURATION = """\
# mailswitch's configuration, written by `mailswitch install`. It changes nothing until the mode says so.
# `mailswitch config init` prints a sample with every key; `mailswitch config check` looks at what you write.
# After a change: systemctl reload mailswitch

# report: never changes anything. approve: changes what you approved. enforce: changes what is due.
mode: report

ledger: sqlite:////var/lib/mailswitch/ledger.db

servers:
  - name: {name}
    panel: xml-api
    url: https://{host}:{port}
    # Relative to this file; or systemd's LoadCredential={key}:...
    secret_key_file: {key}
    tls:
      # The certificate the panel presented when this was written. A new one: mailswitch doctor tells.
      fingerprint_sha256: "{fingerprint}"
"""
_COLLECTED = """\
    # The mail log is not this service's to read: mailswitch-evidence.timer has it read.
    mail_log: collected
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemUser:
    """The unprivileged user of the service."""

    host: Host
    name: str

    @property
    def what(self) -> str:
        """See Step."""
        return f"make the system user {self.name}"

    @property
    def takes_away(self) -> str:
        """See Step."""
        return f"forget how the system user {self.name} is made (the user stays: the ledger belongs to it)"

    def is_done(self) -> bool:
        """See Step."""
        return self.host.group(self.name) is not None

    def do(self) -> None:
        """See Step."""
        place = self.host.path(_SYSUSERS)
        if self.host.has("systemd-sysusers", "--version"):
            self.host.write(place, _shipped("mailswitch.sysusers"), mode=0o644)
            try:
                self.host.must_run("systemd-sysusers", str(place))
            except InstallError:
                self.host.remove(place)
                raise
        else:
            home = "/var/lib/mailswitch"
            self.host.must_run(
                "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home,
                "--shell", "/usr/sbin/nologin", self.name,
            )  # fmt: skip
        if self.host.group(self.name) is None:
            raise InstallError(f"the group {self.name!r} is not there after making it")

    def is_undone(self) -> bool:
        """See Step."""
        return not self.host.path(_SYSUSERS).exists()

    def undo(self) -> None:
        """See Step."""
        self.host.remove(self.host.path(_SYSUSERS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The configuration in mode report, with the panel's certificate pinned; one that is there is left as it is."""

    host: Host
    path: Path
    key: Path
    group: str
    panel: tuple[str, int] = ("127.0.0.1", 8443)
    is_collected: bool = False
    """The mail log is read by a unit of its own."""

    @property
    def what(self) -> str:
        """See Step."""
        return f"pin the certificate at {self.panel[0]}:{self.panel[1]}, and write {self.path} in mode report"

    @property
    def takes_away(self) -> str:
        """See Step."""
        return f"remove {self.path}"

    def is_done(self) -> bool:
        """See Step."""
        return self.path.exists()

    def do(self) -> None:
        """See Step."""
        gid = self.host.group(self.group)
        if gid is None:
            raise InstallError(f"there is no group {self.group!r}")
        try:
            fingerprint = self.host.fingerprint(*self.panel)
        except InventoryError as error:
            raise InstallError(str(error)) from error
        text = _CONFIGURATION.format(
            name=_short_name(), host=self.panel[0], port=self.panel[1], key=self.key.name, fingerprint=fingerprint
        )
        text += _COLLECTED if self.is_collected else ""
        self.host.make_directory(self.path.parent, mode=0o750, gid=gid)
        self.host.write(self.path, text, mode=0o640, gid=gid)

    def is_undone(self) -> bool:
        """See Step."""
        return not self.path.exists()

    def undo(self) -> None:
        """See Step. What somebody else put beside it stays."""
        self.host.remove(self.path)
        self.host.remove_if_empty(self.path.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The unit files, with the path of this very program in them."""

    host: Host
    program: Path

    @property
    def what(self) -> str:
        """See Step."""
        return f"install {', '.join(_UNIT_FILES)} in {_UNIT_DIRECTORY}"

    @property
    def takes_away(self) -> str:
        """See Step."""
        return f"remove {', '.join(_UNIT_FILES)} from {_UNIT_DIRECTORY}"

    def is_done(self) -> bool:
        """See Step."""
        return all(self.host.read(self._place(name)) == unit_text(name, self.program) for name in _UNIT_FILES)

    def do(self) -> None:
        """See Step. A daemon of a former version that runs is started anew."""
        before = {name: self.host.read(self._place(name)) for name in _UNIT_FILES}
        try:
            for name in _UNIT_FILES:
                self.host.write(self._place(name), unit_text(name, self.program), mode=0o644)
            self.host.must_run("systemctl", "daemon-reload")
            self.host.must_run("systemctl", "try-restart", "mailswitch.service")
        except InstallError:
            for name, text in before.items():
                if text is None:
                    self.host.remove(self._place(name))
                else:
                    self.host.write(self._place(name), text, mode=0o644)
            self.host.run("systemctl", "daemon-reload")
            raise

    def is_undone(self) -> bool:
        """See Step."""
        return not any(self._place(name).exists() for name in _UNIT_FILES)

    def undo(self) -> None:
        """See Step."""
        for name in _UNIT_FILES:
            self.host.remove(self._place(name))
        self.host.must_run("systemctl", "daemon-reload")

    def _place(self, name: str) -> Path:
        return self.host.path(f"{_UNIT_DIRECTORY}/{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The unit that runs now and after each start of the machine: the daemon, or the timer of the report."""

    host: Host
    unit: str

    @property
    def what(self) -> str:
        """See Step."""
        return f"enable and start {self.unit}"

    @property
    def takes_away(self) -> str:
        """See Step."""
        return f"stop and disable {self.unit}"

    def is_done(self) -> bool:
        """See Step."""
        return self._is("is-enabled") and self._is("is-active")

    def do(self) -> None:
        """See Step."""
        try:
            self.host.must_run("systemctl", "enable", "--now", self.unit)
        except InstallError as error:
            self.host.run("systemctl", "disable", "--now", self.unit)
            raise InstallError(f"{error}; journalctl --unit {self.unit} tells more") from error

    def is_undone(self) -> bool:
        """See Step."""
        return not self._is("is-enabled") and not self._is("is-active")

    def undo(self) -> None:
        """See Step."""
        self.host.must_run("systemctl", "disable", "--now", self.unit)

    def _is(self, what: str) -> bool:
        return self.host.run("systemctl", "--quiet", what, self.unit).code == 0


def unit_text(name: str, program: Path) -> str:
    """Return a unit file with the path of a program in it."""
    return _shipped(name).replace(f"ExecStart={_SHIPPED_PROGRAM} ", f"ExecStart={program} ")


def _shipped(name: str) -> str:
    return resources.files("mailswitch.service").joinpath("units", name).read_text(encoding="utf-8")


def _short_name() -> str:
    """Return this machine's name as a server's name in the configuration."""
    name = re.sub(r"[^A-Za-z0-9_-]", "", socket.gethostname().partition(".")[0])[:63].strip("-_")
    return name if name and name.lower() not in {"on", "off", "yes", "no", "true", "false", "null"} else "local"
