"""A loopback HTTPS server that answers whatever it is told to, and small ways to build panels against it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from uuid import uuid4

from mailswitch.plesk.credentials import Credentials, Key
from mailswitch.plesk.secret import Secret
from mailswitch.plesk.tls import TlsSettings
from mailswitch.plesk.transport import TransportLimits
from mailswitch.plesk.xml_api import XmlApiPanel, XmlApiSettings, open_xml_api
from mailswitch.simulation.certificates import Identity, self_signed, server_context

__all__ = [
    "KEY",
    "Framing",
    "RawPanel",
    "Reply",
    "Seen",
    "Stall",
    "a_panel",
    "a_reply",
    "a_switch_reply",
    "a_write_reply",
]

KEY = "0f9e8d7c-6b5a-4948-8736-251403f2e1d0"
_PACE_SECONDS = 0.02


Framing = Literal["length", "chunked", "close", "none"]
Stall = Literal["silent", "dripping", "closing"]
"""What comes instead of a TLS handshake: nothing, an octet of a record now and then, the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: whole, cut off after `cut` octets, or trickling on for ever."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    is_trickling: bool = False
    """Sends a blank now and then behind the body, until the server is closed."""
    framing: Framing = "length"
    """How the body's end is told: by its length, by chunks, by closing; with "none" `body` is sent without a header."""
    is_silent: bool = False
    """Closes the connection without a word."""
    times: int = 1
    """How often the body is sent, in one reply."""
    then: Identity | None = None
    """Who the server is on every later connection; this one ends with the reply."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    path: str
    headers: Message
    body: bytes


def a_reply(inner: str) -> Reply:
    """A reply packet around `inner`."""
    return Reply(body=f'<?xml version="1.0"?><packet version="1.6.9.1">{inner}</packet>'.encode())


def a_switch_reply(site_id: int, switch: str) -> Reply:
    """What a panel answers when it is asked for a site's switch: "true" or "false"."""
    told = f"<site-id>{site_id}</site-id><prefs><mailservice>{switch}</mailservice></prefs>"
    return a_reply(f"<mail><get_prefs><result><status>ok</status>{told}</result></get_prefs></mail>")


def a_write_reply(site_id: int) -> Reply:
    """What a panel answers when it has turned a site's switch."""
    told = f"<site-id>{site_id}</site-id>"
    return a_reply(f"<mail><set_prefs><result><status>ok</status>{told}</result></set_prefs></mail>")


class RawPanel:
    """Answers with `replies` in turn, and with the last one from then on; `seen` is what it was asked.

    The first connections end in `stalls`, one each; `sent` counts the octets of bodies, as far as they were taken.
    """

    def __init__(
        self,
        folder: Path,
        replies: Sequence[Reply] = (),
        *,
        identity: Identity | None = None,
        stalls: Sequence[Stall] = (),
    ) -> None:
        self.identity = self_signed("127.0.0.1") if identity is None else identity
        self.replies = list(replies) or [Reply()]
        self.stalls = list(stalls)
        self.seen: list[Seen] = []
        self.sent = 0
        self.connections = 0
        self.closing = threading.Event()
        self._folder = folder
        self.context = self._context_of(self.identity)
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def become(self, identity: Identity) -> None:
        """Present another certificate from the next connection on."""
        self.context = self._context_of(identity)

    def _context_of(self, identity: Identity) -> ssl.SSLContext:
        return server_context(identity.write(self._folder / f"raw-{uuid4()}.pem"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def a_panel(
    raw: RawPanel,
    *,
    tls: TlsSettings | None = None,
    credentials: Credentials | None = None,
    limits: TransportLimits | None = None,
    chunk: int = 250,
    waits: list[float] | None = None,
) -> XmlApiPanel:
    """A panel that talks to `raw`, whose certificate is pinned unless said otherwise; `waits` collects its pauses."""
    settings = XmlApiSettings(
        server="web01",
        url=raw.url,
        credentials=Key(Secret(KEY)) if credentials is None else credentials,
        tls=TlsSettings(fingerprints=(raw.identity.fingerprint,)) if tls is None else tls,
        limits=TransportLimits(connect_timeout=timedelta(seconds=5)) if limits is None else limits,
        chunk=chunk,
    )
    return open_xml_api(settings, sleep=([] if waits is None else waits).append)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, raw: RawPanel) -> None:
        self.raw = raw
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, source = super().get_request()
        self.raw.connections += 1
        if self.raw.stalls:
            return connection, self.raw.stalls.pop(0)
        return self.raw.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), source

    def finish_request(self, request: Any, client_address: Any) -> None:
        if isinstance(request, ssl.SSLSocket):
            return super().finish_request(request, client_address)
        return self._stall(request, client_address)

    def _stall(self, connection: socket.socket, stall: Stall) -> None:
        if stall == "dripping":
            connection.sendall(b"\x16\x03\x03\x40\x00")  # the head of the longest record there is
            while not self.raw.closing.wait(_PACE_SECONDS):
                connection.sendall(b"\x02")
        while stall == "silent" and connection.recv(65536):
            pass

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        raw = self.server.raw
        raw.seen.append(Seen(self.path, self.headers, body))
        self._answer(raw.next_reply())

    def _answer(self, reply: Reply) -> None:
        if reply.is_silent or reply.cut is not None or reply.framing in {"close", "none"}:
            self.close_connection = True
        if reply.is_silent:
            return
        if reply.then is not None:
            self.server.raw.become(reply.then)
        if reply.framing != "none":
            self._head(reply)
        sent = reply.body[: reply.cut]
        end = b""
        if reply.framing == "chunked":
            sent = b"%x\r\n%s" % (len(reply.body), sent) + (b"\r\n" if reply.cut is None else b"")
            end = b"0\r\n\r\n" if reply.cut is None else b""
        for _ in range(reply.times):
            self.wfile.write(sent)
            self.server.raw.sent += len(sent)
        self.wfile.write(end)
        self.wfile.flush()
        while reply.is_trickling and not self.server.raw.closing.wait(_PACE_SECONDS):
            self.wfile.write(b" ")
            self.wfile.flush()

    def _head(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Type": "text/xml", **reply.headers}.items():
            self.send_header(name, value)
        if reply.framing == "length":
            whole = len(reply.body) * reply.times
            self.send_header("Content-Length", str(10**9 if reply.is_trickling else whole))
        if reply.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        if reply.then is not None:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
