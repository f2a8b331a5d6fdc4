"""Metrics over HTTP on loopback: one page, read only, with every limit that keeps a bad client harmless."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mailswitch.core.errors import OutletError

__all__ = ["MetricsListener"]

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PATIENCE_SECONDS = 5.0
"""How long one read or write may take."""
_LONGEST_SECONDS = 10.0
"""How long one client may take in all."""
_MOST_CLIENTS = 8


class MetricsListener:
    """Answers ``GET /metrics`` until it is closed."""

    def __init__(self, address: str, port: int, page: Callable[[], bytes]) -> None:
        """Begin to listen.

        Args:
            address: A loopback address.
            port: Its port; 0 for any free one.
            page: Makes the page anew for each request.

        Raises:
            OutletError: the address can be reached from outside, or cannot be listened at.
        """
        place = ipaddress.ip_address(address)
        if not place.is_loopback:
            raise OutletError(f"metrics are not given at {address}, which others can reach: use 127.0.0.1")
        kind = _ServerOnIPv6 if place.version == 6 else _Server
        try:
            self._server = kind((address, port), page)
        except OSError as error:
            raise OutletError(
                f"metrics cannot be given at {address} port {port}: {error.strerror}; change metrics.listen"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening. Harmless when called again."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, place: tuple[str, int], page: Callable[[], bytes]) -> None:
        self.page = page
        self._room = threading.BoundedSemaphore(_MOST_CLIENTS)
        super().__init__(place, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Turn away those for whom there is no room, rather than have a thread for each."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one client, and end what takes too long in all, which a time-out for each read does not do."""
        watch = threading.Timer(_LONGEST_SECONDS, _end, (request,))
        watch.daemon = True
        watch.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            watch.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away or sends nonsense is no news."""


def _end(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _ServerOnIPv6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE_SECONDS
    server_version = "mailswitch"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page, or say that there is no other."""
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the page."""
        self._answer(has_body=False)

    def _answer(self, *, has_body: bool) -> None:
        is_known = self.path.partition("?")[0] == "/metrics"
        body = self.server.page() if is_known else b"there is only /metrics\n"
        with contextlib.suppress(OSError):
            self.send_response(200 if is_known else 404)
            self.send_header("Content-Type", _CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if has_body:
                self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing to standard error."""
