"""The metrics page is given on loopback, read only, and no client can keep it from others for long."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest

from mailswitch.core.errors import OutletError
from mailswitch.outlets import listener as module
from mailswitch.outlets.listener import MetricsListener


@pytest.fixture
def listener() -> Iterator[MetricsListener]:
    found = MetricsListener("127.0.0.1", 0, lambda: b"mailswitch_paused 0\n")
    yield found
    found.close()


def asked(listener: MetricsListener, method: str = "GET", path: str = "/metrics") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=10)
    connection.request(method, path)
    return connection.getresponse()


def test_the_page_is_given(listener: MetricsListener) -> None:
    response = asked(listener)

    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.read() == b"mailswitch_paused 0\n"


def test_a_query_changes_nothing(listener: MetricsListener) -> None:
    assert asked(listener, path="/metrics?name[]=x").read() == b"mailswitch_paused 0\n"


def test_there_is_nothing_else(listener: MetricsListener) -> None:
    assert asked(listener, path="/").status == 404
    assert asked(listener, path="/../etc/passwd").status == 404
    assert asked(listener, "POST").status == 501
    assert asked(listener, "HEAD").read() == b""


def test_it_tells_neither_python_nor_any_version(listener: MetricsListener) -> None:
    assert asked(listener).headers["Server"].strip() == "mailswitch"


def test_the_page_is_made_anew_for_each_request() -> None:
    numbers = iter(range(9))
    found = MetricsListener("127.0.0.1", 0, lambda: b"%d" % next(numbers))

    pages = [asked(found).read() for _ in range(3)]
    found.close()

    assert pages == [b"0", b"1", b"2"]


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::"])
def test_addresses_that_others_can_reach_are_refused(address: str) -> None:
    with pytest.raises(OutletError, match="others can reach"):
        MetricsListener(address, 0, lambda: b"")


def test_a_port_in_use_is_told(listener: MetricsListener) -> None:
    with pytest.raises(OutletError, match=r"cannot be given at 127\.0\.0\.1 port \d+: Address already in use"):
        MetricsListener("127.0.0.1", listener.port, lambda: b"")


def test_it_can_be_closed_twice_and_its_port_is_free_then() -> None:
    first = MetricsListener("127.0.0.1", 0, lambda: b"")
    first.close()
    first.close()

    second = MetricsListener("127.0.0.1", first.port, lambda: b"")
    second.close()

    assert second.port == first.port


def test_it_listens_on_ipv6_loopback_too() -> None:
    try:
        found = MetricsListener("::1", 0, lambda: b"six")
    except OutletError:
        assert not socket.has_ipv6 or _has_no_ipv6_loopback()
        return
    with socket.create_connection(("::1", found.port), 10) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        page = client.makefile("rb").read()
    found.close()

    assert page.endswith(b"six")


def _has_no_ipv6_loopback() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return True
    return False


def test_clients_that_say_nothing_are_turned_away_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_SECONDS", 0.2)
    found = MetricsListener("127.0.0.1", 0, lambda: b"page")
    silent = [socket.create_connection(("127.0.0.1", found.port), 10) for _ in range(20)]

    ends = [client.recv(1) for client in silent]  # every one is closed by the listener
    page = asked(found).read()
    found.close()
    for client in silent:
        client.close()

    assert ends == [b""] * 20
    assert page == b"page"
