"""Notices by webhook: one signed POST, over a connection that follows nothing and trusts nobody else.

Facts:

- `http.client` follows no redirect and reads no proxy, netrc or cookie from anywhere.
- The signature is an HMAC-SHA-256 (RFC 2104) over timestamp, full stop and body, so that neither can be replaced and an
  old one can be told (docs/notices.md).
- Many services keep a token in the URL's path, so messages name the host only.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from mailswitch.core.errors import OutletError
from mailswitch.core.notices import Bulletin
from mailswitch.outlets.failures import cleaned, opened, watched

__all__ = ["SIGNATURE_HEADER", "TIMESTAMP_HEADER", "WebhookSettings", "WebhookWay", "signature"]

SIGNATURE_HEADER = "X-Mailswitch-Signature"
TIMESTAMP_HEADER = "X-Mailswitch-Timestamp"

_MOST_OF_A_REPLY = 2_000
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Where documents go, and what signs them."""

    url: str = field(repr=False)
    """https, or http on loopback; the configuration has checked that."""
    secret: str = field(repr=False)
    ca_file: Path | None = None
    timeout: timedelta
    """For connecting, and again for all the rest of the exchange."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature header's value for a body sent at a time."""
    signed = timestamp.encode("ascii") + b"." + body
    return "sha256=" + hmac.new(secret.encode("utf-8"), signed, hashlib.sha256).hexdigest()


class WebhookWay:
    """Sends bulletins' documents to one URL."""

    def __init__(self, settings: WebhookSettings) -> None:
        """Connect to nothing yet."""
        parts = urlsplit(settings.url)
        self._settings = settings
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._socket: socket.socket | None = None

    @property
    def name(self) -> str:
        """``webhook``."""
        return "webhook"

    @property
    def shown(self) -> str:
        """Where it goes, for people; without the path, which may hold a token."""
        return f"webhook at {self._host} port {self._port}"

    def send(self, bulletin: Bulletin, *, at: datetime) -> None:
        """Send one bulletin's document.

        Raises:
            OutletError: the receiver did not say that it has it.
        """
        body = bulletin.document.encode("utf-8")
        timestamp = str(int(at.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "mailswitch",
            "Connection": "close",
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature(self._settings.secret, timestamp, body),
        }
        try:
            self._socket = opened(self._host, self._port, self._settings.timeout)
            with watched(self._settings.timeout, lambda: self._socket, self._too_slow):
                status, reason = self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise OutletError(f"{self._attempt}: {_told(error)}; look at notify.webhook") from error
        finally:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
        if not 200 <= status < 300:
            hint = "redirects are not followed, correct notify.webhook.url" if 300 <= status < 400 else "look there"
            raise OutletError(f"{self._attempt}: the receiver said {status} {cleaned(reason)}; {hint}")

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        if self._is_tls and self._socket is not None:
            authority = None if self._settings.ca_file is None else str(self._settings.ca_file)
            context = ssl.create_default_context(cafile=authority)
            # In two steps, so that a handshake that never ends can be ended too.
            wrapped = context.wrap_socket(self._socket, server_hostname=self._host, do_handshake_on_connect=False)
            self._socket = wrapped
            wrapped.do_handshake()
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.sock = self._socket
        connection.request("POST", self._target, body=body, headers=headers)
        response = connection.getresponse()
        response.read(_MOST_OF_A_REPLY)
        return response.status, response.reason

    @property
    def _attempt(self) -> str:
        return f"notice not sent to the {self.shown}"

    def _too_slow(self) -> OutletError:
        seconds = self._settings.timeout.total_seconds()
        return OutletError(f"{self._attempt}: not done within {seconds:g} s; look at notify.webhook")


def _told(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return cleaned(f"its certificate is not accepted ({error.verify_message})")
        case ssl.SSLError():
            return cleaned(f"TLS failed ({error.reason or error})")
        case ConnectionRefusedError():
            return "nobody listens there"
        case TimeoutError():
            return "the receiver was silent"
        case http.client.HTTPException():
            return cleaned(f"what it answered is no HTTP ({type(error).__name__} {error})")
    return cleaned(str(error)) or type(error).__name__
