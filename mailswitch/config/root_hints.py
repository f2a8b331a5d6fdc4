"""Where the way down the public DNS begins: the root's name servers, shipped or from a file of one's own.

Facts about the shipped ``root_hints.txt``:

- It is IANA's ``named.root`` of April 2024; only spaces at line ends are gone.
- Its form is that of a master file (RFC 1035 §5.1) with NS records of the root, and A and AAAA records of their names.
  Addresses change once in years, one at a time, and the old one goes on answering for a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

from mailswitch.core.errors import ConfigError, InvalidName
from mailswitch.core.mx import Address, address
from mailswitch.core.names import DomainName

__all__ = ["RootHints", "hints_fault", "hints_from", "read_hints", "shipped_hints"]

RootHints = Mapping[DomainName, tuple[Address, ...]]
"""The root's name servers with their addresses, IPv4 first."""

_FILE = "root_hints.txt"
_LARGEST = 64 * 1024
_TYPES = {"NS", "A", "AAAA"}


def shipped_hints() -> RootHints:
    """Return the public root's name servers."""
    return hints_from(resources.files("mailswitch.config").joinpath(_FILE).read_text(encoding="ascii"))


def read_hints(path: Path) -> RootHints:
    """Return the hints in a file in the form of ``named.root``.

    Raises:
        ConfigError: it cannot be read, or holds no usable hints.
    """
    try:
        return hints_from(_content(path).decode("ascii"))
    except OSError as error:
        raise ConfigError(f"the root hints {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the root hints {str(path)!r} are not ASCII text") from error
    except ValueError as error:
        raise ConfigError(f"the root hints {str(path)!r} cannot be used: {error}") from error


def hints_fault(path: Path) -> str | None:
    """Return why ``path`` cannot serve as a file of root hints, or None."""
    try:
        read_hints(path)
    except ConfigError as error:
        return str(error)
    return None


def hints_from(text: str) -> RootHints:
    """Return the hints that a text in the form of ``named.root`` holds.

    Raises:
        ValueError: a line is no hint, or no name server of the root has an address.
    """
    servers: dict[DomainName, None] = {}
    addresses: dict[DomainName, list[Address]] = {}
    for number, owner, rdtype, value in _records(text):
        try:
            if rdtype == "NS":
                servers[_root_server(owner, value)] = None
            else:
                addresses.setdefault(DomainName(owner), []).append(_address(value, rdtype))
        except (ValueError, InvalidName) as error:
            raise ValueError(f"line {number}: {error}") from error
    hints = {
        name: tuple(sorted(dict.fromkeys(found), key=lambda one: one.version))
        for name in servers
        if (found := addresses.get(name))
    }
    if not hints:
        raise ValueError("no name server of the root has an address in it: write it like IANA's named.root")
    return hints


def _records(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Give each record's line, owner, type and value; the owner, TTL and class may be left out (RFC 1035 §5.1)."""
    owner = ""
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition(";")[0]
        fields = content.split()
        if not fields:
            continue
        if not content[0].isspace():
            owner = fields.pop(0)
        rest = [each for each in fields[:-2] if not each.isdigit() and each.upper() != "IN"]
        if not owner or rest or len(fields) < 2 or fields[-2].upper() not in _TYPES:
            raise ValueError(f"line {number}: {line.strip()[:60]!r} is no NS, A or AAAA record")
        yield number, owner, fields[-2].upper(), fields[-1]


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST // 1024} KiB")
    return content


def _root_server(owner: str, name: str) -> DomainName:
    if not DomainName(owner).is_root:
        raise ValueError(f"{owner!r} is not the root")
    return DomainName(name)


def _address(text: str, rdtype: str) -> Address:
    found = address(text)
    if found.version != (4 if rdtype == "A" else 6):
        raise ValueError(f"{text!r} is no address of an {rdtype} record")
    return found
