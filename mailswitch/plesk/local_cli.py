"""The ``local`` panel: ``plesk db`` for reads and ``plesk bin`` for writes, as root on the server itself.

Facts:

- ``plesk`` is ``/usr/sbin/plesk``; it needs root (plesk.md section 3).
- The exit code decides, the text is for people; a failure may be told on either channel (plesk.md section 3.3).
- ``plesk bin domain --update NAME -mail_service false`` and ``domalias --update NAME -mail false`` are the only writes;
  names go in as A-labels (plesk.md section 8, item 10).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mailswitch.core.domain import Inventory, Kind, Switch, SwitchTarget
from mailswitch.core.errors import ApplyError, InvalidName, InventoryError
from mailswitch.plesk import inventory, local_rows, local_sql
from mailswitch.plesk.failures import PanelFailure
from mailswitch.plesk.names import panel_name
from mailswitch.plesk.processes import ProcessLimits, Run, run_bounded
from mailswitch.plesk.records import whole_number

__all__ = ["LocalPanel", "LocalSettings", "open_local"]

_SHELL_SIGNAL = 128
"""What a shell adds to the number of the signal that ended a program."""
_MAX_SIGNAL = 65


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """Which ``plesk`` to run and how long to wait for it."""

    server: str
    """The server's name from the configuration."""
    executable: Path = Path("/usr/sbin/plesk")
    limits: ProcessLimits = field(default_factory=ProcessLimits)


def open_local(settings: LocalSettings, *, run: Run = run_bounded) -> LocalPanel:
    """Return the panel of this machine; ``run`` starts its processes."""
    return LocalPanel(settings, run)


class LocalPanel:
    """The Plesk server this program runs on (`mailswitch.service.ports.Panel`)."""

    kind = "local"

    def __init__(self, settings: LocalSettings, run: Run) -> None:
        """Use ``run``; see `open_local`."""
        self.server = settings.server
        self._executable = str(settings.executable)
        self._limits = settings.limits
        self._run = run
        self._alias_table: str | None = None

    def inventory(self) -> Inventory:
        """Read everything this server hosts, with three processes whatever its size.

        Raises:
            InventoryError: it could not be read in full.
        """
        with self._reading("read the inventory"):
            version = self._call("version")
            self._alias_table = None  # an upgrade of the panel may have renamed it
            rows = local_rows.read_rows(self._database(local_sql.inventory_sql(self._found_alias_table())))
            if not rows.addresses:
                raise PanelFailure("psa lists no address of this server", code="incomplete")
            return inventory.build(
                server=self.server,
                panel=self.kind,
                record=local_rows.read_version(version, rows.host_name),
                addresses=rows.addresses,
                sites=rows.sites,
                aliases=rows.aliases,
                switches=rows.switches,
            )

    def read_switch(self, target: SwitchTarget) -> Switch:
        """Read one switch afresh.

        Raises:
            InventoryError: it could not be read; code ``gone`` when the id is nobody's, or another name's.
        """
        with self._reading(f"read the switch of {target.name}"):
            number = whole_number(target.panel_id)
            if not number:
                raise PanelFailure(f"{target.panel_id!r} is no id of an object in Plesk", code="gone")
            if target.kind is Kind.ALIAS:
                statement = local_sql.one_alias_sql(self._found_alias_table(), number)
            else:
                statement = local_sql.one_site_sql(number)
            rows = local_rows.read_rows(self._database(statement))
            found = [(site.ascii_name, rows.switches[site.id]) for site in rows.sites if site.id == number]
            found += [(alias.ascii_name, alias.switch) for alias in rows.aliases if alias.id == number]
            for name, switch in found:
                if _is_called(name, target):
                    return switch
            raise PanelFailure(f"{target.kind.value} {number} is not there or bears another name", code="gone")

    def turn(self, target: SwitchTarget, to: Switch) -> None:
        """Ask the panel, exactly once, to turn one switch. Returning is no proof: read back.

        Raises:
            ApplyError: code ``refused``, or ``reply-lost`` when it did not end: it may have been done all the same.
            ValueError: ``to`` is neither ON nor OFF.
        """
        if to not in {Switch.ON, Switch.OFF}:
            raise ValueError(f"a switch is turned on or off, not {to.value!r}")
        value = "true" if to is Switch.ON else "false"
        try:
            name = _argument(target)
            if target.kind is Kind.ALIAS:
                self._call("bin", "domalias", "--update", name, "-mail", value)
            else:
                self._call("bin", "domain", "--update", name, "-mail_service", value)
        except PanelFailure as failure:
            is_lost = failure.is_sent and failure.code != "refused"
            told = f"{failure.text}, so it may have been done" if is_lost else failure.text
            raise ApplyError(
                f"{self.server}: could not turn {target.name} {to.value} with {self._executable}: {told}.",
                code="reply-lost" if is_lost else failure.code,
            ) from failure

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _found_alias_table(self) -> str:
        if self._alias_table is None:
            found = self._database(local_sql.FIND_ALIAS_TABLE)
            self._alias_table = local_rows.read_alias_table(found, local_sql.ALIAS_TABLES)
        return self._alias_table

    def _database(self, statements: str) -> bytes:
        return self._call("db", "-B", "-N", "-e", statements)

    def _call(self, *words: str) -> bytes:
        finished = self._run((self._executable, *words), self._limits)
        signal = -finished.code if finished.code < 0 else finished.code - _SHELL_SIGNAL
        if 0 < signal < _MAX_SIGNAL:
            raise PanelFailure(f"plesk {words[0]} was ended by signal {signal}", code="unavailable")
        if finished.code != 0:
            raise PanelFailure(
                f"plesk {words[0]} ended with exit code {finished.code} and said: {finished.said()!r}", code="refused"
            )
        return finished.out

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except PanelFailure as failure:
            text = f"{self.server}: could not {what} with {self._executable}: {failure.text}."
            raise InventoryError(text, code=failure.code) from failure


def _is_called(name: str | None, target: SwitchTarget) -> bool:
    try:
        return panel_name(name, None) == target.name
    except InvalidName:
        return False


def _argument(target: SwitchTarget) -> str:
    """Return the name as an argument; one that could be read as an option or as something else is refused."""
    if not target.name.is_host_name:
        raise PanelFailure(
            f"{target.name} is no host name, and so no argument for plesk", code="refused", is_sent=False
        )
    return target.name.text
