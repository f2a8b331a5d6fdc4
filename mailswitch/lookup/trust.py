"""Whom a connection to a vantage over TLS trusts: authorities and a name, or pinned certificates.

Facts:

- A client that knows the server's name or its pins uses them, and asks nothing where they do not hold: the "strict"
  profile (RFC 8310 §5). There is no other one here, and no way back to plain text.
- Without a name the certificate has to bear the server's address (RFC 8310 §8.1, RFC 6125 appendix B.2), which those of
  the large public resolvers do.
- The protocol's name for ALPN is "dot" (RFC 7858's entry in IANA's list).
"""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TlsTrust", "WrongCertificate"]


class WrongCertificate(ConnectionError):
    """The vantage presented another certificate than a pinned one; nothing was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsTrust:
    """What a vantage's certificate has to satisfy; by default an authority this machine trusts and the address."""

    server_name: str | None = None
    """The name the certificate has to bear, in place of the address."""
    ca_file: Path | None = None
    """PEM file with the only authorities to trust."""
    fingerprints: tuple[str, ...] = ()
    """SHA-256 of acceptable certificates, as 64 lower-case hexadecimal digits; nothing else is checked then."""

    def context(self) -> ssl.SSLContext:
        """Return a new context that checks all of it, but for fingerprints.

        Raises:
            OSError: the authorities' file cannot be read, or holds none.
        """
        context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        context.set_alpn_protocols(["dot"])
        if self.fingerprints:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def check(self, connection: ssl.SSLObject) -> None:
        """Hold the certificate that was presented against the fingerprints, before anything is asked.

        Raises:
            WrongCertificate: it is none of them.
        """
        if not self.fingerprints:
            return
        presented = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
        if presented not in self.fingerprints:
            raise WrongCertificate(f"its certificate has the fingerprint {presented}, which is not configured")
