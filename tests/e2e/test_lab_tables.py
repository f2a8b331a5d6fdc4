"""What the lab's panel writes for Postfix, and what its zones are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.name
import dns.node
import dns.rdataset
import dns.rdatatype
import dns.zone
import pytest
import yaml

from mailswitch.core.domain import Switch
from mailswitch.simulation.state import PanelState
from mailswitch.simulation.world_file import parse_world
from tests.e2e.lab.plesk import mail_tables
from tests.e2e.lab.zones import new_key, signed, zone_text

WORLD = {
    "servers": [
        {
            "name": "plesk",
            "addresses": ["203.0.113.10"],
            "domains": [
                {"name": "main.example", "mail": "on"},
                {"name": "alias.example", "kind": "alias", "of": "main.example", "mail": "on"},
                {"name": "away.example", "mail": "off"},
                {"name": "none.example", "mail": "not-configured"},
            ],
        }
    ]
}


def a_panel(folder: Path) -> PanelState:
    return PanelState.create(folder / "panel.db", parse_world(yaml.safe_dump(WORLD)).servers[0])


def test_only_names_that_are_on_are_local(tmp_path: Path) -> None:
    tables = mail_tables(a_panel(tmp_path))

    assert set(tables.virtual_domains) == {"main.example", "alias.example"}
    assert tables.vmailbox == {"info@main.example": "main.example/info/Maildir/"}
    assert tables.virtual == {"info@alias.example": "info@main.example"}


def test_a_turned_switch_changes_the_tables_and_back(tmp_path: Path) -> None:
    panel = a_panel(tmp_path)
    before = mail_tables(panel)

    panel.set_switch("main.example", Switch.OFF)
    off = mail_tables(panel)
    panel.set_switch("main.example", Switch.ON)

    assert set(off.virtual_domains) == {"alias.example"}
    assert off.vmailbox == {}
    assert mail_tables(panel) == before


def test_a_signed_zone_validates_with_its_own_key_only() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    name, key = dns.name.from_text("moved.example."), new_key()
    text = zone_text("moved.example", ["moved.example. IN MX 10 mx.example."], serial=7, servers=["ns1.example."])

    zone = dns.zone.from_text(signed("moved.example.", text, key, now=now), origin=name, relativize=False)
    records = zone.find_rrset(name, dns.rdatatype.MX)
    signatures = zone.find_rrset(name, dns.rdatatype.RRSIG, covers=dns.rdatatype.MX)
    own: dict[dns.name.Name, dns.node.Node | dns.rdataset.Rdataset] = {
        name: zone.find_rdataset(name, dns.rdatatype.DNSKEY)
    }
    other: dict[dns.name.Name, dns.node.Node | dns.rdataset.Rdataset] = {
        name: dns.rdataset.from_rdata(300, new_key().public)
    }

    dns.dnssec.validate(records, signatures, own, now=now.timestamp())
    with pytest.raises(dns.exception.DNSException):
        dns.dnssec.validate(records, signatures, other, now=now.timestamp())
