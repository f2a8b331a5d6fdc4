"""The keys of what is told to people and to monitoring: `notify` and `metrics`, both off until configured."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from mailswitch.config import addresses, fields

__all__ = ["WEBHOOK_SECRET_KEYS", "MailSection", "MetricsSection", "NotifySection", "WebhookSection"]

WEBHOOK_SECRET_KEYS = ("secret_file", "secret_env", "secret_credential")
"""The keys of the webhook that say where the secret is that signs."""


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("at least one address is needed")
    return value


def _time_of_day(value: object) -> object:
    return addresses.time_of_day(value) if isinstance(value, str) else value


def _loopback(value: object) -> object:
    return addresses.loopback(value) if isinstance(value, str) else value


def _prom_file(path: Path) -> Path:
    if path.suffix != ".prom":
        raise ValueError("does not end in .prom: node_exporter reads no other files")
    return path


_Mailbox = Annotated[str, AfterValidator(addresses.mailbox)]


class MailSection(fields.Section):
    """Notices by mail, through a mail server that takes them without a login."""

    to: Annotated[tuple[_Mailbox, ...], BeforeValidator(_one_or_many), AfterValidator(_some)] = Field(
        description="Who gets them: `postmaster@example.net`, or a list."
    )
    sender: _Mailbox = Field(description="Whom they come from, in the envelope and in the header.")
    host: Annotated[str, AfterValidator(addresses.host)] = Field(
        default="localhost", description="The mail server; without TLS, so the local one."
    )
    port: int = Field(default=25, ge=1, le=65_535, description="Its port.")
    timeout: fields.PositiveDuration = Field(
        default=timedelta(seconds=10), description="How long connecting may take, and then the delivery."
    )


class WebhookSection(fields.Section):
    """Notices as a signed JSON document (docs/notices.md)."""

    url: Annotated[str, AfterValidator(addresses.webhook_url)] = Field(
        repr=False, description="Where to: `https://HOST/PATH`; `http://` only on this machine."
    )
    secret_file: fields.FilePath | None = Field(
        default=None,
        description="File with the secret that signs, not readable by others; relative to this file. One of the "
        "three is needed.",
    )
    secret_env: fields.Variable | None = Field(default=None, description="Environment variable with the secret.")
    secret_credential: fields.Credential | None = Field(
        default=None, description="Name of the systemd credential with the secret (`LoadCredential=`)."
    )
    ca_file: fields.FilePath | None = Field(
        default=None,
        description="PEM file with the authorities to trust instead of the system's; relative to this file.",
    )
    timeout: fields.PositiveDuration = Field(
        default=timedelta(seconds=10), description="How long connecting may take, and then the exchange."
    )


class NotifySection(fields.Section):
    """Whom to tell of changes and troubles (docs/notices.md); nobody until a way is configured."""

    mail: MailSection | None = Field(default=None, description="By mail; see below.")
    webhook: WebhookSection | None = Field(default=None, description="By webhook; see below.")
    digest: Annotated[time | None, BeforeValidator(_time_of_day)] = Field(
        default=None,
        description='Time of day in UTC from which the daily digest goes out: `"07:00"`. Default: no digest.',
    )


class MetricsSection(fields.Section):
    """Metrics for Prometheus (docs/notices.md); none until configured."""

    listen: Annotated[addresses.LoopbackEndpoint | None, BeforeValidator(_loopback)] = Field(
        default=None,
        description="Where the daemon answers `GET /metrics`: `127.0.0.1:9732` or `[::1]:9732`; loopback only.",
    )
    textfile: Annotated[fields.FilePath, AfterValidator(_prom_file)] | None = Field(
        default=None,
        description="File written after each pass, for node_exporter's textfile collector: a name that ends in "
        "`.prom`; relative to this file.",
    )
