"""Root beside an unprivileged daemon: a command takes on the user the ledger belongs to before it opens the ledger.

Facts:

- The daemon's user owns the ledger's directory. Were the daemon broken into, it could plant symbolic links there; root
  would follow them, and what root makes there the daemon could not write.
- Files are opened as the *effective* user. Who may signal or trace a process is decided by its *real and saved* users
  (kill(2), ptrace(2)), so a process that keeps root as its real user is out of the daemon's reach.
- ``plesk`` works as root only. A command for a local panel keeps root as its real user, and
  `mailswitch.plesk.processes` gives it back to the ``plesk`` it starts and to nothing else.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mailswitch.core.errors import LedgerError

__all__ = ["Account", "as_caller", "keeper_of", "step_down"]

_MOST_LINKS = 40
_PROGRAM = (Path(__file__), Path(os.__file__))
"""A file of the program and one of Python: whoever reads these can import the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user as the kernel knows it."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @classmethod
    def of(cls, uid: int, *, gid: int) -> Account:
        """Return the account of a user with all of its groups; one that has no name gets the group ``gid`` alone."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return cls(uid=uid, gid=gid, groups=(gid,))
        return cls(uid=uid, gid=entry.pw_gid, groups=tuple(os.getgrouplist(entry.pw_name, entry.pw_gid)))

    def __str__(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


def keeper_of(path: Path) -> Account | None:
    """Return who beside root decides what ``path`` leads to: the first owner on the way who is not root.

    None when all that exists of the way is root's.

    Raises:
        LedgerError: others than an owner can put files there, so nobody's word counts.
    """
    shown = str(path)
    place, links = Path("/"), 0
    pending = list(reversed(_absolute(path).parts[1:]))
    while pending:
        part = pending.pop()
        place = place.parent if part == ".." else place / part
        try:
            state = place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise LedgerError(f"cannot open the ledger {shown!r}: {place}: {error.strerror}") from error
        if state.st_uid != 0:
            return Account.of(state.st_uid, gid=state.st_gid)
        if stat.S_ISLNK(state.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise LedgerError(f"cannot open the ledger {shown!r}: too many symbolic links; name another path")
            target = place.readlink()
            place = Path("/") if target.is_absolute() else place.parent
            pending += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        elif stat.S_ISDIR(state.st_mode):
            _refuse_shared(place, state, shown, is_last=len(pending) == 1)
    return None


def step_down(path: Path, *, is_coming_back: bool, program: tuple[Path, ...] = _PROGRAM) -> Account | None:
    """As root, take on the user whom the ledger at ``path`` belongs to, and return it; otherwise do nothing.

    With ``is_coming_back`` root stays the real user: for `as_caller`, and for the ``plesk`` of a local panel. Without,
    there is no way back. To be called before there are secrets to open or threads to surprise.

    Raises:
        LedgerError: nobody can be made out who should own the ledger, or that user cannot read the program.
    """
    if os.geteuid() != 0:
        return None
    keeper = keeper_of(path)
    if keeper is None:
        return None
    # For the record: who asked is root, whatever user asks the ledger.
    with suppress(KeyError):
        os.environ.setdefault("LOGNAME", pwd.getpwuid(os.getuid()).pw_name)
    os.setgroups(keeper.groups)
    if is_coming_back:
        os.setegid(keeper.gid)
        os.seteuid(keeper.uid)
    else:
        os.setresgid(keeper.gid, keeper.gid, keeper.gid)
        os.setresuid(keeper.uid, keeper.uid, keeper.uid)
    hidden = [file for file in program if not os.access(file, os.R_OK, effective_ids=True)]
    if hidden:
        raise LedgerError(
            f"cannot open the ledger {str(path)!r}: it belongs to {keeper}, who cannot read the program in "
            f"{str(hidden[0].parent)!r}; install mailswitch and its Python where every user can read them, such as "
            "/opt/mailswitch"
        )
    return keeper


@contextmanager
def as_caller() -> Iterator[None]:
    """Be the user again who started the command, for a file that user named; nothing changes where nobody stepped down.

    For the end of a command only: it holds for all of the process's threads.
    """
    former = Account(uid=os.geteuid(), gid=os.getegid(), groups=tuple(os.getgroups()))
    if os.getuid() == former.uid:
        yield
        return
    os.seteuid(os.getuid())
    os.setegid(os.getgid())
    with suppress(PermissionError):
        os.setgroups(_groups_of_caller())
    try:
        yield
    finally:
        os.setgroups(former.groups)
        os.setegid(former.gid)
        os.seteuid(former.uid)


def _absolute(path: Path) -> Path:
    """Return a path from the root on, with its links and dots as they are written."""
    if path.is_absolute():
        return path
    try:
        return Path.cwd() / path
    except OSError as error:
        raise LedgerError(
            f"cannot open the ledger {str(path)!r}: the working directory is gone; name it in full"
        ) from error


def _groups_of_caller() -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(os.getuid()).pw_name, os.getgid())
    except KeyError:
        return [os.getgid()]


def _refuse_shared(place: Path, state: os.stat_result, shown: str, *, is_last: bool) -> None:
    """Refuse a directory of root's in which others may put what they like.

    In a sticky one, such as /tmp, nobody can replace what is another's, so it may lie on the way, but hold no ledger.
    """
    is_shared = state.st_mode & stat.S_IWOTH or (state.st_mode & stat.S_IWGRP and state.st_gid != 0)
    if not is_shared or (state.st_mode & stat.S_ISVTX and not is_last):
        return
    who = "everybody" if state.st_mode & stat.S_IWOTH else f"the group {_group_name(state.st_gid)}"
    raise LedgerError(
        f"cannot open the ledger {shown!r} as root: {who} may write to {str(place)!r}, and could lead root astray; "
        f"take that right away with chmod go-w, or give the directory to the user who runs mailswitch"
    )


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
