"""What can go wrong with a panel, before it is known whether a read or a write failed.

Facts:

- ``errtext`` comes in the panel's own language: only ``errcode`` says what happened (plesk.md section 1.2).
- 1001, 1010-1012, 1029 and 11003 mean that the login or key is not accepted, 1006 that it has too few rights.
- 1003, 1004 and 1008 pass by themselves; 1023 is "operation failed" and worth another try (plesk.md section 1.2).
- 1013 and 1015 mean that the object, or its owner, does not exist.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

__all__ = ["Fault", "PanelFailure", "cleaned"]

_MAX_QUOTE = 160

_AUTHENTICATION = frozenset({1001, 1006, 1010, 1011, 1012, 1029, 11003})
_UNAVAILABLE = frozenset({1003, 1004, 1008, 1023})
_GONE = frozenset({1013, 1015})
_NOT_UNDERSTOOD = frozenset({1005, 1014, 1017, 1019})

_ADVICE = {
    1001: "check the login and its password, or use a secret key",
    1003: "Plesk's agent did not start; look at the panel's own log",
    1004: "finish the panel's initial setup",
    1006: "the key or login has to be the administrator's",
    1010: "this address may not use the API; look at [api] allowedIPs in panel.ini",
    1011: "the account is disabled; enable it in Plesk",
    1012: "the login is locked; wait, or unlock it in Plesk",
    1026: "the server has no mail service installed",
    1030: "the panel's licence has expired; renew it",
    1031: "the server's mail service is not set up",
    11003: "the key is wrong, or bound to another address than the one this program connects from",
}


class PanelFailure(Exception):
    """A call to a panel failed.

    ``code`` is the stable word of InventoryError and ApplyError; ``is_passing`` says that the same read may succeed
    in a moment; ``is_sent`` that the panel may have got the request and done it.
    """

    def __init__(self, text: str, *, code: str, is_passing: bool = False, is_sent: bool = True) -> None:
        """Keep what happened in words, its code and what may be concluded."""
        super().__init__(text)
        self.text = text
        self.code = code
        self.is_passing = is_passing
        self.is_sent = is_sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error that a panel itself reported."""

    errcode: int | None
    """None when the panel gave none, or one that is no number."""
    text: str
    """The panel's own words, cleaned and shortened; for people only."""

    @property
    def code(self) -> str:
        """The stable word for reports."""
        if self.errcode in _AUTHENTICATION:
            return "authentication"
        if self.errcode in _UNAVAILABLE:
            return "unavailable"
        if self.errcode in _GONE:
            return "gone"
        if self.errcode in _NOT_UNDERSTOOD:
            return "not-understood"
        return "licence" if self.errcode == 1030 else "refused"

    @property
    def is_gone(self) -> bool:
        """Whether the panel says that there is no such object."""
        return self.errcode in _GONE

    @property
    def is_general(self) -> bool:
        """Whether it is about the caller or the whole panel, whatever the request was."""
        return self.code in {"authentication", "licence"}

    def __str__(self) -> str:
        """Return the error as one clause, with what to do about it where that is known."""
        number = "an error without a number" if self.errcode is None else f"error {self.errcode}"
        quote = f" ({self.text!r})" if self.text else ""
        advice = _ADVICE.get(self.errcode or 0)
        return f"{number}{quote}" + (f": {advice}" if advice else "")

    def failure(self, attempt: str) -> PanelFailure:
        """Return the failure of ``attempt``."""
        return PanelFailure(
            f"{attempt}: the panel answered {self}", code=self.code, is_passing=self.code == "unavailable"
        )


def cleaned(text: str, limit: int = _MAX_QUOTE) -> str:
    """Return foreign text on one line without control or direction characters, at most ``limit`` characters long."""
    kept = text[: limit * 8]  # bounds the work on a page-long answer before the walk over it
    # Cc, Cf, Cs, Co, Cn: escape sequences, bidirectional marks, surrogates; Zl and Zp break lines.
    safe = "".join(
        " " if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in {"Zl", "Zp"} else c for c in kept
    )
    line = " ".join(safe.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
