"""What the service needs from the world, as Protocols: adapters satisfy them, fakes in tests do too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from mailswitch.core.domain import HostedDomain, Inventory, Switch, SwitchTarget
from mailswitch.core.evidence import Evidence
from mailswitch.core.ledger import (
    Approval,
    Change,
    Claim,
    DomainHistory,
    Outcome,
    Pause,
    Pin,
    Recheck,
    Run,
    ServerPass,
    ServerState,
)
from mailswitch.core.mx import HostAnswer, Observation, Vantage, VantageCount
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.notices import NoticeMemory
from mailswitch.core.policy import Route
from mailswitch.service.mail_ports import MailReader, MailWriter
from mailswitch.service.rescue_ports import RescueReader, RescueWriter

__all__ = ["EvidenceSource", "Ledger", "LedgerPlace", "LedgerReader", "Panel", "PublicView", "Sweep", "VantageCount"]


class Panel(Protocol):
    """One Plesk server's panel. Built closed; used by one thread at a time."""

    @property
    def server(self) -> str:
        """The server's name from the configuration."""

    @property
    def kind(self) -> str:
        """``xml-api`` or ``local``."""

    def inventory(self) -> Inventory:
        """Read everything the panel hosts, in a number of calls that does not grow with it but for chunks.

        Raises:
            InventoryError: with the server named; nothing was changed.
        """

    def read_switch(self, target: SwitchTarget) -> Switch:
        """Read one switch afresh.

        Raises:
            InventoryError: it could not be read; code ``gone`` when the panel says there is no such object.
        """

    def turn(self, target: SwitchTarget, to: Switch) -> None:
        """Ask the panel, exactly once, to turn one switch ON or OFF. Returning is no proof: read back.

        Raises:
            ApplyError: the panel refused, or with code ``reply-lost`` nothing came back and it may still be at it; in
                either case it may have been done all the same.
            ValueError: ``to`` is neither ON nor OFF.
        """

    def close(self) -> None:
        """Give back connections. Harmless when called again."""


class Sweep(Protocol):
    """The lookups of one pass: every question is asked at most once of a vantage while it lasts."""

    def first_opinions(
        self, names: Iterable[DomainName], *, remembered: Collection[DomainName] = frozenset()
    ) -> Mapping[DomainName, Observation]:
        """Ask one vantage about each name, rotating over names and passes; exchanges are shared by all of them.

        Those among ``remembered`` may be told from what former sweeps heard, within its TTL; the observation says so.
        """

    def all_opinions(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[Observation, ...]]:
        """Ask every vantage about each name, exchanges included, so that each opinion is a vantage's own."""

    def host_answers(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[HostAnswer, ...]]:
        """Ask every vantage for the addresses of each host."""

    def counts(self) -> tuple[VantageCount, ...]:
        """Return how each vantage has fared so far."""

    def unmatched(self) -> int | None:
        """Return how many datagrams found no socket of this host so far; None where the system does not tell."""


class PublicView(Protocol):
    """Public DNS, seen from several vantages."""

    @property
    def vantages(self) -> tuple[Vantage, ...]:
        """The vantages in configuration order."""

    def sweep(
        self, *, rotation: int, progress: Callable[[int], None] | None = None, is_kept: bool = False
    ) -> AbstractContextManager[Sweep]:
        """Open a sweep; ``rotation`` shifts who gives the first opinion, ``progress`` is told of names finished.

        With ``is_kept`` later sweeps may remember what this one hears.
        """


class EvidenceSource(Protocol):
    """What one server itself knows about a name's mail."""

    def evidence(self, domain: HostedDomain) -> Evidence:
        """Return what the mail log shows for one hosted domain, or that there is no log to ask."""


