"""One line of a mail log as an event, read strictly: what a sender can write never passes for what the server wrote.

Facts, from Postfix's, Dovecot's and Courier's manual pages and sources:

- A line is ``STAMP HOST SYSLOG_NAME/PROGRAM[PID]: QUEUE_ID: …``; refusals bear ``NOQUEUE`` for the queue id.
- ``client=NAME[ADDRESS]`` may be followed by ``:PORT``, by ``sasl_method=``, ``sasl_username=`` where the client
  authenticated, and by ``orig_client=NAME[ADDRESS]`` where a content filter told it with XFORWARD, which Postfix
  believes only of ``smtpd_authorized_xforward_hosts``.
- Before Postfix 3.5 addresses are logged unquoted, so a local part may hold ``>, relay=``, and whole forged fields.
  Such a line holds the field's name twice: once forged, once by Postfix. It is refused, as is every address with a
  quote, a space or a bracket in it.
- Control characters in addresses and replies are logged as ``?``.
- A message handed to a filter that gives it back has ``queued as QUEUE_ID`` at the end of the filter's reply.
- The name before ``[ADDRESS]`` is the client's checked name: its address leads to the name and the name back to the
  address, or it is ``unknown``. What the client calls itself (HELO) stands elsewhere in the line and is not read.
- Dovecot logs ``imap-login: Login: user=<NAME>, method=…, rip=…`` (from 2.4 on ``Logged in``), with ``Info:`` before it
  where it keeps a file of its own; Courier ``imapd: LOGIN, user=NAME, ip=[…]``, with ``INFO:`` before it on Plesk.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["HEAD", "Arrival", "Delivery", "Event", "Inside", "LogIn", "Odd", "Refusal", "Removal", "event"]

_CLIENT = re.compile(
    rb"[^\s\[\],]*\[([0-9A-Fa-f.:]+|unknown)\](?::[0-9]+)?"
    rb"(, sasl_method=[^\s,]+, sasl_username=.*)?"
    rb"(?:, orig_queue_id=([0-9A-Za-z]+))?(?:, orig_client=[^\s\[\],]*\[([0-9A-Fa-f.:]+)\](?::[0-9]+)?)?\Z"
)
_ADDRESS = rb"([^<>\"\s,]{1,1000})"
_DELIVERY = re.compile(
    rb"%b>, (?:orig_to=<%b>, )?relay=([^\s,\[]+)(?:\[([^\]\s]+)\](?::[0-9]+)?)?, (?:conn_use=[0-9]+, )?"
    rb"delay=[0-9.]+, delays=[0-9./]+, dsn=2\.[0-9]+\.[0-9]+, status=sent \(" % (_ADDRESS, _ADDRESS)
)
_QUEUED_AS = re.compile(rb"queued as ([0-9A-Za-z]{5,24})\)\Z")
_REFUSAL = re.compile(
    rb"([^\s\[\],]*)\[([0-9A-Fa-f.:]+)\](?::[0-9]+)?: [45]54 [45]\.7\.1 <%b>: Relay access denied; from=<" % _ADDRESS
)
_LOG_IN = re.compile(rb"([^\x00-\x20<>@,\"\x7f]{1,64})@([^\x00-\x20<>@,\"\x7f]{1,255})(?:>(?:,|\Z)|, ip=\[)")
_DENIED = b"Relay access denied"
_NO_QUEUE = b"NOQUEUE"


class Arrival(NamedTuple):
    """A message began to come in by SMTP. Events are tuples, since they are made by the hundred thousand."""

    queue_id: bytes
    address: bytes
    """The client's; ``unknown`` where Postfix could not tell."""
    is_authenticated: bool
    handed_as: bytes | None
    """The queue id under which a content filter was handed the message, where it told."""
    original: bytes | None
    """The address from which a content filter had the message, where it told."""


class Inside(NamedTuple):
    """A message that may have been made on this machine has a queue id."""

    queue_id: bytes
    is_certain: bool
    """By pickup; else only its message-id was logged, which tells where no client was logged before."""


class Delivery(NamedTuple):
    """A recipient's copy was accepted by what it was handed to."""

    queue_id: bytes
    to: bytes
    original: bytes | None
    """The recipient before aliases."""
    is_remote: bool
    """Handed over by SMTP or LMTP, to what ``address`` tells."""
    address: bytes | None
    """The other side's address, or the path of its socket."""
    queued_as: bytes | None


class Removal(NamedTuple):
    """A message left the queue."""

    queue_id: bytes


class Refusal(NamedTuple):
    """A recipient was refused because their domain is not local and the client may not relay."""

    name: bytes
    """The client's checked name, or ``unknown``."""
    address: bytes
    recipient: bytes


