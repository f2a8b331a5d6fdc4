from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from mailswitch.core.evidence import Traffic
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable
from mailswitch.evidence.tally import MOST_MAILBOXES, MOST_NETWORKS, Tally
from tests.support.mail_logs import (
    DELIVERED,
    arrival,
    delivery,
    gathered,
    later,
    line,
    message,
    removal,
    sent_by_hand,
    tally,
    write,
)

_NETWORK = "185.201.16.0/24"
_FILTER = "relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "maillog"


def test_a_message_from_outside_counts_for_the_name_it_was_written_to(log: Path) -> None:
    write(log, message(later(1), "AAAAAA", "info@moved.example"))

    found = gathered(log)

    assert tally(found) == {("moved.example", "outside", _NETWORK): 1}
    assert found.counts[0].day == later(1).date()
    assert found.counts[0].last == later(1)
    assert found.problem is None


def test_an_alias_counts_for_the_name_before_it(log: Path) -> None:
    write(
        log,
        [
            arrival(later(1), "AAAAAA"),
            delivery(later(1), "AAAAAA", "info@moved.example", original="info@ALIAS.example"),
            arrival(later(2), "BBBBBB"),
            delivery(later(2), "BBBBBB", "info@moved.example", original="postmaster@web01.example.net"),
        ],
    )

    assert tally(gathered(log)) == {("alias.example", "outside", _NETWORK): 1}


def test_many_recipients_of_one_name_are_one_message(log: Path) -> None:
    write(log, [arrival(later(1), "AAAAAA"), *(delivery(later(1), "AAAAAA", f"a{n}@moved.example") for n in range(9))])
    write(log, [delivery(later(2), "AAAAAA", "b@other.example")])

    assert tally(gathered(log)) == {
        ("moved.example", "outside", _NETWORK): 1,
        ("other.example", "outside", _NETWORK): 1,
    }


def test_a_deferred_message_counts_once_and_when_it_is_delivered(log: Path) -> None:
    deferred = (
        "AAAAAA: to=<a@moved.example>, relay=plesk_virtual, delay=1, delays=0/0/0/1, dsn=4.3.0, status=deferred (x)"
    )
    write(log, [arrival(later(1), "AAAAAA"), line(later(1), "pipe", deferred), line(later(60), "pipe", deferred)])
    write(log, [delivery(later(120), "AAAAAA", "a@moved.example"), removal(later(120), "AAAAAA")])

    found = gathered(log)

    assert tally(found) == {("moved.example", "outside", _NETWORK): 1}
    assert found.counts[0].last == later(120)


@pytest.mark.parametrize(
    "client",
    [
        "pc.customer.example[198.51.100.9], sasl_method=PLAIN, sasl_username=bob@other.example",
        "web02.example.net[192.0.2.20]",
        "web01.example.net[203.0.113.10]",
        "localhost[127.0.0.1]",
        "localhost[::1]",
        "web01.example.net[::ffff:203.0.113.10]",
    ],
)
def test_users_of_this_server_and_its_own_networks_are_not_outside(log: Path, client: str) -> None:
    write(
        log,
        [*message(later(1), "AAAAAA", "a@moved.example", client), *message(later(30), "BBBBBB", "a@nobody.example")],
    )

    found = gathered(log, own=[ip_network("203.0.113.10/32")], own_networks=(ip_network("192.0.2.0/24"),))

    assert tally(found) == {("moved.example", "co-tenant", None): 1}


def test_a_web_sites_message_is_a_co_tenants(log: Path) -> None:
    write(log, sent_by_hand(later(1), "AAAAAA", "a@moved.example"))
    write(log, [line(later(2), "pickup", "BBBBBB: uid=0 from=<root>")])
    write(log, [delivery(later(2), "BBBBBB", "admin@other.example", original="root")])

    assert tally(gathered(log)) == {("moved.example", "co-tenant", None): 1, ("other.example", "co-tenant", None): 1}


def test_a_bounce_is_this_servers_own_message(log: Path) -> None:
    bounce = [
        line(later(60), "cleanup", "CCCCCC: message-id=<x@web01>"),
        delivery(later(60), "CCCCCC", "a@moved.example"),
    ]
    write(log, [line(later(0), "anvil", "statistics"), *bounce])

    assert tally(gathered(log)) == {("moved.example", "co-tenant", None): 1}


def test_a_message_whose_client_was_logged_before_the_log_begins_counts_as_nothing(log: Path) -> None:
    write(
        log,
        [line(later(0), "cleanup", "AAAAAA: message-id=<x@web01>"), delivery(later(1), "AAAAAA", "a@moved.example")],
    )
    write(log, [delivery(later(60), "BBBBBB", "a@moved.example")])

    assert tally(gathered(log)) == {}


