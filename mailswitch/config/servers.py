"""The keys of one server: where its panel is, how to log in, what is ours, what differs in policy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from mailswitch.config import addresses, fields, values
from mailswitch.core.policy import UnknownProvider

__all__ = [
    "COLLECTED",
    "LocalSection",
    "MailLogSection",
    "MailboxesSection",
    "ServerPolicy",
    "ServerSection",
    "TlsSection",
    "is_this_machine",
]


class TlsSection(fields.Section):
    """How the panel's certificate is checked."""

    ca_file: fields.FilePath | None = Field(
        default=None,
        description="PEM file with the authorities to trust instead of the system's; relative to this file.",
    )
    server_name: fields.Name | None = Field(
        default=None,
        description="The name the certificate has to bear, where the address is another (such as 127.0.0.1).",
    )
    fingerprint_sha256: fields.Fingerprints = Field(
        default_factory=tuple,
        description="SHA-256 fingerprint of a self-signed certificate, or a list of them: 64 hexadecimal digits, "
        "with or without colons. Nothing else is checked then.",
    )
    verify: bool = Field(
        default=True, description="`false` checks nothing: whoever is between here and the panel can read the key."
    )


class LocalSection(fields.Section):
    """What counts as this server beside what the panel lists: *ours*."""

    addresses: tuple[fields.AddressOrNetwork, ...] = Field(
        default_factory=tuple,
        description="More addresses and networks of ours: NAT, load balancers, the hoster's own inbound filters.",
    )
    hosts: tuple[fields.Pattern, ...] = Field(
        default_factory=tuple,
        description="Names and patterns of exchanges that are ours whatever they resolve to, "
        "for a hoster's own inbound filters: `*.filter.example.net`.",
    )
    confirmed: bool = Field(
        default=False, description="The addresses are complete, even though no name that is on routes here."
    )


def _written_as_word(value: object) -> object:
    """Take ``mail_log: off``, ``on``, ``journal`` or ``collected`` for the section that says the same."""
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in {"off", "no", "false"}:
        return {"read": "false"}
    if word == "journal":
        return {"source": "journal"}
    if word == "collected":
        return {"collected": COLLECTED}
    return {} if word in {"on", "yes", "true"} else value


COLLECTED = "/var/lib/mailswitch-evidence"
"""Where the unit mailswitch-evidence leaves what it counted."""


class MailLogSection(fields.Section):
    """The mail log on the machine mailswitch runs on: who still sends mail to a name here."""

    read: bool = Field(
        default=True,
        description="`false` reads no log; `mail_log: off` says the same. A server that is not this machine has none, "
        "unless `paths` names a copy.",
    )
    source: Literal["files", "journal"] = Field(
        default="files",
        description="`files`, or the systemd `journal`; `mail_log: journal` says the same. In the journal nobody but "
        "the machine's own services can tell of mail; in files every tenant's script can.",
    )
    collected: fields.ProgramPath | None = Field(
        default=None,
        description="The folder in which `mailswitch-evidence.service` leaves what it counted, for a service that may "
        f"not read the log; `mail_log: collected` means `{COLLECTED}`. Default: the service reads the log itself.",
    )
    paths: tuple[fields.ProgramPath, ...] = Field(
        default_factory=tuple,
        description="The logs; rotated and gzip-ed files beside them are read too. No message may be in two of them. "
        "Default: the first there is of `/var/log/maillog`, `/var/log/mail.log` and `/usr/local/psa/var/log/maillog`.",
    )
    mynetworks: tuple[fields.AddressOrNetwork, ...] = Field(
        default_factory=tuple,
        description="Addresses and networks that are not outside, as Postfix's `mynetworks`; loopback and the "
        "server's own addresses never are.",
    )


