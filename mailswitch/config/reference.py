"""The key reference in docs/configuration.md, made from the models so that it cannot disagree with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mailswitch.config.messages import sections
from mailswitch.config.models import RootSection
from mailswitch.config.show import plain

__all__ = ["documented_keys", "reference"]

_HEAD = """\
# Configuration

<!-- Made by script/config-reference from the models in mailswitch/config. Do not edit by hand. -->

One YAML file, by default `/etc/mailswitch/mailswitch.yaml`, or the one named with `mailswitch --config FILE`.
Without a file, as root on a Plesk server, the local panel and the defaults below are in force.
`mailswitch config init` prints a commented sample, `mailswitch config check` tells every problem at once with its line,
`mailswitch config show` prints the values in force with secrets masked.

- Durations carry their unit: `90s`, `15m`, `24h`, `14d`, `1h30m`.
- `on`, `yes` and `true` mean the same, and so do `off`, `no` and `false`.
- Domain names may be typed with their own letters (`münchen.example`); they are kept as A-labels (IDNA 2008).
- Relative paths count from the directory of the configuration file.
- YAML anchors, aliases, merge keys and tags are refused; a key with nothing under it counts as not written.
- A secret file may not be readable or writable by other users (`chmod o=`).
  A systemd credential is read from `$CREDENTIALS_DIRECTORY`.
- `xml-api` needs `url` and exactly one credential: a secret key, or `login` with a password. `local` takes neither.
- Of `tls`, `fingerprint_sha256` stands alone, and `verify: false` excludes the others.
"""


def reference() -> str:
    """Return the whole page as Markdown."""
    parts = [_HEAD]
    for path, model in _sections(RootSection, ""):
        title = f"`{path}`" if path else "Top level"
        summary = (model.__doc__ or "").strip().splitlines()[0]
        rows = [_row(name, field) for name, field in model.model_fields.items()]
        table = "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])
        parts.append(f"## {title}\n\n{summary}\n\n{table}\n")
    return "\n".join(parts)


def documented_keys() -> frozenset[str]:
    """Return every key as a dotted path, list items as ``[]``: ``servers[].tls.ca_file``."""
    return frozenset(
        f"{path}.{name}" if path else name for path, model in _sections(RootSection, "") for name in model.model_fields
    )


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, inner in sections(model).items():
        if inner is not None:
            suffix = "[]" if "tuple" in str(model.model_fields[name].annotation) else ""
            yield from _sections(inner, f"{path}.{name}{suffix}" if path else f"{name}{suffix}")


def _row(name: str, field: FieldInfo) -> str:
    meaning = field.description or "See below."
    return f"| `{name}` | {_default(field)} | {meaning.replace('|', chr(92) + '|')} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default if field.default is not PydanticUndefined else None
    if value is None or value == ():
        return ""
    written = plain(value)
    if isinstance(written, bool):
        return "`true`" if written else "`false`"
    if isinstance(written, list):
        written = ".".join(str(part) for part in written)
    return f"`{written}`"
