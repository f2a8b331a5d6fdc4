"""The sections of the configuration file: what every key means, its default, and what it accepts (design.md section 7).

The descriptions are the key reference: `mailswitch.config.reference` prints them.
Rules that span several keys are in `mailswitch.config.rules`, so that they are told beside everything else.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from mailswitch.config import fields, values
from mailswitch.config.rescue import RescueSection
from mailswitch.config.servers import ServerSection
from mailswitch.config.telling import MetricsSection, NotifySection
from mailswitch.core.mx import Vantage
from mailswitch.core.policy import Mode, UnknownProvider
from mailswitch.core.providers import ProviderKind

__all__ = [
    "ConfirmSection",
    "DnsSection",
    "LimitsSection",
    "PolicySection",
    "ProviderRow",
    "RootSection",
    "ScheduleSection",
    "VantageSection",
    "VantageTlsSection",
]


class VantageTlsSection(fields.Section):
    """How a resolver's certificate is checked, with `tls://`: by default the system's authorities, and the address."""

    server_name: fields.Name | None = Field(
        default=None, description="The name the certificate has to bear instead of the address: `dns.example.net`."
    )
    ca_file: fields.FilePath | None = Field(
        default=None,
        description="PEM file with the authorities to trust instead of the system's; relative to this file.",
    )
    fingerprint_sha256: fields.Fingerprints = Field(
        default_factory=tuple,
        description="SHA-256 fingerprint of a self-signed certificate, or a list of them: 64 hexadecimal digits, "
        "with or without colons. Nothing else is checked then.",
    )


class VantageSection(fields.Section):
    """One independent public view: a recursive resolver."""

    name: fields.ShortWord = Field(description="A short unique word.")
    operator: fields.Words | None = Field(
        default=None, description="Who runs it: a quorum counts operators. Default: the vantage's name."
    )
    address: fields.Resolver = Field(
        description="IP address, by default UDP and port 53: `9.9.9.10`, `9.9.9.10:53`, `[2620:fe::10]:53`, "
        "`tcp://9.9.9.10`, `tls://9.9.9.10` (port 853). Use services that do not filter. Over TLS nothing is "
        "ever asked in plain text."
    )
    tls: VantageTlsSection = Field(
        default_factory=VantageTlsSection, description="How its certificate is checked, with `tls://`; see below."
    )

    @property
    def vantage(self) -> Vantage:
        """The vantage as the core knows it."""
        return Vantage(name=self.name, operator=self.operator or self.name, address=self.address.address)


def _public_vantages() -> tuple[VantageSection, ...]:
    """The unfiltered services of three operators."""
    public = (("quad9", "Quad9", "9.9.9.10"), ("cloudflare", "Cloudflare", "1.1.1.1"), ("google", "Google", "8.8.8.8"))
    return tuple(
        VantageSection.model_validate({"name": name, "operator": operator, "address": address})
        for name, operator, address in public
    )


class DnsSection(fields.Section):
    """How public DNS is asked."""

    quorum: int = Field(
        default=2, ge=2, description="Operators that have to agree before anything changes; never under 2."
    )
    vantages: tuple[VantageSection, ...] = Field(
        default_factory=_public_vantages,
        description="Recursive resolvers of at least as many operators as the quorum. "
        "Default: the unfiltered services of Quad9, Cloudflare and Google.",
    )
    authoritative: fields.Authoritative = Field(
        default=values.Authoritative.PREFER,
        description="The last opinion before a change, from the domain's own name servers, found from the root and "
        "asked directly: `require` (nothing is turned off without it), `prefer` (where there is none, the quorum "
        "decides) or `off`.",
    )
    root_hints: fields.FilePath | None = Field(
        default=None,
        description="The root's name servers, in the form of IANA's `named.root`, for a closed network. "
        "Default: the public root's.",
    )
    timeout: fields.PositiveDuration = Field(
        default=timedelta(seconds=3),
        description="How long to wait for one answer at most; all tries but the last wait as long as "
        "the vantage's round trips say.",
    )
    tries: int = Field(
        default=4, ge=1, le=10, description="Attempts at one question before a vantage counts as silent."
    )
    deadline: fields.PositiveDuration = Field(
        default=timedelta(minutes=30), description="How long all lookups of one pass may take; what is left is unknown."
    )
    concurrency: int = Field(default=64, ge=1, le=10_000, description="Questions under way at the same time.")
    rate: int = Field(
        default=50,
        ge=1,
        le=100_000,
        description="Questions a second to one vantage, or one name server, at most; fewer while it loses or refuses "
        "many.",
    )
    codec: values.Codec = Field(
        default=values.Codec.FAST,
        description="Who reads answers: `fast` reads the usual ones itself and leaves all others to dnspython, "
        "`dnspython` leaves it every answer.",
    )
    remember: bool = Field(
        default=True,
        description="Whether passes remember answers for their TTL (at least 60 s, at most 6 h), where nothing hangs "
        "on them: what is off by mailswitch, on its way to a change or asked about by name is always asked anew.",
    )
    own_resolvers: bool = Field(
        default=True,
        description="Whether, for a server that is this machine, the resolvers of `/etc/resolv.conf` are asked before "
        "a name is turned off, about those that are off by mailswitch, and by `doctor`: Postfix asks them, and bounces "
        "what they lead back to the server.",
    )


class ProviderRow(fields.Section):
    """What an administrator knows about an exchange; wins over an equally specific shipped row."""

    pattern: fields.Pattern = Field(
        description="Exchange names: `mx.example.net`, `*.filter.example.net`, `mx*.example.net`."
    )
    kind: ProviderKind = Field(
        description="`mailbox` (mail ends there), `gateway` (filters, then relays, often back to us), "
        "`forwarder` (re-sends), `parking` (placeholder)."
    )
    provider: fields.Words = Field(default="configured", description="The name shown in reports.")


class PolicySection(fields.Section):
    """What is wanted while a switch is on."""

    routes: fields.Routes = Field(
        default_factory=dict,
        description="Action by route: `turn-off`, `hold` or `keep`. `here`, `backup-here`, `implicit-here` and "
        "`unknown` can never be `turn-off`.",
    )
    domains: dict[fields.Pattern, fields.Routes] = Field(
        default_factory=dict,
        description="The same by name or pattern; the most specific wins. `*.example.jp` leaves `example.jp` out.",
    )
    unknown_provider: UnknownProvider = Field(
        default=UnknownProvider.EVIDENCE,
        description="What it takes where not every exchange is a known mailbox host: `evidence` (a readable mail log), "
        "`window` (a longer time) or `review` (a person).",
    )
    never_local: tuple[fields.Name, ...] = Field(
        default_factory=tuple,
        description="Exact names nobody may host on a shared server, beside the shipped list of public mailbox hosts.",
    )
    providers: tuple[ProviderRow, ...] = Field(
        default_factory=tuple, description="Exchanges you know, beside the shipped table: your own filter clusters."
    )
    incoming_only_since: fields.Version = Field(
        default=(18, 0, 51), description='The first Linux panel version with "Disabled for incoming mail".'
    )


class ConfirmSection(fields.Section):
    """How long a route has to be seen before it may turn a switch off."""

    sightings: int = Field(default=3, ge=1, le=1_000, description="Passes in which a quorum saw the same route.")
    window: fields.Duration = Field(
        default=timedelta(hours=24), description="Time they have to be spread over; `0s`: none."
    )
    unknown_provider_window: fields.Duration = Field(
        default=timedelta(hours=72), description="The same where not every exchange is a known mailbox host."
    )
    new_domain_age: fields.Duration = Field(
        default=timedelta(days=14), description="Younger names that never routed here are held: they may be moving in."
    )


class LimitsSection(fields.Section):
    """What may be turned off without a review, per server over the rolling 24 hours."""

    changes: int = Field(default=20, ge=0, description="Turn-offs.")
    share: fields.Share = Field(
        default=0.10, description="Turn-offs as a share of the server's names, never less than 3: `0.1`, `10%`."
    )
    unknown_share: fields.Share = Field(
        default=0.20, description="No turn-offs at all in a pass where more of the names known before are unknown."
    )


def _kept(value: timedelta) -> timedelta:
    if value < timedelta(days=30):
        raise ValueError("has to be at least 30d: limits and guards look back, and so will you")
    return value


class ScheduleSection(fields.Section):
    """When the daemon looks."""

    interval: fields.PositiveDuration = Field(
        default=timedelta(hours=1), description="From the start of one pass to the next."
    )
    jitter: fields.Duration = Field(
        default=timedelta(minutes=10), description="Random delay added, so that servers do not ask at once."
    )
    keep: Annotated[fields.PositiveDuration, AfterValidator(_kept)] = Field(
        default=timedelta(days=400),
        description="How long the ledger keeps what is over: passes, changes, names that are gone; at least 30d. "
        "What is not settled and what tells whose a switch is stays.",
    )


def _some(servers: tuple[ServerSection, ...]) -> tuple[ServerSection, ...]:
    if not servers:
        raise ValueError("at least one server is needed")
    return servers


class RootSection(fields.Section):
    """The whole file."""

    mode: Mode = Field(
        default=Mode.REPORT,
        description="`report` (never writes), `approve` (writes what was approved) or `enforce` (writes what is due).",
    )
    ledger: Annotated[str, AfterValidator(values.ledger_url)] = Field(
        default="sqlite:////var/lib/mailswitch/ledger.db",
        repr=False,
        description="Where runs, changes and pins are kept: `sqlite:////absolute/path` or `postgresql://HOST/DATABASE`.",
    )
    ledger_marker: fields.FilePath | None = Field(
        default=None,
        description="A file outside the ledger that names what was recorded last, so that a ledger restored from an "
        "old backup is noticed: then nothing is changed before `mailswitch resume`. Best where backups do not reach. "
        "Default: beside a SQLite ledger; none for PostgreSQL.",
    )
    servers: Annotated[tuple[ServerSection, ...], AfterValidator(_some)] = Field(description="The Plesk servers.")
    dns: DnsSection = Field(default_factory=DnsSection)
    policy: PolicySection = Field(default_factory=PolicySection)
    confirm: ConfirmSection = Field(default_factory=ConfirmSection)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    schedule: ScheduleSection = Field(default_factory=ScheduleSection)
    notify: NotifySection = Field(default_factory=NotifySection)
    metrics: MetricsSection = Field(default_factory=MetricsSection)
    rescue: RescueSection = Field(default_factory=RescueSection)
