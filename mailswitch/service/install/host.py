"""The machine that is installed on: its programs, its files and its users, all below one root directory."""

from __future__ import annotations

import grp
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mailswitch.core.errors import InstallError

__all__ = ["Host", "Ran"]

_SECONDS = 180.0
"""How long one program may take; starting the service includes waiting for it to be ready."""
_MOST_SAID = 500
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a program ended. What it printed stays out of the repr: it may be a key."""

    code: int
    out: str
    err: str

    def __repr__(self) -> str:
        return f"Ran(code={self.code})"


def _run(words: tuple[str, ...]) -> Ran:
    done = subprocess.run(
        words,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        env=_ENVIRONMENT,
        timeout=_SECONDS,
        check=False,
    )
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine to install on. The fields are the seams at which tests put another one."""

    fingerprint: Callable[[str, int], str]
    """Returns the SHA-256 fingerprint of the certificate presented at a host and port."""
    root: Path = Path("/")
    execute: Callable[[tuple[str, ...]], Ran] = _run

    def path(self, absolute: str) -> Path:
        """Return where an absolute path of this machine is."""
        return self.root / absolute.lstrip("/")

    def run(self, *words: str) -> Ran:
        """Run a program to its end, whatever that is.

        Raises:
            InstallError: it could not be started, or took too long.
        """
        try:
            return self.execute(words)
        except subprocess.TimeoutExpired as error:
            raise InstallError(f"{_shown(words)} did not end within {_SECONDS:g} s") from error
        except (OSError, ValueError) as error:
            raise InstallError(f"{_shown(words)} could not be started: {error}") from error

    def must_run(self, *words: str, is_telling: bool = True) -> str:
        """Run a program that has to succeed, and return what it printed.

        With ``is_telling`` false nothing it printed is repeated, because that may be a secret.

        Raises:
            InstallError: it failed, could not be started, or took too long.
        """
        ran = self.run(*words)
        if ran.code != 0:
            said = " ".join(f"{ran.err} {ran.out}".split())[-_MOST_SAID:] if is_telling else ""
            raise InstallError(
                f"{_shown(words)} ended with exit code {ran.code}" + (f" and said: {said}" if said else "")
            )
        return ran.out

    def has(self, *words: str) -> bool:
        """Whether a program can be run and succeeds."""
        with suppress(InstallError):
            return self.run(*words).code == 0
        return False

    def group(self, name: str) -> int | None:
        """Return the number of a group; None without one."""
        if self.root == Path("/"):
            try:
                return grp.getgrnam(name).gr_gid
            except KeyError:
                return None
        with suppress(OSError):
            for line in self.path("/etc/group").read_text(encoding="utf-8").splitlines():
                parts = line.split(":")
                if parts[0] == name:
                    return int(parts[2])
        return None

    def make_directory(self, path: Path, *, mode: int, gid: int) -> None:
        """Make a directory of root's for a group; one that is there is put right.

        Raises:
            InstallError: it cannot be made, or something else is there.
        """
        try:
            path.mkdir(mode=mode, parents=True, exist_ok=True)
            os.chown(path, os.geteuid(), gid, follow_symlinks=False)
            path.chmod(mode)
        except OSError as error:
            raise InstallError(f"{path} could not be made: {error.strerror}") from error

    def write(self, path: Path, text: str, *, mode: int, gid: int = 0) -> None:
        """Write a file of root's as a whole or not at all; a symbolic link in its place is replaced, not followed.

        Raises:
            InstallError: it cannot be written.
        """
        new = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, not a path
                os.fchown(descriptor, os.geteuid(), gid)
                os.fchmod(descriptor, mode)
                stream.write(text)
                stream.flush()
                os.fsync(descriptor)
            new.replace(path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise InstallError(f"{path} could not be written: {error.strerror}") from error

    def read(self, path: Path) -> str | None:
        """Return a file's text, None without one.

        Raises:
            InstallError: it cannot be read.
        """
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise InstallError(f"{path} could not be read: {error}") from error

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error.

        Raises:
            InstallError: it cannot be removed.
        """
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise InstallError(f"{path} could not be removed: {error.strerror}") from error

    def remove_if_empty(self, directory: Path) -> None:
        """Remove a directory unless something is in it; what somebody else put there stays."""
        with suppress(OSError):
            directory.rmdir()


def _shown(words: tuple[str, ...]) -> str:
    """Return a command for messages; a key among its words (``--delete KEY``) is left out."""
    safe = [
        "***" if before == "--delete" and "secret_key" in words else word
        for before, word in zip(("", *words), words, strict=False)
    ]
    return f"'{' '.join(safe)}'"
