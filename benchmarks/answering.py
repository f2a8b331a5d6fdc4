"""A resolver on loopback that answers about made-up names as fast as Python can; for benchmarks only.

``dN.example`` has one MX: six of ten names one of 20 shared hosts, the others one of ``hosts``. Every host has an A and
an AAAA record. Run as a program it prints its port and answers until it is killed.
"""

from __future__ import annotations

import socket
import struct
import sys

__all__ = ["exchange_of"]

_SHARED_HOSTS = 20
_RECORD = struct.Struct("!HHHIH")
_BUFFER_OCTETS = 4 << 20
_HOST_ADDRESSES = {1: bytes((192, 0, 2, 1)), 28: bytes.fromhex("20010db8000000000000000000000001")}
_MX = 15


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


def _serve(hosts: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_OCTETS)
        udp.bind(("127.0.0.1", 0))
        sys.stdout.write(f"{udp.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            query, source = udp.recvfrom(4096)
            udp.sendto(_reply(query, hosts), source)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
