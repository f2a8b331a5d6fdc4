"""What Postfix's log says of single messages: lines as a real Postfix 3.7 wrote them, and what others may write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.rescue import FateKind, token_of
from mailswitch.evidence.fates import FateReader

TOKEN = token_of("0123456789abcdef" * 2, "web01.example")
OTHER = token_of("f" * 32, "web01.example")
QID = "C90F326626B"
RELAY = "relay=192.0.2.25[192.0.2.25]:25, delay=0.06, delays=0.05/0/0/0"
BEGIN = [f"smtpd[146]: {QID}: client=localhost[127.0.0.1]", f"cleanup[147]: {QID}: message-id=<{TOKEN}>"]
TAKEN = f"qmgr[144]: {QID}: from=<help@hoster.example>, size=1749, nrcpt=1 (queue active)"
SENT = f"smtp[154]: {QID}: to=<info@moved.example>, {RELAY}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4F1B)"
DEFERRED = f"smtp[154]: {QID}: to=<info@moved.example>, {RELAY}, dsn=4.2.0, status=deferred (host x said: 450 later)"
BOUNCED = f"smtp[154]: {QID}: to=<info@moved.example>, {RELAY}, dsn=5.1.1, status=bounced (host x said: 550 no)"
REMOVED = f"qmgr[144]: {QID}: removed"
EXPIRED = f"qmgr[144]: {QID}: from=<help@hoster.example>, status=expired, returned to sender"
KEPT = (
    f"pipe[9]: {QID}: to=<info@moved.example>, relay=plesk_virtual, delay=0.1, delays=0.1/0/0/0, dsn=2.0.0, "
    "status=sent (delivered via plesk_virtual service)"
)
LOST = "smtpd[146]: lost connection after DATA (1563 bytes) from localhost[127.0.0.1]"


def _reader(*lines: str, tokens: tuple[str, ...] = (TOKEN,)) -> FateReader:
    reader = FateReader(tokens)
    for line in lines:
        reader.feed(f"Nov 23 08:22:39 web01 postfix/{line}".encode())
    return reader


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([], FateKind.UNSEEN),
        (BEGIN, FateKind.UNSEEN),
        ([*BEGIN, LOST], FateKind.ABORTED),
        ([BEGIN[0], LOST, BEGIN[1]], FateKind.ABORTED),
        ([*BEGIN, "smtpd[146]: timeout after DATA (90 bytes) from localhost[127.0.0.1]"], FateKind.ABORTED),
        ([*BEGIN, "smtpd[146]: lost connection after END-OF-MESSAGE from localhost[127.0.0.1]"], FateKind.UNSEEN),
        ([*BEGIN, TAKEN, LOST], FateKind.QUEUED),
        ([*BEGIN, TAKEN], FateKind.QUEUED),
        ([*BEGIN, TAKEN, DEFERRED], FateKind.DEFERRED),
        ([*BEGIN, TAKEN, DEFERRED, SENT, REMOVED], FateKind.DELIVERED),
        ([*BEGIN, SENT], FateKind.DELIVERED),
        ([*BEGIN, TAKEN, BOUNCED, REMOVED], FateKind.REJECTED),
        ([*BEGIN, TAKEN, DEFERRED, EXPIRED, REMOVED], FateKind.REJECTED),
        ([*BEGIN, TAKEN, KEPT], FateKind.QUEUED),
        ([*BEGIN, TAKEN, KEPT, REMOVED], FateKind.KEPT_HERE),
        ([BEGIN[0].replace("146", "999"), BEGIN[1], LOST], FateKind.UNSEEN),
        ([*BEGIN, "smtpd[146]: disconnect from localhost[127.0.0.1] ehlo=1 data=1", LOST], FateKind.UNSEEN),
    ],
)
def test_the_lines_of_a_message_tell_its_fate(lines: list[str], kind: FateKind) -> None:
    assert _reader(*lines).fate(TOKEN).kind is kind


def test_the_other_sides_words_come_with_its_name() -> None:
    fate = _reader(*BEGIN, TAKEN, BOUNCED).fate(TOKEN)

    assert (fate.queue_id, fate.answer) == (QID, "192.0.2.25[192.0.2.25]:25: host x said: 550 no")


def test_words_without_a_relay_stand_alone() -> None:
    fields = "relay=none, delay=1, delays=0/0/1/0, dsn=5.4.4, status=bounced (Host not found)"
    line = f"smtp[1]: {QID}: to=<a@b.example>, {fields}"

    assert _reader(*BEGIN, line).fate(TOKEN).answer == "Host not found"


def test_a_message_is_followed_through_a_filter_that_gives_it_back() -> None:
    to_filter = (
        f"smtp[1]: {QID}: to=<info@moved.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, "
        "dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as D1234567)"
    )
    back = ["smtpd[150]: D1234567: client=localhost[127.0.0.1]", f"cleanup[147]: D1234567: message-id=<{TOKEN}>"]
    reader = _reader(*BEGIN, TAKEN, *back, TAKEN.replace(QID, "D1234567"), to_filter, REMOVED)

    assert reader.fate(TOKEN).kind is FateKind.QUEUED

    for line in (BOUNCED, REMOVED):
        reader.feed(f"Nov 23 08:22:39 web01 postfix/{line.replace(QID, 'D1234567')}".encode())
    assert reader.fate(TOKEN).kind is FateKind.REJECTED


def test_a_filter_that_gives_it_back_by_sendmail_is_followed_too() -> None:
    back = ["pickup[5]: D1234567: uid=999 from=<help@hoster.example>", f"cleanup[147]: D1234567: message-id=<{TOKEN}>"]
    piped = KEPT.replace("plesk_virtual", "spamfilter")
    sent = SENT.replace(QID, "D1234567")

    reader = _reader(*BEGIN, TAKEN, *back, TAKEN.replace(QID, "D1234567"), piped, REMOVED, sent)
    assert reader.fate(TOKEN).kind is FateKind.DELIVERED


def test_a_queue_id_that_comes_again_is_another_message() -> None:
    again = [
        BEGIN[0].replace("146", "150"),
        f"cleanup[147]: {QID}: message-id=<x@y.example>",
        TAKEN,
        BOUNCED,
    ]

    assert _reader(*BEGIN, LOST, *again).fate(TOKEN).kind is FateKind.ABORTED
    assert _reader(*BEGIN, TAKEN, SENT, REMOVED, *again).fate(TOKEN).kind is FateKind.DELIVERED
    assert _reader(*BEGIN, LOST, f"pickup[1]: {QID}: uid=0 from=<root>", TAKEN).fate(TOKEN).kind is FateKind.ABORTED


def test_a_message_that_is_followed_later_is_found_from_then_on() -> None:
    reader = _reader(*BEGIN, tokens=())
    reader.add(OTHER)
    for line in (f"cleanup[1]: D1234567: message-id=<{OTHER}>", SENT.replace(QID, "D1234567")):
        reader.feed(f"2026-11-23T08:22:39.123456+00:00 web01 postfix/{line}".encode())

    assert reader.fate(OTHER).kind is FateKind.DELIVERED
    assert reader.fate(TOKEN).kind is FateKind.UNSEEN


@pytest.mark.parametrize(
    "line",
    [
        # Words of the other side that look like a status.
        DEFERRED.replace("450 later)", "450 later, dsn=2.0.0, status=sent (250 ok))"),
        # A local part as Postfix before 3.5 logs it, which looks like fields.
        f'smtp[1]: {QID}: to=<"a>, relay=x, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)"@b.example>, '
        f"{RELAY}, dsn=4.0.0, status=deferred (no)",
        # Another program of the same server.
        SENT.replace("smtp[154]", "other/smtp[154]").replace(QID, "NOQUEUE"),
        f"cleanup[147]: {QID}: warning: header Subject: status=sent (250 ok) from x",
    ],
)
def test_nothing_that_others_may_write_passes_for_a_delivery(line: str) -> None:
    assert _reader(*BEGIN, TAKEN, line).fate(TOKEN).kind is not FateKind.DELIVERED


def test_another_message_with_an_id_like_ours_is_none_of_ours() -> None:
    forged = [BEGIN[1].replace(TOKEN, f"{TOKEN}.evil"), TAKEN, SENT]

    assert _reader(BEGIN[0], *forged).fate(TOKEN).kind is FateKind.UNSEEN


@given(st.lists(st.binary(max_size=200) | st.sampled_from([line.encode() for line in (*BEGIN, TAKEN, SENT, LOST)])))
def test_no_line_upsets_it(lines: list[bytes]) -> None:
    reader = FateReader([TOKEN])
    for line in lines:
        reader.feed(b"Nov 23 08:22:39 web01 postfix/" + line)

    assert reader.fate(TOKEN).kind in FateKind


def test_memory_for_connections_is_bounded() -> None:
    reader = FateReader([TOKEN])
    for number in range(30_000):
        reader.feed(b"Nov 23 08:22:39 web01 postfix/smtpd[%d]: %08X: client=localhost[127.0.0.1]" % (number, number))

    assert len(reader._clients) <= 10_000


def test_a_token_that_could_not_be_found_again_is_refused() -> None:
    with pytest.raises(ValueError, match="no Message-ID"):
        token_of("xyz", "web01.example")
    with pytest.raises(ValueError, match="no Message-ID"):
        token_of("0" * 32, "two words")
