"""The mail log of a simulated server: lines as Postfix and Dovecot write them, made of what a world says happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

from mailswitch.simulation.world import MailKind, WorldMail, WorldMailLog

__all__ = ["mail_log_text", "moments"]

_QUIET = timedelta(hours=6)
"""How often something is logged while nobody writes, so that the log has no gap."""
_LATEST = timedelta(minutes=10)
_BETWEEN = timedelta(seconds=20)
_SERVER = "web"


def mail_log_text(log: WorldMailLog, now: datetime) -> str:
    """Return the log up to ``now``: its own lines first, then what happened on each of the last days."""
    told = [
        (now - timedelta(days=days) + quiet * _QUIET, "postfix/anvil[1]: statistics: max connection rate 1/60s")
        for days in range(log.days, 0, -1)
        for quiet in range(int(timedelta(days=1) / _QUIET))
    ]
    queue_ids = (f"3E{number:010X}" for number in count(1))
    for mail in log.mail:
        for at in moments(mail, now):
            told += [(at, text) for text in _lines(mail, queue_ids)]
    lines = "".join(f"{at.isoformat(timespec='microseconds')} {_SERVER} {text}\n" for at, text in _in_order(told))
    own = log.lines if not log.lines or log.lines.endswith("\n") else f"{log.lines}\n"
    return own + lines


def moments(mail: WorldMail, now: datetime) -> Iterator[datetime]:
    """Yield when it happened, up to ``now``."""
    for day in range(mail.days):
        for number in range(mail.number):
            yield now - timedelta(days=day) - _LATEST - number * _BETWEEN


def _in_order(told: list[tuple[datetime, str]]) -> list[tuple[datetime, str]]:
    return sorted(told, key=lambda moment: moment[0])  # stable, so that a message's lines keep their order


def _lines(mail: WorldMail, queue_ids: Iterator[str]) -> Iterator[str]:
    """Yield what one message or log-in writes, without stamp and host."""
    to, client = f"{mail.mailbox}@{mail.name}", f"{mail.host}[{mail.address}]"
    if mail.kind is MailKind.LOG_IN:
        yield f"dovecot: imap-login: Login: user=<{to}>, method=PLAIN, rip={mail.address}, lip=::1, mpid=9, TLS"
        return
    if mail.kind is MailKind.REFUSED:
        yield (
            f"postfix/smtpd[2]: NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{to}>: Relay access denied; "
            f"from=<bob@sender.example> to=<{to}> proto=ESMTP helo=<{mail.host}>"
        )
        return
    queue_id = next(queue_ids)
    is_outside = mail.kind is MailKind.OUTSIDE
    yield (
        f"postfix/smtpd[2]: {queue_id}: client={client}" if is_outside else f"postfix/pickup[3]: {queue_id}: uid=10005"
    )
    yield f"postfix/cleanup[4]: {queue_id}: message-id=<{queue_id}@sender.example>"
    yield f"postfix/qmgr[5]: {queue_id}: from=<bob@sender.example>, size=4321, nrcpt=1 (queue active)"
    yield (
        f"postfix/pipe[6]: {queue_id}: to=<{to}>, relay=plesk_virtual, delay=0.2, delays=0.1/0/0/0.1, dsn=2.0.0, "
        "status=sent (delivered via plesk_virtual service)"
    )
    yield f"postfix/qmgr[5]: {queue_id}: removed"
