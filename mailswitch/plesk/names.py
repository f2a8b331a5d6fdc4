"""Panel names as domain names, and domain names as people read them.

Facts:

- A name's identity is Plesk's ``ascii-name``; ``name`` is text for people in any spelling (design.md section 6).
- IDNA 2008 with the UTS 46 mapping turns U-labels into A-labels (RFC 5891 §4, UTS 46 section 4).
- A wildcard subdomain may be stored as ``*.example.org`` (plesk.md section 8, item 7).
"""

from __future__ import annotations

import idna

from mailswitch.core.errors import InvalidName
from mailswitch.core.names import DomainName

__all__ = ["display_name", "panel_name"]

_MAX_TEXT = 1000
"""Four characters for each of a name's 253 octets: mapping a longer text costs time and can give no name."""


def panel_name(ascii_name: str | None, name: str | None) -> DomainName:
    """Return the identity of what a panel calls ``ascii_name``, or only ``name``.

    Raises:
        InvalidName: neither text can be understood as a domain name; never the root.
    """
    text = (ascii_name or "").strip() or (name or "").strip()
    if len(text) > _MAX_TEXT:
        raise InvalidName(f"{text[:80]!r}… is too long for a domain name")
    try:
        found = DomainName(text if text.isascii() else idna.encode(text, uts46=True).decode("ascii"))
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidName(f"{text[:80]!r} has no A-label form") from error
    if found.is_root:
        raise InvalidName("the root is nobody's domain")
    return found


def display_name(name: DomainName) -> str:
    """Return ``name`` with U-labels; a label that is no valid A-label stays as it is."""
    return ".".join(map(_shown, name.labels)) if "xn--" in name.text else name.text


def _shown(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except (idna.IDNAError, UnicodeError):
        return label
