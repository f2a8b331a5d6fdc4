from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.evidence.lines import HEAD, Arrival, Delivery, Event, Inside, LogIn, Odd, Refusal, Removal, event

_TAIL = "delay=0.2, delays=0.1/0/0/0.1, dsn=2.0.0, status=sent (delivered via plesk_virtual service)"


def _told(program: str, text: str) -> Event | None:
    line = f"Nov 23 08:00:07 web01 postfix/{program}[1]: {text}".encode()
    head = HEAD.match(line, len("Nov 23 08:00"))
    found = None if head is None else event(head, line)
    assert found is None or found[0] == 7
    return None if found is None else found[1]


@pytest.mark.parametrize(
    ("program", "text", "told"),
    [
        ("smtpd", "4F1A2B3C4D: client=mx.example[192.0.2.1]", Arrival(b"4F1A2B3C4D", b"192.0.2.1", False, None, None)),
        (
            "smtpd",
            "4F1A2B3C4D: client=unknown[2001:db8::1]:25",
            Arrival(b"4F1A2B3C4D", b"2001:db8::1", False, None, None),
        ),
        (
            "submission/smtpd",
            "4QxJ1y2zPz9: client=pc[192.0.2.9], sasl_method=PLAIN, sasl_username=bob@other.example",
            Arrival(b"4QxJ1y2zPz9", b"192.0.2.9", True, None, None),
        ),
        (
            "smtpd",
            "4F1A2B3C4D: client=localhost[127.0.0.1], orig_queue_id=AAAAAA, orig_client=mx[192.0.2.1]",
            Arrival(b"4F1A2B3C4D", b"127.0.0.1", False, b"AAAAAA", b"192.0.2.1"),
        ),
        ("smtpd", "NOQUEUE: client=mx.example[192.0.2.1]", None),
        ("smtpd", "4F1A2B3C4D: client=mx.example[192.0.2.1], and more", Odd(b"4F1A2B3C4D")),
        ("pickup", "4F1A2B3C4D: uid=10005 from=<www>", Inside(b"4F1A2B3C4D", True)),
        ("cleanup", "4F1A2B3C4D: message-id=<a@b>", Inside(b"4F1A2B3C4D", False)),
        ("qmgr", "4F1A2B3C4D: removed", Removal(b"4F1A2B3C4D")),
        ("qmgr", "4F1A2B3C4D: from=<a@b>, size=1, nrcpt=1 (queue active)", None),
        (
            "pipe",
            f"4F1A2B3C4D: to=<a@b>, relay=plesk_virtual, {_TAIL}",
            Delivery(b"4F1A2B3C4D", b"a@b", None, False, None, None),
        ),
        (
            "virtual",
            f"4F1A2B3C4D: to=<a@b>, orig_to=<c@d>, relay=virtual, {_TAIL}",
            Delivery(b"4F1A2B3C4D", b"a@b", b"c@d", False, None, None),
        ),
        (
            "lmtp",
            "4F1A2B3C4D: to=<a@b>, relay=web01[private/dovecot-lmtp], conn_use=2, delay=1, delays=0/0/0/1, dsn=2.0.0, "
            "status=sent (250 2.0.0 <a@b> Saved)",
            Delivery(b"4F1A2B3C4D", b"a@b", None, True, b"private/dovecot-lmtp", None),
        ),
        (
            "smtp",
            "4F1A2B3C4D: to=<a@b>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, "
            "status=sent (250 2.0.0 from MTA: 250 2.0.0 Ok: queued as BBBBBB)",
            Delivery(b"4F1A2B3C4D", b"a@b", None, True, b"127.0.0.1", b"BBBBBB"),
        ),
        (
            "pipe",
            "4F1A2B3C4D: to=<a@b>, relay=plesk_virtual, delay=1, delays=0/0/0/1, dsn=4.3.0, status=deferred (x)",
            None,
        ),
        (
            "smtpd",
            "NOQUEUE: reject: RCPT from mx[192.0.2.1]: 554 5.7.1 <a@b.example>: Relay access denied; "
            "from=<x@y> to=<a@b.example> proto=ESMTP helo=<mx>",
            Refusal(b"mx", b"192.0.2.1", b"a@b.example"),
        ),
        (
            "smtpd",
            "NOQUEUE: reject: RCPT from mx[192.0.2.1]: 550 5.1.1 <a@b>: Recipient address rejected: User unknown in "
            "virtual mailbox table; from=<x@y> to=<a@b> proto=ESMTP helo=<mx>",
            None,
        ),
        ("smtpd", "connect from mx[192.0.2.1]", None),
        ("anvil", "4F1A2B3C4D: removed", None),
        ("qmgr", "4F1A2B3C4D: client=mx[192.0.2.1]", None),
    ],
)
def test_a_line_tells_what_postfix_wrote(program: str, text: str, told: Event | None) -> None:
    assert _told(program, text) == told


