"""Whom a connection to a panel trusts: certificate authorities, one name, or pinned certificates.

Facts:

- Plesk's own certificate is self-signed by default (plesk.md section 1.1); the key travels in a header, so it must
  not leave before the other side has shown the certificate that is expected.
- A pin is the SHA-256 of the leaf certificate. The pin is all that counts then: neither the issuer, nor the name, nor
  an expiry date, which a self-signed panel certificate passes unnoticed, makes it more or less ours.
- urllib3 opens connections by itself, also in the middle of a session, so the check is part of its ``connect``.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import PoolManager

from mailswitch.core.errors import ConfigError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    import requests

__all__ = ["NotConnected", "PanelAdapter", "TlsSettings", "WrongPin", "fingerprint"]

_HEX = re.compile(r"[0-9a-f]{64}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """What a panel's certificate has to satisfy; by default an authority this machine trusts and the URL's host."""

    ca_file: Path | None = None
    """PEM file with the only authorities to trust."""
    server_name: str | None = None
    """The name the certificate has to bear, in place of the URL's host (``127.0.0.1``)."""
    fingerprints: tuple[str, ...] = ()
    """SHA-256 of acceptable certificates, hexadecimal with or without colons; nothing else is checked then."""
    verify: bool = True
    """False accepts any certificate: anybody in between can take the key."""

    def __post_init__(self) -> None:
        """Fold the fingerprints to ``AB:CD:…``; raise ConfigError for what is no fingerprint or no name."""
        object.__setattr__(self, "fingerprints", tuple(_folded(text) for text in self.fingerprints))
        if self.server_name is not None and not _HOST.fullmatch(self.server_name):
            raise ConfigError(f"tls.server_name {self.server_name!r} is no host name in A-labels")


class NotConnected(Exception):
    """No connection was made, or its TLS handshake did not end well, as its cause says; nothing was sent."""


class WrongPin(Exception):
    """The panel presented another certificate than a pinned one; nothing was sent."""

    def __init__(self, presented: str) -> None:
        """Keep the fingerprint that was presented."""
        super().__init__(presented)
        self.presented = presented


def fingerprint(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate (DER) as ``AB:CD:…``."""
    return hashlib.sha256(certificate).digest().hex(":").upper()


class PanelAdapter(HTTPAdapter):
    """A transport adapter whose connections are checked as `TlsSettings` say, before anything is sent."""

    def __init__(self, settings: TlsSettings, *, on_connect: Callable[[socket.socket], None]) -> None:
        """Prepare the context; ``on_connect`` is told of each connection's socket once it is trusted.

        Raises:
            ConfigError: the CA file cannot be read or holds no certificate.
        """
        self._settings = settings
        self._context = _context(settings)
        self._on_connect = on_connect
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: object) -> None:  # noqa: FBT001, FBT002 - requests' signature
        """Make the pools use our connections."""
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block)
        pools = {"https": _pool_class(self._settings, self._on_connect)}  # no http: the key is never sent in the clear
        self.poolmanager.pool_classes_by_scheme = pools

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Put our context in the place of what requests makes of ``verify``."""
        hosts, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        pool: dict[str, object] = {"ssl_context": self._context}
        if self._settings.server_name is not None:
            pool["server_hostname"] = self._settings.server_name
        return hosts, pool

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Leave the pool as it is: requests would add its own authorities to ours."""


def _folded(text: str) -> str:
    plain = text.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if not _HEX.fullmatch(plain):
        raise ConfigError(
            f"tls.fingerprint_sha256 {text!r} is no SHA-256 fingerprint: 64 hexadecimal digits are needed"
        )
    return bytes.fromhex(plain).hex(":").upper()


def _context(settings: TlsSettings) -> ssl.SSLContext:
    if settings.fingerprints or not settings.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # the pin is checked instead, in connect()
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.ca_file is None and not _has_system_authorities():
            context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls.ca_file {str(settings.ca_file)!r} cannot be used: {error}") from error
    return context


def _has_system_authorities() -> bool:
    """Whether this machine has a certificate store; a minimal one may not, and requests' own list serves there."""
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile) or (bool(paths.capath) and any(Path(paths.capath).iterdir()))


def _pool_class(settings: TlsSettings, on_connect: Callable[[socket.socket], None]) -> type[HTTPSConnectionPool]:
    class Connection(HTTPSConnection):
        def connect(self) -> None:
            try:
                super().connect()
            except (OSError, HTTPError) as error:  # urllib3 tells a handshake's time-out like that of a reply
                raise NotConnected from error
            if settings.fingerprints:
                presented = fingerprint(_leaf(self.sock))
                if presented not in settings.fingerprints:
                    self.close()
                    raise WrongPin(presented)
            # urllib3 warns of every connection it did not verify itself. A pinned one was verified here, and of an
            # unverified one `mailswitch config check` warns, not a line on standard error a request.
            self.is_verified = True
            on_connect(self.sock)

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    return Pool


def _leaf(sock: object) -> bytes:
    certificate = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
    return certificate or b""
