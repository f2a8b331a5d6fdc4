"""Questions put to one vantage, as tests of lookups put them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.lookup.client import Question, VantageClient
from mailswitch.lookup.replies import Reply
from mailswitch.lookup.vantages import Codec

__all__ = ["asked_all", "codec_in_use", "replies_to", "some_names", "using"]

_codec = [Codec.FAST]


@contextmanager
def using(codec: Codec) -> Iterator[None]:
    """Have lookups read replies in one way until the end of the block."""
    _codec.append(codec)
    try:
        yield
    finally:
        _codec.pop()


def codec_in_use() -> Codec:
    """Return how replies are read in the test under way."""
    return _codec[-1]


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
