"""A resolver on loopback that answers about made-up names as fast as Python can; for benchmarks only.

``dN.example`` has one MX: six of ten names one of 20 shared hosts, the others one of ``hosts``. Every host has an A and
an AAAA record. Run as a program it prints its port and answers until it is killed: at once, or as from far away, where
answers take their time and some are lost, or as one that answers so many questions a second and drops all others.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["exchange_of"]

_SHARED_HOSTS = 20
_RECORD = struct.Struct("!HHHIH")
_BUFFER_OCTETS = 4 << 20
_HOST_ADDRESSES = {1: bytes((192, 0, 2, 1)), 28: bytes.fromhex("20010db8000000000000000000000001")}
_MX = 15
_SOCKETS = 8
"""On one port: the system spreads askers' ports over them, so that there is room for what comes at once."""
_LIMIT_DEPTH_SECONDS = 0.1
_DRAINED_AT_ONCE = 64


def exchange_of(number: int, hosts: int) -> str:
    """Return the exchange of the n-th name."""
    if number % 10 < 6:
        return f"mx{number // 10 % _SHARED_HOSTS}.shared.example"
    return f"mx{number // 10 % hosts}.own.example"


def _rdata(name: bytes, rdtype: int, hosts: int) -> bytes:
    if rdtype != _MX:
        return _HOST_ADDRESSES[rdtype]
    host, zone, _ = exchange_of(int(name[2 : 1 + name[0]]), hosts).encode().split(b".")
    # The name asked for is dN.example: the pointer leads to its second label.
    top = 0xC000 | 12 + 1 + name[0]
    return b"\0\x0a" + bytes((len(host),)) + host + bytes((len(zone),)) + zone + top.to_bytes(2)


def _reply(query: bytes, hosts: int) -> bytes:
    end = query.index(b"\0", 12) + 5
    name, rdtype = query[12 : end - 4], query[end - 3]
    data = _rdata(name, rdtype, hosts)
    record = _RECORD.pack(0xC00C, rdtype, 1, 3600, len(data)) + data
    return b"".join((query[:2], b"\x81\x80\0\1\0\1\0\0", query[10:end], record, query[end:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """What is between asker and resolver."""

    least_seconds: float
    most_seconds: float
    loss: float
    """The share of questions that get no answer."""
    limit: float
    """Questions answered in a second; 0 for no limit."""


def _serve(hosts: int) -> None:
    with _bound(0) as udp:
        _tell(udp)
        while True:
            query, source = udp.recvfrom(4096)
            udp.sendto(_reply(query, hosts), source)


def _serve_through(network: _Network, hosts: int) -> None:
    """Answer each question when its time has come."""
    chance, turns = random.Random(1), itertools.count()  # noqa: S311 - the same losses in each run
    tokens, refilled = 0.0, time.monotonic()
    under_way: list[tuple[float, int, socket.socket, bytes, tuple[str, int]]] = []
    sockets = _several()
    with selectors.DefaultSelector() as selector:
        for udp in sockets:
            selector.register(udp, selectors.EVENT_READ)
        while True:
            ready = selector.select(max(0.0, under_way[0][0] - time.monotonic()) if under_way else None)
            now = time.monotonic()
            if network.limit:
                tokens = min(network.limit * _LIMIT_DEPTH_SECONDS, tokens + (now - refilled) * network.limit)
                refilled = now
            for udp, query, source in (each for key, _ in ready for each in _drained(key.fileobj)):
                if (network.limit and tokens < 1) or chance.random() < network.loss:
                    continue
                tokens -= 1
                due = now + chance.uniform(network.least_seconds, network.most_seconds)
                heapq.heappush(under_way, (due, next(turns), udp, _reply(query, hosts), source))
            while under_way and under_way[0][0] <= now:
                _, _, udp, reply, source = heapq.heappop(under_way)
                udp.sendto(reply, source)


def _drained(ready: object) -> Iterator[tuple[socket.socket, bytes, tuple[str, int]]]:
    assert isinstance(ready, socket.socket)  # noqa: S101 - nothing else was registered
    try:
        for _ in range(_DRAINED_AT_ONCE):
            yield ready, *ready.recvfrom(4096)
    except BlockingIOError:
        return


def _several() -> list[socket.socket]:
    first = _bound(0)
    sockets = [first, *(_bound(first.getsockname()[1]) for _ in range(_SOCKETS - 1))]
    for each in sockets:
        each.settimeout(0)
    _tell(first)
    return sockets


def _bound(port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_OCTETS)
    udp.bind(("127.0.0.1", port))
    return udp


def _tell(udp: socket.socket) -> None:
    sys.stdout.write(f"{udp.getsockname()[1]}\n")
    sys.stdout.flush()


def _main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hosts", type=int, help="hosts that are not shared")
    parser.add_argument("--delay", type=float, nargs=2, default=(0.0, 0.0), metavar=("LEAST", "MOST"), help="seconds")
    parser.add_argument("--loss", type=float, default=0.0, help="share of the questions that get no answer")
    parser.add_argument("--limit", type=float, default=0.0, help="questions answered in a second")
    chosen = parser.parse_args(arguments)
    least, most = chosen.delay
    network = _Network(least_seconds=least, most_seconds=most, loss=chosen.loss, limit=chosen.limit)
    if most or network.loss or network.limit:
        _serve_through(network, chosen.hosts)
    else:
        _serve(chosen.hosts)


if __name__ == "__main__":
    _main()
