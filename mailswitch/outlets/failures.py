"""What outlets share: foreign words made fit for a message, and time-outs, for looking a name up too."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from mailswitch.core.errors import OutletError

__all__ = ["cleaned", "is_silence", "opened", "watched"]

_LONGEST = 300


def cleaned(text: str) -> str:
    """Return foreign text on one line, without anything that is not plainly printable, and not too long."""
    line = "".join(one if one.isprintable() else " " for one in text[: 2 * _LONGEST])
    return " ".join(line.split())[:_LONGEST]


def is_silence(error: BaseException) -> bool:
    """Whether a read's time-out was over; smtplib raises an error of its own where it meets that."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def opened(host: str, port: int, timeout: timedelta) -> socket.socket:
    """Return a connection, made within a time-out that counts looking the name up, which has none of its own.

    Raises:
        OSError: nobody could be reached.
    """
    seconds = timeout.total_seconds()
    turn = threading.Lock()
    found: list[socket.socket | OSError] = []
    is_abandoned = threading.Event()

    def connect() -> None:
        made: socket.socket | OSError
        try:
            made = socket.create_connection((host, port), seconds)
        except OSError as error:
            made = error
        with turn:
            found.append(made)
            if is_abandoned.is_set() and isinstance(made, socket.socket):
                made.close()

    connecting = threading.Thread(target=connect, name="outlet", daemon=True)
    connecting.start()
    connecting.join(seconds)
    with turn:
        if not found:
            is_abandoned.set()
            raise TimeoutError("nobody could be reached in time")
        made = found[0]
    if isinstance(made, OSError):
        raise made
    return made


@contextmanager
def watched(
    timeout: timedelta, current: Callable[[], socket.socket | None], failure: Callable[[], OutletError]
) -> Iterator[None]:
    """End the connection when the whole exchange takes too long, which a time-out for each read does not do.

    Args:
        timeout: For everything within the block; the connection is there already.
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
