"""The only place that builds adapters: from checked settings to everything a pass works with."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailswitch.config.providers import load_table
from mailswitch.config.root_hints import read_hints, shipped_hints
from mailswitch.config.servers import ServerSection, is_this_machine
from mailswitch.config.settings import Settings, local_additions, policy_for
from mailswitch.config.values import Authoritative
from mailswitch.core.names import DomainName
from mailswitch.core.providers import ProviderTable
from mailswitch.evidence.follow import PostfixFates
from mailswitch.evidence.follow_journal import JournalFates
from mailswitch.evidence.mailbox_source import PleskMailboxes
from mailswitch.evidence.mailboxes import MailboxSettings
from mailswitch.ledger.health import inspect
from mailswitch.ledger.place import file_of, open_place
from mailswitch.lookup.authority import AuthoritySettings
from mailswitch.lookup.last_opinion import LastOpinionView
from mailswitch.lookup.memory import AnswerMemory
from mailswitch.lookup.probe import probe
from mailswitch.lookup.root_probe import probe_root
from mailswitch.lookup.survey import open_public_view
from mailswitch.lookup.vantages import Codec, VantageSettings
from mailswitch.lookup.zone_servers import ZoneLookup
from mailswitch.plesk.credentials import Credentials, Key, Login
from mailswitch.plesk.fingerprint import presented_fingerprint
from mailswitch.plesk.local_cli import LocalSettings, open_local
from mailswitch.plesk.secret import Secret
from mailswitch.plesk.tls import TlsSettings
from mailswitch.plesk.transport import TransportLimits
from mailswitch.plesk.xml_api import XmlApiSettings, open_xml_api
from mailswitch.service.doctor import LedgerState
from mailswitch.service.install.host import Host
from mailswitch.service.log_wiring import mail_log_of, own_folder_of
from mailswitch.service.ports import LedgerPlace, Panel, PublicView
from mailswitch.service.rescue_ports import FateSource
from mailswitch.service.resolver_wiring import own_view_of, timing_of, vantages_of
from mailswitch.service.setup import ManagedServer, Setup
from mailswitch.service.stranded import MailHouse
from mailswitch.service.vantage_check import RootState, Validation, VantageState

__all__ = ["new_run_id", "setup_of", "utc_now"]


_HANDSHAKE = timedelta(seconds=15)
"""How long to wait for a panel's certificate."""


def utc_now() -> datetime:
    """Return this moment as the program's one clock tells it."""
    return datetime.now(UTC)


def new_run_id() -> str:
    """Return the id of a new run: the moment, so that ids sort, and a few random digits."""
    return f"{utc_now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def setup_of(settings: Settings, complain: Callable[[str], None] = lambda _: None) -> Setup:
    """Build everything a pass works with. Nothing is connected to and no file is opened yet.

    ``complain`` is told what changes neither the pass nor its outcome, but should be known.

    Raises:
        ConfigError: an adapter cannot be built from the settings.
    """
    providers = load_table(settings.policy.providers)
    return Setup(
        mode=settings.mode,
        servers=tuple(_server(settings, server, providers) for server in settings.servers),
        public_view=public_view_of(settings, complain),
        zone_view=ZoneLookup(vantages_of(settings), timing_of(settings), Codec(settings.dns.codec.value)),
        providers=providers,
        ledger=ledger_of(settings),
        now=utc_now,
        new_run_id=new_run_id,
    )


def ledger_of(settings: Settings) -> LedgerPlace:
    """Return where the ledger is."""
    return open_place(settings.ledger, marker=_marker_of(settings))


def _marker_of(settings: Settings) -> Path | None:
    """Return the file that tells an old ledger: the one named, or one beside a ledger that is a file."""
    file = file_of(settings.ledger)
    beside = None if file is None else file.with_name(f"{file.name}.marker")
    return settings.ledger_marker or beside


def ledger_file(settings: Settings) -> Path | None:
    """Return the ledger's file as it is written in the settings; None for a database server."""
    return file_of(settings.ledger)


def public_view_of(settings: Settings, complain: Callable[[str], None] = lambda _: None) -> PublicView:
    """Return public DNS, as the configured vantages and the domains' own name servers see it.

    Raises:
        ConfigError: the root hints cannot be read any more.
    """
    codec, timing = Codec(settings.dns.codec.value), timing_of(settings)
    memory = memory_of(settings, complain)
    resolvers = open_public_view(vantages_of(settings), timing, now=utc_now, codec=codec, memory=memory)
    authority = authority_of(settings)
    return resolvers if authority is None else LastOpinionView(resolvers, authority, timing, now=utc_now)


