"""The certificate a panel presents, asked for without sending it anything."""

from __future__ import annotations

import socket
import ssl
from datetime import timedelta

from mailswitch.core.errors import InventoryError
from mailswitch.plesk.tls import fingerprint

__all__ = ["presented_fingerprint"]


def presented_fingerprint(host: str, port: int, timeout: timedelta, *, server_name: str | None = None) -> str:
    """Return the SHA-256 fingerprint (``AB:CD:…``) of the certificate at ``host``; nothing of it is verified.

    ``timeout`` bounds the connection and the handshake each; ``server_name`` is asked for in place of ``host`` (SNI).

    Raises:
        InventoryError: code ``unreachable``: nobody answers there, or not with TLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=timeout.total_seconds()) as plain,
            context.wrap_socket(plain, server_hostname=server_name or host) as secure,
        ):
            return fingerprint(secure.getpeercert(binary_form=True) or b"")
    except (OSError, UnicodeError) as error:  # ssl.SSLError is an OSError; UnicodeError: a host that is no name
        raise InventoryError(
            f"no certificate could be read from {host}:{port}: {error}; check the address and that Plesk listens there",
            code="unreachable",
        ) from error
