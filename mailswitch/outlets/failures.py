"""What outlets share: foreign words made fit for a message, and the watch that ends what takes too long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from mailswitch.core.errors import OutletError

__all__ = ["cleaned", "watched"]

_LONGEST = 300


def cleaned(text: str) -> str:
    """Return foreign text on one line, without anything that is not plainly printable, and not too long."""
    line = "".join(one if one.isprintable() else " " for one in text[: 2 * _LONGEST])
    return " ".join(line.split())[:_LONGEST]


@contextmanager
def watched(
    timeout: timedelta, current: Callable[[], socket.socket | None], failure: Callable[[], OutletError]
) -> Iterator[None]:
    """End the connection when the whole exchange takes too long, which a time-out for each read does not do.

    Args:
        timeout: For everything within the block.
        current: Returns the socket in use.
        failure: Makes what is raised when the time is over.

    Raises:
        OutletError: as ``failure`` makes it, in place of whatever ended the block after the time was over.
    """
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        sock = current()
        if sock is not None:
            # Not SSLSocket.shutdown, which would let the thread that waits go on without TLS.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    watch = threading.Timer(timeout.total_seconds(), end)
    watch.daemon = True
    watch.start()
    try:
        yield
    except Exception as error:
        if is_over.is_set():
            raise failure() from error
        raise
    finally:
        watch.cancel()