class LedgerReader(MailReader, RescueReader, Protocol):
    """The ledger as commands see it that record nothing. A ledger that does not exist yet reads as empty.

    Every method raises LedgerError when the ledger cannot be read or has a schema this program does not know.
    """

    def run_count(self) -> int:
        """Return how many runs were ever recorded, those included that were pruned."""

    def histories(self, server: str) -> dict[DomainName, DomainHistory]:
        """Return what is remembered of each name of a server."""

    def server_state(self, server: str) -> ServerState | None:
        """Return what is remembered of a server; None before its first pass."""

    def pins(self) -> tuple[Pin, ...]:
        """Return every pin, expired ones included, oldest first."""

    def approvals(self) -> tuple[Approval, ...]:
        """Return every approval, expired ones included, oldest first."""

    def pause(self) -> Pause | None:
        """Return the pause in force, if any."""

    def changes(
        self,
        *,
        server: str | None = None,
        name: DomainName | None = None,
        run_id: str | None = None,
        change_id: int | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[Change, ...]:
        """Return changes and open intents that match all that is given, newest first."""

    def unsettled(self, server: str | None = None) -> tuple[Change, ...]:
        """Return the intents without an outcome, oldest first."""

    def last_run(self) -> Run | None:
        """Return the run started last."""

    def last_passes(self) -> tuple[ServerPass, ...]:
        """Return the last pass over each server's names ever recorded, by server name."""

    def recent_passes(self, server: str, *, limit: int) -> tuple[ServerPass, ...]:
        """Return the last passes over a server's names, newest first; those over some names only are not among them."""

    def rechecks(self, *, limit: int) -> tuple[Recheck, ...]:
        """Return what the daemon was asked to look at and has not taken up yet, oldest first."""

    def next_passes(self) -> dict[str, datetime]:
        """Return when the daemon meant to look at each server next; it may have ended since."""

    def changes_after(self, number: int) -> tuple[Change, ...]:
        """Return the changes and open intents recorded after change ``number``, oldest first."""

    def notice_memory(self) -> NoticeMemory | None:
        """Return what is remembered of notices; None before the first."""

    def close(self) -> None:
        """Give back connections. Harmless when called again."""


class Ledger(LedgerReader, MailWriter, RescueWriter, Protocol):
    """The ledger as passes and operators' commands write it. Every write is durable when the method returns."""

    def begin_run(self, run: Run) -> None:
        """Record that a pass started."""

    def finish_run(self, run: Run) -> None:
        """Record how the pass with ``run.id`` ended."""

    def record_pass(
        self, state: ServerState | None, done: ServerPass, histories: Mapping[DomainName, DomainHistory]
    ) -> None:
        """Record one server's part of a pass in one transaction; ``histories`` holds only names whose row changed.

        Called before anything is applied, and once more with the true counts (and no histories) when it has ended:
        there is one row for each run and server, and the later one replaces the former. ``state`` is None where there
        is nothing new to remember. The claim columns of existing rows are written as given, so pass histories read
        under the same pass lock.
        """

    def intend(self, change: Change) -> int:
        """Record the intent of a change, durably, and return its id."""

    def settle(
        self,
        change_id: int,
        *,
        outcome: Outcome,
        error: str | None,
        at: datetime,
        claim: Claim | None,
        claim_route: Route | None = None,
        claim_exchanges: tuple[DomainName, ...] = (),
    ) -> None:
        """Record a change's outcome, and with ``claim`` whose the switch is now, in one transaction.

        A change that has an outcome already keeps it (settling twice is harmless).
        A name without a history row gets one.
        """

    def add_pin(self, pin: Pin) -> None:
        """Record a pin; one for the same pattern replaces the former."""

    def remove_pin(self, pattern: NamePattern) -> bool:
        """Remove the pin of exactly this pattern; return whether there was one."""

    def add_approval(self, approval: Approval) -> None:
        """Record an approval; one for the same server and name replaces the former."""

    def set_pause(self, pause: Pause | None) -> None:
        """Pause, or with None resume."""

    def request_recheck(self, names: Iterable[DomainName], *, by: str, at: datetime) -> None:
        """Ask the running daemon to look at names now; a name asked for already stands as it is."""

    def take_rechecks(self, *, limit: int) -> tuple[Recheck, ...]:
        """Return what the daemon was asked to look at, oldest first, and forget it."""

    def set_next_passes(self, moments: Mapping[str, datetime]) -> None:
        """Record when the daemon means to look at each server next, in place of what it meant before."""

    def remember_notices(self, memory: NoticeMemory, *, former: NoticeMemory | None) -> bool:
        """Record what was told if ``former`` (None: nothing) still is what is remembered; return whether it was.

        So that of several processes that find the same news one tells it.
        """

    def prune(self, *, before: datetime, limit: int) -> int:
        """Forget what ended before a moment and nothing refers to, ``limit`` rows of a kind at most; return how many.

        Kept whatever its age: what is not settled, what tells whose a switch is, and each server's last pass.
        """


class LedgerPlace(Protocol):
    """Where a ledger is, opened in the one way a command needs."""

    def reader(self) -> LedgerReader:
        """Open for reading only: no lock, no file made, no migration."""

    def locked(self) -> AbstractContextManager[Ledger]:
        """Hold the pass lock, migrate if need be, and open for writing.

        Raises:
            AlreadyRunning: another process holds the lock; at once, without waiting.
            LedgerError: it cannot be opened, is newer than this program, or is damaged.
        """

    def writer(self, *, wait: timedelta) -> AbstractContextManager[Ledger]:
        """Open for a short operator's write beside a running pass; takes the pass lock only to make or migrate it.

        ``wait`` bounds how long a busy ledger is waited for.
        """

    def daemon_lock(self) -> AbstractContextManager[Callable[[], None]]:
        """Hold the lock of the one daemon of a ledger, which passes by hand do not ask for.

        What it gives is called before each pass: it makes sure that the lock is still held, and takes it again where a
        lost connection lost it (LedgerError, AlreadyRunning).

        Raises:
            AlreadyRunning: another daemon holds it.
            LedgerError: it cannot be taken.
        """

    def has_daemon(self) -> bool:
        """Whether a daemon holds its lock; nothing is made.

        Raises:
            LedgerError: that cannot be told.
        """
