"""The values in force, as an administrator would have written them; secrets are not among them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, timedelta
from enum import Enum
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel

from mailswitch.config.messages import shorten
from mailswitch.config.secret_store import masked
from mailswitch.config.settings import Settings
from mailswitch.config.values import duration_text

__all__ = ["effective", "example_text", "plain", "show"]

_VERSION_KEYS = frozenset({"incoming_only_since"})


def effective(settings: Settings) -> dict[str, Any]:
    """Return every value in force as plain texts, numbers, lists and mappings; keys without a value are left out."""
    found: dict[str, Any] = plain(settings)
    found["ledger"] = masked(settings.ledger)
    if settings.notify.webhook is not None:
        # Many services keep a token in the path.
        found["notify"]["webhook"]["url"] = _site(settings.notify.webhook.url)
    for server in found["servers"]:
        # What one kind of panel does not take has a default all the same; shown, it could not be loaded again.
        del server["plesk" if server["panel"] == "xml-api" else "tls"]
    return found


def _site(url: str) -> str:
    """Return a URL with ``***`` in place of what follows the host."""
    parts = urlsplit(url)
    rest = "/***" if parts.path.strip("/") or parts.query else parts.path
    return f"{parts.scheme}://{parts.netloc}{rest}"


def show(settings: Settings) -> str:
    """Return the values in force as YAML that loads again, but for masked passwords."""
    head = f"# In force: {shorten(settings.origin, 200, quote='')}. Secrets are not shown.\n"
    return head + yaml.safe_dump(effective(settings), sort_keys=False, allow_unicode=False, width=110)


def example_text() -> str:
    """Return the commented sample that ``config init`` writes."""
    return resources.files("mailswitch.config").joinpath("example.yaml").read_text(encoding="utf-8")


def plain(value: Any, key: str = "") -> Any:
    """Return a value as it is written in YAML; ``key`` is the key it stands under."""
    if key in _VERSION_KEYS:
        return ".".join(str(part) for part in value)
    match value:
        case BaseModel():
            names = type(value).model_fields
            found = {name: plain(getattr(value, name), name) for name in names}
            return {name: one for name, one in found.items() if one is not None and one not in ([], {})}
        case Enum():
            return value.value
        case timedelta():
            return duration_text(value)
        case time():
            return f"{value:%H:%M}"
        case Mapping():
            return {str(plain(name)): plain(one) for name, one in value.items()}
        case tuple() | list():
            return [plain(one) for one in value]
        case None | bool() | int() | float():
            return value
    return str(value)
