"""Builds what reads mail logs: part of `mailswitch.service.wiring`, and all that the collector needs of it."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

from mailswitch.config.providers import load_table
from mailswitch.config.servers import ServerSection, is_this_machine
from mailswitch.config.settings import Settings
from mailswitch.core.errors import ConfigError, MailError
from mailswitch.core.evidence import Gathered, LogReading
from mailswitch.core.mx import Address
from mailswitch.core.providers import ProviderTable
from mailswitch.evidence.batches import Wish
from mailswitch.evidence.collected import CollectedLogs
from mailswitch.evidence.collecting import WISH_NAME, collect
from mailswitch.evidence.journal import JournalLog, JournalSettings
from mailswitch.evidence.source import MailLogSettings, PostfixLogs
from mailswitch.evidence.spool import Spool, SpoolError
from mailswitch.ledger.place import file_of
from mailswitch.service.local_evidence import MailLogSource, UnreadLog

__all__ = ["collect_evidence", "mail_log_of", "own_folder_of", "read_log_of"]

_OWN_FOLDER = Path("/var/lib/mailswitch")
"""What systemd makes for the daemon."""


def mail_log_of(
    server: ServerSection, providers: ProviderTable | None = None, *, own_folder: Path = _OWN_FOLDER
) -> MailLogSource:
    """Return the mail log of a server that runs on this machine, or of which there is a copy on it."""
    written = server.mail_log
    if written.read and written.collected is not None:
        return CollectedLogs(server.name, Spool(written.collected), own_folder)
    return read_log_of(server, providers)


def own_folder_of(settings: Settings) -> Path:
    """Return the folder of the daemon's own: the ledger's, or the one systemd makes for it."""
    file = file_of(settings.ledger)
    return _OWN_FOLDER if file is None else file.parent


def read_log_of(server: ServerSection, providers: ProviderTable | None = None) -> MailLogSource:
    """Return the mail log of a server as it is read by whoever may, collected or not."""
    written = server.mail_log
    if not written.read:
        return UnreadLog("no mail log is read (mail_log: off)")
    if not written.paths and not is_this_machine(server):
        return UnreadLog("no mail log is read: the server is another machine")
    own = tuple(ip_network(one) if isinstance(one, Address) else one for one in written.mynetworks)
    if written.source == "journal":
        return JournalLog(JournalSettings(own_networks=own, providers=providers))
    return PostfixLogs(MailLogSettings(paths=written.paths, own_networks=own, providers=providers))


def collect_evidence(settings: Settings) -> str:
    """Read the mail log of this machine's server for a daemon that may not, and leave what was counted for it.

    Raises:
        ConfigError: no server's log is collected.
        MailError: something cannot be read or written; the next time goes on from there.
    """
    chosen = [one for one in settings.servers if one.mail_log.read and one.mail_log.collected is not None]
    if len(chosen) != 1 or chosen[0].mail_log.collected is None:
        raise ConfigError("nothing is to be collected: exactly one server has to have mail_log: collected")
    source = read_log_of(chosen[0], load_table(settings.policy.providers))

    def gather(reading: LogReading | None, wish: Wish) -> Gathered:
        return source.gather(reading, hosted=wish.hosted, own=wish.own, now=datetime.now(UTC))

    try:
        return collect(Spool(chosen[0].mail_log.collected), own_folder_of(settings) / WISH_NAME, gather)
    except SpoolError as error:
        raise MailError(str(error)) from error
