"""The keys of `rescue`: how stranded mail is sent on (docs/stranded.md)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from mailswitch.config import addresses, fields

__all__ = ["Language", "RescueSection", "RescueSmtpSection"]


def _public_mailbox(text: str) -> str:
    """Return a mail address; a bare user's name means nothing to other servers."""
    found = addresses.mailbox(text)
    if "@" not in found:
        raise ValueError("has no domain: other servers have to be able to answer it")
    return found


class Language(StrEnum):
    """What the cover text is written in."""

    ENGLISH = "en"
    JAPANESE = "ja"


class RescueSmtpSection(fields.Section):
    """The mail server stranded mail is handed to: Plesk's own, on this machine."""

    host: Annotated[str, AfterValidator(addresses.host)] = Field(
        default="127.0.0.1", description="The mail server that takes mail from this machine without a login."
    )
    port: int = Field(default=25, ge=1, le=65_535, description="Its port.")
    timeout: fields.PositiveDuration = Field(
        default=timedelta(minutes=5), description="How long to wait for each of its answers."
    )


class RescueSection(fields.Section):
    """How `mailswitch rescue DOMAIN --send` sends stranded mail on (docs/stranded.md)."""

    sender: Annotated[str, AfterValidator(_public_mailbox)] | None = Field(
        default=None,
        description="Whom it comes from, in the envelope and in the header: an address that people read, of a domain "
        "whose SPF record allows this server. Needed to send.",
    )
    language: Language = Field(default=Language.ENGLISH, description="The cover text's language: `en` or `ja`.")
    rate: int = Field(default=30, ge=1, le=6_000, description="Messages a minute at most.")
    batch: int = Field(
        default=20,
        ge=1,
        le=1_000,
        description="Messages after which the other side's answers are waited for; the first batch is a single one.",
    )
    wait: fields.PositiveDuration = Field(
        default=timedelta(minutes=10),
        description="How long the other side's answers to a batch are waited for before the rescue stops.",
    )
    smtp: RescueSmtpSection = Field(default_factory=RescueSmtpSection)
