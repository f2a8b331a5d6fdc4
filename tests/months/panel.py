"""A server's panel as the program meets it, with its troubles and whims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mailswitch.core.domain import Inventory, Platform, ServerAddress, Switch, SwitchTarget
from mailswitch.core.errors import ApplyError, InventoryError
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from tests.months.world import ADDRESSES, Server, World

__all__ = ["Panel"]


class Panel:
    """One open connection to a server's panel; ``turned`` is told of each write before it is tried."""

    kind = "xml-api"

    def __init__(self, world: World, server: Server, turned: Callable[[str, Switch], Callable[[], None]]) -> None:
        self.server = server.name
        self._world, self._server, self._turned = world, server, turned
        if "down" in server.trouble:
            world.met["panel down"] += 1
            raise InventoryError(f"{server.name}: no connection", code="unreachable")
        for name in [name for name in server.late if name in server.domains]:
            server.set(name, server.late.pop(name))

    def inventory(self) -> Inventory:
        trouble = self._server.trouble
        if "cut off" in trouble:
            self._world.met["inventory cut off"] += 1
            raise InventoryError(f"{self.server}: the reply ends early", code="cut-off")
        domains = [self._server.domains[name] for name in sorted(self._server.domains)]
        oddities: tuple[str, ...] = ()
        if "short of names" in trouble:
            self._world.met["inventory short of names"] += 1
            kept = {one.name for one in domains[::2]}
            # What lists a domain lists its aliases: nobody can know one that a panel keeps to itself.
            domains = [one for one in domains if one.name in kept or one.parent in kept]
            oddities = ("half of the reply could not be read",)
        if "unclear" in trouble:
            self._world.met["switches unclear"] += 1
            domains = [replace(one, switch=Switch.UNKNOWN) if at % 3 == 0 else one for at, one in enumerate(domains)]
        self._world.dawdle(self._server, "slow to list")
        return Inventory(
            server=self.server,
            panel=self.kind,
            version="18.0.61",
            platform=Platform.LINUX,
            host_name=DomainName(f"{self.server}.hoster.example"),
            addresses=(ServerAddress(address=address(ADDRESSES[self.server])),),
            domains=tuple(domains),
            oddities=oddities,
        )

    def read_switch(self, target: SwitchTarget) -> Switch:
        name = target.name.text
        if name in self._server.unreadable:
            self._world.met["switch unreadable"] += 1
            raise InventoryError(f"{self.server}: {name} could not be read", code="unreachable")
        found = self._server.domains.get(name)
        if found is None or found.panel_id != target.panel_id:
            raise InventoryError(f"{self.server}: {name} is not there", code="gone")
        if name in self._server.late:
            self._server.set(name, self._server.late.pop(name))
        return found.switch

    def turn(self, target: SwitchTarget, to: Switch) -> None:
        name = target.name.text
        applied = self._turned(name, to)
        self._world.dawdle(self._server, "slow to turn")
        whim = self._server.whims.pop(0) if self._server.whims else ""
        if whim:
            self._world.met[f"write {whim}"] += 1
            self._world.write_faults += 1
        if whim in {"", "reply lost", "unreadable", "late"}:
            applied()
        if whim == "late":
            self._server.late[name] = to
        elif whim in {"", "reply lost", "unreadable"}:
            self._server.set(name, to)
        if whim == "unreadable":
            self._server.unreadable.add(name)
        if whim in {"reply lost", "lost", "late"}:
            raise ApplyError(f"{self.server}: no reply about {name}", code="reply-lost")
        if whim == "refused":
            raise ApplyError(f"{self.server}: refused to turn {name}", code="refused")

    def close(self) -> None:
        """There is nothing to give back."""
