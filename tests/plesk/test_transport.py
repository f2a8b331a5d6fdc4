"""What leaves this machine, to whom, and what may come back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.plesk.credentials import Key, Login
from mailswitch.plesk.secret import Secret
from mailswitch.plesk.tls import TlsSettings
from mailswitch.plesk.transport import Transport, TransportLimits, endpoint
from mailswitch.plesk.xml_api import XmlApiSettings, open_xml_api
from mailswitch.simulation.certificates import authority, issued, self_signed
from tests.support.raw_panel import KEY, Framing, RawPanel, Reply, Stall, a_panel, a_reply

SHORT = TransportLimits(connect_timeout=timedelta(seconds=5), read_timeout=timedelta(seconds=5))
LAST_YEAR = datetime.now(UTC) - timedelta(days=365)


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[RawPanel]:
    with RawPanel(tmp_path) as found:
        yield found


def refusal(
    panel_of: RawPanel, tls: TlsSettings | None = None, limits: TransportLimits | None = None
) -> InventoryError:
    """The error an inventory ends with."""
    panel = a_panel(panel_of, tls=tls, limits=limits)
    try:
        with pytest.raises(InventoryError) as caught:
            panel.inventory()
    finally:
        panel.close()
    return caught.value


# ---- URLs and credentials


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://web01.example.net:8443", "https://web01.example.net:8443/enterprise/control/agent.php"),
        ("https://web01.example.net", "https://web01.example.net:443/enterprise/control/agent.php"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/enterprise/control/agent.php"),
        (
            "https://h.example:8443/enterprise/control/agent.php",
            "https://h.example:8443/enterprise/control/agent.php",
        ),
    ],
)
def test_endpoint_is_the_agent_of_the_panel(url: str, wanted: str) -> None:
    assert endpoint(url) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "http://web01.example.net:8880",
        "ftp://web01.example.net",
        "web01.example.net:8443",
        "https://",
        "https://web01.example.net:port",
        "https://web01.example.net:8443/somewhere",
        "https://web01.example.net:8443/?a=b",
    ],
)
def test_endpoint_refuses_what_is_no_panel(url: str) -> None:
    with pytest.raises(ConfigError, match="url"):
        endpoint(url)


def test_endpoint_refuses_a_login_without_repeating_it() -> None:
    with pytest.raises(ConfigError) as caught:
        endpoint("https://admin:topsecret@web01.example.net:8443")

    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", " ", "abc\r\nX-Evil: 1", "abc\n", "\x00", "a\x7fb"])
def test_credentials_that_would_change_the_header_are_refused_unseen(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Transport(
            url="https://127.0.0.1:1", credentials=Key(Secret(secret)), tls=TlsSettings(), limits=TransportLimits()
        )

    assert "X-Evil" not in str(caught.value)


def test_key_goes_in_its_own_header(raw: RawPanel) -> None:
    refusal(raw)

    (seen,) = raw.seen[:1]
    assert seen.headers["KEY"] == KEY
    assert seen.headers["Content-Type"] == "text/xml"
    assert seen.headers["Authorization"] is None
    assert seen.path == "/enterprise/control/agent.php"


def test_login_and_password_go_in_plesks_headers_as_utf8(raw: RawPanel) -> None:
    panel = a_panel(raw, credentials=Login(name="admin", password=Secret("pässword")))
    with pytest.raises(InventoryError):
        panel.inventory()
    panel.close()

    headers = raw.seen[0].headers
    assert headers["HTTP_AUTH_LOGIN"] == "admin"
    assert headers["HTTP_AUTH_PASSWD"].encode("latin-1") == "pässword".encode()
    assert headers["KEY"] is None


def test_secrets_are_in_no_repr(raw: RawPanel) -> None:
    settings = XmlApiSettings(server="web01", url=raw.url, credentials=Key(Secret(KEY)))
    panel = open_xml_api(settings)
    transport = Transport(url=raw.url, credentials=settings.credentials, tls=settings.tls, limits=settings.limits)

    assert KEY not in f"{settings!r} {panel!r} {transport!r} {Login(name='a', password=Secret(KEY))!r}"
    assert raw.url in repr(transport)


def test_errors_never_hold_the_key(tmp_path: Path) -> None:
    with RawPanel(tmp_path, [Reply(status=500, body=KEY[:5].encode())]) as raw:
        assert KEY not in str(refusal(raw))


# ---- Where the key must not go


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_and_name_their_target(tmp_path: Path, status: int) -> None:
    with RawPanel(tmp_path) as elsewhere:
        reply = Reply(status=status, headers={"Location": f"{elsewhere.url}/enterprise/control/agent.php"})
        with RawPanel(tmp_path, [reply]) as raw:
            error = refusal(raw)

            assert error.code == "refused"
            assert f"127.0.0.1:{elsewhere.port}" in str(error)
            assert len(raw.seen) == 1
        assert elsewhere.connections == 0


def test_a_redirects_target_is_cleaned(tmp_path: Path) -> None:
    with RawPanel(tmp_path, [Reply(status=302, headers={"Location": "https://\x1b[2Jevil.example/x"})]) as raw:
        assert "\x1b" not in str(refusal(raw))


def test_the_body_of_a_redirect_is_not_read(tmp_path: Path) -> None:
    reply = Reply(status=302, headers={"Location": "https://elsewhere.invalid/"}, is_trickling=True)
    with RawPanel(tmp_path, [reply]) as raw:
        assert refusal(raw, limits=SHORT).code == "refused"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"])
def test_proxies_of_the_environment_are_not_used(
    raw: RawPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with RawPanel(tmp_path) as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        refusal(raw)

        assert proxy.connections == 0
    assert raw.seen


def test_netrc_is_not_read(raw: RawPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    refusal(raw)

    assert raw.seen[0].headers["Authorization"] is None


def test_cookies_are_not_kept(tmp_path: Path) -> None:
    reply = Reply(status=503, headers={"Set-Cookie": "a=b"})
    with RawPanel(tmp_path, [reply]) as raw:
        refusal(raw)

        assert len(raw.seen) == 3
        assert all(seen.headers["Cookie"] is None for seen in raw.seen)


# ---- Certificates


def test_a_pinned_self_signed_certificate_is_accepted(raw: RawPanel) -> None:
    refusal(raw, TlsSettings(fingerprints=(raw.identity.fingerprint.lower().replace(":", ""),)))

    assert raw.seen


def test_one_of_several_pins_is_enough(raw: RawPanel) -> None:
    refusal(raw, TlsSettings(fingerprints=("00" * 32, raw.identity.fingerprint)))

    assert raw.seen


def test_a_wrong_pin_stops_before_the_key_is_sent(raw: RawPanel) -> None:
    error = refusal(raw, TlsSettings(fingerprints=("AB" * 32,)))

    assert error.code == "certificate"
    assert raw.identity.fingerprint in str(error)
    assert "tls.fingerprint_sha256" in str(error)
    assert raw.connections == 1
    assert raw.seen == []


def test_a_pin_counts_even_when_the_certificate_has_expired(tmp_path: Path) -> None:
    with RawPanel(tmp_path, identity=self_signed("Plesk", not_after=LAST_YEAR)) as raw:
        refusal(raw)

        assert raw.seen


def test_an_unknown_certificate_is_refused_by_default_and_its_fingerprint_told(raw: RawPanel) -> None:
    error = refusal(raw, TlsSettings())

    assert error.code == "certificate"
    assert raw.identity.fingerprint in str(error)
    assert raw.seen == []


def test_a_certificate_of_the_named_authority_is_accepted(tmp_path: Path) -> None:
    by = authority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(by.identity.certificate_pem)
    with RawPanel(tmp_path, identity=issued(by, "127.0.0.1")) as raw:
        refusal(raw, TlsSettings(ca_file=ca_file))

        assert raw.seen


def test_an_expired_certificate_of_the_authority_is_refused(tmp_path: Path) -> None:
    by = authority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(by.identity.certificate_pem)
    with RawPanel(tmp_path, identity=issued(by, "127.0.0.1", not_after=LAST_YEAR)) as raw:
        error = refusal(raw, TlsSettings(ca_file=ca_file))

        assert error.code == "certificate"
        assert "expired" in str(error)
        assert raw.seen == []


def test_server_name_verifies_a_public_name_at_a_loopback_address(tmp_path: Path) -> None:
    by = authority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(by.identity.certificate_pem)
    with RawPanel(tmp_path, identity=issued(by, "web01.example.net")) as raw:
        refused = refusal(raw, TlsSettings(ca_file=ca_file))
        wrong = refusal(raw, TlsSettings(ca_file=ca_file, server_name="other.example.net"))
        assert raw.seen == []
        refusal(raw, TlsSettings(ca_file=ca_file, server_name="web01.example.net"))

        assert (refused.code, wrong.code) == ("certificate", "certificate")
        assert raw.seen


def test_verification_can_be_written_off(raw: RawPanel) -> None:
    refusal(raw, TlsSettings(verify=False))

    assert raw.seen


@pytest.mark.parametrize("text", ["", "AB:CD", "g" * 64, "ab" * 31, "ab" * 20, "ab" * 33])
def test_what_is_no_sha256_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="fingerprint"):
        TlsSettings(fingerprints=(text,))


@pytest.mark.parametrize("text", ["", "a b", "-x", "web01.example.net:8443", "bücher.example"])
def test_what_is_no_server_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="server_name"):
        TlsSettings(server_name=text)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_a_configuration_error(
    raw: RawPanel, tmp_path: Path, content: str | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)

    with pytest.raises(ConfigError, match=r"ca\.pem"):
        a_panel(raw, tls=TlsSettings(ca_file=ca_file))


# ---- Replies that do not end well


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    with RawPanel(tmp_path) as raw:
        pass
    assert refusal(raw).code == "unreachable"


@pytest.mark.parametrize("stall", ["silent", "dripping"])
def test_a_handshake_that_does_not_end_is_told_as_such(tmp_path: Path, stall: Stall) -> None:
    limits = TransportLimits(connect_timeout=timedelta(seconds=0.2))
    with RawPanel(tmp_path, stalls=[stall]) as raw:
        error = refusal(raw, limits=limits)

        assert error.code == "unreachable"
        assert "TLS handshake within 0.2 s, so nothing was sent" in str(error)
        assert "raise connect_timeout" in str(error)
        assert (raw.connections, raw.seen) == (1, [])


def test_a_silent_panel_is_unreachable_and_not_asked_twice(tmp_path: Path) -> None:
    limits = TransportLimits(read_timeout=timedelta(seconds=0.1))
    with RawPanel(tmp_path, [Reply(is_trickling=True, body=b"")]) as raw:
        raw.closing.set()  # it sends its header and nothing more
        error = refusal(raw, limits=limits)

        assert error.code == "unreachable"
        assert len(raw.seen) <= 1


def test_a_reply_that_trickles_ends_at_the_deadline(tmp_path: Path) -> None:
    limits = TransportLimits(read_timeout=timedelta(seconds=5), deadline=timedelta(seconds=0.3))
    with RawPanel(tmp_path, [Reply(is_trickling=True, body=b"<packet>")]) as raw:
        error = refusal(raw, limits=limits)

        assert error.code == "unreachable"
        assert "0.3 s" in str(error)
        assert len(raw.seen) <= 1


def test_a_header_that_trickles_ends_at_the_deadline(tmp_path: Path) -> None:
    limits = TransportLimits(read_timeout=timedelta(seconds=5), deadline=timedelta(seconds=0.3))
    with RawPanel(tmp_path, [Reply(framing="none", is_trickling=True, body=b"HTTP/1.1 200 OK\r\nX-Long: ")]) as raw:
        error = refusal(raw, limits=limits)

        assert error.code == "unreachable"
        assert "0.3 s" in str(error)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_whole_reply_is_read_however_it_is_framed(tmp_path: Path, framing: Framing) -> None:
    body = a_reply("<system><status>error</status><errcode>1030</errcode></system>" + " " * 200_000).body
    with RawPanel(tmp_path, [Reply(body=body, framing=framing)]) as raw:
        assert refusal(raw).code == "licence"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_cut_reply_is_never_taken_for_a_whole_one(tmp_path: Path, framing: Framing) -> None:
    body = a_reply("<system><status>error</status><errcode>1030</errcode></system>" + " " * 200_000).body
    with RawPanel(tmp_path, [Reply(body=body, framing=framing, cut=100_000)]) as raw:
        assert refusal(raw).code == "unreachable"
        assert len(raw.seen) == 3


def test_a_reply_larger_than_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    limits = TransportLimits(max_reply=1000)
    with RawPanel(tmp_path, [Reply(body=b"<packet>" + b" " * 5000 + b"</packet>")]) as raw:
        error = refusal(raw, limits=limits)

        assert error.code == "not-understood"
        assert "1000 octets" in str(error)


def test_a_compressed_reply_is_not_unpacked(tmp_path: Path) -> None:
    with RawPanel(tmp_path, [Reply(body=b"\x1f\x8b\x08rest", headers={"Content-Encoding": "gzip"})]) as raw:
        error = refusal(raw)

        assert error.code == "not-understood"
        assert raw.seen[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "authentication"),
        (403, "authentication"),
        (404, "not-understood"),
        (500, "not-understood"),
        (503, "unavailable"),
    ],
)
def test_an_http_error_without_a_packet_is_told_by_its_status(tmp_path: Path, status: int, code: str) -> None:
    with RawPanel(tmp_path, [Reply(status=status, body=b"<html><body>no</body></html>")]) as raw:
        error = refusal(raw)

        assert error.code == code
        assert str(status) in str(error)


@pytest.mark.parametrize("status", [200, 400, 403, 500, 503])
def test_a_packet_counts_whatever_the_http_status(tmp_path: Path, status: int) -> None:
    body = a_reply("<system><status>error</status><errcode>1030</errcode></system>").body
    with RawPanel(tmp_path, [Reply(status=status, body=body)]) as raw:
        assert refusal(raw).code == "licence"


def test_somebody_who_does_not_speak_tls_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = int(plain.getsockname()[1])

        def answer() -> None:
            for _ in range(3):
                connection, _ = plain.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.recv(65536)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        settings = XmlApiSettings(server="web01", url=f"https://127.0.0.1:{port}", credentials=Key(Secret(KEY)))
        with pytest.raises(InventoryError, match="TLS") as caught:
            open_xml_api(settings, sleep=lambda _: None).inventory()
        thread.join()

    assert caught.value.code == "unreachable"


def test_the_deadline_follows_the_read_timeout_unless_it_is_given() -> None:
    assert TransportLimits(read_timeout=timedelta(seconds=100)).longest == timedelta(seconds=300)
    assert TransportLimits(deadline=timedelta(seconds=9)).longest == timedelta(seconds=9)


def test_a_connection_that_breaks_is_tried_three_times(tmp_path: Path) -> None:
    with RawPanel(tmp_path, [Reply(is_silent=True)]) as raw:
        error = refusal(raw, limits=SHORT)

        assert error.code == "unreachable"
        assert len(raw.seen) == 3
