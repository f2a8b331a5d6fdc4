"""Names as world files write them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from mailswitch.config.names import parse_name
from mailswitch.core.errors import InvalidName
from mailswitch.core.names import DomainName

__all__ = ["HostedName"]


def _hosted_name(value: object) -> DomainName:
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004 (pydantic turns ValueErrors into findings)
    try:
        name = parse_name(value)
    except InvalidName as error:
        raise ValueError("is not a domain name: " + str(error).partition(": ")[2]) from error
    if name.is_root:
        raise ValueError("is the root, which nobody hosts")
    return name


HostedName = Annotated[DomainName, BeforeValidator(_hosted_name)]
"""A name that a server may host, with A-labels or U-labels."""
