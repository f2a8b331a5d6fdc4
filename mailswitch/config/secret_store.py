"""Keys and passwords: read once when the configuration is loaded, from files, the environment or systemd credentials.

Facts:

- systemd puts credentials into files below ``$CREDENTIALS_DIRECTORY`` (systemd.exec(5), ``LoadCredential=``).
  A secret file is looked for there first, by the last part of its path: a unit can take it over from a place that the
  service cannot read, and the configuration stays the same for root and for the service.
- A secret that everybody on the machine may read, or replace, is none: the mode's last octal digit has to be 0.
- The value travels in an HTTP header, so a line break inside it would be another header.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OTHERS", "SECRET_KEYS", "SecretFault", "certificate_fault", "masked", "resolve"]

SECRET_KEYS = (
    "secret_key_file",
    "secret_key_env",
    "secret_key_credential",
    "password_file",
    "password_env",
    "password_credential",
)
"""The keys of a server that say where its secret is."""

_LARGEST = 4_096
_LARGEST_CA = 4_000_000
OTHERS = 0o007
"""The permissions that users have who are neither a file's owner nor in its group."""
_USER_PASSWORD = re.compile(r"(://[^/?#:@]*):[^/?#]*@")
_QUERY_SECRET = re.compile(r"([?&][^=&]*(?:password|passwd|secret|token)[^=&]*=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SecretFault(Exception):
    """A secret cannot be used; the reason names its place, never the secret."""

    reason: str


def resolve(key: str, value: str, *, base: Path, environ: Mapping[str, str]) -> str:
    """Return the secret that ``key: value`` points to.

    Args:
        key: one of `SECRET_KEYS`.
        value: a path, the name of a variable, or the name of a credential.
        base: the directory from which relative paths count.
        environ: the environment.

    Raises:
        SecretFault: it is missing, empty, open to others, no regular file, or no single line of text.
    """
    if key.endswith("_env"):
        if value not in environ:
            raise SecretFault("the environment variable named here is not set")
        return _line(environ[value], "the environment variable named here")
    if key.endswith("_credential"):
        directory = environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise SecretFault(
                "the systemd credential named here cannot be read: CREDENTIALS_DIRECTORY is not set "
                "(the service needs LoadCredential=)"
            )
        if "/" in value or value.startswith("."):
            raise SecretFault("a credential has a name, not a path")
        return _secret_file(Path(directory) / value, shown="the systemd credential named here")
    path = base / value
    credential = _credential(path.name, environ)
    if credential is not None:
        return _secret_file(credential, shown=f"the systemd credential {path.name}")
    # A word that is no path may be the secret itself, written where its place belongs.
    return _secret_file(path, shown=f"the file {path}" if "/" in value or _is_there(path) else "the file named here")


def certificate_fault(path: Path) -> str | None:
    """Return why ``path`` cannot serve as a file of certificate authorities, or None."""
    try:
        text = _content(path, limit=_LARGEST_CA, shown=f"the file {path}")[0]
    except SecretFault as fault:
        return fault.reason
    if b"-----BEGIN CERTIFICATE-----" not in text and b"-----BEGIN TRUSTED CERTIFICATE-----" not in text:
        return f"the file {path} holds no PEM certificate"
    return None


def masked(url: str) -> str:
    """Return a URL with ``***`` in place of the passwords in it."""
    return _QUERY_SECRET.sub(r"\1***", _USER_PASSWORD.sub(r"\1:***@", url))


def _secret_file(path: Path, *, shown: str) -> str:
    content, mode = _content(path, limit=_LARGEST, shown=shown)
    if mode & OTHERS:
        raise SecretFault(f"{shown} is open to every user (mode {mode:04o}): take their rights away with chmod o=")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SecretFault(f"{shown} is not text") from error
    return _line(text, shown)


def _content(path: Path, *, limit: int, shown: str) -> tuple[bytes, int]:
    """Return a regular file's content and permission bits; both are of the one file that was opened."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the path holds a NUL character"
        raise SecretFault(f"{shown} cannot be read: {reason}") from error
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise SecretFault(f"{shown} is not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(handle)
    if len(content) > limit:
        raise SecretFault(f"{shown} is larger than {limit:,} bytes")
    return content, stat.S_IMODE(state.st_mode)


def _credential(name: str, environ: Mapping[str, str]) -> Path | None:
    """Return where systemd put a credential of this name, if it did."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory or not name:
        return None
    path = Path(directory) / name
    return path if _is_there(path) else None


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _line(text: str, place: str) -> str:
    secret = text.strip()
    if not secret:
        raise SecretFault(f"{place} is empty")
    if not secret.isprintable():
        raise SecretFault(f"{place} holds more than one line, or a control character")
    return secret
