"""How fast a mail log is read on one core, and in how much memory.

``python benchmarks/mail_log.py [LINES]`` writes a log of a busy server (a million lines unless told otherwise) to a
temporary folder, reads it as passes do, checks the counts and prints the figures. It is read in three looks: the first
ends in the middle of a line, and before the third the log is rotated. The goal is 400,000 lines a second.
"""

from __future__ import annotations

import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailswitch.core.evidence import LogReading
from mailswitch.core.names import DomainName
from mailswitch.evidence.source import MailLogSettings, PostfixLogs
from mailswitch.service.collecting import rare_collections

_NAMES = 1_000
_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_LINES_A_MESSAGE = 8


def _message(number: int, at: datetime, luck: random.Random) -> Iterator[str]:
    """Yield the lines of one message from outside: every name has about twenty networks that write to it."""
    name = luck.randrange(_NAMES)
    place = name * 7 + int(luck.random() ** 3 * 20)
    address = f"{130 + place % 90}.{place % 251}.{place % 241}.9"
    queue_id = f"{0x3E0000000000 + number * 4099:012X}"
    mailbox = f"info@d{name}.example"
    stamp = f"{at:%b} {at.day:2} {at:%H:%M:%S} web01"
    client = f"mx.sender.example[{address}]"
    yield f"{stamp} postfix/smtpd[{1000 + number % 900}]: connect from {client}"
    yield f"{stamp} postfix/smtpd[{1000 + number % 900}]: {queue_id}: client={client}"
    yield f"{stamp} postfix/cleanup[{2000 + number % 900}]: {queue_id}: message-id=<{number}.abc@sender.example>"
    yield f"{stamp} postfix/qmgr[77]: {queue_id}: from=<bob@sender.example>, size=4321, nrcpt=1 (queue active)"
    yield (
        f"{stamp} postfix/pipe[{3000 + number % 900}]: {queue_id}: to=<{mailbox}>, relay=plesk_virtual, delay=0.2, "
        "delays=0.1/0/0/0.1, dsn=2.0.0, status=sent (delivered via plesk_virtual service)"
    )
    yield f"{stamp} postfix/qmgr[77]: {queue_id}: removed"
    yield f"{stamp} postfix/smtpd[{1000 + number % 900}]: disconnect from {client} ehlo=1 mail=1 rcpt=1 commands=5"
    yield f"{stamp} dovecot[1]: imap-login: Login: user=<{mailbox}>, method=PLAIN, rip={address}, mpid=99, TLS"


def _write(log: Path, messages: int) -> int:
    """Write the log in two files, the second as after a rotation; return the octets of the first."""
    luck = random.Random(7)  # noqa: S311 - the same log every time
    half, older = messages // 2, log.with_name(f"{log.name}.1")
    for file, numbers in ((older, range(half)), (log, range(half, messages))):
        with file.open("w", encoding="ascii") as lines:
            for number in numbers:
                at = _NOW - timedelta(days=8) * (1 - number / messages)
                lines.writelines(f"{one}\n" for one in _message(number, at, luck))
    return older.stat().st_size


def _looks(log: Path, first: int) -> Iterator[None]:
    """Set the log up for three looks: up to the middle of a line, to the file's end, and after a rotation."""
    older, newer, rest = (log.with_name(name) for name in (f"{log.name}.1", "newer", "rest"))
    log.rename(newer)
    older.rename(log)
    with log.open("rb+") as stream, rest.open("wb") as copy:
        stream.seek(first // 2)
        shutil.copyfileobj(stream, copy)
        stream.truncate(first // 2)
    yield
    with log.open("ab") as stream, rest.open("rb") as copy:
        shutil.copyfileobj(copy, stream)
    yield
    log.rename(older)
    newer.rename(log)
    yield


def main() -> int:
    """Write, read, check, print; return 1 if a message or a log-in was not counted exactly once."""
    messages = int(sys.argv[1] if len(sys.argv) > 1 else 1_000_000) // _LINES_A_MESSAGE
    hosted = [DomainName(f"d{number}.example") for number in range(_NAMES)]
    spent = passed = 0.0
    counted = logins = counts = 0
    reading: LogReading | None = None
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "maillog"
        source = PostfixLogs(MailLogSettings(paths=(log,), zone=UTC, longest_reading=timedelta(hours=1)))
        for _ in _looks(log, _write(log, messages)):
            before, started = time.process_time(), time.monotonic()
            with rare_collections():  # as a pass does
                look = source.gather(reading, hosted=hosted, own=(), now=_NOW)
            spent, passed = spent + time.process_time() - before, passed + time.monotonic() - started
            reading = look.reading
            counted += sum(one.messages for one in look.counts)
            logins += sum(one.logins for one in look.logins)
            counts += len(look.counts)
    read = messages * _LINES_A_MESSAGE
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    speed = f"{read / spent:,.0f} lines/s"
    print(f"{read:,} lines in {spent:.2f} s of one core ({passed:.2f} s passed): {speed}")  # noqa: T201 - its purpose
    memory = f"{megabytes:.0f} MB at most"
    told = f"{counted:,} of {messages:,} messages and {logins:,} of {messages:,} log-ins counted in {counts:,} counts"
    print(f"{told}; {memory}")  # noqa: T201
    return 0 if (counted, logins) == (messages, messages) else 1


if __name__ == "__main__":
    sys.exit(main())