def test_a_message_whose_client_is_not_known_counts_as_nothing(log: Path) -> None:
    write(log, message(later(0), "AAAAAA", "a@nobody.example"))
    write(log, message(later(60), "BBBBBB", "a@moved.example", "unknown[unknown]"))
    write(log, message(later(61), "CCCCCC", "a@moved.example", "mx.example[192.0.2.1] and something new"))

    assert tally(gathered(log)) == {}


def _through_filter(*, is_answered_first: bool, origin: str, xforward: str = "") -> list[str]:
    answer = line(later(2), "smtp", f"AAAAAA: to=<a@moved.example>, {_FILTER} (250 2.0.0 Ok: queued as BBBBBB)")
    back = [delivery(later(2), "BBBBBB", "a@moved.example"), removal(later(2), "BBBBBB")]
    return [
        origin,
        arrival(later(2), "BBBBBB", f"localhost[127.0.0.1]{xforward}"),
        *([answer, *back] if is_answered_first else [*back, answer]),
        removal(later(2), "AAAAAA"),
        line(later(30), "anvil", "statistics"),
    ]


@pytest.mark.parametrize("xforward", ["", ", orig_queue_id=AAAAAA, orig_client=mx[185.201.16.7]"])
@pytest.mark.parametrize("is_answered_first", [True, False])
def test_what_a_filter_gives_back_counts_once_for_where_it_came_from(
    log: Path, xforward: str, is_answered_first: bool
) -> None:
    outside = _through_filter(
        is_answered_first=is_answered_first, origin=arrival(later(1), "AAAAAA"), xforward=xforward
    )
    write(log, outside)

    assert tally(gathered(log)) == {("moved.example", "outside", _NETWORK): 1}


def test_a_co_tenants_message_through_a_filter_counts_once(log: Path) -> None:
    pickup = line(later(1), "pickup", "AAAAAA: uid=10005 from=<www>")
    write(log, _through_filter(is_answered_first=False, origin=pickup))

    assert tally(gathered(log)) == {("moved.example", "co-tenant", None): 1}


def test_a_filter_before_the_queue_tells_the_client(log: Path) -> None:
    write(log, message(later(1), "AAAAAA", "a@moved.example", "localhost[127.0.0.1], orig_client=mx[185.201.16.7]"))

    assert tally(gathered(log)) == {("moved.example", "outside", _NETWORK): 1}


def test_a_mailing_list_that_sends_by_smtp_is_a_co_tenant_of_its_members(log: Path) -> None:
    """The list's posts bear the poster's message-id; that must not make their members' mail come from outside."""
    to_list = "AAAAAA: to=<list@other.example>, relay=mailman, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (x)"
    write(log, [arrival(later(1), "AAAAAA"), line(later(1), "pipe", to_list)])
    write(log, message(later(1), "BBBBBB", "member@moved.example", "localhost[127.0.0.1]"))
    write(log, [line(later(30), "anvil", "statistics")])

    assert tally(gathered(log)) == {("other.example", "outside", _NETWORK): 1, ("moved.example", "co-tenant", None): 1}


def test_mail_that_is_relayed_away_is_not_delivered_here(log: Path) -> None:
    away = (
        "AAAAAA: to=<a@moved.example>, relay=mx[198.51.100.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250)"
    )
    write(log, [arrival(later(1), "AAAAAA"), line(later(1), "smtp", away)])

    assert tally(gathered(log)) == {}


def test_lmtp_to_dovecot_is_a_delivery(log: Path) -> None:
    text = "AAAAAA: to=<a@moved.example>, relay=web01[private/dovecot-lmtp], " + DELIVERED
    write(log, [arrival(later(1), "AAAAAA", "mx[2001:db8:1:2::3]"), line(later(1), "lmtp", text)])

    assert tally(gathered(log)) == {("moved.example", "outside", "2001:db8:1::/48"): 1}


def test_a_queue_id_used_again_is_another_message(log: Path) -> None:
    write(log, [arrival(later(1), "AAAAAA", "localhost[127.0.0.1]"), delivery(later(1), "AAAAAA", "a@moved.example")])
    write(log, message(later(2), "AAAAAA", "a@moved.example"))

    assert tally(gathered(log)) == {("moved.example", "co-tenant", None): 1, ("moved.example", "outside", _NETWORK): 1}


def test_refused_recipients_of_hosted_names_count_with_their_network(log: Path) -> None:
    def refused(to: str, client: str = "mx[185.201.16.7]") -> str:
        text = f"NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{to}>: Relay access denied; from=<a@b> to=<{to}>"
        return line(later(1), "smtpd", f"{text} proto=ESMTP helo=<mx>")

    write(log, [refused("a@moved.example"), refused("b@MOVED.example"), refused("a@nobody.example")])
    write(log, [refused("a@moved.example", "localhost[127.0.0.1]"), refused("a@moved.example", "odd[1.2.3]")])

    assert tally(gathered(log)) == {("moved.example", "refused", _NETWORK): 2}