@pytest.mark.parametrize(
    "address",
    [
        f"bob@victim.example>, relay=plesk_virtual, {_TAIL[:-1]}@evil.example",
        '"bob@victim.example"@evil.example',
        "bob @victim.example",
        f"a@b>, orig_to=<bob@victim.example>, relay=plesk_virtual, {_TAIL}x",
    ],
)
@pytest.mark.parametrize("key", ["to", "orig_to"])
def test_an_address_that_forges_fields_is_refused(address: str, key: str) -> None:
    before = "" if key == "to" else "to=<a@evil.example>, "

    assert _told("pipe", f"4F1A2B3C4D: {before}{key}=<{address}>, relay=plesk_virtual, {_TAIL}") == Odd()


def test_a_recipient_that_forges_a_refusal_is_refused() -> None:
    forged = "bob@victim.example>: Relay access denied; from=<x@y> to=<bob@victim.example> @evil.example"
    text = f"NOQUEUE: reject: RCPT from mx[192.0.2.1]: 554 5.7.1 <{forged}>: Relay access denied; from=<> to=<{forged}>"

    assert _told("smtpd", text) == Odd()


@pytest.mark.parametrize("text", ["client=evil[192.0.2.1]", "to=<a@b>, relay=x", "uid=0 from=<x>", "removed"])
def test_a_message_id_that_looks_like_a_line_is_a_message_id(text: str) -> None:
    told = _told("cleanup", f"4F1A2B3C4D: message-id=<postfix/smtpd[1]: AAAAAA: {text}")

    assert told == Inside(b"4F1A2B3C4D", is_certain=False)


def _log_in(text: str) -> Event | None:
    line = f"2026-11-23T08:00:07.123456+01:00 web01 {text}".encode()
    head = HEAD.match(line, len("2026-11-23T08:00"))
    found = None if head is None else event(head, line)
    return None if found is None else found[1]


@pytest.mark.parametrize(
    "text",
    [
        "dovecot: imap-login: Login: user=<info@moved.example>, method=PLAIN, rip=192.0.2.1, lip=203.0.113.10, mpid=9",
        "dovecot[77]: imap-login: Login: user=<info@moved.example>, method=PLAIN, rip=192.0.2.1, lip=203.0.113.10, TLS",
        "dovecot: pop3-login: Info: Login: user=<info@moved.example>, method=CRAM-MD5, rip=2001:db8::1, lip=::1",
        "dovecot: imap-login: Logged in: user=<info@moved.example>, method=PLAIN, rip=192.0.2.1",
        "imapd: LOGIN, user=info@moved.example, ip=[::ffff:192.0.2.1], port=[41234], protocol=IMAP",
        "imapd-ssl[88]: LOGIN, user=info@moved.example, ip=[::ffff:192.0.2.1], protocol=IMAP",
        "courier-imapd: LOGIN, user=info@moved.example, ip=[::ffff:192.0.2.1], port=[41234], protocol=IMAP",
        "courier-pop3s[4]: INFO: LOGIN, user=info@moved.example, ip=[::1], port=[2]",
        "pop3d: INFO: LOGIN, user=info@moved.example, ip=[::ffff:192.0.2.1], port=[41234]",
    ],
)
def test_a_log_in_is_told_by_its_mailbox(text: str) -> None:
    assert _log_in(text) == LogIn(b"info", b"moved.example")


@pytest.mark.parametrize(
    "text",
    [
        "dovecot: imap-login: Aborted login (auth failed): user=<info@moved.example>, method=PLAIN, rip=::1",
        "dovecot: imap-login: Disconnected (auth failed): user=<info@moved.example>, method=PLAIN, rip=192.0.2.1",
        "dovecot: managesieve-login: Login: user=<info@moved.example>, method=PLAIN, rip=192.0.2.1",
        "dovecot: imap(info@moved.example): Logged out in=90 out=800",
        "imapd: LOGIN FAILED, user=info@moved.example, ip=[::ffff:192.0.2.1]",
        "imapd: LOGOUT, user=info@moved.example, ip=[::ffff:192.0.2.1]",
        "php: dovecot: imap-login: Login: user=<info@moved.example>, method=PLAIN",
    ],
)
def test_what_is_no_log_in_is_none(text: str) -> None:
    assert _log_in(text) is None


@pytest.mark.parametrize(
    "user", ["root", "a@b@victim.example", "a>, user=<bob@victim.example", "a b@victim.example", "@victim.example", ""]
)
def test_a_user_that_is_no_mailbox_is_refused(user: str) -> None:
    assert _log_in(f"dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip=192.0.2.1") == Odd()


@given(st.binary(max_size=300))
def test_no_address_makes_another_names_delivery(address: bytes) -> None:
    """Whatever stands between the brackets, a delivery is read for that address or not at all."""
    octets = address.replace(b"\n", b"?")
    line = b"Nov 23 08:00:07 web01 postfix/pipe[1]: AAAAAA: to=<%b>, relay=plesk_virtual, %b" % (octets, _TAIL.encode())
    head = HEAD.match(line, len("Nov 23 08:00"))
    assert head is not None
    told = event(head, line)

    assert told is not None
    assert told[1] == Odd() or told[1] == Delivery(b"AAAAAA", octets, None, False, None, None)
