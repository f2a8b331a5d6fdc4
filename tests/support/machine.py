"""A machine to install on: a folder, a simulated Plesk, and a systemd that keeps what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mailswitch.core.errors import InventoryError
from mailswitch.service.install.host import Host, Ran
from mailswitch.simulation.plesk_bin import call
from mailswitch.simulation.state import PanelState
from tests.support.agent import a_hosted, a_server

__all__ = ["FINGERPRINT", "Machine"]

FINGERPRINT = ":".join(["AB"] * 32)
_GID = 60_124


@dataclass
class Machine:
    """What programs on the machine do; ``broken`` holds the words of a command that fails."""

    root: Path
    broken: tuple[str, ...] | None = None
    has_sysusers: bool = True
    has_panel: bool = True
    enabled: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.root / "etc").mkdir()
        (self.root / "etc" / "group").write_text("root:x:0:\n")
        (self.root / "usr" / "sbin").mkdir(parents=True)
        (self.root / "usr" / "sbin" / "plesk").touch()
        self.panel = PanelState.create(self.root / "panel.db", a_server(a_hosted("a.example")))

    @property
    def host(self) -> Host:
        return Host(fingerprint=self._fingerprint, root=self.root, execute=self._execute)

    def files(self) -> dict[str, tuple[int, str]]:
        """Every file below /etc by its path, with its mode and text."""
        return {
            f"/{path.relative_to(self.root)}": (path.stat().st_mode & 0o7777, path.read_text())
            for path in (self.root / "etc").rglob("*")
            if path.is_file()
        }

    def plesk(self, *words: str) -> str:
        return call(self.panel, words[0], words[1:]).out

    def writes(self) -> list[tuple[str, ...]]:
        """The commands run that are no mere looking."""
        looking = {"--list", "--list-events", "--version", "--quiet"}
        return [words for words in self.calls if not looking & set(words)]

    def _fingerprint(self, host: str, port: int) -> str:
        if not self.has_panel:
            raise InventoryError(f"no certificate could be read from {host}:{port}", code="unreachable")
        return FINGERPRINT

    def _execute(self, words: tuple[str, ...]) -> Ran:
        self.calls.append(words)
        if self.broken is not None and set(self.broken) <= set(words):
            return Ran(code=1, out="", err="it is broken")
        match words:
            case ("/usr/sbin/plesk", "bin", utility, *rest):
                printed = call(self.panel, utility, tuple(rest))
                return Ran(code=printed.code, out=printed.out, err=printed.err)
            case ("systemd-sysusers", "--version"):
                return Ran(code=0 if self.has_sysusers else 127, out="", err="")
            case ("systemd-sysusers", _) | ("useradd", *_):
                with (self.root / "etc" / "group").open("a") as group:
                    group.write(f"mailswitch:x:{_GID}:\n")
            case ("systemctl", "enable", "--now", unit):
                self.enabled.add(unit)
                self.active.add(unit)
            case ("systemctl", "disable", "--now", unit):
                self.enabled.discard(unit)
                self.active.discard(unit)
            case ("systemctl", "--quiet", "is-enabled", unit):
                return Ran(code=int(unit not in self.enabled), out="", err="")
            case ("systemctl", "--quiet", "is-active", unit):
                return Ran(code=int(unit not in self.active), out="", err="")
            case ("systemctl", "daemon-reload") | ("systemctl", "try-restart", _) | ("systemctl", "--version"):
                pass
            case _:
                return Ran(code=127, out="", err="no such program")
        return Ran(code=0, out="", err="")
