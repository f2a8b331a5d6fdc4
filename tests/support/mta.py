"""A mail server on loopback that logs as Postfix does, and answers for the other side as a test wants it."""

from __future__ import annotations

import email
import email.policy
import re
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Mail", "Mta", "attached"]

_MESSAGE_ID = re.compile(rb"(?im)^message-id: *(<[^>]*>)")
DELIVERED = "status=sent (250 2.0.0 OK thanks)"
REFUSED = "status=bounced (host mx.other.example[198.51.100.9] said: 550 5.1.1 no such user (in reply to RCPT TO))"
LATER = "status=deferred (host mx.other.example[198.51.100.9] said: 450 4.2.0 greylisted (in reply to RCPT TO))"
SILENT = ""


@dataclass(frozen=True)
class Mail:
    """One mail that was taken."""

    queue_id: str
    sender: str
    recipient: str
    options: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        found = email.message_from_bytes(self.content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found


def attached(content: bytes) -> bytes:
    """Return the octets of the attachment as they travelled, found by the boundary alone."""
    header, _, body = content.partition(b"\r\n\r\n")
    found = re.search(rb'boundary="([^"]+)"', header)
    assert found is not None
    part = body.split(b"--" + found[1])[2]
    head, _, octets = part.partition(b"\r\n\r\n")
    octets = octets.removesuffix(b"\r\n")
    if b"base64" in head:
        import base64

        return base64.b64decode(octets)
    return octets


class Mta:
    """Takes mail in threads until the end of a block."""

    def __init__(self, log: Path, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.log = log
        log.touch()
        self.taken: list[Mail] = []
        self.decide: Callable[[Mail], str] = lambda _: DELIVERED
        """What the log says of a mail's delivery; nothing at all for the empty text."""
        self.reply: Callable[[str], str | None] = lambda _: None
        """What is said to a command (``.`` is the end of a message) in place of yes; empty: hang up."""
        self.at: Callable[[str], None] = lambda _: None
        """Told of each stage before it is answered."""
        self.offers: tuple[str, ...] = ("8BITMIME", "SIZE 50000000")
        self.is_logging = True
        self.connections = 0
        self._numbers = 0
        self._turn = threading.Lock()
        mta = self

        class Handler(_Session):
            server_of_it = mta

        self._server = _Server((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def number(self) -> int:
        with self._turn:
            self._numbers += 1
            return self._numbers

    def say(self, program: str, text: str, *, process: int = 4711) -> None:
        """Write one line to the log."""
        if self.is_logging:
            stamp = datetime.now(UTC).isoformat(timespec="microseconds")
            with self._turn, self.log.open("a", encoding="utf-8") as log:
                log.write(f"{stamp} web01 postfix/{program}[{process}]: {text}\n")

    def deliver(self, mail: Mail, words: str) -> None:
        """Log what came of one attempt."""
        if not words:
            return
        fields = "relay=mx.other.example[198.51.100.9]:25, delay=1.2, delays=0.1/0/0.5/0.6"
        dsn = {"sent": "2.0.0", "bounced": "5.1.1", "deferred": "4.2.0"}[words[7:].partition(" ")[0]]
        self.say("smtp", f"{mail.queue_id}: to=<{mail.recipient}>, {fields}, dsn={dsn}, {words}")
        if "deferred" not in words:
            self.say("qmgr", f"{mail.queue_id}: removed")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Session(socketserver.StreamRequestHandler):
    server_of_it: Mta

    def handle(self) -> None:
        mta = self.server_of_it
        mta.connections += 1
        self._process = 10_000 + mta.number()
        mta.say("smtpd", "connect from localhost[127.0.0.1]", process=self._process)
        mta.at("connect")
        self._say("220 web01 ESMTP Postfix")
        sender = recipient = options = ""
        while line := self.rfile.readline():
            command = line.decode("latin-1").strip()
            word = command.partition(" ")[0].upper()
            mta.at(word)
            told = mta.reply(command)
            if told == "":
                return
            if told is not None:
                self._say(told)
                continue
            match word:
                case "EHLO":
                    self._say(
                        "\r\n".join(["250-web01", *(f"250-{one}" for one in mta.offers), "250 ENHANCEDSTATUSCODES"])
                    )
                case "MAIL":
                    address, _, options = command.partition("> ")
                    sender = address.partition("<")[2].removesuffix(">")
                    self._say("250 2.1.0 Ok")
                case "RCPT":
                    recipient = command.partition("<")[2].partition(">")[0]
                    self._say("250 2.1.5 Ok")
                case "DATA":
                    if not self._data(sender, recipient, options):
                        return
                case "QUIT":
                    self._say("221 2.0.0 Bye")
                    return
                case _:
                    self._say("250 2.0.0 Ok")

    def _data(self, sender: str, recipient: str, options: str) -> bool:
        mta = self.server_of_it
        queue_id = f"4F{mta.number():08X}"
        mta.say("smtpd", f"{queue_id}: client=localhost[127.0.0.1]", process=self._process)
        self._say("354 End data with <CR><LF>.<CR><LF>")
        content, is_in_header = bytearray(), True
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                mta.say(
                    "smtpd",
                    f"lost connection after DATA ({len(content)} bytes) from localhost[127.0.0.1]",
                    process=self._process,
                )
                return False
            content += line.removeprefix(b".") if line.startswith(b"..") else line
            if is_in_header and line == b"\r\n":
                is_in_header = False
                found = _MESSAGE_ID.search(content)
                if found is not None:
                    mta.say("cleanup", f"{queue_id}: message-id={found[1].decode('ascii')}")
                mta.at("body")
        mta.at("dot")
        told = mta.reply(".")
        if told is not None:
            if told:
                self._say(told)
            return bool(told)
        mail = Mail(queue_id, sender, recipient, options, bytes(content))
        mta.taken.append(mail)
        mta.say("qmgr", f"{queue_id}: from=<{sender}>, size={len(content)}, nrcpt=1 (queue active)")
        mta.at("taken")
        # Logged before the answer, so that no test has to wait for it.
        mta.deliver(mail, mta.decide(mail))
        self._say(f"250 2.0.0 Ok: queued as {queue_id}")
        return True

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
