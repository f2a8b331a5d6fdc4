"""What a pass works with: servers with their panels and policies, public DNS, the ledger, the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from mailswitch.core.domain import HostedDomain, Network
from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.core.evidence import Evidence, NoEvidence
from mailswitch.core.mx import Address
from mailswitch.core.names import NamePattern
from mailswitch.core.policy import Mode, Policy
from mailswitch.core.providers import ProviderTable
from mailswitch.service.local_evidence import MailLogSource
from mailswitch.service.ports import EvidenceSource, LedgerPlace, Panel, PublicView
from mailswitch.service.zone_ports import OwnView, ZoneView

__all__ = ["ManagedServer", "NoMailLog", "Setup"]


class NoMailLog:
    """The evidence source of a server whose mail log nobody reads."""

    def evidence(self, domain: HostedDomain) -> Evidence:
        """Say that there is no evidence, for any name."""
        del domain
        return NoEvidence("no mail log is read")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedServer:
    """One server of the configuration."""

    name: str
    panel_kind: str
    """``xml-api`` or ``local``; known before the panel answers."""
    open_panel: Callable[[], Panel]
    policy: Policy
    addresses: frozenset[Address] = frozenset()
    """``local.addresses`` that are single addresses."""
    networks: tuple[Network, ...] = ()
    """``local.addresses`` that are networks."""
    hosts: tuple[NamePattern, ...] = ()
    """``local.hosts``."""
    is_confirmed: bool = False
    """``local.confirmed``."""
    mail_log: MailLogSource | None = None
    """The log that each pass looks into; None where ``evidence`` answers instead."""
    evidence: EvidenceSource = field(default_factory=NoMailLog)
    own_view: OwnView | None = None
    """The server's own resolvers; None where they are not known."""

    def opened(self) -> Panel:
        """Open the panel; what is wrong with this one server must not stop the others, so it is told in one way.

        Raises:
            InventoryError: with code ``configuration`` where the panel cannot be built as configured.
        """
        try:
            return self.open_panel()
        except ConfigError as error:
            raise InventoryError(f"{self.name}: {'; '.join(error.problems)}", code="configuration") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything a pass needs, built in one place (`mailswitch.service.wiring`) and handed in."""

    mode: Mode
    servers: tuple[ManagedServer, ...]
    public_view: PublicView
    zone_view: ZoneView
    providers: ProviderTable
    ledger: LedgerPlace
    now: Callable[[], datetime]
    new_run_id: Callable[[], str]
    most_panels_at_once: int = 32
