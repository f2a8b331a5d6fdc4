"""One request to a panel and its reply, over HTTPS, with every limit that keeps a bad panel harmless.

Facts:

- The key is a header (plesk.md section 1.1): whoever gets the request owns the server. So no redirect is followed, no
  proxy and no netrc of the environment is used, and the certificate is checked before anything is sent.
- Header names have underscores and are sent literally (plesk.md section 1.1).
- The HTTP status of an error is not documented: a body that is XML counts whatever the status (plesk.md section 1.2).
- A request that was sent may have been done although no reply came: ``PanelFailure.is_sent`` keeps the two apart.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.plesk.clock import clock_ahead
from mailswitch.plesk.credentials import Credentials, authentication_headers
from mailswitch.plesk.failures import PanelFailure, cleaned
from mailswitch.plesk.fingerprint import presented_fingerprint
from mailswitch.plesk.tls import NotConnected, PanelAdapter, TlsSettings, WrongPin

__all__ = ["Transport", "TransportLimits", "endpoint"]

_PATH = "/enterprise/control/agent.php"
_PIECE = 64 * 1024
_PASSING_STATUS = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """How long and how large one exchange may become."""

    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=300)
    """The longest silence; inventories may take minutes (design.md section 6)."""
    deadline: timedelta | None = None
    """The longest exchange in all, however busily the panel trickles; None for three times the read time-out."""
    max_reply: int = 64 * 1024 * 1024
    """Octets."""

    @property
    def longest(self) -> timedelta:
        """The deadline in force."""
        return 3 * self.read_timeout if self.deadline is None else self.deadline


def endpoint(url: str) -> str:
    """Return the XML API's URL for a panel's: ``https://web01.example.net:8443``.

    Raises:
        ConfigError: it is not https, has a login in it, or a path that is not the API's.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"url {cleaned(url)!r} cannot be used: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise ConfigError("url: a login does not belong into it; use secret_key_file, or login and password_file")
    if parts.scheme != "https" or not parts.hostname:
        raise ConfigError(f"url {cleaned(url)!r}: https://HOST:8443 is needed, for the key is sent to it")
    if parts.path not in {"", "/", _PATH} or parts.query or parts.fragment:
        raise ConfigError(f"url {cleaned(url)!r}: give the panel's address only, as in https://HOST:8443")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}:{port if port is not None else 443}{_PATH}"


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Know of no redirects: requests would read the whole body of one and parse its target to prepare the next."""
        return None


class Transport:
    """Sends packets to one panel, one after another. Never retries: that is for those who know what they ask."""

    def __init__(self, *, url: str, credentials: Credentials, tls: TlsSettings, limits: TransportLimits) -> None:
        """Prepare a session; nothing is connected yet.

        Raises:
            ConfigError: the URL, the credentials or the TLS settings cannot be used.
        """
        self._url = endpoint(url)
        self._tls = tls
        self._limits = limits
        self._headers: dict[str, str | bytes | None] = {
            "Content-Type": "text/xml",
            "Accept-Encoding": "identity",  # a compressed reply could be a thousand times its size
            "User-Agent": "mailswitch",
            **authentication_headers(credentials),
        }
        self.clock_ahead: timedelta | None = None
        """How far the panel's clock was ahead of this one in its last reply; None where it does not tell."""
        self._socket: socket.socket | None = None
        self._is_over = threading.Event()
        self._session = _Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("https://", PanelAdapter(tls, on_connect=self._connected))

    def __repr__(self) -> str:
        return f"Transport({self._url!r})"

    def exchange(self, body: bytes) -> bytes:
        """Send one packet and return the reply's body, which may be anything.

        Raises:
            PanelFailure: no whole reply came, or one that is none of the panel.
        """
        deadline = time.monotonic() + self._limits.longest.total_seconds()
        timeouts = (self._limits.connect_timeout.total_seconds(), self._limits.read_timeout.total_seconds())
        with (
            self._translated(),
            self._watched(),
            self._session.post(
                self._url, data=body, headers=self._headers, timeout=timeouts, allow_redirects=False, stream=True
            ) as response,
        ):
            self.clock_ahead = clock_ahead(response.headers.get("Date"), datetime.now(UTC))
            _refuse_redirect(response)
            return _checked(response, self._body(response, deadline))

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        pieces, size = [], 0
        # read1 returns what is there; read would wait for a whole piece, however slowly it trickles in.
        while piece := response.raw.read1(_PIECE, decode_content=False):
            size += len(piece)
            if size > self._limits.max_reply:
                raise PanelFailure(f"the reply is larger than {self._limits.max_reply} octets", code="not-understood")
            if time.monotonic() > deadline:
                raise self._too_slow()
            pieces.append(piece)
        return b"".join(pieces)

    def _connected(self, sock: socket.socket) -> None:
        self._socket = sock
        if self._is_over.is_set():
            self._break()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End the connection at the deadline, which a time-out for each read alone does not do."""

        def end() -> None:
            is_over.set()
            self._break()

        # One event an exchange: a timer that fires in the moment it is cancelled must not end the next one.
        is_over = self._is_over = threading.Event()
        watch = threading.Timer(self._limits.longest.total_seconds(), end)
        watch.daemon = True
        watch.start()
        try:
            yield
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if is_over.is_set():
                raise self._too_slow() from error
            raise
        finally:
            watch.cancel()
        if is_over.is_set():  # a reply ended by us can look like one that ended by itself
            raise self._too_slow()

    def _break(self) -> None:
        if self._socket is not None:
            # Not SSLSocket.shutdown, which would let the reading thread go on without TLS.
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _too_slow(self) -> PanelFailure:
        return PanelFailure(f"no whole reply came within {_seconds(self._limits.longest)}", code="unreachable")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except WrongPin as error:
            raise PanelFailure(
                f"the panel presents a certificate with the SHA-256 fingerprint {error.presented}, not the pinned one, "
                "so nothing was sent. If the certificate was renewed, compare the fingerprint on the server itself and "
                "put it into tls.fingerprint_sha256",
                code="certificate",
                is_sent=False,
            ) from error
        except NotConnected as error:
            raise self._not_connected(error.__cause__) from error
        except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as error:
            raise PanelFailure(
                f"the panel was silent for {_seconds(self._limits.read_timeout)}: "
                "look at its load, or raise read_timeout",
                code="unreachable",
            ) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise PanelFailure(
                f"the connection broke before the reply was complete: {cleaned(str(_cause(error)))}",
                code="unreachable",
                is_passing=True,
            ) from error

    def _not_connected(self, why: BaseException | None) -> PanelFailure:
        match why:
            case ssl.SSLCertVerificationError(verify_message=refusal):
                return PanelFailure(
                    f"the panel's certificate is not accepted: {cleaned(refusal)}; nothing was sent. "
                    f"{self._presented()} If that is the server's own, name its authority in tls.ca_file, its name in "
                    "tls.server_name, or pin it with tls.fingerprint_sha256",
                    code="certificate",
                    is_sent=False,
                )
            case TimeoutError():
                return PanelFailure(
                    f"the panel did not end the TLS handshake within {_seconds(self._limits.connect_timeout)}, so "
                    "nothing was sent: look at its load, or raise connect_timeout",
                    code="unreachable",
                    is_sent=False,
                )
            case _:
                text = "the TLS handshake failed" if isinstance(why, ssl.SSLError) else "nobody could be reached"
                return PanelFailure(f"{text}: {cleaned(str(why))}", code="unreachable", is_passing=True, is_sent=False)

    def _presented(self) -> str:
        parts = urlsplit(self._url)
        try:
            shown = presented_fingerprint(
                parts.hostname or "", parts.port or 443, self._limits.connect_timeout, server_name=self._tls.server_name
            )
        except InventoryError:
            return "Its fingerprint could not be read."
        return f"Its SHA-256 fingerprint is {shown}."


def _refuse_redirect(response: requests.Response) -> None:
    if 300 <= response.status_code < 400:
        target = cleaned(_host_of(response.headers.get("Location", "")[:500]), 80)
        raise PanelFailure(
            f"the panel redirects to {target!r}, and the key is not sent there: correct the url", code="refused"
        )


def _host_of(location: str) -> str:
    try:
        return urlsplit(location).netloc or "another page"
    except ValueError:
        return location


def _checked(response: requests.Response, body: bytes) -> bytes:
    if response.status_code == 200 or (body.lstrip()[:1] == b"<" and b"<packet" in body[:1000]):
        return body
    status = f"HTTP status {response.status_code}"
    if response.status_code in {401, 403}:
        raise PanelFailure(f"{status}: the key or login, or this address, is not accepted", code="authentication")
    if response.status_code in _PASSING_STATUS:
        raise PanelFailure(f"{status}: the panel is not ready to answer", code="unavailable", is_passing=True)
    raise PanelFailure(f"{status} and no packet: check that the url is the Plesk panel itself", code="not-understood")


def _cause(error: BaseException) -> object:
    inner = error.args[0] if error.args else error
    return getattr(inner, "reason", None) or inner


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
