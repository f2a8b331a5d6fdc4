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
from mailswitch.core.evidence import LoginCount, LogReading, MailCount, Traffic
from mailswitch.core.names import DomainName
from mailswitch.ledger import schema, tables
from mailswitch.ledger.mail_crowds import MOST_NETWORKS
from mailswitch.ledger.place import open_place
from mailswitch.ledger.reader import EmptyLedger
from mailswitch.ledger.rows import row_of
from mailswitch.ledger.store import StoredLedger
from mailswitch.ledger.tables import REVISIONS
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


def test_co_tenants_messages_are_kept_for_more_than_a_year(ledger: StoredLedger) -> None:
    kept = [_count(days, days_ago=days, traffic=Traffic.CO_TENANT, network=None) for days in (400, 41, 1)]
    gone = _count(1, days_ago=401, traffic=Traffic.CO_TENANT, network=None)
    ledger.record_mail(SERVER, READING, [gone, *kept], today=TODAY)

    assert _found(ledger, days=500) == tuple(kept)


def _flood(
    networks: int, *, messages: int = 1, days_ago: int = 0, traffic: Traffic = Traffic.OUTSIDE
) -> list[MailCount]:
    return [_count(messages, network=f"10.{number >> 8}.{number & 255}.0/24") for number in range(networks)]


def test_a_flood_of_networks_is_kept_small_and_its_messages_are_all_there(ledger: StoredLedger) -> None:
    for _ in range(2):
        ledger.record_mail(SERVER, READING, [*_flood(3_000), _count(7)], today=TODAY)
    found = _found(ledger)

    assert len(found) == MOST_NETWORKS + 1
    assert sum(one.messages for one in found) == 2 * 3_007
    assert _count(14) in found
    assert sum(one.network is None for one in found) == 1


def test_in_a_flood_who_came_on_another_day_stays_known(ledger: StoredLedger) -> None:
    """Or a spammer with many networks could hide the one that shows that the world still delivers here."""
    ledger.record_mail(SERVER, READING, [_count(1, days_ago=1)], today=TODAY)
    ledger.record_mail(SERVER, READING, [*_flood(3_000, messages=9), _count(1)], today=TODAY)

    assert [one for one in _found(ledger) if one.network == GATEWAY] == [_count(1, days_ago=1), _count(1)]


def test_a_flood_of_one_kind_and_name_leaves_the_others_alone(ledger: StoredLedger) -> None:
    others = [_count(1, traffic=Traffic.REFUSED), _count(1, name=DomainName("other.example"))]
    ledger.record_mail(SERVER, READING, [*_flood(400), *others], today=TODAY)
    ledger.record_mail("web02", READING, _flood(MOST_NETWORKS), today=TODAY)

    assert others[0] in _found(ledger)
    assert _found(ledger, DomainName("other.example")) == (others[1],)
    assert len(ledger.mail_counts("web02", NAME, since=TODAY)) == MOST_NETWORKS


def _login(logins: int = 1, *, mailbox: str = "info", days_ago: int = 0) -> LoginCount:
    last = NOW - timedelta(days=days_ago)
    return LoginCount(name=NAME, mailbox=mailbox, day=last.date(), logins=logins, last=last)


def test_log_ins_add_up_by_mailbox_and_day_and_are_forgotten(ledger: StoredLedger) -> None:
    ledger.record_mail(SERVER, READING, [], logins=[_login(2), _login(days_ago=3), _login(days_ago=41)], today=TODAY)
    ledger.record_mail(SERVER, READING, [], logins=[_login(5), _login(mailbox="")], today=TODAY)
    long_ago = TODAY - timedelta(days=60)

    found = ledger.mail_logins(SERVER, NAME, since=long_ago)
    assert found == (_login(days_ago=3), _login(mailbox=""), _login(7))
    assert ledger.mail_logins("web02", NAME, since=long_ago) == ()


def test_counts_made_by_an_older_program_are_kept(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(schema, "REVISIONS", REVISIONS[: REVISIONS.index("0006")])
        with open_place(url).locked() as ledger, ledger._session.transaction("fill") as connection:
            connection.execute(tables.mail_counts.insert(), {"server": SERVER, **row_of(_count(5))})
    with open_place(url).locked() as ledger:
        ledger.record_mail(SERVER, READING, [_count(1, traffic=Traffic.REFUSED_GATEWAY)], today=TODAY)

        assert _found(ledger) == (_count(5), _count(1, traffic=Traffic.REFUSED_GATEWAY))


def test_a_damaged_count_is_told(ledger: StoredLedger) -> None:
    ledger.record_mail(SERVER, READING, [_count()], today=TODAY)
    with ledger._session.transaction("damage") as connection:
        connection.execute(text("UPDATE mail_counts SET network = 'nonsense'"))

    with pytest.raises(LedgerError, match="a row in it makes no sense"):
        _found(ledger)


def test_a_ledger_not_made_yet_knows_of_no_mail() -> None:
    assert EmptyLedger().mail_reading(SERVER) is None
    assert EmptyLedger().mail_counts(SERVER, NAME, since=date(2026, 1, 1)) == ()
    assert EmptyLedger().mail_logins(SERVER, NAME, since=date(2026, 1, 1)) == ()


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
