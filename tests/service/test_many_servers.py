"""A hundred servers in one configuration, ten of them down, two hanging: the others are done in one time-out."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.policy import Mode
from mailswitch.plesk.credentials import Key
from mailswitch.plesk.secret import Secret
from mailswitch.plesk.tls import TlsSettings
from mailswitch.plesk.transport import TransportLimits
from mailswitch.plesk.xml_api import XmlApiSettings, open_xml_api
from mailswitch.service.ports import Panel
from mailswitch.service.reconcile import PassRequest, dry_run, once
from mailswitch.service.setup import ManagedServer, Setup
from tests.support.ports import ELSEWHERE, Scene

TIMEOUT = timedelta(seconds=4)
NAMES = [f"web{number:03}" for number in range(100)]
DOWN, HANGING = NAMES[10:20], NAMES[20:22]
REFUSING, SILENT = DOWN[:5], (*DOWN[5:], *HANGING)
"""A server that is down may refuse connections, or leave everybody waiting as one that hangs does."""


@pytest.fixture
def silent_ports() -> Iterator[list[int]]:
    """Ports at which connections are taken and nothing is ever said."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in SILENT]
        yield [listener.getsockname()[1] for listener in listeners]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def at(server: ManagedServer, port: int) -> ManagedServer:
    """Return the server with a real panel at a port of this machine."""
    settings = XmlApiSettings(
        server=server.name,
        url=f"https://127.0.0.1:{port}",
        credentials=Key(Secret("00000000-0000-0000-0000-000000000000")),
        tls=TlsSettings(verify=False),
        limits=TransportLimits(connect_timeout=TIMEOUT, read_timeout=TIMEOUT),
    )

    def opened() -> Panel:
        return open_xml_api(settings)

    return replace(server, open_panel=opened)


def a_hundred(scene: Scene, silent_ports: list[int], closed_port: int) -> Setup:
    for name in NAMES:
        plesk = scene.add_server(name)
        plesk.host(f"moved.{name}.example")
        scene.view.publish(ELSEWHERE, f"moved.{name}.example")
    ports = dict.fromkeys(REFUSING, closed_port) | dict(zip(SILENT, silent_ports, strict=True))
    servers = (at(one, ports[one.name]) if one.name in ports else one for one in scene.setup.servers)
    return replace(scene.setup, servers=tuple(one for one in servers if one.name in NAMES))


def test_a_few_bad_servers_cost_the_others_one_time_out(
    tmp_path: Path, silent_ports: list[int], closed_port: int
) -> None:
    scene = Scene(tmp_path)
    setup = a_hundred(scene, silent_ports, closed_port)
    bad = {*DOWN, *HANGING}

    # What the work itself takes on a machine as busy as this one is now.
    alone = replace(setup, servers=tuple(one for one in setup.servers if one.name not in bad), mode=Mode.REPORT)
    began = time.monotonic()
    dry_run(alone, PassRequest(by="daemon"))
    work = time.monotonic() - began

    began = time.monotonic()
    report = once(setup, PassRequest(by="daemon"))
    took = time.monotonic() - began

    failed = {server.name for server in report.servers if server.error is not None}
    assert failed == bad
    good = [name for name in NAMES if name not in failed]
    assert len(good) == 88
    assert all(scene.plesks[name].switch(f"moved.{name}.example") is Switch.OFF for name in good)
    # One after another the seven silent ones alone would take seven time-outs.
    assert took < 3 * work + 4 * TIMEOUT.total_seconds()
