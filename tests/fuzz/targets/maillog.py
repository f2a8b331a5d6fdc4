"""A mail log: counted or passed over whatever its lines hold, the same however it is cut, and never more than there is.

The first octet says where the log is cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from ipaddress import ip_network

from mailswitch.evidence.fates import FateReader
from mailswitch.evidence.join import Join
from mailswitch.evidence.places import Places
from mailswitch.evidence.reading import Reading
from mailswitch.evidence.stamps import StampReader
from tests.support.mail_logs import HOSTED, NOW, later, line, message, sent_by_hand

__all__ = ["MAX_OCTETS", "TOKENS", "seeds", "try_one"]

MAX_OCTETS = 6_000
TOKENS = (
    b"Nov 23 08:00:00 ", b"2026-11-23T08:00:00.000000+00:00 ", b"web01 ", b"postfix/", b"smtpd[1]: ", b"qmgr[1]: ",
    b"pipe[1]: ", b"cleanup[1]: ", b"pickup[1]: ", b"lmtp[1]: ", b"NOQUEUE: reject: RCPT from ", b": client=",
    b"[185.201.16.7]", b"[2001:db8::1]", b"to=<a@moved.example>", b"orig_to=<b@alias.example>", b"relay=plesk_virtual",
    b"status=sent", b"status=deferred", b": removed\n", b"sasl_username=", b"message-id=<token@sender.example>",
    b"dovecot: imap-login: Login: user=<a@moved.example>, method=PLAIN, rip=192.0.2.1", b"\n", b"AAAAA1",
)  # fmt: skip
_NAMES = {name.text: name for name in HOSTED}
_OURS = (ip_network("203.0.113.10/32"),)
_TOKEN = "token@sender.example"


def try_one(data: bytes) -> None:
    """Read one log in a piece and in two."""
    if not data:
        return
    lines = data[1:].split(b"\n")
    whole = _counted([lines])
    cut = data[0] % (len(lines) + 1)
    halves = _counted([lines[:cut], lines[cut:]])
    if whole != halves:
        raise AssertionError(f"cut before line {cut} the log counts {halves}, in one piece {whole}")
    fates = FateReader([_TOKEN])
    for each in lines:
        fates.feed(each)
    fates.fate(_TOKEN)


def _counted(pieces: list[list[bytes]]) -> tuple[object, object, int]:
    join = Join(HOSTED, Places(_OURS))
    reading = Reading(join, StampReader(NOW, UTC))
    for piece in pieces:
        reading.feed(piece)
    messages, logins = _tally(join)
    if messages > reading.lines or logins > reading.lines:
        raise AssertionError(f"{messages} messages and {logins} log-ins in {reading.lines} lines")
    return messages, logins, reading.unknown


def _tally(join: Join) -> tuple[int, int]:
    tally = join._tally
    counts, logins = tally.counts(_NAMES), tally.logins(_NAMES)
    return sum(one.messages for one in counts), sum(one.logins for one in logins)


def seeds() -> Iterator[bytes]:
    """Return logs as Postfix and Dovecot write them."""
    at = later(1)
    logs = [
        message(at, "AAAAA1", "a@moved.example"),
        sent_by_hand(at, "BBBBB1", "b@alias.example"),
        [line(at, "smtpd", "NOQUEUE: reject: RCPT from mx.filter.example[185.201.16.7]: 554 5.7.1 <a@moved.example>: "
              "Relay access denied; from=<b@a.example> to=<a@moved.example> proto=ESMTP helo=<mx.filter.example>")],
        [line(at, "lmtp", "AAAAA1: to=<a@moved.example>, relay=127.0.0.1, delay=1, dsn=2.0.0, status=sent (250 ok)",
              is_iso=True)],
        ["Nov 23 08:00:00 web01 dovecot: imap-login: Login: user=<a@moved.example>, method=PLAIN, rip=192.0.2.1, "
         "lip=203.0.113.10, mpid=7, TLS, session=<x>"],
        ["Feb 29 25:61:00 web01 postfix/smtpd[1]: connect", "", "no stamp at all", "Nov 23 08:00:00"],
        [line(at, "smtpd", "AAAAA1: client=unknown[unknown], sasl_method=PLAIN, sasl_username=a.example")],
        [one for queue in range(5) for one in message(later(queue), f"AAAAA{queue}", "a@moved.example")],
    ]  # fmt: skip
    for number, lines in enumerate(logs):
        yield bytes((number,)) + "\n".join(lines).encode()
    yield b"\x02" + b"\xff\x00" * 40 + b"\n" + b"A" * 5_000
    yield b"\x01" + b"\n\n\n"
    yield b"\x02" + b"no stamp\n\n\nNov 23 08:00:00 web01 x: y\n\n"
