"""Classifying exchanges by name (mx_providers.md)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.names import DomainName, NamePattern, most_specific
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable


def a_row(
    pattern: str,
    provider: str = "somebody",
    *,
    kind: ProviderKind = ProviderKind.MAILBOX,
    certain: bool = True,
    configured: bool = False,
) -> KnownExchange:
    return KnownExchange(
        pattern=NamePattern(pattern), kind=kind, provider=provider, is_certain=certain, is_configured=configured
    )


def provider_of(table: ProviderTable, exchange: str) -> str | None:
    found = table.classify(DomainName(exchange))
    return None if found is None else found.provider


@pytest.mark.parametrize(
    ("pattern", "exchange", "matches"),
    [
        ("mx.example.net", "mx.example.net", True),
        ("mx.example.net", "MX.Example.NET.", True),
        ("mx.example.net", "a.mx.example.net", False),
        ("*.example.net", "a.example.net", True),
        ("*.example.net", "a.b.c.example.net", True),
        ("*.example.net", "example.net", False),
        ("*.example.net", "badexample.net", False),
        ("*.example.net", "a.example.net.evil.example", False),
        ("mx*.example.net", "mx17.example.net", True),
        ("mx*.example.net", "mx.example.net", True),
        ("mx*.example.net", "mx1.sub.example.net", False),
        ("mx.*.example.net", "mx.cust.example.net", True),
        ("mx.*.example.net", "mx.a.b.example.net", False),
        ("inbound-smtp.*.amazonaws.com", "inbound-smtp.eu-west-1.amazonaws.com", True),
        ("*.*.*.barracudanetworks.com", "d1.ess.uk.barracudanetworks.com", True),
        ("*.*.*.barracudanetworks.com", "x.d1.ess.uk.barracudanetworks.com", True),
        ("*.*.*.barracudanetworks.com", "ess.barracudanetworks.com", False),
        ("*", "anything.example", True),
        ("mx.*", "mx.example", True),
    ],
)
def test_patterns_match_on_label_boundaries(pattern: str, exchange: str, matches: bool) -> None:
    table = ProviderTable([a_row(pattern, "found")])

    assert provider_of(table, exchange) == ("found" if matches else None)


def test_the_root_exchange_is_nobodys() -> None:
    assert provider_of(ProviderTable([a_row("*"), a_row("*.example")]), ".") is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_most_specific_row_wins_in_any_order(order: tuple[int, ...]) -> None:
    rows = [
        a_row("*.example.net", "wide"),
        a_row("*.mail.example.net", "narrow"),
        a_row("mx*.mail.example.net", "inside a label"),
        a_row("mx1.mail.example.net", "exact"),
    ]
    table = ProviderTable([rows[place] for place in order])

    assert [provider_of(table, f"{name}.example.net") for name in ("x", "a.mail", "mx2.mail", "mx1.mail")] == [
        "wide",
        "narrow",
        "inside a label",
        "exact",
    ]


def test_an_exact_name_wins_over_a_longer_pattern() -> None:
    table = ProviderTable([a_row("m*************.example.net", "pattern"), a_row("mx.example.net", "exact")])

    assert provider_of(table, "mx.example.net") == "exact"


@pytest.mark.parametrize("configured_first", [True, False])
@pytest.mark.parametrize("pattern", ["mx.example.net", "*.example.net", "mx*.example.net"])
def test_an_administrators_row_wins_over_a_shipped_row_of_the_same_pattern(
    pattern: str, configured_first: bool
) -> None:
    rows = [a_row(pattern, "configured", configured=True), a_row(pattern, "shipped")]
    table = ProviderTable(rows if configured_first else reversed(rows))

    assert provider_of(table, "mx.example.net") == "configured"


def test_an_administrators_row_wins_over_an_equally_long_shipped_row() -> None:
    table = ProviderTable(
        [a_row("mx*.example.net", "shipped"), a_row("m*x.example.net", "configured", configured=True)]
    )

    assert provider_of(table, "mx-x.example.net") == "configured"


def test_a_shipped_row_wins_over_an_administrators_wider_one() -> None:
    table = ProviderTable([a_row("*.net", "configured", configured=True), a_row("*.example.net", "shipped")])

    assert provider_of(table, "mx.example.net") == "shipped"


@pytest.mark.parametrize(
    ("kind", "certain", "known"),
    [
        (ProviderKind.MAILBOX, True, True),
        (ProviderKind.MAILBOX, False, False),
        (ProviderKind.GATEWAY, True, False),
        (ProviderKind.FORWARDER, True, False),
        (ProviderKind.PARKING, True, False),
    ],
)
def test_only_a_certain_mailbox_row_makes_a_known_mailbox_host(kind: ProviderKind, certain: bool, known: bool) -> None:
    assert a_row("mx.example.net", kind=kind, certain=certain).is_known_mailbox is known


def test_a_table_keeps_its_rows() -> None:
    rows = (a_row("b.example"), a_row("*.a.example"))

    assert ProviderTable(rows).rows == rows


labels = st.sampled_from(["a", "b", "mx", "mx1", "mail", "net"])
pattern_labels = st.sampled_from(["a", "b", "mx", "mx*", "*", "m*", "mail", "net"])


@given(
    st.lists(st.lists(pattern_labels, min_size=1, max_size=4).map(".".join), max_size=8),
    st.lists(labels, min_size=1, max_size=5).map(".".join),
)
def test_the_index_finds_what_looking_at_every_row_finds(patterns: list[str], name: str) -> None:
    table = ProviderTable([a_row(pattern, pattern) for pattern in patterns])

    wanted = most_specific(tuple(NamePattern(pattern) for pattern in patterns), DomainName(name))
    assert provider_of(table, name) == (None if wanted is None else wanted.text)
