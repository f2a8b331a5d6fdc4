"""Durations, shares, URLs, addresses as they are written."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.config import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("90s", 90),
        ("15m", 900),
        ("24h", 86_400),
        ("14d", 1_209_600),
        ("1h30m", 5_400),
        (" 1D2h3M4s ", 93_784),
    ],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert values.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("15", "write 15s for seconds, 15m for minutes"),
        ("1.5", "has no unit"),
        ("", "is no duration"),
        ("-5m", "is no duration"),
        ("1.5h", "is no duration"),
        ("30m1h", "is no duration"),
        ("1 h", "is no duration"),
        ("1w", "is no duration"),
        ("٣m", "is no duration"),
        ("PT1H", "is no duration"),
        ("9999d", "is longer than 3660d"),
        ("9" * 400 + "s", "is no duration"),
    ],
)
def test_what_is_no_duration_is_told_the_right_form(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        values.duration(text)


@given(st.integers(0, 3660 * 86_400))
def test_a_duration_written_is_read_the_same(seconds: int) -> None:
    value = timedelta(seconds=seconds)

    assert values.duration(values.duration_text(value)) == value


@pytest.mark.parametrize("value", [timedelta(seconds=-1), timedelta(milliseconds=1500)])
def test_a_duration_that_has_no_spelling_is_refused(value: timedelta) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        values.duration_text(value)


@pytest.mark.parametrize(
    ("text", "share"), [("0", 0), ("1", 1), ("0.10", 0.1), (".5", 0.5), ("10%", 0.1), ("100 %", 1), ("2.5%", 0.025)]
)
def test_shares_are_read(text: str, share: float) -> None:
    assert values.share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "nan", "inf", "-0.1", "1.1", "10", "101%", "1e-1", "%", "0,1"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"share"):
        values.share(text)


DIGITS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text", [DIGITS, DIGITS.upper(), ":".join(DIGITS[at : at + 2] for at in range(0, 64, 2)), f"SHA256:{DIGITS}"]
)
def test_fingerprints_are_read_with_and_without_colons(text: str) -> None:
    assert values.fingerprint(text) == DIGITS


@pytest.mark.parametrize("text", ["", "AB:CD", DIGITS[:-1], DIGITS + "0", DIGITS[:-1] + "g"])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        values.fingerprint(text)


@pytest.mark.parametrize(
    ("text", "transport", "address", "port", "written"),
    [
        ("9.9.9.10", "udp", "9.9.9.10", 53, "9.9.9.10"),
        ("9.9.9.10:53", "udp", "9.9.9.10", 53, "9.9.9.10"),
        ("udp://127.0.0.1:5353", "udp", "127.0.0.1", 5353, "127.0.0.1:5353"),
        ("TCP://9.9.9.10", "tcp", "9.9.9.10", 53, "tcp://9.9.9.10"),
        ("2620:fe::10", "udp", "2620:fe::10", 53, "2620:fe::10"),
        ("[2620:fe::10]", "udp", "2620:fe::10", 53, "2620:fe::10"),
        ("tcp://[2620:FE::10]:54", "tcp", "2620:fe::10", 54, "tcp://[2620:fe::10]:54"),
        ("tls://9.9.9.10", "tls", "9.9.9.10", 853, "tls://9.9.9.10"),
        ("tls://9.9.9.10:853", "tls", "9.9.9.10", 853, "tls://9.9.9.10"),
        ("TLS://[2620:fe::10]:443", "tls", "2620:fe::10", 443, "tls://[2620:fe::10]:443"),
    ],
)
def test_resolvers_are_read_and_written(text: str, transport: str, address: str, port: int, written: str) -> None:
    found = values.endpoint(text)

    assert (found.transport, str(found.address), found.port, str(found)) == (transport, address, port, written)
    assert values.endpoint(str(found)) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dns.example", "is no IP address"),
        ("dns.example:53", "is no IP address"),
        ("", "is no IP address"),
        ("9.9.9", "is no IP address"),
        ("[9.9.9.10]:53", "is no IP address"),
        ("fe80::1%eth0", "is no IP address"),
        ("9.9.9.10:", "has no valid port"),
        ("9.9.9.10:0", "has no valid port"),
        ("9.9.9.10:65536", "has no valid port"),
        ("9.9.9.10:\u0665", "has no valid port"),
        ("tls://9.9.9.9#dns.quad9.net", "the name as tls.server_name"),
        ("tls://dns.quad9.net", "is no IP address"),
        ("https://9.9.9.9", "unknown scheme"),
        ("tcp://tcp://9.9.9.9", "unknown scheme"),
    ],
)
def test_what_is_no_resolver_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        values.endpoint(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://web01.example.net:8443", "https://web01.example.net:8443"),
        ("https://WEB01.example.net/", "https://web01.example.net"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://münchen.example:8443", "https://xn--mnchen-3ya.example:8443"),
    ],
)
def test_panel_urls_are_read(text: str, url: str) -> None:
    assert values.panel_url(text) == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://web01.example.net:8443", "is not https"),
        ("web01.example.net", "is no URL"),
        ("https://", "is no URL"),
        ("https://h:99999", "is no URL"),
        ("https://h:0", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://h\n.example", "control character"),
        ("https://user:pass@h", "names a user"),
        ("https://@h", "names a user"),
        ("https://h/enterprise/control/agent.php", "goes on after the host"),
        ("https://h?", "goes on after the host"),
        ("https://h#x", "goes on after the host"),
        ("https://_h.example", "has no valid host name"),
        ("https://a..b", "has no valid host name"),
    ],
)
def test_what_is_no_panel_url_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        values.panel_url(text)


@pytest.mark.parametrize(
    "text",
    ["sqlite:////var/lib/m.db", "postgresql://h/db", "postgresql:///db", "postgresql://u:p@h:5432/db?sslmode=require"],
)
def test_ledger_urls_are_read(text: str) -> None:
    assert values.ledger_url(f" {text}") == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/var/lib/m.db", "is no ledger"),
        ("mysql://h/db", "is no ledger"),
        ("postgresql+psycopg2://h/db", "is no ledger"),
        ("sqlite://", "no absolute path"),
        ("sqlite:///relative.db", "no absolute path"),
        ("sqlite:////", "no absolute path"),
        ("postgresql://h", "names no database"),
        ("postgresql://h/", "names no database"),
        ("postgresql://u:pa/ss@h/db", "is no URL"),
    ],
)
def test_what_is_no_ledger_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        values.ledger_url(text)


def test_addresses_and_networks_are_read() -> None:
    assert values.address_or_network("203.0.113.5") == ipaddress.ip_address("203.0.113.5")
    assert values.address_or_network("::ffff:203.0.113.5") == ipaddress.ip_address("203.0.113.5")
    assert values.address_or_network("2001:db8::/32") == ipaddress.ip_network("2001:db8::/32")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("203.0.113.5/24", "write 203.0.113.0/24"),
        ("x", "is neither"),
        ("", "is neither"),
        ("1.2.3.4/33", "is neither"),
        ("fe80::1%e", "is neither"),
    ],
)
def test_what_is_no_address_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        values.address_or_network(text)


def test_versions_are_read() -> None:
    assert values.version(" 18.0.51 ") == (18, 0, 51)


@pytest.mark.parametrize("text", ["18", "18.x", "18.0.51-1", "", "1.2.3.4.5"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it like 18\.0\.51"):
        values.version(text)


@given(st.text(max_size=40))
def test_readers_raise_nothing_but_value_errors(text: str) -> None:
    readers = (
        values.duration, values.share, values.fingerprint, values.endpoint, values.panel_url, values.ledger_url,
        values.address_or_network, values.version,
    )  # fmt: skip
    outcomes = []
    for reader in readers:
        for tried in (text, f"https://{text}", f"tcp://{text}", f"postgresql://{text}"):
            try:
                reader(tried)
            except ValueError as error:
                outcomes.append(str(error))

    assert all("\n" not in outcome for outcome in outcomes)
