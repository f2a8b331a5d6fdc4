"""The kinds of value a configuration key can have, and what all sections share."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from mailswitch.config import values
from mailswitch.config.names import parse_name, parse_pattern
from mailswitch.core.domain import Network
from mailswitch.core.errors import InvalidName
from mailswitch.core.mx import Address
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Action, Route

__all__ = [
    "AddressOrNetwork",
    "Authoritative",
    "Credential",
    "Duration",
    "FilePath",
    "Fingerprints",
    "Name",
    "Pattern",
    "PositiveDuration",
    "ProgramPath",
    "Resolver",
    "Routes",
    "Section",
    "Share",
    "ShortWord",
    "Variable",
    "Version",
    "Words",
]

_SHORT_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}\Z")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,200}\Z")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004 - pydantic turns ValueErrors into findings
    return value


def _name(value: object) -> DomainName:
    if isinstance(value, DomainName):
        return value
    try:
        name = parse_name(_text(value))
    except InvalidName as error:
        raise ValueError(_reason(error)) from error
    if not name.is_host_name:
        raise ValueError("is not the exact name of a domain: letters, digits and hyphens, no pattern")
    return name


def _pattern(value: object) -> NamePattern:
    if isinstance(value, NamePattern):
        return value
    try:
        return parse_pattern(_text(value))
    except InvalidName as error:
        raise ValueError(_reason(error)) from error


def _reason(error: InvalidName) -> str:
    """Return why a name is none, without the name: the message about the key shows it already."""
    return "is not a domain name: " + str(error).partition(": ")[2]


def _duration(value: object) -> object:
    return values.duration(value) if isinstance(value, str) else value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("has to be longer than 0s")
    return value


def _share(value: object) -> object:
    return values.share(value) if isinstance(value, str) else value


def _version(value: object) -> object:
    return values.version(value) if isinstance(value, str) else value


def _fingerprints(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _address(value: object) -> Address | Network:
    return values.address_or_network(_text(value))


def _or_off(value: object) -> object:
    return "off" if isinstance(value, str) and value.strip().lower() in {"off", "no", "false"} else value


def _path(value: object, info: ValidationInfo) -> Path:
    """Return a path; a relative one counts from the configuration file's directory."""
    if isinstance(value, Path):
        return value
    text = _text(value)
    if not text.strip():
        raise ValueError("is no path")
    return (info.context if isinstance(info.context, Path) else Path()) / text


def _program(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("is no absolute path")
    return value


def _short_word(text: str) -> str:
    if _SHORT_WORD.match(text) is None:
        raise ValueError("is no short word: letters, digits, dots, hyphens and underscores, 63 at most")
    return text


def _variable(text: str) -> str:
    if _VARIABLE.match(text) is None:
        raise ValueError("is no environment variable's name: letters, digits and underscores")
    return text


def _credential(text: str) -> str:
    if _CREDENTIAL.match(text) is None:
        raise ValueError("is no credential's name: letters, digits, dots, hyphens and underscores, no path")
    return text


def _words(text: str) -> str:
    if not text.strip() or len(text) > 100 or not text.isprintable():
        raise ValueError("is not one line of 1 to 100 printable characters")
    return text.strip()


Duration = Annotated[timedelta, BeforeValidator(_duration)]
PositiveDuration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive)]
Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[DomainName, BeforeValidator(_name)]
Pattern = Annotated[NamePattern, BeforeValidator(_pattern)]
Authoritative = Annotated[values.Authoritative, BeforeValidator(_or_off)]
AddressOrNetwork = Annotated[Any, BeforeValidator(_address)]
FilePath = Annotated[Path, BeforeValidator(_path)]
Variable = Annotated[str, AfterValidator(_variable)]
Credential = Annotated[str, AfterValidator(_credential)]
ShortWord = Annotated[str, AfterValidator(_short_word)]
Words = Annotated[str, AfterValidator(_words)]
ProgramPath = Annotated[FilePath, AfterValidator(_program)]
Version = Annotated[tuple[int, ...], BeforeValidator(_version)]
Fingerprints = Annotated[tuple[Annotated[str, AfterValidator(values.fingerprint)], ...], BeforeValidator(_fingerprints)]
Resolver = Annotated[values.Endpoint, BeforeValidator(lambda value: values.endpoint(_text(value)))]
Routes = dict[Route, Action]


class Section(BaseModel):
    """A mapping whose keys are all known and whose values are not changed any more."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, given: Any) -> Any:
        """A section, list or mapping without anything under it (all of it commented out) counts as not written."""
        if not isinstance(given, dict):
            return given
        scalars = {name for name, field in cls.model_fields.items() if field.default_factory is None}
        return {key: value for key, value in given.items() if value is not None or key in scalars}