def test_other_programs_words_and_names_hosted_elsewhere_count_as_nothing(log: Path) -> None:
    forged = f"Nov 23 08:00:00 web01 postfix/pipe[1]: AAAAAA: to=<a@victim.example>, relay=plesk_virtual, {DELIVERED}"
    write(log, [arrival(later(1), "AAAAAA"), f"Nov 23 08:01:00 web01 httpd[1]: {forged}"])
    write(log, [line(later(1), "cleanup", f"AAAAAA: message-id=<{forged}>")])
    write(
        log,
        [
            f"Nov 23 08:01:00 web01 evil postfix/pipe[1]: {forged[40:]}",
            delivery(later(2), "AAAAAA", "x@sub.moved.example"),
        ],
    )

    assert tally(gathered(log)) == {}


# --- refusals and log-ins -------------------------------------------------------------------------


def _refused(client: str, *, helo: str = "mx") -> str:
    to = "info@moved.example"
    return line(
        later(1),
        "smtpd",
        f"NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{to}>: Relay access denied; from=<a@b.example> to=<{to}> "
        f"proto=ESMTP helo=<{helo}>",
    )


def _row(pattern: str, kind: ProviderKind) -> KnownExchange:
    return KnownExchange(pattern=NamePattern(pattern), kind=kind, provider="x", is_certain=True)


_PROVIDERS = ProviderTable(
    [_row("*.filter.example", ProviderKind.GATEWAY), _row("*.mailbox.example", ProviderKind.MAILBOX)]
)


@pytest.mark.parametrize(
    ("client", "kind"),
    [
        ("out1.filter.example[185.201.16.7]", "refused-gateway"),
        ("OUT1.Filter.Example[185.201.16.7]:2525", "refused-gateway"),
        ("filter.example[185.201.16.7]", "refused"),
        ("out1.mailbox.example[185.201.16.7]", "refused"),
        ("filter.example.evil.example[185.201.16.7]", "refused"),
        ("unknown[185.201.16.7]", "refused"),
        ("[185.201.16.7]", "refused"),
        ("a..b-.filter.example[185.201.16.7]", "refused"),
    ],
)
def test_a_known_filter_that_is_refused_is_told_by_its_checked_name(log: Path, client: str, kind: str) -> None:
    write(log, [_refused(client, helo="out1.filter.example")])

    found = gathered(log, providers=_PROVIDERS)

    assert tally(found) == {("moved.example", kind, _NETWORK): 1}


def _logins(log: Path) -> list[tuple[str, str, int]]:
    return [(one.name.text, one.mailbox, one.logins) for one in gathered(log).logins]


def _login(at: float, user: str) -> str:
    stamp = later(at).isoformat()
    return f"{stamp} web01 dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip=192.0.2.1, lip=203.0.113.10"


def test_log_ins_are_counted_by_mailbox(log: Path) -> None:
    write(log, [_login(1, "info@moved.example"), _login(2, "INFO@Moved.Example"), _login(3, "b@other.example")])
    write(log, [_login(4, "info@nobodys.example"), _login(5, "root")])

    assert _logins(log) == [("moved.example", "info", 2), ("other.example", "b", 1)]


def test_a_mailbox_in_no_known_encoding_is_left_out(log: Path) -> None:
    log.write_bytes(_login(1, "caf?@moved.example").encode().replace(b"?", b"\xff") + b"\n")

    assert _logins(log) == []


# --- bounds ---------------------------------------------------------------------------------------


def test_networks_beyond_the_most_are_one_count_and_no_message_is_lost() -> None:
    tally, name = Tally(), DomainName("moved.example")
    for number in range(MOST_NETWORKS + 500):
        for _ in range(2):
            tally.add(name.text, 86_400 * 9, Traffic.OUTSIDE, f"10.{number >> 8}.{number & 255}.0/24")
    found = tally.counts({name.text: name})

    assert len(found) == MOST_NETWORKS + 1
    assert {one.network: one.messages for one in found}[None] == 1_000
    assert sum(one.messages for one in found) == 2 * (MOST_NETWORKS + 500)
    assert tally.counts({name.text: name}) == ()


def test_mailboxes_beyond_the_most_are_one_count() -> None:
    tally, name = Tally(), DomainName("moved.example")
    for number in range(MOST_MAILBOXES + 7):
        tally.add_login(name.text, f"box{number}", 86_400 * 9 + number)
    found = {one.mailbox: one for one in tally.logins({name.text: name})}

    assert len(found) == MOST_MAILBOXES + 1
    assert (found[""].logins, found[""].last.timestamp()) == (7, 86_400 * 9 + MOST_MAILBOXES + 6)
