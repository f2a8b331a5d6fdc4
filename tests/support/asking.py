"""Questions put to one vantage, as tests of lookups put them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.lookup.client import Question, VantageClient
from mailswitch.lookup.replies import Reply

__all__ = ["asked_all", "replies_to", "some_names"]


async def replies_to(asking: VantageClient, names: Iterable[DomainName], rdtype: str = "MX") -> list[Reply]:
    """Ask about all names at once; the replies are in the order of the names."""
    questions = [(name, dns.rdatatype.from_text(rdtype)) for name in names]
    told: dict[Question, Reply] = {}
    await asking.ask_all(questions, told.__setitem__)
    return [told[question] for question in questions]


def asked_all(asking: VantageClient, names: Iterable[DomainName], rdtype: str = "MX") -> list[Reply]:
    """The same in an event loop of its own."""
    return asyncio.run(replies_to(asking, names, rdtype))


def some_names(*numbers: int) -> list[DomainName]:
    """Return one name for each number."""
    return [DomainName(f"d{number}.example") for number in numbers]
