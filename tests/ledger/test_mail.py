"""Daily counts add up, stay small, and are never apart from how far the log was read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mailswitch.core.errors import LedgerError
from mailswitch.core.evidence import LogReading, MailCount, Traffic
from mailswitch.core.names import DomainName
from mailswitch.ledger.reader import EmptyLedger
from mailswitch.ledger.store import StoredLedger
from tests.support import ledger_values as values
from tests.support.ledger_values import NAME, NOW, SERVER

TODAY = NOW.date()
READING = LogReading(since=NOW - timedelta(days=8), until=NOW, bookmark='{"offset": 1}')
GATEWAY = ip_network("185.201.16.0/24")


def _count(
    messages: int = 1,
    *,
    name: DomainName = NAME,
    days_ago: int = 0,
    traffic: Traffic = Traffic.OUTSIDE,
    network: str | None = str(GATEWAY),
) -> MailCount:
    return MailCount(
        name=name,
        day=TODAY - timedelta(days=days_ago),
        traffic=traffic,
        network=None if network is None else ip_network(network),
        messages=messages,
        last=NOW - timedelta(days=days_ago),
    )


def _found(ledger: StoredLedger, name: DomainName = NAME, *, days: int = 60) -> tuple[MailCount, ...]:
    return ledger.mail_counts(SERVER, name, since=TODAY - timedelta(days=days))


def test_counts_of_the_same_day_and_network_add_up(ledger: StoredLedger) -> None:
    later, earlier = replace(_count(2), last=NOW + timedelta(hours=1)), _count(3)
    ledger.record_mail(SERVER, READING, [later], today=TODAY)
    ledger.record_mail(SERVER, READING, [earlier], today=TODAY)

    assert _found(ledger) == (replace(later, messages=5),)


def test_counts_of_other_networks_days_kinds_names_and_servers_stay_apart(ledger: StoredLedger) -> None:
    counts = [
        _count(1, days_ago=1),
        _count(2, traffic=Traffic.CO_TENANT, network=None),
        _count(3),
        _count(4, network="2001:db8:1::/48"),
        _count(5, traffic=Traffic.REFUSED),
    ]
    ledger.record_mail(SERVER, READING, [*counts, _count(6, name=DomainName("other.example"))], today=TODAY)
    ledger.record_mail("web02", READING, [_count(7)], today=TODAY)

    assert _found(ledger) == tuple(counts)
    assert _found(ledger, days=0) == tuple(counts[1:])


def test_the_reading_is_what_was_recorded_last(ledger: StoredLedger) -> None:
    newer = replace(READING, until=NOW + timedelta(hours=1), bookmark="{}")
    assert ledger.mail_reading(SERVER) is None
    ledger.record_mail(SERVER, READING, [], today=TODAY)
    ledger.record_mail(SERVER, newer, [], today=TODAY)

    assert ledger.mail_reading(SERVER) == newer
    assert ledger.mail_reading("web02") is None


def test_a_failed_recording_keeps_neither_counts_nor_reading(ledger: StoredLedger) -> None:
    ledger.record_mail(SERVER, READING, [_count()], today=TODAY)

    with pytest.raises(LedgerError):
        ledger.record_mail(SERVER, replace(READING, bookmark="new"), [_count(), _count(-5)], today=TODAY)

    assert ledger.mail_reading(SERVER) == READING
    assert _found(ledger) == (_count(),)


def test_networks_of_days_long_past_are_added_up_and_the_oldest_days_deleted(ledger: StoredLedger) -> None:
    old = [_count(1, days_ago=10), _count(2, days_ago=10, network="192.0.2.0/24"), _count(4, days_ago=9)]
    ledger.record_mail(SERVER, READING, [*old, _count(8, days_ago=41)], today=TODAY - timedelta(days=20))
    ledger.record_mail("web02", READING, [_count(1, days_ago=50)], today=TODAY)
    assert len(_found(ledger)) == 4

    ledger.record_mail(SERVER, READING, [], today=TODAY)
    ledger.record_mail(SERVER, READING, [_count(16, days_ago=10)], today=TODAY)

    assert _found(ledger) == (_count(19, days_ago=10, network=None), _count(4, days_ago=9))


def test_a_damaged_count_is_told(ledger: StoredLedger) -> None:
    ledger.record_mail(SERVER, READING, [_count()], today=TODAY)
    with ledger._session.transaction("damage") as connection:
        connection.execute(text("UPDATE mail_counts SET network = 'nonsense'"))

    with pytest.raises(LedgerError, match="a row in it makes no sense"):
        _found(ledger)


def test_a_ledger_not_made_yet_knows_of_no_mail() -> None:
    assert EmptyLedger().mail_reading(SERVER) is None
    assert EmptyLedger().mail_counts(SERVER, NAME, since=date(2026, 1, 1)) == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    server=values.words,
    name=values.names,
    messages=st.integers(1, 2**62),
    last=values.moments,
    bookmark=values.words,
    network=st.none() | st.ip_addresses(v=4).map(lambda one: ip_network((one, 24), strict=False)),
)
def test_whatever_was_counted_comes_back(ledger: StoredLedger, server: str, name: DomainName, **given: object) -> None:
    messages, last, bookmark = given["messages"], given["last"], given["bookmark"]
    count = replace(_count(), name=name, messages=messages, last=last, network=given["network"])  # type: ignore[arg-type]
    before = ledger.mail_counts(server, name, since=TODAY)
    reading = replace(READING, since=last, bookmark=bookmark)  # type: ignore[arg-type]
    if not before:
        ledger.record_mail(server, reading, [count], today=TODAY)

        assert ledger.mail_counts(server, name, since=TODAY) == (count,)
        assert ledger.mail_reading(server) == reading
