"""The octets of a connection become messages however they are cut, and whatever they are."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.lookup.connection import Connection, why_ended
from mailswitch.lookup.trust import WrongCertificate
from mailswitch.lookup.vantages import Transport, VantageSettings
from tests.support.stream_dns import framed

SETTINGS = VantageSettings(name="a", operator="A", address=IPv4Address("127.0.0.1"), transport=Transport.TCP)


def taken(chunks: list[bytes]) -> list[bytes]:
    """Return the messages that a connection makes of octets as they come."""

    async def run() -> list[bytes]:
        messages: list[bytes] = []
        connection = Connection(lambda _, message: messages.append(message), SETTINGS, 0.0)
        for chunk in chunks:
            connection.data_received(chunk)
        return messages

    return asyncio.run(run())


@given(messages=st.lists(st.binary(max_size=400), max_size=6), cuts=st.lists(st.integers(0, 2500), max_size=12))
def test_messages_come_out_whole_however_the_stream_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(framed, messages))
    at = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[begin:end] for begin, end in itertools.pairwise(at)]

    assert taken(chunks) == messages


@given(octets=st.binary(max_size=5000))
def test_no_octets_make_it_raise_or_give_more_than_came(octets: bytes) -> None:
    assert sum(len(message) + 2 for message in taken([octets])) <= len(octets)


def test_a_connection_is_idle_when_nothing_is_open_and_nothing_was_asked_for_two_seconds() -> None:
    async def run() -> list[bool]:
        connection = Connection(lambda connection, message: None, SETTINGS, 0.0)
        idle = [connection.is_idle(1.9), connection.is_idle(2.1)]
        connection.ask(b"\0\7".ljust(12, b"\0"), 5.0)
        idle.append(connection.is_idle(60.0))
        connection.waiting.clear()
        return [*idle, connection.is_idle(6.9), connection.is_idle(7.1)]

    assert asyncio.run(run()) == [False, True, False, False, True]


def test_a_connection_lags_when_nothing_was_answered_since_the_oldest_open_question() -> None:
    async def run() -> list[bool]:
        connection = Connection(lambda connection, message: None, SETTINGS, 0.0)
        lags = [connection.lags(99.0, 3.0)]
        connection.ask(b"\0\7".ljust(12, b"\0"), 5.0)
        connection.ask(b"\0\10".ljust(12, b"\0"), 7.0)
        lags += [connection.lags(7.9, 3.0), connection.lags(8.1, 3.0)]
        del connection.waiting[7]
        return [*lags, connection.lags(9.9, 3.0), connection.lags(10.1, 3.0)]

    assert asyncio.run(run()) == [False, False, True, False, True]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (None, "the connection was closed before the answer was whole"),
        (ConnectionResetError(104, "x"), "not reachable: Connection reset by peer"),
        (TimeoutError("no answer within 3 s"), "no answer within 3 s"),
        (ConnectionError(), "not reachable: ConnectionError"),
        (WrongCertificate("its certificate is another"), "its certificate is another"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "[SSL: WRONG_VERSION_NUMBER]"),
    ],
)
def test_the_end_of_a_connection_is_told_in_words(reason: OSError | None, told: str) -> None:
    assert told in why_ended(reason)
