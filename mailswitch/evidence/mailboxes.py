"""A domain's mailboxes as Plesk lays them out: Maildir++ below one directory, read one entry at a time.

Facts:

- A mailbox is ``ROOT/DOMAIN/USER/Maildir``; ROOT is ``/var/qmail/mailnames`` (plesk.md section 5), and all of it is the
  user ``popuser``'s.
- Mail arrives in ``new``; whoever looks moves it to ``cur`` (cr.yp.to/proto/maildir.html), so ``cur`` changes only when
  somebody uses the mailbox.
"""

from __future__ import annotations

import os
import pwd
import stat
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from mailswitch.core.errors import MailError
from mailswitch.core.names import DomainName
from mailswitch.evidence.directories import Directory, NotFollowed, kind_refused
from mailswitch.evidence.folders import Role, role_of
from mailswitch.evidence.message_files import MessageName, arrival_of, opened_content, parsed_name

__all__ = ["Arrival", "Folder", "Mailbox", "MailboxSettings", "Mailboxes"]

_PLESKS_USER = "popuser"
_MAILDIR = "Maildir"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSettings:
    """Where mailboxes are."""

    root: Path = Path("/var/qmail/mailnames")
    owner: str | None = None
    """The user all of it belongs to; None stands for ``popuser`` where there is one, else for the owner of ``root``."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message's file as it was met; it may be gone a moment later."""

    entry: str
    name: MessageName
    at: datetime
    octets: int
    is_unread: bool
    where: Directory


class Folder:
    """One folder of a mailbox while it is open."""

    def __init__(self, name: str, role: Role, new: Directory | None, cur: Directory | None) -> None:
        """Take the two directories of a folder; one that is not there is None."""
        self.name = name
        """As its directory is called; empty for the inbox."""
        self.role = role
        self._new = new
        self._cur = cur

    @property
    def used(self) -> int:
        """Changes whenever somebody uses the folder: marks, moves, fetches or deletes."""
        return 0 if self._cur is None else self._cur.changed

    def arrivals(self, since: datetime, skipped: Counter[str]) -> Iterator[Arrival]:
        """Yield what arrived since a moment, in no order; what is not followed is counted by its reason."""
        for where in (self._new, self._cur):
            if where is None:
                continue
            for entry in where.entries():
                if entry.name.startswith("."):
                    continue
                name = parsed_name(entry.name)
                if name.is_abandoned_by_owner or (name.epoch is not None and 0 < name.epoch < since.timestamp()):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # moved from new to cur, where it is met again, or deleted
                reason = kind_refused(status, where.owner)
                if reason is not None:
                    skipped[reason] += 1
                    continue
                at = arrival_of(name, status.st_mtime, time.time())
                if at >= since.timestamp():
                    yield Arrival(
                        entry=entry.name,
                        name=name,
                        at=datetime.fromtimestamp(at, UTC),
                        octets=status.st_size if name.octets is None else name.octets,
                        is_unread=where is self._new or "S" not in name.flags,
                        where=where,
                    )

    @contextmanager
    def opened(self, arrival: Arrival) -> Iterator[BinaryIO]:
        """Open the content of a message that was met a moment ago, under the name that it has by now.

        Raises:
            FileNotFoundError: it is gone.
            NotFollowed: it is no plain file any more, or none that can be read without Dovecot.
            OSError: it cannot be opened.
        """
        with ExitStack() as stack:
            try:
                stream, _ = stack.enter_context(arrival.where.opened(arrival.entry))
            except FileNotFoundError:
                where, entry = self._renamed(arrival)
                stream, _ = stack.enter_context(where.opened(entry))
            try:
                content = opened_content(stream)
            except ValueError as error:
                raise NotFollowed(f"message {error}") from error
            yield content

    def _renamed(self, arrival: Arrival) -> tuple[Directory, str]:
        """Return where a message is by now: somebody looked at it, or marked it."""
        if self._cur is not None:
            for entry in self._cur.entries():
                if entry.name.startswith(arrival.name.base) and parsed_name(entry.name).base == arrival.name.base:
                    return self._cur, entry.name
        raise FileNotFoundError(arrival.entry)


