"""A hoster on loopback for benchmarks of whole passes: many Plesk servers in one process, a resolver in another.

``dN.example`` is hosted on the server its number falls to. Nine of ten names are on and routed here, with one exchange
for ten names; the tenth has moved to one of 20 shared hosts, and one in a hundred is still on. One in twenty is an
alias, one an addon. Each program prints its ports as JSON and answers until it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import selectors
import socket
import ssl
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

__all__ = ["Hoster", "exchanges_of"]

_SHARED_HOSTS = 20
_NAMES_FOR_AN_EXCHANGE = 10
_TTL = 3600
_LOOPBACK = "127.0.0.1"
_BUFFER_OCTETS = 4 << 20
_A, _MX, _AAAA = 1, 15, 28
_RECORD = struct.Struct("!HHHIH")
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_ID = re.compile(rb"<site-id>([0-9]+)</site-id>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hoster:
    """How many names there are, on how many servers."""

    names: int
    servers: int

    def hosted(self, server: int) -> range:
        """Return the numbers of a server's names."""
        return range(self.names * server // self.servers, self.names * (server + 1) // self.servers)

    def server_of(self, number: int) -> int:
        """Return the server of a name."""
        return ((number + 1) * self.servers - 1) // self.names

    @staticmethod
    def address(server: int) -> tuple[int, int, int, int]:
        """Return a server's address, in the network that is for benchmarks (RFC 2544)."""
        return 198, 18, server // 250, server % 250 + 1


def exchanges_of(names: int) -> int:
    """Return how many distinct exchanges the names have."""
    return len({_exchange(number) for number in range(names)})


def _has_moved(number: int) -> bool:
    return number % 10 == 0


def _exchange(number: int) -> bytes:
    """Return the exchange's first two labels; the third is that of all names."""
    if _has_moved(number):
        return b"mx%d.shared" % (number // 10 % _SHARED_HOSTS)
    return b"mail%d.hoster" % (number // _NAMES_FOR_AN_EXCHANGE)


# ---- Public DNS


def _rdata(hoster: Hoster, name: bytes, rdtype: int) -> bytes:
    first = name[1 : 1 + name[0]].lower()
    if rdtype == _MX:
        host, zone = _exchange(int(first[1:])).split(b".")
        # The name asked for is dN.example: the pointer leads to its second label.
        top = 0xC000 | 12 + 1 + name[0]
        return b"\0\x0a" + bytes((len(host),)) + host + bytes((len(zone),)) + zone + top.to_bytes(2)
    if first.startswith(b"mx"):
        return bytes((192, 0, 2, 1)) if rdtype == _A else bytes.fromhex("20010db8000000000000000000000001")
    server = hoster.server_of(min(int(first[4:]) * _NAMES_FOR_AN_EXCHANGE + 1, hoster.names - 1))
    own = bytes(hoster.address(server))
    return own if rdtype == _A else bytes.fromhex("20010db80001000000000000") + own


def _reply(hoster: Hoster, query: bytes) -> bytes:
    end = query.index(b"\0", 12) + 5
    rdtype = query[end - 3]
    data = _rdata(hoster, query[12 : end - 4], rdtype)
    record = _RECORD.pack(0xC00C, rdtype, 1, _TTL, len(data)) + data
    return b"".join((query[:2], b"\x81\x80\0\1\0\1\0\0", query[10:end], record, query[end:]))


def _resolve(hoster: Hoster, vantages: int) -> None:
    waiting = selectors.DefaultSelector()
    ports = []
    for _ in range(vantages):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_OCTETS)
        udp.bind((_LOOPBACK, 0))
        udp.settimeout(0)
        waiting.register(udp, selectors.EVENT_READ, udp)
        ports.append(udp.getsockname()[1])
    _say(ports)
    while True:
        for key, _ in waiting.select():
            _answer_all(hoster, key.data)


def _answer_all(hoster: Hoster, udp: socket.socket) -> None:
    try:
        for _ in range(64):
            query, source = udp.recvfrom(4096)
            udp.sendto(_reply(hoster, query), source)
    except BlockingIOError:
        return


# ---- Plesk


def _result(parent: Element, **fields: str) -> Element:
    result = SubElement(parent, "result")
    SubElement(result, "status").text = "ok"
    for tag, text in fields.items():
        SubElement(result, tag.replace("_", "-")).text = text
    return result


def _text(packet: Element) -> bytes:
    text: bytes = tostring(packet, encoding="utf-8", xml_declaration=True)
    return text


def _identity(hoster: Hoster, server: int) -> bytes:
    packet = Element("packet", version="1.6.9.1")
    told = SubElement(SubElement(SubElement(packet, "server"), "get"), "result")
    SubElement(told, "status").text = "ok"
    SubElement(SubElement(told, "gen_info"), "server_name").text = f"web{server}.hoster.example"
    version = SubElement(SubElement(told, "stat"), "version")
    SubElement(version, "plesk_version").text = "18.0.61"
    SubElement(version, "plesk_os").text = "Debian 12.5"
    listed = SubElement(_result(SubElement(SubElement(packet, "ip"), "get")), "addresses")
    SubElement(SubElement(listed, "ip_info"), "ip_address").text = ".".join(map(str, hoster.address(server)))
    return _text(packet)


def _is_on(number: int) -> bool:
    return not _has_moved(number) or number % 100 == 0


@cache
def _domains(hoster: Hoster, server: int) -> bytes:
    packet = Element("packet", version="1.6.9.1")
    webspaces, sites, aliases = (
        SubElement(SubElement(packet, operator), "get") for operator in ("webspace", "site", "site-alias")
    )
    main = 0
    for number in hoster.hosted(server):
        name = f"d{number}.example"
        if number % 20 == 19 and main:
            info = SubElement(_result(aliases, id=str(number + 1)), "info")
            SubElement(SubElement(info, "pref"), "mail").text = "true" if _is_on(number) else "false"
            for tag, text in (("name", name), ("ascii-name", name), ("site-id", str(main)), ("status", "0")):
                SubElement(info, tag).text = text
            continue
        is_addon = number % 20 == 7 and bool(main)
        data = SubElement(_result(sites if is_addon else webspaces, id=str(number + 1)), "data")
        general = SubElement(data, "gen_info")
        fields = {"cr_date": "2020-02-02", "name": name, "ascii-name": name, "status": "0"}
        if is_addon:
            fields["webspace-id"] = str(main)
        else:
            main = number + 1
        for tag, text in fields.items():
            SubElement(general, tag).text = text
    return _text(packet)


def _preferences(ids: Sequence[bytes]) -> bytes:
    packet = Element("packet", version="1.6.9.1")
    get = SubElement(SubElement(packet, "mail"), "get_prefs")
    for each in ids:
        prefs = SubElement(_result(get, site_id=each.decode()), "prefs")
        SubElement(prefs, "mailservice").text = "true" if _is_on(int(each) - 1) else "false"
    return _text(packet)


def _panel_reply(hoster: Hoster, server: int, request: bytes) -> bytes:
    if b"<get_prefs>" in request:
        return _preferences(_ID.findall(request))
    return _domains(hoster, server) if b"<webspace>" in request else _identity(hoster, server)


async def _panels(hoster: Hoster, pem: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)

    async def serve(server: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = _panel_reply(hoster, server, await reader.readexactly(int(length[1]) if length else 0))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    listening = [
        await asyncio.start_server(partial(serve, server), _LOOPBACK, 0, ssl=context)
        for server in range(hoster.servers)
    ]
    _say([each.sockets[0].getsockname()[1] for each in listening])
    await asyncio.gather(*(each.serve_forever() for each in listening))


def _say(ports: Sequence[int]) -> None:
    sys.stdout.write(json.dumps(list(ports)) + "\n")
    sys.stdout.flush()


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hoster", description=__doc__)
    parser.add_argument("names", type=int)
    parser.add_argument("servers", type=int)
    parser.add_argument("--panels", type=Path, metavar="PEM", help="be the panels, with this key and certificate")
    parser.add_argument("--vantages", type=int, default=3, help="be the resolver, seen from so many vantages")
    chosen = parser.parse_args()
    hoster = Hoster(names=chosen.names, servers=chosen.servers)
    if chosen.panels is None:
        _resolve(hoster, chosen.vantages)
    else:
        asyncio.run(_panels(hoster, chosen.panels))


if __name__ == "__main__":
    _main()
