"""Receivers of notices on loopback: a mail server and a webhook that can be told to misbehave."""

from __future__ import annotations

import email
import email.policy
import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mailswitch.simulation.certificates import Identity, server_context

__all__ = ["MailSink", "Post", "WebhookSink", "closed_port"]

_PACE_SECONDS = 0.02


def closed_port() -> int:
    """Return a loopback port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Sink:
    """Serves in a thread until the end of a block."""

    server: socketserver.BaseServer

    def __init__(self) -> None:
        self.closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])  # type: ignore[index]  # always an INET address here

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        assert self._thread is not None
        self._thread.join()


@dataclass
class _Delivery:
    sender: str
    recipients: list[str]
    content: bytes


class MailSink(_Sink):
    """Takes mail; `replies` replace what it says to a command's first word, `greeting` what it says first.

    A reply of None is silence for ever, and `is_trickling` sends the greeting one octet now and then, without an end.
    """

    def __init__(
        self,
        *,
        replies: Mapping[str, str | None] | None = None,
        greeting: str | None = "220 sink ESMTP",
        is_trickling: bool = False,
    ) -> None:
        super().__init__()
        self.replies = dict(replies or {})
        self.greeting = greeting
        self.is_trickling = is_trickling
        self.deliveries: list[_Delivery] = []
        self.commands: list[str] = []
        sink = self

        class Handler(_MailHandler):
            mail_sink = sink

        self.server = _ThreadingServer(("127.0.0.1", 0), Handler)

    @property
    def messages(self) -> list[EmailMessage]:
        """What arrived, parsed."""
        found = []
        for delivery in self.deliveries:
            message = email.message_from_bytes(delivery.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            found.append(message)
        return found


class _ThreadingServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _MailHandler(socketserver.StreamRequestHandler):
    mail_sink: MailSink

    def handle(self) -> None:
        sink = self.mail_sink
        while sink.is_trickling and not sink.closing.wait(_PACE_SECONDS):
            self.wfile.write(b"2")
        if sink.greeting is None:
            sink.closing.wait()
            return
        self._say(sink.greeting)
        delivery = _Delivery("", [], b"")
        while line := self.rfile.readline():
            command = line.decode("latin-1").strip()
            sink.commands.append(command)
            word = command.split(" ")[0].split(":")[0].upper()
            if command.upper() in {key.upper() for key in sink.replies}:
                word = next(key for key in sink.replies if key.upper() == command.upper())
            if word in sink.replies:
                reply = sink.replies[word]
                if reply is None:
                    sink.closing.wait()
                    return
                self._say(reply)
                continue
            self._answer(word, command, delivery)
            if word == "QUIT":
                return

    def _answer(self, word: str, command: str, delivery: _Delivery) -> None:
        match word:
            case "MAIL":
                delivery.sender = command
                self._say("250 ok")
            case "RCPT":
                delivery.recipients.append(command)
                self._say("250 ok")
            case "DATA":
                self._say("354 go on")
                lines = []
                while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                    lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                delivery.content = b"".join(lines)
                self.mail_sink.deliveries.append(delivery)
                self._say("250 taken")
            case _:
                self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@dataclass(frozen=True, slots=True)
class Post:
    """One request as it arrived."""

    path: str
    headers: Message
    body: bytes


@dataclass
class _Answer:
    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent in place of a reply."""
    is_silent: bool = False
    is_trickling: bool = False


class WebhookSink(_Sink):
    """Takes posts, over TLS when it has an identity; `posts` is what it got."""

    def __init__(self, folder: Path | None = None, *, identity: Identity | None = None, **answer: Any) -> None:
        super().__init__()
        self.posts: list[Post] = []
        self.answer = _Answer(**answer)
        self.is_tls = identity is not None
        context = None
        if identity is not None:
            assert folder is not None
            context = server_context(identity.write(folder / f"sink-{id(self)}.pem"))
        self.server = _WebServer(self, context)

    @property
    def url(self) -> str:
        return f"http{'s' if self.is_tls else ''}://127.0.0.1:{self.port}/hook?token=T0KEN"


class _WebServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, sink: WebhookSink, context: ssl.SSLContext | None) -> None:
        self.sink = sink
        self._context = context
        super().__init__(("127.0.0.1", 0), _WebHandler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, source = super().get_request()
        if self._context is None:
            return connection, source
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), source

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _WebHandler(BaseHTTPRequestHandler):
    server: _WebServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sink = self.server.sink
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sink.posts.append(Post(self.path, self.headers, body))
        answer = sink.answer
        self.close_connection = True
        if answer.is_silent:
            sink.closing.wait()
            return
        while answer.is_trickling and not sink.closing.wait(_PACE_SECONDS):
            self.wfile.write(b"H")
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
