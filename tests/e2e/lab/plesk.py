"""Postfix and Dovecot as Plesk sets them up, and the tables that Plesk maintains (plesk.md section 5).

Facts:

- ``virtual_mailbox_domains`` is ``$virtual_mailbox_maps`` and ``virtual_domains``: a name is local for as long as the
  panel writes it there. The tables are hashed files without a text beside them.
- Mail to a local name is handed to the transport ``plesk_virtual``, a pipe, and ends in
  ``/var/qmail/mailnames/DOMAIN/USER/Maildir`` as the user ``popuser`` (30:31).
- A switch that is off takes the name out of the tables; mailboxes and what is in them stay.
- Mail to an alias goes to the mailboxes of its domain, whatever the domain's own switch says (plesk.md section 8.9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailswitch.core.domain import Switch
from mailswitch.simulation.state import PanelState
from tests.e2e.lab.hosts import Host
from tests.e2e.lab.mta import Postfix
from tests.e2e.lab.waiting import until

__all__ = ["MAILNAMES", "TABLES", "MailTables", "configure", "mail_tables", "start_dovecot"]

TABLES = "/var/spool/postfix/plesk"
MAILNAMES = "/var/qmail/mailnames"
_USER, _GROUP = "popuser", "popgroup"
_LDA_LOG = "/var/log/dovecot-lda.log"

_SETTINGS = {
    "myhostname": "plesk.hoster.example",
    "virtual_mailbox_domains": f"$virtual_mailbox_maps, hash:{TABLES}/virtual_domains",
    "virtual_alias_maps": f"$virtual_maps, hash:{TABLES}/virtual",
    "virtual_mailbox_maps": f", hash:{TABLES}/vmailbox",
    "transport_maps": f", hash:{TABLES}/transport",
    "virtual_transport": "plesk_virtual",
    "virtual_mailbox_base": MAILNAMES,
    "virtual_uid_maps": "static:30",
    "virtual_gid_maps": "static:31",
    "smtpd_sasl_type": "dovecot",
    "smtpd_sasl_path": "private/auth",
}
_SERVICES = f"""\
submission inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
plesk_virtual unix - n n - - pipe
  flags=DORhu user={_USER}:{_GROUP} argv=/usr/lib/dovecot/dovecot-lda
  -f ${{sender}} -a ${{original_recipient}} -d ${{user}}@${{domain}}
"""
_DOVECOT = f"""\
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
base_dir = /run/dovecot
log_path = /var/log/dovecot.log
first_valid_uid = 30
last_valid_uid = 30
first_valid_gid = 31
mail_location = maildir:~/Maildir
postmaster_address = postmaster@hoster.example
protocol lda {{
  log_path = {_LDA_LOG}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = static
  args = password=customer
}}
userdb {{
  driver = static
  args = uid={_USER} gid={_GROUP} home={MAILNAMES}/%d/%n allow_all_users=yes
}}
service auth {{
  unix_listener auth-userdb {{
    mode = 0666
  }}
  unix_listener /var/spool/postfix/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTables:
    """What Plesk tells Postfix: one mapping a table."""

    virtual_domains: Mapping[str, str]
    vmailbox: Mapping[str, str]
    virtual: Mapping[str, str]
    transport: Mapping[str, str]

    def texts(self) -> dict[str, str]:
        """Return every table as a text, by its file's name."""
        tables = {
            "virtual_domains": self.virtual_domains,
            "vmailbox": self.vmailbox,
            "virtual": self.virtual,
            "transport": self.transport,
        }
        return {
            name: "".join(f"{key} {value}\n" for key, value in sorted(rows.items())) for name, rows in tables.items()
        }


def mail_tables(state: PanelState) -> MailTables:
    """Return what the panel makes of its switches."""
    with state.reading() as connection:
        boxes = connection.execute(
            "SELECT m.mail_name, d.name FROM mail m JOIN domains d ON d.id = m.dom_id"
        ).fetchall()
        domains = [row["name"] for row in connection.execute("SELECT name FROM domains")]
        aliases = connection.execute(
            "SELECT a.name, d.name AS main FROM domain_aliases a JOIN domains d ON d.id = a.dom_id"
            " WHERE a.mail = 'true'"
        ).fetchall()
    is_on = {name: state.switch_of(name) is Switch.ON for name in domains}
    users = {(row["name"], row["mail_name"]) for row in boxes}
    return MailTables(
        virtual_domains={
            **{name: "local" for name, on in is_on.items() if on},
            **{row["name"]: "alias" for row in aliases},
        },
        vmailbox={f"{user}@{name}": f"{name}/{user}/Maildir/" for name, user in users if is_on[name]},
        virtual={
            f"{user}@{row['name']}": f"{user}@{row['main']}"
            for row in aliases
            for name, user in users
            if name == row["main"]
        },
        transport={},
    )


def configure(host: Host) -> Postfix:
    """Set a host up as Plesk would, with empty tables, and return its Postfix."""
    with host.file("/etc/passwd").open("a") as passwd, host.file("/etc/group").open("a") as group:
        passwd.write(f"{_USER}:x:30:31::{MAILNAMES}:/bin/false\n")
        group.write(f"{_GROUP}:x:31:\n")
    postfix = Postfix(host, _SETTINGS, _SERVICES)
    postfix.configure({})
    for folder in (TABLES, MAILNAMES):
        host.run("mkdir", "--parents", folder)
    host.run("chown", "30:31", MAILNAMES)
    for table in ("virtual_domains", "vmailbox", "virtual", "transport"):
        host.run("postmap", "-i", f"hash:{TABLES}/{table}")
    return postfix


def start_dovecot(host: Host) -> None:
    """Run Dovecot, which logs customers in and puts mail into their mailboxes."""
    host.write("/etc/dovecot/dovecot.conf", _DOVECOT)
    host.write(_LDA_LOG, "")
    host.run("chown", "30:31", _LDA_LOG)
    host.spawn("dovecot", "-F", log="dovecot")
    until(
        "Dovecot runs",
        lambda: (
            host.file("/var/spool/postfix/private/auth").is_socket() and host.try_run("doveadm", "who").returncode == 0
        ),
        told=lambda: host.log("dovecot").read_text(errors="replace")[-2000:],
    )
