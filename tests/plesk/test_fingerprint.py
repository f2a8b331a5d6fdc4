"""Asking for a certificate without sending anything."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.errors import InventoryError
from mailswitch.plesk.fingerprint import presented_fingerprint
from mailswitch.simulation.certificates import self_signed
from tests.support.raw_panel import RawPanel

TIMEOUT = timedelta(seconds=5)


def test_the_fingerprint_is_that_of_the_certificate_whatever_it_is_worth(tmp_path: Path) -> None:
    expired = self_signed("Plesk", not_after=datetime.now(UTC) - timedelta(days=9))
    with RawPanel(tmp_path, identity=expired) as raw:
        assert presented_fingerprint("127.0.0.1", raw.port, TIMEOUT) == expired.fingerprint
        assert raw.seen == []


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])

    with pytest.raises(InventoryError, match=str(port)) as caught:
        presented_fingerprint("127.0.0.1", port, TIMEOUT)
    assert caught.value.code == "unreachable"


def test_somebody_who_does_not_speak_tls_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(InventoryError) as caught:
        presented_fingerprint("127.0.0.1", int(silent.getsockname()[1]), timedelta(seconds=0.1))

    assert caught.value.code == "unreachable"
