"""How this program shows a panel who it is.

Facts:

- A secret key goes in ``KEY``, a login in ``HTTP_AUTH_LOGIN`` and ``HTTP_AUTH_PASSWD`` (plesk.md section 1.1).
- A key has the rights of the user it was made for; the administrator's is needed (plesk.md section 8, item 13).
"""

from __future__ import annotations

from dataclasses import dataclass

from mailswitch.core.errors import ConfigError
from mailswitch.plesk.secret import Secret

__all__ = ["Credentials", "Key", "Login", "authentication_headers"]


@dataclass(frozen=True, slots=True)
class Key:
    """A secret key of the panel."""

    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An administrator's login."""

    name: str
    password: Secret


Credentials = Key | Login


def authentication_headers(credentials: Credentials) -> dict[str, bytes]:
    """Return the headers that log in.

    Raises:
        ConfigError: a value is empty, or has in it what would end the header and begin another.
    """
    match credentials:
        case Key(secret):
            return {"KEY": _header("the secret key", secret.reveal())}
        case Login(name=name, password=password):
            return {
                "HTTP_AUTH_LOGIN": _header("the login", name),
                "HTTP_AUTH_PASSWD": _header("the password", password.reveal()),
            }


def _header(what: str, value: str) -> bytes:
    if not value or value != value.strip() or any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ConfigError(
            f"{what} is empty, or has a line break, control character or blank around it: look at its file"
        )
    return value.encode()  # bytes: requests would encode text as Latin-1, which a password need not be
