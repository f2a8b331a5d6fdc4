"""Which names a Plesk event is about, from the environment of its handler (plesk.md section 6).

Facts:

- Plesk tells a handler what was and what is in pairs of variables, ``OLD_…`` and ``NEW_…``: ``NEW_DOMAIN_NAME``,
  ``NEW_DOMAIN_ALIAS_NAME``; names may be Unicode.
- Which variables an event has differs from version to version, so every one that can hold a name is read, and what is
  no name is passed over: a handler has nobody to complain to, and the next sweep sees everything anyway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailswitch.config.names import parse_name
from mailswitch.core.errors import InvalidName
from mailswitch.core.names import DomainName

__all__ = ["names_of_event"]

_VARIABLE = re.compile(r"(?:NEW|OLD)_(?:[A-Z]+_)*(?:DOMAIN|SITE|SUBDOMAIN|ALIAS)(?:_[A-Z]+)*_NAME")
_MOST_NAMES = 20


def names_of_event(environ: Mapping[str, str]) -> tuple[DomainName, ...]:
    """Return the names an event is about, what is before what was; none where the environment tells none."""
    found: list[DomainName] = []
    for variable in sorted(environ):
        text = environ[variable].strip()
        if _VARIABLE.fullmatch(variable) is None or "." not in text:
            continue
        try:
            name = parse_name(text)
        except InvalidName:
            continue
        if name.is_host_name:
            found.append(name)
    return tuple(dict.fromkeys(found))[:_MOST_NAMES]
