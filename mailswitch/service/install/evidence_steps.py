"""The steps for a mail log that the service's user may not read: a timer whose unit reads it for the service."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from mailswitch.core.errors import InstallError
from mailswitch.service.install.host import Host
from mailswitch.service.install.machine_steps import Service

__all__ = ["COLLECTOR", "Collector", "needs_collector"]

COLLECTOR = "mailswitch-evidence.timer"
_LOGS = ("/var/log/maillog", "/var/log/mail.log", "/usr/local/psa/var/log/maillog")
"""As `mailswitch.evidence.source` looks for them: the first there is."""
_LEFT_BEHIND = "/var/lib/mailswitch-evidence"


def needs_collector(host: Host, config: Path, *, group: str) -> bool:
    """Whether the service's user may not read the mail log, and the configuration leaves that to the collector.

    Raises:
        InstallError: a configuration that is there cannot be read.
    """
    written = host.read(config)
    if written is not None:
        return "mail_log: collected" in written
    return _is_closed(host, group)


def _is_closed(host: Host, group: str) -> bool:
    for place in _LOGS:
        try:
            status = host.path(place).stat()
        except OSError:
            continue
        is_of_group = status.st_gid == host.group(group) and bool(status.st_mode & stat.S_IRGRP)
        return not (status.st_mode & stat.S_IROTH or is_of_group)
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """The timer of the unit that reads the mail log, and what that unit left."""

    host: Host

    @property
    def what(self) -> str:
        """See Step."""
        return f"{self._timer.what}, since the service's user may not read the mail log"

    @property
    def takes_away(self) -> str:
        """See Step."""
        return f"{self._timer.takes_away}, and remove what it counted from {_LEFT_BEHIND}"

    def is_done(self) -> bool:
        """See Step."""
        return self._timer.is_done()

    def do(self) -> None:
        """See Step."""
        self._timer.do()

    def is_undone(self) -> bool:
        """See Step."""
        return self._timer.is_undone() and not self.host.path(_LEFT_BEHIND).exists()

    def undo(self) -> None:
        """See Step."""
        if not self._timer.is_undone():
            self._timer.undo()
        folder = self.host.path(_LEFT_BEHIND)
        try:
            for path in sorted(folder.glob("*batch-*")) if folder.is_dir() else ():
                path.unlink(missing_ok=True)
        except OSError as error:
            raise InstallError(f"{folder} could not be emptied: {error.strerror}") from error
        self.host.remove_if_empty(folder)

    @property
    def _timer(self) -> Service:
        return Service(host=self.host, unit=COLLECTOR)