class MailboxesSection(fields.Section):
    """The mailboxes on the machine mailswitch runs on, for `mailswitch stranded` and `mailswitch rescue`."""

    path: fields.ProgramPath = Field(
        default=Path("/var/qmail/mailnames"),
        description="The directory that holds `DOMAIN/USER/Maildir`: `PLESK_MAILNAMES_D` in `/etc/psa/psa.conf`.",
    )
    owner: fields.Words | None = Field(
        default=None,
        description="The user all of it belongs to; what is another's is not looked at. Default: `popuser` where there "
        "is one, else the directory's owner.",
    )


class ServerPolicy(fields.Section):
    """What differs from `policy` on one server."""

    routes: fields.Routes = Field(default_factory=dict, description="As `policy.routes`, for this server.")
    domains: dict[fields.Pattern, fields.Routes] = Field(
        default_factory=dict, description="As `policy.domains`, for this server."
    )
    unknown_provider: UnknownProvider | None = Field(
        default=None, description="As `policy.unknown_provider`, for this server."
    )
    never_local: tuple[fields.Name, ...] = Field(
        default_factory=tuple, description="More names that nobody may host on this server."
    )


class ServerSection(fields.Section):
    """One Plesk server."""

    name: fields.ShortWord = Field(description="A short unique word for reports, the ledger and `--server`.")
    panel: Literal["xml-api", "local"] = Field(
        default="xml-api",
        description="`xml-api` (remote, or an unprivileged service) or `local` (root on the server itself).",
    )
    url: Annotated[str, AfterValidator(values.panel_url)] | None = Field(
        default=None, description="The panel's address for `xml-api`: `https://HOST:8443`."
    )
    secret_key_file: fields.FilePath | None = Field(
        default=None, description="File with the panel's secret key, not readable by others; relative to this file."
    )
    secret_key_env: fields.Variable | None = Field(
        default=None, description="Environment variable with the secret key."
    )
    secret_key_credential: fields.Credential | None = Field(
        default=None, description="Name of the systemd credential with the secret key (`LoadCredential=`)."
    )
    login: fields.Words | None = Field(default=None, description="Panel user, instead of a secret key.")
    password_file: fields.FilePath | None = Field(
        default=None, description="File with the user's password, not readable by others; relative to this file."
    )
    password_env: fields.Variable | None = Field(default=None, description="Environment variable with the password.")
    password_credential: fields.Credential | None = Field(
        default=None, description="Name of the systemd credential with the password."
    )
    plesk: fields.ProgramPath = Field(
        default=Path("/usr/sbin/plesk"), description="The `plesk` executable, for `local`."
    )
    tls: TlsSection = Field(default_factory=TlsSection)
    local: LocalSection = Field(default_factory=LocalSection)
    mail_log: Annotated[MailLogSection, BeforeValidator(_written_as_word)] = Field(default_factory=MailLogSection)
    mailboxes: MailboxesSection = Field(default_factory=MailboxesSection)
    resolvers: tuple[fields.Resolver, ...] = Field(
        default_factory=tuple,
        description="The resolvers that the server itself asks, and its Postfix with it: what they lead back to it is "
        "not turned off. Default: those of `/etc/resolv.conf` for a server that is this machine, none for others.",
    )
    accept_full_off: bool = Field(
        default=False,
        description="Turn off even where Plesk only has the full off, which also stops the site's own sending.",
    )
    connect_timeout: fields.PositiveDuration = Field(
        default=timedelta(seconds=10),
        description="How long to wait for a connection to the panel, and then for its TLS handshake.",
    )
    read_timeout: fields.PositiveDuration = Field(
        default=timedelta(seconds=300),
        description="How long to wait for the panel's answer; inventories may take minutes.",
    )
    chunk: int = Field(default=250, ge=1, le=500, description="Domains asked about in one call (`get_prefs`).")
    policy: ServerPolicy = Field(default_factory=ServerPolicy)


def is_this_machine(server: ServerSection) -> bool:
    """Whether a server's panel is on the machine this program runs on, as far as its configuration tells."""
    return server.panel == "local" or addresses.is_loopback_host(urlsplit(server.url or "").hostname or "")
