"""What a server knows of one name's mail, in one look."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

from mailswitch.core.evidence import Deliveries, LoginCount, MailLog, NoEvidence, Written
from mailswitch.core.impact import Impact
from mailswitch.core.mx import Indeterminate
from mailswitch.core.names import DomainName
from mailswitch.report.name_servers import NameServer, NameServers, Place
from mailswitch.report.usage import Pointing, WebAddress, usage_fields, usage_rows
from tests.support.builders import NOW, an_entry

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WEB = (
    WebAddress(host="moved.example", addresses=("203.0.113.10",), is_here=True),
    WebAddress(host="www.moved.example", addresses=(), is_here=False),
)
SERVERS = NameServers(
    zone="moved.example",
    is_above=False,
    servers=(
        NameServer(host="ns1.hoster.example", addresses=("203.0.113.10",), place=Place.HERE),
        NameServer(host="ns2.hoster.example", addresses=("192.0.2.53",), place=Place.ELSEWHERE),
    ),
)
POINTING = Pointing(web=WEB, name_servers=SERVERS)
UNTOLD = Pointing(web=(), name_servers=Indeterminate("a: SERVFAIL"))


def sent(messages: int, *, ago: timedelta = HOUR, network: str | None = "185.201.16.0/24") -> Deliveries:
    last = NOW - ago
    where = None if network is None else ip_network(network)
    return Deliveries(day=last.date(), network=where, messages=messages, last=last)


def login(mailbox: str, *, ago: timedelta) -> LoginCount:
    last = NOW - ago
    return LoginCount(name=DomainName("moved.example"), mailbox=mailbox, day=last.date(), logins=2, last=last)


LOG = MailLog(
    covers=9 * DAY,
    outside=(
        sent(3, ago=2 * DAY),
        sent(4),
        sent(2, network="192.0.2.0/24"),
        sent(1, network=None),
        sent(9, ago=8 * DAY),
    ),
    refused=(sent(2, ago=DAY),),
    written=(Written(day=(NOW - 3 * DAY).date(), messages=5), Written(day=NOW.date(), messages=1)),
    logins=(login("info", ago=9 * DAY), login("info", ago=2 * DAY), login("bob", ago=3 * DAY), login("", ago=4 * DAY)),
)
ENTRY = replace(an_entry(), evidence=LOG)


def test_a_name_is_told_in_one_look() -> None:
    entry = replace(ENTRY, impact=Impact(messages=6, since=(NOW - 9 * DAY).date(), recent=6))

    assert list(usage_rows(entry, POINTING, NOW)) == [
        ("web", "moved.example: 203.0.113.10 (this server)"),
        ("web", "www.moved.example: no address known"),
        ("name servers", "ns1.hoster.example (this server), ns2.hoster.example (elsewhere)"),
        ("mail log", "read without a gap for 9 d"),
        ("last log-in", "info@ 2 d ago, bob@ 3 d ago, others@ 4 d ago"),
        (
            "from outside",
            "10 messages in 7 days, the last 1 h ago: 185.201.16.0/24 (7), 192.0.2.0/24 (2), many networks (1)",
        ),
        ("refused here", "2 messages in 7 days, the last 1 d ago: 185.201.16.0/24 (2)"),
        ("from this server", "6 messages, the last on 2026-03-01"),
        ("abandoned", "6 messages from this server to moved.example went into the abandoned mailbox since 2026-02-20"),
    ]


def test_a_name_that_nobody_uses_is_told_so() -> None:
    entry = replace(an_entry(), evidence=MailLog(covers=3 * DAY))

    assert list(usage_rows(entry, UNTOLD, NOW)) == [
        ("name servers", "not known: a: SERVFAIL"),
        ("mail log", "read without a gap for 3 d: less than 7 days"),
        ("last log-in", "none, as far back as the log was read (3 d)"),
        ("from outside", "nothing in 7 days"),
        ("from this server", "0 messages"),
    ]


def test_many_networks_and_mailboxes_are_shortened() -> None:
    log = MailLog(
        covers=9 * DAY,
        outside=tuple(sent(1, network=f"10.0.{number}.0/24") for number in range(7)),
        logins=tuple(login(f"box{number}", ago=number * HOUR) for number in range(7)),
    )
    rows = dict(usage_rows(replace(an_entry(), evidence=log), UNTOLD, NOW))

    assert rows["from outside"].endswith("10.0.4.0/24 (1) and 2 more networks")
    assert rows["last log-in"].endswith("box4@ 4 h ago and 2 more")


def test_the_document_has_the_same() -> None:
    found = usage_fields(ENTRY, POINTING, NOW)

    assert found == {
        "log": None,
        "covers_seconds": 9 * 86_400,
        "web": [
            {"host": "moved.example", "addresses": ["203.0.113.10"], "here": True},
            {"host": "www.moved.example", "addresses": [], "here": False},
        ],
        "name_servers": {
            "reason": None,
            "zone": "moved.example",
            "servers": [
                {"host": "ns1.hoster.example", "addresses": ["203.0.113.10"], "place": "here"},
                {"host": "ns2.hoster.example", "addresses": ["192.0.2.53"], "place": "elsewhere"},
            ],
            "left_out": 0,
        },
        "last_log_in": "2026-02-27T12:00:00Z",
        "log_ins": [
            {"mailbox": "info", "last": "2026-02-27T12:00:00Z"},
            {"mailbox": "bob", "last": "2026-02-26T12:00:00Z"},
            {"mailbox": "", "last": "2026-02-25T12:00:00Z"},
        ],
        "outside": {
            "messages": 10,
            "last": "2026-03-01T11:00:00Z",
            "networks": [
                {"network": "185.201.16.0/24", "messages": 7},
                {"network": "192.0.2.0/24", "messages": 2},
                {"network": "many networks", "messages": 1},
            ],
        },
        "refused": {
            "messages": 2,
            "last": "2026-02-28T12:00:00Z",
            "networks": [{"network": "185.201.16.0/24", "messages": 2}],
        },
        "co_tenants": [{"day": "2026-02-26", "messages": 5}, {"day": "2026-03-01", "messages": 1}],
    }


def test_without_a_log_the_reason_is_told_and_every_key_is_there() -> None:
    entry = replace(an_entry(), evidence=NoEvidence("no mail log is read"))
    found = usage_fields(entry, UNTOLD, NOW)

    assert list(usage_rows(entry, UNTOLD, NOW)) == [
        ("name servers", "not known: a: SERVFAIL"),
        ("mail log", "no mail log is read"),
    ]
    assert found.keys() == usage_fields(ENTRY, POINTING, NOW).keys()
    assert found["log"] == "no mail log is read"
    assert found["outside"] is None
