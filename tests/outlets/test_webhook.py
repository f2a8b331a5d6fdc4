"""A webhook gets exactly one signed document, and nobody else gets anything."""

from __future__ import annotations

import hashlib
import hmac
import socket
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailswitch.core.errors import OutletError
from mailswitch.core.notices import Bulletin
from mailswitch.outlets.webhook import WebhookSettings, WebhookWay, signature
from mailswitch.simulation.certificates import authority, issued, self_signed
from tests.support.builders import NOW
from tests.support.sinks import WebhookSink, closed_port

SECRET = "hush-hunter2"
BULLETIN = Bulletin(id="ab", subject="s", text="t", document='{"schema": "mailswitch/notice/1"}\n')


def a_way(url: str, *, ca_file: Path | None = None, timeout: timedelta = timedelta(seconds=10)) -> WebhookWay:
    return WebhookWay(WebhookSettings(url=url, secret=SECRET, ca_file=ca_file, timeout=timeout))


def failing(sink: WebhookSink, **settings: Any) -> str:
    with sink, pytest.raises(OutletError) as caught:
        a_way(sink.url, **settings).send(BULLETIN, at=NOW)
    assert "T0KEN" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_the_document_arrives_signed_over_time_and_body() -> None:
    with WebhookSink() as sink:
        a_way(sink.url).send(BULLETIN, at=NOW)

    (post,) = sink.posts
    timestamp = post.headers["X-Mailswitch-Timestamp"]
    expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + post.body, hashlib.sha256).hexdigest()
    assert post.path == "/hook?token=T0KEN"
    assert post.body == BULLETIN.document.encode()
    assert post.headers["Content-Type"] == "application/json"
    assert int(timestamp) == int(NOW.timestamp())
    assert post.headers["X-Mailswitch-Signature"] == f"sha256={expected}"
    assert post.headers["Host"] == f"127.0.0.1:{sink.port}"


def test_another_body_time_or_secret_has_another_signature() -> None:
    signed = {signature(secret, at, body) for secret in "ab" for at in ("1", "2") for body in (b"x", b"y")}

    assert len(signed) == 8


def test_it_goes_over_tls_to_a_receiver_whose_authority_is_trusted(tmp_path: Path) -> None:
    trusted = authority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(trusted.identity.certificate_pem)

    with WebhookSink(tmp_path, identity=issued(trusted, "127.0.0.1")) as sink:
        a_way(sink.url, ca_file=ca_file).send(BULLETIN, at=NOW)

    assert len(sink.posts) == 1


@pytest.mark.parametrize("name", ["127.0.0.1", "other.example"])
def test_nothing_is_sent_to_a_receiver_that_cannot_prove_who_it_is(tmp_path: Path, name: str) -> None:
    sink = WebhookSink(tmp_path, identity=self_signed(name))

    message = failing(sink)

    assert "its certificate is not accepted" in message
    assert sink.posts == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with WebhookSink() as elsewhere:
        message = failing(WebhookSink(status=status, headers={"Location": elsewhere.url}))

    assert f"the receiver said {status}" in message
    assert "redirects are not followed" in message
    assert elsewhere.posts == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with WebhookSink() as proxy, WebhookSink() as sink:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        a_way(sink.url).send(BULLETIN, at=NOW)

    assert (len(proxy.posts), len(sink.posts)) == (0, 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 500}, "the receiver said 500"),
        ({"status": 404}, "the receiver said 404"),
        ({"raw": b"HTTP/1.1 500 \x1b[2Jred\r\n\r\n"}, "the receiver said 500 [2Jred"),
        ({"raw": b"no http at all\r\n\r\n"}, "what it answered is no HTTP"),
        ({"raw": b"HTTP/1.1 200 " + b"x" * 100_000}, "what it answered is no HTTP"),
        ({"raw": b"HTTP/1.1 200 ok\r\n" + b"a: b\r\n" * 1_000 + b"\r\n"}, "what it answered is no HTTP"),
        ({"raw": b""}, "what it answered is no HTTP"),
    ],
)
def test_an_answer_that_is_no_yes_is_told(answer: dict[str, Any], words: str) -> None:
    assert words in failing(WebhookSink(**answer))


def test_a_yes_with_an_endless_body_is_a_yes() -> None:
    with WebhookSink(raw=b"HTTP/1.1 200 ok\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000) as sink:
        a_way(sink.url).send(BULLETIN, at=NOW)

    assert len(sink.posts) == 1


@pytest.mark.parametrize("answer", [{"is_silent": True}, {"is_trickling": True}])
def test_a_slow_receiver_costs_no_more_than_the_time_out(answer: dict[str, Any]) -> None:
    began = time.monotonic()

    message = failing(WebhookSink(**answer), timeout=timedelta(milliseconds=300))

    assert "not done within 0.3 s" in message or "silent" in message
    assert time.monotonic() - began < 10


def test_nobody_there_is_told() -> None:
    with pytest.raises(OutletError, match=r"notice not sent to the webhook at 127\.0\.0\.1 port \d+: nobody listens"):
        a_way(f"http://127.0.0.1:{closed_port()}/").send(BULLETIN, at=NOW)


def test_a_name_that_nobody_looks_up_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = threading.Event()
    look_up = socket.getaddrinfo

    def slow(*arguments: Any) -> Any:
        looked_up.wait()
        return look_up(*arguments)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with WebhookSink() as sink:
        with pytest.raises(OutletError, match="the receiver was silent"):
            a_way(sink.url, timeout=timedelta(milliseconds=100)).send(BULLETIN, at=NOW)
        looked_up.set()
        connecting = [thread for thread in threading.enumerate() if thread.name == "outlet"]
        for thread in connecting:
            thread.join()

    assert sink.posts == []


def test_it_shows_neither_secret_nor_path() -> None:
    way = a_way("https://hooks.example:8443/T0KEN")

    assert way.name == "webhook"
    assert way.shown == "webhook at hooks.example port 8443"
    assert "T0KEN" not in repr(way._settings)
    assert SECRET not in repr(way._settings)
