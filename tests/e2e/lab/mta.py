"""Real Postfix on a host of the lab, with its configuration written from nothing.

Facts:

- ``maillog_file`` (Postfix 3.4) has Postfix write its log itself, in syslog's classic form: no syslog daemon is needed.
- Retries follow after seconds here, and after minutes on the internet; nothing else is other than on a real server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.lab.hosts import Host, is_listening
from tests.e2e.lab.waiting import until

__all__ = ["MAILBOXES", "MAIL_LOG", "Postfix", "mailbox_settings", "make_store", "queued", "shifted", "start_all"]

MAIL_LOG = "/var/log/maillog"
MAILBOXES = "/var/vmail"
_STAMP_LENGTH = len("Nov 23 07:40:14")
_STORE_ID = 5000
"""Owner of the mailboxes of hosts without Plesk; a number of nobody's."""

_MASTER = """\
smtp inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_MAIN: dict[str, str] = {
    "compatibility_level": "3.6",
    "maillog_file": MAIL_LOG,
    "queue_directory": "/var/spool/postfix",
    "command_directory": "/usr/sbin",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "data_directory": "/var/lib/postfix",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "inet_interfaces": "all",
    "inet_protocols": "all",
    "mydestination": "localhost, $myhostname",
    "mynetworks": "127.0.0.0/8 [::1]/128",
    "local_recipient_maps": "",
    "alias_maps": "",
    "alias_database": "",
    "biff": "no",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
    "smtp_tls_security_level": "none",
    "smtpd_tls_security_level": "none",
    "smtpd_peername_lookup": "no",
    "smtpd_client_connection_count_limit": "0",
    "smtp_connect_timeout": "5s",
    "in_flow_delay": "0s",
    "queue_run_delay": "2s",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "4s",
    "transport_retry_time": "1s",
    "smtp_connection_cache_on_demand": "no",
    "smtp_address_preference": "ipv4",
}


@dataclass(frozen=True, slots=True)
class Postfix:
    """Postfix on one host."""

    host: Host
    settings: Mapping[str, str]
    """Beside those that all have."""
    services: str = ""
    """Lines of master.cf beside those that all have."""

    def configure(self, tables: Mapping[str, str]) -> None:
        """Write everything; ``tables`` are files below /etc/postfix, read as ``texthash:``."""
        for name, text in tables.items():
            self.host.write(f"/etc/postfix/{name}", text)
        main = {**_MAIN, **self.settings}
        self.host.write("/etc/postfix/main.cf", "".join(f"{key} = {value}\n" for key, value in main.items()))
        self.host.write("/etc/postfix/master.cf", _MASTER + self.services)
        self.host.write("/etc/aliases", "")
        self.host.write(MAIL_LOG, "", 0o640)

    def start(self) -> None:
        """Start it and return at once."""
        self.host.run("postfix", "start")

    def stop(self) -> None:
        """Stop it at once."""
        self.host.run("postfix", "abort")
        until(f"nobody listens on {self.host.name}", lambda: not is_listening(self.host.address, 25), seconds=30)

    def wait(self) -> None:
        """Wait until it takes mail."""
        until(f"{self.host.name} takes mail", lambda: is_listening(self.host.address, 25), told=self.log)

    def log(self) -> str:
        """Return the end of its log."""
        return self.host.file(MAIL_LOG).read_text(errors="replace")[-4000:]


def mailbox_settings(names: Iterable[str], users: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return settings and tables of a host that has mailboxes for ``users`` of every one of ``names``."""
    domains = sorted(names)
    settings = {
        "virtual_mailbox_domains": "texthash:/etc/postfix/domains",
        "virtual_mailbox_maps": "texthash:/etc/postfix/mailboxes",
        "virtual_mailbox_base": MAILBOXES,
        "virtual_uid_maps": f"static:{_STORE_ID}",
        "virtual_gid_maps": f"static:{_STORE_ID}",
        "virtual_mailbox_limit": "0",
    }
    boxes = [f"{user}@{name} {name}/{user}/Maildir/\n" for name in domains for user in users]
    return settings, {"domains": "".join(f"{name} here\n" for name in domains), "mailboxes": "".join(boxes)}


def make_store(host: Host) -> None:
    """Make the folder that mailboxes lie in."""
    folder = host.file(MAILBOXES)
    folder.mkdir(parents=True, exist_ok=True)
    host.run("chown", f"{_STORE_ID}:{_STORE_ID}", MAILBOXES)


def queued(host: Host) -> list[dict[str, Any]]:
    """Return what waits in a host's queue."""
    return [json.loads(line) for line in host.run("postqueue", "-j").splitlines()]


def start_all(servers: Iterable[Postfix]) -> None:
    """Start all, and wait until all take mail."""
    started = list(servers)
    for postfix in started:
        postfix.start()
    for postfix in started:
        postfix.wait()


def shifted(line: str, span: timedelta) -> str:
    """Return a line of a classic mail log as if it had been written so much earlier."""
    year = datetime.now(UTC).year
    moment = datetime.strptime(f"{year} {line[:_STAMP_LENGTH]}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC) - span
    return f"{moment:%b} {moment.day:2} {moment:%H:%M:%S}{line[_STAMP_LENGTH:]}"