class LogIn(NamedTuple):
    """Somebody logged in to a mailbox by IMAP or POP3."""

    local_part: bytes
    domain: bytes


class Odd(NamedTuple):
    """A line that should have told something and could not be trusted."""

    queue_id: bytes | None = None
    """The message whose client it would have told."""


_new = tuple.__new__
"""Makes an event in half the time that its own class takes: lines come by the million."""

Event = Arrival | Inside | Delivery | Removal | Refusal | LogIn | Odd


HEAD = re.compile(
    # Possessive, so that a line of no interest is left at once: what follows is none of what is repeated.
    rb":([0-5][0-9]|60)[^ ]*+ [^ ]++ (?:"
    rb"postfix[^ \[\]]*/(smtpd|pickup|cleanup|qmgr|pipe|virtual|local|lmtp|smtp)\[[0-9]++\]: ([0-9A-Za-z]{5,24}+): "
    rb"(client=|uid=|message-id=|removed\Z|to=<|reject: RCPT from )"
    rb"|dovecot(?:\[[0-9]+\])?: (?:imap|pop3)-login: (?:Info: )?(?:Login|Logged in): user=<"
    rb"|(?:courier-)?(?:imap|pop3)(?:d|s|d-ssl)(?:\[[0-9]+\])?: (?:INFO: )?LOGIN, user=)"
)
"""Matches, behind the minute, the lines that may be of interest; what it found is for `event`."""


def event(head: re.Match[bytes], line: bytes) -> tuple[int, Event] | None:
    """Return what a line tells and the second of its minute, or None for one of no interest.

    Args:
        head: what `HEAD` found in it.
        line: without its newline.
    """
    second, program, queue_id, word = head.groups()
    if program is None:
        return int(second), _log_in(line, head.end())
    read = _READERS.get((program, word))
    told = None if read is None else read(queue_id, line, head.end())
    return None if told is None else (int(second), told)


def _arrival(queue_id: bytes, line: bytes, at: int) -> Event | None:
    if queue_id == _NO_QUEUE:
        return None
    found = _CLIENT.match(line, at)
    if found is None:
        return Odd(queue_id)
    address, login, handed_as, original = found.groups()
    return _new(Arrival, (queue_id, address, login is not None, handed_as, original))


def _pickup(queue_id: bytes, line: bytes, at: int) -> Event:
    del line, at
    return Inside(queue_id, is_certain=True)


def _cleanup(queue_id: bytes, line: bytes, at: int) -> Event:
    del line, at
    return _new(Inside, (queue_id, False))


def _removal(queue_id: bytes, line: bytes, at: int) -> Event:
    del line, at
    return _new(Removal, (queue_id,))


def _delivery(queue_id: bytes, line: bytes, at: int) -> Event | None:
    return _delivered(queue_id, line, at, is_remote=False)


def _handover(queue_id: bytes, line: bytes, at: int) -> Event | None:
    return _delivered(queue_id, line, at, is_remote=True)


def _delivered(queue_id: bytes, line: bytes, at: int, *, is_remote: bool) -> Event | None:
    if b", status=sent (" not in line:
        return None
    found = _DELIVERY.match(line, at)
    # A forged field stands before the true one, so that the true one stands after what was matched.
    if found is None or line.find(b", relay=", found.end()) >= 0:
        return Odd()
    to, original, _, address = found.groups()
    handed = _QUEUED_AS.search(line, found.end()) if is_remote else None
    queued_as = None if handed is None else handed.group(1)
    return _new(Delivery, (queue_id, to, original, is_remote, address, queued_as))


def _refusal(queue_id: bytes, line: bytes, at: int) -> Event | None:
    del queue_id
    if _DENIED not in line:
        return None
    found = _REFUSAL.match(line, at)
    if found is None or line.count(_DENIED) != 1:
        return Odd()
    return Refusal(*found.groups())


def _log_in(line: bytes, at: int) -> Event:
    found = _LOG_IN.match(line, at)
    return Odd() if found is None else _new(LogIn, found.groups())


_READERS: dict[tuple[bytes, bytes], Callable[[bytes, bytes, int], Event | None]] = {
    (b"smtpd", b"client="): _arrival,
    (b"smtpd", b"reject: RCPT from "): _refusal,
    (b"pickup", b"uid="): _pickup,
    (b"cleanup", b"message-id="): _cleanup,
    (b"qmgr", b"removed"): _removal,
    (b"pipe", b"to=<"): _delivery,
    (b"virtual", b"to=<"): _delivery,
    (b"local", b"to=<"): _delivery,
    (b"lmtp", b"to=<"): _handover,
    (b"smtp", b"to=<"): _handover,
}
