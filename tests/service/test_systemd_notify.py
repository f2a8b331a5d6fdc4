from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.service.systemd_notify import Notifier
from tests.support.daemons import Ear, listening


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    with listening(tmp_path) as opened:
        yield opened


def test_what_systemd_wants_to_know_is_taken_from_the_environment_and_kept_from_children(ear: Ear) -> None:
    environment = {"NOTIFY_SOCKET": ear.path, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid()), "A": "b"}

    notifier = Notifier.of(environment)
    notifier.feed()

    assert ear.heard() == ["WATCHDOG=1"]
    assert notifier.watchdog == timedelta(seconds=60)
    assert environment == {"A": "b"}


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}])
def test_a_watchdog_nobody_set_is_not_fed(ear: Ear, watchdog: dict[str, str]) -> None:
    Notifier.of({"NOTIFY_SOCKET": ear.path, **watchdog}).feed()

    assert ear.heard() == []


def test_the_watchdog_of_another_process_is_not_fed(ear: Ear) -> None:
    Notifier.of({"NOTIFY_SOCKET": ear.path, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}).feed()

    assert ear.heard() == []


def test_a_status_is_one_clean_bounded_line_and_said_once(ear: Ear) -> None:
    notifier = Notifier(ear.path)

    notifier.status("two\nlines\x1b[2J")
    notifier.status("two\nlines\x1b[2J")
    notifier.status("x" * 999)

    assert ear.heard() == ["STATUS=two\\x0alines\\x1b[2J", "STATUS=" + "x" * 200]


def test_a_reload_carries_the_monotonic_clock(ear: Ear) -> None:
    notifier = Notifier(ear.path)

    notifier.reloading(timedelta(seconds=12, microseconds=5))
    notifier.ready("watching")

    assert ear.heard() == ["RELOADING=1\nMONOTONIC_USEC=12000005", "READY=1\nSTATUS=watching"]


def test_an_abstract_socket_is_spoken_to() -> None:
    name = f"mailswitch-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        Notifier(f"@{name}").stopping()

        assert listener.recv(100) == b"STOPPING=1\nSTATUS=stopping"


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all"])
def test_where_nobody_listens_nothing_is_said(address: str | None) -> None:
    notifier = Notifier(address)

    notifier.ready("watching")

    assert notifier.watchdog is None
