"""Names and patterns typed by people (IDNA 2008, UTS #46)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.config.names import parse_name, parse_pattern, shown_name
from mailswitch.core.errors import InvalidName
from mailswitch.core.names import DomainName


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Example.ORG.", "example.org"),
        (" example.org\n", "example.org"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("MÜNCHEN.Example", "xn--mnchen-3ya.example"),
        ("mu\u0308nchen.example", "xn--mnchen-3ya.example"),
        ("日本語.jp", "xn--wgv71a119e.jp"),
        ("日本語。jp", "xn--wgv71a119e.jp"),
        ("\uff45xample.jp", "example.jp"),
        ("faß.de", "xn--fa-hia.de"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("_x.münchen.example", "_x.xn--mnchen-3ya.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("xn--i-7iq.ws", "xn--i-7iq.ws"),
        ("*.example.org", "*.example.org"),
    ],
)
def test_names_become_a_labels(typed: str, name: str) -> None:
    assert parse_name(typed).text == name


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        ("*.Beispiel.example", "*.beispiel.example"),
        ("*.münchen.example", "*.xn--mnchen-3ya.example"),
        ("mx*.a.jp", "mx*.a.jp"),
    ],
)
def test_patterns_become_a_labels(typed: str, pattern: str) -> None:
    assert parse_pattern(typed).text == pattern


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "a..b",
        ".example.org",
        "exa mple.org",
        "exa\x1b[31mmple.org",
        "exa\u202emple.org",
        "exa\u200bü\u200dmple.org",
        "☃.example",
        "💩.example",
        "-ü.example",
        "m\u00fc*.example",
        "a\u0660ü1.example",
        "a" * 64 + ".example",
        "ü" * 64 + ".example",
        "a." * 127 + "example",
        "ü" * 5000,
        "x" * 5000,
        "ü..example",
    ],
)
def test_what_is_no_name_is_refused_without_upsetting_a_terminal(typed: str) -> None:
    for parse in (parse_name, parse_pattern):
        with pytest.raises(InvalidName) as caught:
            parse(typed)
        assert "is not a domain name" in str(caught.value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


@given(st.text(max_size=80))
def test_a_parsed_name_is_ascii_and_parses_to_itself(typed: str) -> None:
    try:
        name = parse_name(typed)
    except InvalidName:
        return
    assert name.text.isascii()
    assert parse_name(name.text) == name


def test_a_name_is_shown_with_its_u_labels_and_as_a_labels_too() -> None:
    assert shown_name(DomainName("xn--bcher-kva.example")) == "bücher.example (xn--bcher-kva.example)"


def test_a_name_without_valid_a_labels_is_shown_as_it_is() -> None:
    assert shown_name(DomainName("plain.example")) == "plain.example"
    assert shown_name(DomainName("xn--zz--zz.example")) == "xn--zz--zz.example"
