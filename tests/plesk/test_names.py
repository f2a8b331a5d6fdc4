"""Panel names, secrets, and foreign text in messages."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.errors import InvalidName
from mailswitch.core.names import DomainName
from mailswitch.plesk.failures import Fault, cleaned
from mailswitch.plesk.names import display_name, panel_name
from mailswitch.plesk.secret import Secret


@pytest.mark.parametrize(
    ("ascii_name", "name", "wanted"),
    [
        ("example.org", "example.org", "example.org"),
        ("xn--bcher-kva.example", "bücher.example", "xn--bcher-kva.example"),
        (" Example.ORG ", None, "example.org"),
        (None, "bücher.example", "xn--bcher-kva.example"),
        ("", "example.org", "example.org"),
        ("bücher.example", None, "xn--bcher-kva.example"),
        (None, "Straße.example", "xn--strae-oqa.example"),
        ("*.example.org", None, "*.example.org"),
        ("_sip.example.org", None, "_sip.example.org"),
    ],
)
def test_identity_is_the_ascii_name(ascii_name: str | None, name: str | None, wanted: str) -> None:
    assert panel_name(ascii_name, name) == DomainName(wanted)


def test_ascii_name_wins_over_a_name_that_says_something_else() -> None:
    assert panel_name("moved.example", "gmail.com") == DomainName("moved.example")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        ".",
        "a..b",
        "a b.example",
        "\x1b[2Jx.example",
        "ü" * 300,
        "ü" * 100_000,
        "\u202e.example",
        "\u200f\u202eü",
    ],
)
def test_what_is_no_name_is_refused(text: str | None) -> None:
    with pytest.raises(InvalidName):
        panel_name(text, None)


def test_display_name_is_made_from_the_a_label() -> None:
    assert display_name(DomainName("xn--bcher-kva.example")) == "bücher.example"


@pytest.mark.parametrize(
    "text", ["xn--a.example", "xn--.example", "xn--99zzzzzzzzz.example", "example.org", "*.xn--x.org"]
)
def test_a_label_that_does_not_decode_is_shown_as_it_is(text: str) -> None:
    assert display_name(DomainName(text)) == text


def test_display_name_keeps_undecodable_labels_beside_decoded_ones() -> None:
    assert display_name(DomainName("xn--a.xn--bcher-kva.example")) == "xn--a.bücher.example"


@given(st.text(max_size=60))
def test_a_panel_name_is_a_name_or_refused(text: str) -> None:
    try:
        found = panel_name(text, None)
    except InvalidName:
        return

    assert found.text.isascii()
    assert display_name(found)


@given(st.text(max_size=400))
def test_cleaned_text_is_one_short_line_without_control_characters(text: str) -> None:
    found = cleaned(text, 50)

    assert len(found) <= 50
    assert all(c.isprintable() for c in found if c != "\u3000" and not c.isspace())
    assert "\u202e" not in found


def test_cleaned_text_keeps_words_and_drops_what_would_move_the_cursor() -> None:
    assert cleaned("Ihr\x1b[31m Lizenz\u202eschlüssel\r\nist\tabgelaufen") == "Ihr [31m Lizenz schlüssel ist abgelaufen"


def test_a_secret_is_shown_nowhere() -> None:
    secret = Secret("topsecret")

    assert "topsecret" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "topsecret"


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(Secret("topsecret"))


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert hash(Secret("a")) == hash(Secret("a"))


@pytest.mark.parametrize(
    ("errcode", "code"),
    [
        (1001, "authentication"),
        (11003, "authentication"),
        (1006, "authentication"),
        (1010, "authentication"),
        (1011, "authentication"),
        (1012, "authentication"),
        (1030, "licence"),
        (1003, "unavailable"),
        (1004, "unavailable"),
        (1008, "unavailable"),
        (1023, "unavailable"),
        (1013, "gone"),
        (1015, "gone"),
        (1014, "not-understood"),
        (1019, "not-understood"),
        (1005, "not-understood"),
        (1024, "refused"),
        (None, "refused"),
    ],
)
def test_each_error_number_has_a_stable_word(errcode: int | None, code: str) -> None:
    assert Fault(errcode=errcode, text="").code == code


def test_an_error_is_told_with_its_number_its_words_and_what_to_do() -> None:
    text = str(Fault(errcode=11003, text="Ungültig"))

    assert "11003" in text
    assert "Ungültig" in text
    assert "bound to another address" in text
