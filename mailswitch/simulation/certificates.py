"""Certificates for simulated panels: self-signed as Plesk's own, or from an authority made for the occasion."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Authority", "Identity", "authority", "issued", "self_signed", "server_context"]

_LIFE = timedelta(days=365)
_AGE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate as people write it: ``AB:CD:…``."""
        digest = hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
        return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone, as a client is given it to trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def write(self, path: Path) -> Path:
        """Write key and certificate to a new file that only its owner can read, and return it."""
        path.touch(mode=0o600, exist_ok=False)
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(key + self.certificate_pem)
        return path


@dataclass(frozen=True, slots=True)
class Authority:
    """A certification authority that nobody but a test trusts."""

    identity: Identity


def self_signed(*names: str, not_before: datetime | None = None, not_after: datetime | None = None) -> Identity:
    """Make a certificate for ``names`` (host names and addresses) that is signed by itself."""
    return _made(names or ("Plesk",), None, not_before, not_after, is_authority=False)


def authority(name: str = "Simulated authority") -> Authority:
    """Make an authority."""
    return Authority(_made((name,), None, None, None, is_authority=True))


def issued(
    by: Authority, *names: str, not_before: datetime | None = None, not_after: datetime | None = None
) -> Identity:
    """Make a certificate for ``names`` that ``by`` signed; give ``not_after`` in the past for an expired one."""
    return _made(names, by, not_before, not_after, is_authority=False)


def server_context(pem: Path) -> ssl.SSLContext:
    """Return the TLS context of a server that has the key and the certificate in the file ``pem``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _made(
    names: tuple[str, ...],
    by: Authority | None,
    not_before: datetime | None,
    not_after: datetime | None,
    *,
    is_authority: bool,
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    issuer = subject if by is None else by.identity.certificate.subject
    end = now + _LIFE if not_after is None else not_after
    start = min(now, end) - _AGE if not_before is None else not_before
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if is_authority:
        builder = builder.add_extension(_CERTIFICATE_SIGNING, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False)
    if by is not None:
        signer_key = by.identity.key.public_key()
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key), critical=False)
    return Identity(builder.sign(key if by is None else by.identity.key, hashes.SHA256()), key)


_CERTIFICATE_SIGNING = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
