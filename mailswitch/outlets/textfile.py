"""Metrics as a file for node_exporter's textfile collector: replaced whole, and nothing else is ever written.

Facts:

- ``rename(2)`` replaces a name in one step and follows no symlink at it: a reader sees the old file or the new one.
- The file is written under a name of its own that must not exist yet (``O_EXCL``), so that a symlink somebody planted
  is not written through either.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from mailswitch.core.errors import OutletError

__all__ = ["write_textfile"]

_MODE = 0o644
"""Everybody may read it: node_exporter is another user."""


def write_textfile(path: Path, content: bytes) -> None:
    """Replace a file by ``content``, or leave it as it is.

    Raises:
        OutletError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")  # no collector reads what ends in .tmp
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                os.fchmod(stream.fileno(), _MODE)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutletError(
            f"metrics not written to {path}: {error.strerror}; the directory of metrics.textfile has to be writable "
            "for the user who runs mailswitch"
        ) from error