class Mailbox:
    """One mailbox while it is open."""

    def __init__(self, name: str, maildir: Directory | None, skipped: Counter[str]) -> None:
        """Take its Maildir; None where it may not be looked into, and ``skipped`` says why."""
        self.name = name
        """The address's local part, as its directory is called."""
        self.skipped = skipped
        self._maildir = maildir

    def folders(self, roles: Collection[Role]) -> Iterator[Folder]:
        """Yield the folders that are for one of these, the inbox first; each is closed when the next one comes."""
        if self._maildir is None:
            return
        if Role.ARRIVED in roles:
            with _folder("", Role.ARRIVED, self._maildir, self.skipped) as inbox:
                yield inbox
        names = sorted(one.name for one in self._maildir.entries() if one.name.startswith("."))
        for name in names:
            role = role_of(name)
            below = _below(self._maildir, name, self.skipped) if role in roles else None
            if below is not None:
                with below, _folder(name, role, below, self.skipped) as folder:
                    yield folder


class Mailboxes:
    """The mailboxes of the server this program runs on."""

    def __init__(self, settings: MailboxSettings) -> None:
        """Open nothing yet."""
        self._settings = settings

    def of(self, domain: DomainName, *, only: Collection[str] = ()) -> Iterator[Mailbox]:
        """Yield a domain's mailboxes by name; each is closed when the next one comes. None where it has no directory.

        Args:
            domain: an alias has no mailboxes of its own.
            only: local parts; empty for all of them.

        Raises:
            MailError: they cannot be looked into.
        """
        if not domain.is_host_name:
            return  # never a path
        with self._opened(domain) as directory:
            if directory is None:
                return
            names = sorted(one.name for one in directory.entries() if not only or one.name in only)
            for name in names:
                with _mailbox(directory, name) as mailbox:
                    if mailbox is not None:
                        yield mailbox

    @contextmanager
    def _opened(self, domain: DomainName) -> Iterator[Directory | None]:
        root = self._settings.root
        try:
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise MailError(
                f"cannot look into the mailboxes in {str(root)!r}: {error.strerror}; run this as root on the server "
                "that has them, or name their place with mailboxes.path"
            ) from error
        with Directory(descriptor, 0) as opened:
            opened.owner = self._owner(os.fstat(descriptor).st_uid)
            try:
                directory = opened.below(domain.text)
            except FileNotFoundError:
                yield None
                return
            except NotFollowed as error:
                raise MailError(f"cannot look into the mailboxes of {domain}: {error} at {str(root)!r}") from error
            except OSError as error:
                raise MailError(
                    f"cannot look into the mailboxes of {domain}: {error.strerror}; run this as root"
                ) from error
            with directory:
                yield directory

    def _owner(self, of_root: int) -> int:
        """Return the user whose mailboxes these are."""
        wanted = self._settings.owner
        try:
            return pwd.getpwnam(wanted or _PLESKS_USER).pw_uid
        except KeyError as error:
            if wanted is None:
                return of_root
            raise MailError(f"there is no user {wanted!r} here: see mailboxes.owner") from error


def _below(directory: Directory, name: str, skipped: Counter[str]) -> Directory | None:
    try:
        return directory.below(name)
    except FileNotFoundError:
        return None
    except NotFollowed as error:
        skipped[str(error)] += 1
    except OSError as error:
        skipped[f"unreadable directory ({error.strerror})"] += 1
    return None


@contextmanager
def _mailbox(directory: Directory, name: str) -> Iterator[Mailbox | None]:
    """Open a mailbox; None for a file beside the mailboxes, and for one that never had mail."""
    skipped: Counter[str] = Counter()
    with ExitStack() as stack:
        maildir = None
        if not _is_file(directory, name):
            below = _below(directory, name, skipped)
            if below is not None:
                maildir = _below(stack.enter_context(below), _MAILDIR, skipped)
        if maildir is not None:
            stack.enter_context(maildir)
        yield Mailbox(name, maildir, skipped) if maildir is not None or skipped else None


def _is_file(directory: Directory, name: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False).st_mode)
    except OSError:
        return False


@contextmanager
def _folder(name: str, role: Role, directory: Directory, skipped: Counter[str]) -> Iterator[Folder]:
    with ExitStack() as stack:
        new, cur = (
            None if part is None else stack.enter_context(part)
            for part in (_below(directory, "new", skipped), _below(directory, "cur", skipped))
        )
        yield Folder(name, role, new, cur)
