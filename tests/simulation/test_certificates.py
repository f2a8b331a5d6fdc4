"""Certificates for simulated panels."""

from __future__ import annotations

import hashlib
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.simulation.certificates import Identity, authority, issued, self_signed
from mailswitch.simulation.plesk_xml import XmlApiServer
from mailswitch.simulation.state import PanelState
from tests.support.agent import a_server


def served_certificate(folder: Path, identity: Identity, context: ssl.SSLContext, name: str) -> bytes | None:
    """The certificate that a client gets which verifies by `context` and expects `name`."""

    state = PanelState.create(folder / "panel.db", a_server())
    with (
        XmlApiServer(state, identity.write(folder / "panel.pem")) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True)


def trusting(pem: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=pem.decode())


def test_the_fingerprint_is_that_of_the_certificate_served(tmp_path: Path) -> None:
    identity = self_signed("web01.example", "127.0.0.1")

    served = served_certificate(tmp_path, identity, trusting(identity.certificate_pem), "web01.example")

    assert served is not None
    assert identity.fingerprint.replace(":", "").lower() == hashlib.sha256(served).hexdigest()


def test_every_certificate_is_another_one() -> None:
    assert self_signed("x.example").fingerprint != self_signed("x.example").fingerprint


def test_a_signed_certificate_is_good_for_its_names(tmp_path: Path) -> None:
    signer = authority()
    identity = issued(signer, "web01.example", "127.0.0.1")

    assert served_certificate(tmp_path, identity, trusting(signer.identity.certificate_pem), "127.0.0.1")


def test_a_signed_certificate_is_good_for_no_other_name(tmp_path: Path) -> None:
    signer = authority()

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        served_certificate(
            tmp_path, issued(signer, "web01.example"), trusting(signer.identity.certificate_pem), "web02.example"
        )


def test_an_expired_certificate_has_expired(tmp_path: Path) -> None:
    signer = authority()
    identity = issued(signer, "web01.example", not_after=datetime.now(UTC) - timedelta(days=1))

    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        served_certificate(tmp_path, identity, trusting(signer.identity.certificate_pem), "web01.example")


def test_the_private_key_is_its_owner_s(tmp_path: Path) -> None:
    assert self_signed("x.example").write(tmp_path / "x.pem").stat().st_mode & 0o777 == 0o600
