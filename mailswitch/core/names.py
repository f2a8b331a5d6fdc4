r"""Domain names and name patterns as values that compare the way the DNS compares.

Facts:

- Names compare without regard to ASCII letter case, and a trailing dot says nothing (RFC 1035 §3.1, RFC 4343 §3).
- A label has 1 to 63 octets, a name at most 253 characters without its final dot (RFC 1035 §2.3.4).
- The root name is written ``.``; as an exchange it stands for "no mail" (RFC 7505 §3).
- Octets that are no printable ASCII are written ``\DDD``, specials ``\X`` (RFC 1035 §5.1).
- Internationalised names are kept as A-labels (RFC 5890 §2.3.2.1); U-labels are made where they are shown or typed,
  by the shell, because their tables are not in the standard library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from mailswitch.core.errors import InvalidName

__all__ = ["DomainName", "NamePattern", "most_specific"]

_UNIT = re.compile(r"\\(?:[01][0-9]{2}|2[0-4][0-9]|25[0-5]|[!-/:-~])|[!-\-/-\[\]-~]")
_CANONICAL = re.compile(r"[a-z0-9_*-]{1,63}(?:\.[a-z0-9_*-]{1,63})*\Z")
_PLAIN = re.compile(r"[a-z0-9_*-]+\Z")
_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")
_MAX_NAME = 253
_MAX_LABEL = 63


@total_ordering
@dataclass(frozen=True, slots=True)
class DomainName:
    """An absolute domain name in ASCII presentation form, lower case, without the final dot; the root is ``.``."""

    text: str

    def __post_init__(self) -> None:
        """Fold case and the final dot; raise InvalidName for anything that is no name."""
        if len(self.text) <= _MAX_NAME and _CANONICAL.match(self.text):
            return  # most names, by the hundred thousand: nothing to fold
        labels = _split(self.text)
        if len(labels) > 1 and not labels[-1]:
            labels = [] if labels == ["", ""] else labels[:-1]
        problem = _problem(self.text, labels)
        if problem is not None:
            raise InvalidName(f"{_quoted(self.text)} is not a domain name: {problem}")
        object.__setattr__(self, "text", ".".join(map(_canonical, labels)) or ".")

    def __str__(self) -> str:
        """Return the presentation form."""
        return self.text

    # As generated they would compare tuples of one, and a pass over many names does little else so often.
    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, DomainName) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.text < other.text if isinstance(other, DomainName) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def is_root(self) -> bool:
        """Whether this is the root name, which as an exchange means that no mail is accepted (RFC 7505 §3)."""
        return self.text == "."

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels from the left; none for the root."""
        return () if self.is_root else tuple(_split(self.text))

    @property
    def is_host_name(self) -> bool:
        """Whether every label is letters, digits and inner hyphens (RFC 1123 §2.1): no wildcard, no underscore."""
        # A dot that is escaped leaves a backslash in a part, and that is no host name's.
        return all(map(_HOST_LABEL.match, self.text.split(".")))

    def is_below(self, parent: DomainName) -> bool:
        """Whether this name is a proper descendant of ``parent``."""
        if parent.is_root:
            return not self.is_root
        return self.text.endswith("." + parent.text) and self.labels[-len(parent.labels) :] == parent.labels


@dataclass(frozen=True, slots=True, order=True)
class NamePattern:
    """A name, or a name whose labels hold ``*``.

    A leading ``*.`` stands for one or more labels, so ``*.example.jp`` does not include ``example.jp``; a ``*``
    inside a label stays inside that label (mx_providers.md, design.md section 4).
    """

    text: str

    def __post_init__(self) -> None:
        """Fold case and the final dot; raise InvalidName for anything that is no pattern."""
        object.__setattr__(self, "text", DomainName(self.text).text)

    def __str__(self) -> str:
        """Return the pattern as written in configurations."""
        return self.text

    @property
    def is_exact(self) -> bool:
        """Whether the pattern matches one name only."""
        return "*" not in self.text

    def matches(self, name: DomainName) -> bool:
        """Whether ``name`` is one of the names this pattern stands for."""
        if self.is_exact:
            return self.text == name.text
        wanted, labels = DomainName(self.text).labels, name.labels
        if wanted[0] == "*":
            rest = wanted[1:]
            if len(labels) <= len(rest):
                return False
            labels = labels[len(labels) - len(rest) :]
            wanted = rest
        return len(wanted) == len(labels) and all(map(_label_matches, wanted, labels))


def most_specific(patterns: tuple[NamePattern, ...], name: DomainName) -> NamePattern | None:
    """Return the pattern that matches ``name`` most closely, or None.

    An exact name wins over any pattern, then the longer pattern wins (mx_providers.md); equals are told apart by text,
    so the answer never depends on the order of a file.
    """
    found = [pattern for pattern in patterns if pattern.matches(name)]
    return max(found, key=lambda pattern: (pattern.is_exact, len(pattern.text), pattern.text), default=None)


def _label_matches(wanted: str, label: str) -> bool:
    """Match one label against a pattern label whose ``*`` stand for any run of characters, none included.

    Two pointers that step back to the last star: linear enough for hostile input, where a regular expression is not.
    """
    at, star, mark = 0, -1, 0
    place = 0
    while place < len(label):
        if at < len(wanted) and wanted[at] == "*":
            star, mark = at, place
            at += 1
        elif at < len(wanted) and wanted[at] == label[place]:
            at += 1
            place += 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return all(character == "*" for character in wanted[at:])


def _split(text: str) -> list[str]:
    if "\\" not in text:
        return text.split(".")
    labels, start, place = [], 0, 0
    while place < len(text):
        if text[place] == "\\":
            place += 2
        elif text[place] == ".":
            labels.append(text[start:place])
            start = place = place + 1
        else:
            place += 1
    labels.append(text[start:])
    return labels


def _quoted(text: str) -> str:
    return repr(text) if len(text) <= _MAX_NAME else f"{text[:_MAX_LABEL]!r}…"


def _problem(text: str, labels: list[str]) -> str | None:
    if not text:
        return "it is empty"
    if len(text) > _MAX_NAME * 4:
        return f"it is longer than {_MAX_NAME} characters"
    total = -1
    for label in labels:
        units = _UNIT.findall(label)
        if "".join(units) != label:
            return f"the label {_quoted(label)} holds a character that no name can have (write it as A-label)"
        if not label:
            return "a label is empty"
        if len(units) > _MAX_LABEL:
            return f"the label {_quoted(label)} is longer than {_MAX_LABEL} octets"
        total += len(units) + 1
    return f"it is longer than {_MAX_NAME} characters" if total > _MAX_NAME else None


def _canonical(label: str) -> str:
    """Write a label in the one way in which equal labels are equal texts: lower case, escaped where it must be."""
    folded = label.lower()
    return folded if _PLAIN.match(folded) else "".join(_written(_octet(unit)) for unit in _UNIT.findall(folded))


def _octet(unit: str) -> int:
    if unit[0] != "\\":
        return ord(unit)
    return int(unit[1:]) if len(unit) == 4 else ord(unit[1])


def _written(octet: int) -> str:
    character = chr(octet).lower() if octet < 128 else chr(octet)
    if character in '"().;\\@$':
        return f"\\{character}"
    return character if "!" <= character <= "~" else f"\\{octet:03d}"
