"""A panel that is somebody else from one connection to the next, with the key on its way there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Switch, SwitchTarget
from mailswitch.core.errors import ApplyError, InventoryError
from mailswitch.core.names import DomainName
from mailswitch.plesk.tls import TlsSettings
from mailswitch.simulation.certificates import Identity, authority, issued, self_signed
from tests.support.raw_panel import RawPanel, a_panel, a_switch_reply, a_write_reply

NAME = "web01.example.net"
SITE = SwitchTarget(name=DomainName("moved.example"), kind=Kind.DOMAIN, panel_id="7")
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Whom the settings trust, and who comes in their place."""

    genuine: Identity
    impostor: Identity
    tls: TlsSettings


def swap(folder: Path, case: str) -> Swap:
    """One of the cases below, both certificates made anew."""
    by = authority()
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(by.identity.certificate_pem)
    genuine = issued(by, NAME)
    impostor = {
        "same name": lambda: issued(by, NAME),
        "other name": lambda: issued(by, "web02.example.net"),
        "other authority": lambda: issued(authority(), NAME),
        "expired": lambda: issued(by, NAME, not_after=YESTERDAY),
        "self-signed": lambda: self_signed(NAME),
    }[case.removeprefix("pinned, ")]()
    pinned = TlsSettings(fingerprints=(genuine.fingerprint,))
    verified = TlsSettings(ca_file=ca_file, server_name=NAME)
    return Swap(genuine=genuine, impostor=impostor, tls=pinned if case.startswith("pinned") else verified)


@pytest.mark.parametrize("first", ["read", "write"])
@pytest.mark.parametrize(
    "case",
    ["pinned, same name", "pinned, self-signed", "other name", "other authority", "expired", "self-signed"],
)
def test_who_comes_in_an_open_panels_place_is_refused_and_never_gets_the_key(
    tmp_path: Path, case: str, first: str
) -> None:
    found = swap(tmp_path, case)
    true = a_switch_reply(7, "true") if first == "read" else a_write_reply(7)
    replies = [replace(true, then=found.impostor), a_switch_reply(7, "false")]
    with RawPanel(tmp_path, replies, identity=found.genuine) as raw:
        panel = a_panel(raw, tls=found.tls)
        panel.read_switch(SITE) if first == "read" else panel.turn(SITE, Switch.OFF)

        with pytest.raises(InventoryError) as unread:
            panel.read_switch(SITE)
        with pytest.raises(ApplyError) as unwritten:
            panel.turn(SITE, Switch.OFF)
        assert (unread.value.code, unwritten.value.code) == ("certificate", "certificate")
        assert found.impostor.fingerprint in str(unread.value)
        assert raw.connections >= 3
        assert len(raw.seen) == 1

        raw.become(found.genuine)
        assert panel.read_switch(SITE) is Switch.OFF
        panel.close()


def test_verification_that_is_written_off_takes_whoever_comes(tmp_path: Path) -> None:
    """As the configuration's reference and `mailswitch config check` say of ``tls.verify``."""
    replies = [replace(a_switch_reply(7, "true"), then=self_signed("somebody.example")), a_switch_reply(7, "false")]
    with RawPanel(tmp_path, replies) as raw:
        panel = a_panel(raw, tls=TlsSettings(verify=False))
        read = [panel.read_switch(SITE), panel.read_switch(SITE)]
        panel.close()

        assert read == [Switch.ON, Switch.OFF]
        assert len(raw.seen) == 2
