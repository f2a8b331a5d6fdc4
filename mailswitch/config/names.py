"""Domain names and patterns as people type them: U-labels become A-labels (IDNA 2008, RFC 5891, UTS #46).

Facts:

- What is compared and stored are A-labels (RFC 5890 §2.3.2.1); Plesk's ascii name is a domain's identity.
- People type capitals, full-width letters and ideographic full stops; UTS #46 §4 maps those, and without its
  transitional processing ``ß`` stays what it is (RFC 5894 §7.2).
- A name that is ASCII already is taken as it is: Plesk hosts names with underscores and A-labels older than IDNA 2008,
  and an administrator has to be able to name them.
"""

from __future__ import annotations

import idna

from mailswitch.config.messages import shorten
from mailswitch.core.errors import InvalidName
from mailswitch.core.names import DomainName, NamePattern

__all__ = ["display_name", "parse_name", "parse_pattern", "shown_name"]

_LONGEST = 1020
"""Characters looked at: the longest name has 253, four times that when each is escaped."""


def parse_name(text: str) -> DomainName:
    """Return the name a person typed.

    Raises:
        InvalidName: it is no domain name, with the reason.
    """
    return DomainName(_ascii(text))


def parse_pattern(text: str) -> NamePattern:
    """Return the name or pattern a person typed: ``example.jp``, ``*.example.jp``, ``mx*.example.jp``.

    Raises:
        InvalidName: it is no pattern, with the reason.
    """
    return NamePattern(_ascii(text))


def display_name(name: DomainName) -> str:
    """Return a name with U-labels where its A-labels are valid (RFC 5890 §2.3.2.1)."""
    return ".".join(_u_label(label) for label in name.labels)


def shown_name(name: DomainName) -> str:
    """Return a name for people: with its U-labels, and as A-labels too where that differs."""
    displayed = display_name(name)
    return name.text if displayed == name.text else f"{displayed} ({name})"


def _u_label(label: str) -> str:
    try:
        return idna.ulabel(label) if label.startswith("xn--") else label
    except (idna.IDNAError, UnicodeError):
        return label


def _ascii(typed: str) -> str:
    text = typed.strip()
    if len(text) > _LONGEST:
        raise InvalidName(f"{shorten(text)} is not a domain name: it is longer than 253 characters")
    if text.isascii():
        if any(not "!" <= character <= "~" for character in text):
            raise InvalidName(f"{shorten(text)} is not a domain name: it holds a space or a control character")
        return text
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        return ".".join(_a_label(label) for label in mapped.split("."))
    except (idna.IDNAError, UnicodeError) as error:
        reason = shorten(str(error), 160, quote="")
        raise InvalidName(f"{shorten(text)} is not a domain name (IDNA 2008): {reason}") from error


def _a_label(label: str) -> str:
    return label if label.isascii() else idna.alabel(label).decode("ascii")