def authority_of(settings: Settings) -> AuthoritySettings | None:
    """Return how the domains' own name servers are found; None where they are not asked.

    Raises:
        ConfigError: the root hints cannot be read any more.
    """
    wanted, own_hints = settings.dns.authoritative, settings.dns.root_hints
    if wanted is Authoritative.OFF:
        return None
    hints = shipped_hints() if own_hints is None else read_hints(own_hints)
    return AuthoritySettings(hints=hints, is_required=wanted is Authoritative.REQUIRE)


def tried_root(settings: Settings) -> RootState | None:
    """Try the root's servers; None where the domains' own name servers are not asked."""
    authority = authority_of(settings)
    if authority is None:
        return None
    health = probe_root(authority, timing_of(settings))
    return RootState(
        asked=health.asked, answering=health.answering, reason=health.reason, is_required=authority.is_required
    )


def memory_of(settings: Settings, complain: Callable[[str], None]) -> AnswerMemory | None:
    """Return the answers of former passes; beside a ledger that is a file they outlive the program."""
    file = ledger_file(settings)
    path = None if file is None else file.with_name(f"{file.name}.answers")
    return AnswerMemory(path, complain) if settings.dns.remember else None


def vantage_prober(
    settings: Settings, hosted: Sequence[DomainName]
) -> tuple[Callable[[VantageSettings], VantageState], tuple[VantageSettings, ...]]:
    """Return what tries one vantage, and the vantages to try; ``hosted`` are a few names of this host."""
    timing = timing_of(settings)

    def tried(one: VantageSettings) -> VantageState:
        health = probe(one, timing, hosted=hosted)
        return VantageState(
            vantage=health.vantage,
            round_trip=health.round_trip,
            problems=health.problems,
            validation=Validation(health.validation.value),
            signed=health.signed,
        )

    return tried, vantages_of(settings)


def this_host() -> Host:
    """Return this machine, to install the daemon on."""

    def fingerprint(host: str, port: int) -> str:
        return presented_fingerprint(host, port, _HANDSHAKE)

    return Host(fingerprint=fingerprint)


def inspected_ledger(settings: Settings) -> LedgerState:
    """Look at the ledger without changing it."""
    health = inspect(settings.ledger, marker=_marker_of(settings))
    return LedgerState(place=health.place, exists=health.exists, problems=health.problems, warnings=health.warnings)


def _server(settings: Settings, server: ServerSection, providers: ProviderTable) -> ManagedServer:
    additions = local_additions(server)
    return ManagedServer(
        name=server.name,
        panel_kind=server.panel,
        open_panel=panel_opener(settings, server),
        policy=policy_for(settings, server.name),
        addresses=additions.addresses,
        networks=additions.networks,
        hosts=additions.hosts,
        is_confirmed=additions.is_confirmed,
        mail_log=mail_log_of(server, providers, own_folder=own_folder_of(settings)),
        own_view=own_view_of(settings, server, utc_now),
    )


def mail_houses_of(settings: Settings, *, only: str | None = None) -> tuple[MailHouse, ...]:
    """Return the servers whose mailboxes are on this machine; ``only`` leaves the others out."""
    return tuple(
        MailHouse(
            server=one.name,
            mailboxes=PleskMailboxes(MailboxSettings(root=one.mailboxes.path, owner=one.mailboxes.owner)),
        )
        for one in settings.servers
        if is_this_machine(one) and only in {None, one.name}
    )


def fates_of(settings: Settings) -> dict[str, FateSource]:
    """Return, for each server whose mail log is on this machine, what follows messages in it."""
    return {
        one.name: JournalFates() if one.mail_log.source == "journal" else PostfixFates(one.mail_log.paths)
        for one in settings.servers
        if is_this_machine(one)
    }


def panel_opener(settings: Settings, server: ServerSection) -> Callable[[], Panel]:
    """Return what opens a server's panel, each time anew."""
    if server.panel == "local":
        local = LocalSettings(server=server.name, executable=server.plesk)
        return lambda: open_local(local)
    if server.url is None:
        raise ValueError("the configuration let an xml-api server without url pass")
    remote = XmlApiSettings(
        server=server.name,
        url=server.url,
        credentials=_credentials(settings, server),
        tls=TlsSettings(
            ca_file=server.tls.ca_file,
            server_name=None if server.tls.server_name is None else server.tls.server_name.text,
            fingerprints=server.tls.fingerprint_sha256,
            verify=server.tls.verify,
        ),
        limits=TransportLimits(connect_timeout=server.connect_timeout, read_timeout=server.read_timeout),
        chunk=server.chunk,
    )
    return lambda: open_xml_api(remote)


def _credentials(settings: Settings, server: ServerSection) -> Credentials:
    secret = Secret(settings.secret(server))
    return Key(secret) if server.login is None else Login(name=server.login, password=secret)
