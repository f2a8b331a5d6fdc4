"""The XML API of a simulated Plesk over HTTPS, on loopback.

Facts (plesk.md section 1):

- ``POST /enterprise/control/agent.php``; credentials in the headers ``KEY``, or ``HTTP_AUTH_LOGIN`` and
  ``HTTP_AUTH_PASSWD``.
- Errors of every kind come with HTTP 200 and are told in the body.
- Operators and operations are answered in the order of the packet.

Every request is validated with the official schema when it is at hand. Its replies are made to be valid, too.
"""

from __future__ import annotations

import socket
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mailswitch.simulation.certificates import server_context
from mailswitch.simulation.misbehaviour import Fault
from mailswitch.simulation.panel import Credentials, Panel
from mailswitch.simulation.schemas import SchemaSet
from mailswitch.simulation.state import PanelState

__all__ = ["AGENT_PATH", "XmlApiServer"]

AGENT_PATH = "/enterprise/control/agent.php"

_LOOPBACK = "127.0.0.1"
_MOST_BYTES = 16 * 1024 * 1024
_IDLE_SECONDS = 60.0
_HTML = b"<!DOCTYPE html>\n<html><head><title>Plesk</title></head><body><p>Please log in.</p></body></html>\n"
_GARBAGE = b"\x00\xff\xfe<packet <<<\x1b[2J not xml at all"


class XmlApiServer:
    """Serves one panel's XML API from a thread of its own until it is closed; a context manager."""

    def __init__(
        self, state: PanelState, pem: Path, *, schemas: SchemaSet | None = None, address: str = _LOOPBACK, port: int = 0
    ) -> None:
        """Listen on ``address``, on any free port with 0; ``pem`` holds key and certificate.

        Raises:
            OSError: it cannot listen there, or ``pem`` cannot be read.
        """
        self.state = state
        self._server = _Server((address, port), Panel(state, schemas), server_context(pem))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="simulated-plesk", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address as a configuration names it, without the path."""
        return f"https://{self._server.server_address[0]!s}:{self.port}"

    def close(self) -> None:
        """Stop listening and cut every connection. Harmless when called again."""
        self._server.stop()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], panel: Panel, context: ssl.SSLContext) -> None:
        self.panel = panel
        self.stopping = threading.Event()
        self._context = context
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, source = super().get_request()
        # The handshake is left to the thread of the connection: a silent client must not keep others waiting.
        wrapped = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        wrapped.settimeout(_IDLE_SECONDS)
        with self._lock:
            self._open.add(wrapped)
        return wrapped, source

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not like the certificate, is no news."""

    def stop(self) -> None:
        """Stop serving; wake and cut whoever is still connected."""
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                _cut(connection)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Head and body in one piece: apart they wait for each other's acknowledgement (RFC 896, RFC 1122 §4.2.3.2).
    wbufsize = -1
    disable_nagle_algorithm = True
    server_version = "sw-cp-server"
    sys_version = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base class's)
        """Keep silent: the journal of the state tells more."""

    def do_POST(self) -> None:
        """Answer a packet."""
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            self._send(HTTPStatus.LENGTH_REQUIRED, b"")
            return
        if not 0 <= length <= _MOST_BYTES:
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"", close=True)
            return
        body = self.rfile.read(length)
        if self.path != AGENT_PATH:
            self._send(HTTPStatus.NOT_FOUND, b"")
            return
        credentials = Credentials(
            source=str(self.client_address[0]),
            key=self.headers.get("KEY"),
            login=self.headers.get("HTTP_AUTH_LOGIN"),
            password=self.headers.get("HTTP_AUTH_PASSWD"),
        )
        self._answer(body, credentials)

    def _answer(self, body: bytes, credentials: Credentials) -> None:
        asked = self.server.panel.receive(body)
        misbehaviour = asked.misbehaviour
        fault = None if misbehaviour is None else misbehaviour.fault
        if misbehaviour is not None and fault is Fault.SLOW and self.server.stopping.wait(misbehaviour.seconds):
            return
        match fault:
            case Fault.HTML:
                self._send(HTTPStatus.OK, _HTML, kind="text/html")
            case Fault.GARBAGE:
                self._send(HTTPStatus.OK, _GARBAGE)
            case Fault.SERVER_ERROR:
                self._send(HTTPStatus.INTERNAL_SERVER_ERROR, b"")
            case Fault.REDIRECT if misbehaviour is not None:
                self._send(HTTPStatus.TEMPORARY_REDIRECT, b"", location=misbehaviour.location)
            case Fault.REPLY_LOST:
                self.server.panel.answer(asked, credentials)
                self.close_connection = True
            case Fault.CUT_OFF:
                reply = self.server.panel.answer(asked, credentials)
                self._send(HTTPStatus.OK, reply[: len(reply) // 2], length=len(reply), close=True)
            case _:
                self._send(HTTPStatus.OK, self.server.panel.answer(asked, credentials))

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        *,
        kind: str = "text/xml",
        location: str | None = None,
        length: int | None = None,
        close: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if location is not None:
            self.send_header("Location", location)
        if close:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
