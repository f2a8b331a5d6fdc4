"""The shipped table of exchanges and the administrator's rows over it."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from mailswitch.config.models import ProviderRow
from mailswitch.config.providers import load_table, shipped_rows
from mailswitch.core.names import DomainName
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable


@pytest.fixture(scope="module")
def table() -> ProviderTable:
    return load_table()


def find(table: ProviderTable, exchange: str) -> KnownExchange:
    found = table.classify(DomainName(exchange))
    assert found is not None
    return found


def raw_rows() -> list[dict[str, str]]:
    text = resources.files("mailswitch.config").joinpath("mx_providers.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_every_pattern_is_written_once_and_as_it_is_compared() -> None:
    written = [row["pattern"] for row in raw_rows()]

    assert len(set(written)) == len(written) >= 279
    assert [row.pattern.text for row in shipped_rows()] == written


def test_every_row_has_a_provider_a_source_and_a_certainty() -> None:
    assert all(row["provider"] and row["source"] and row["certain"] in {"yes", "no"} for row in raw_rows())


def test_rows_from_second_hand_sources_are_not_certain() -> None:
    second_hand = [row for row in raw_rows() if any(w in row["source"] for w in ("not re-checked", "map", "inferred"))]

    assert len(second_hand) > 40
    assert {row["certain"] for row in second_hand} == {"no"}


@pytest.mark.parametrize(
    ("exchange", "kind"),
    [
        ("aspmx.l.google.com", ProviderKind.MAILBOX),
        ("alt1.aspmx.l.google.com", ProviderKind.MAILBOX),
        ("smtp.google.com", ProviderKind.MAILBOX),
        ("example-jp.mail.protection.outlook.com", ProviderKind.MAILBOX),
        ("tenant.mail.eo.outlook.com", ProviderKind.GATEWAY),
        ("a.mailspamprotection.com", ProviderKind.MAILBOX),
        ("mx1.emailsrvr.com", ProviderKind.MAILBOX),
        ("mx0a-00123.pphosted.com", ProviderKind.GATEWAY),
        ("mx.spamexperts.com", ProviderKind.GATEWAY),
        ("route1.mx.cloudflare.net", ProviderKind.FORWARDER),
        ("mx1.mail.ovh.net", ProviderKind.MAILBOX),
        ("redirect.ovh.net", ProviderKind.FORWARDER),
        ("parking3.ovh.net", ProviderKind.PARKING),
        ("www123.sakura.ne.jp", ProviderKind.MAILBOX),
        ("ms12345.msv1.invalid", ProviderKind.PARKING),
        ("anything.at.all.msv1.invalid", ProviderKind.PARKING),
    ],
)
def test_well_known_exchanges_have_their_kind(table: ProviderTable, exchange: str, kind: ProviderKind) -> None:
    assert find(table, exchange).kind is kind


def test_hosts_shared_with_relaying_are_no_known_mailbox_hosts(table: ProviderTable) -> None:
    assert not find(table, "inbound-smtp.eu-west-1.amazonaws.com").is_known_mailbox


@pytest.mark.parametrize(
    "exchange",
    ["mx.example.net", "msv1.invalid", "notgoogle.com", "aspmx.l.google.com.evil.example", "web1.sakura.ne.jp"],
)
def test_other_exchanges_are_not_classified(table: ProviderTable, exchange: str) -> None:
    assert table.classify(DomainName(exchange)) is None


def test_an_administrators_row_makes_a_known_mailbox_host_or_a_gateway() -> None:
    rows = [
        ProviderRow.model_validate({"pattern": "MX1.Hostinger.com", "kind": "mailbox", "provider": "Hostinger"}),
        ProviderRow.model_validate({"pattern": "*.filter.example.net", "kind": "gateway"}),
    ]
    table = load_table(rows)

    assert find(table, "mx1.hostinger.com").is_known_mailbox
    assert not find(load_table(), "mx1.hostinger.com").is_known_mailbox
    assert find(table, "a.b.filter.example.net").provider == "configured"
