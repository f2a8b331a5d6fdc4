"""Foreign text is shown, never obeyed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.report.clean import printable


@pytest.mark.parametrize(
    "text", ["", "moved.example", "bücher.example", "例え.テスト", "a\u00a0b", "=cmd()", "<script>"]
)
def test_visible_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\nc\td\x00\x7f", r"a\x0db\x0ac\x09d\x00\x7f"),
        ("\u202eelpmaxe", r"\u202eelpmaxe"),
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("a\u200e\u200f\u061cb", r"a\u200e\u200f\u061cb"),
        ("goo\u200bgle\ufeff\u00ad", r"goo\u200bgle\ufeff\xad"),
        ("line\u2028para\u2029", r"line\u2028para\u2029"),
        ("\ud800", r"\ud800"),
        ("\ue000", r"\ue000"),
        ("\U000e0041", r"\U000e0041"),
        ("pay\u3164pal\u115f\u034f\ufe0f\U000e0100", r"pay\u3164pal\u115f\u034f\ufe0f\U000e0100"),
    ],
)
def test_what_could_act_on_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_line_feeds_are_kept_only_on_request() -> None:
    assert printable("one\ntwo\x1b", keep_newlines=True) == "one\ntwo\\x1b"
    assert printable("one\ntwo") == r"one\x0atwo"


@given(st.text())
def test_nothing_invisible_is_ever_left(text: str) -> None:
    shown = printable(text)

    assert {unicodedata.category(character)[0] for character in shown} <= {"L", "M", "N", "P", "S", "Z"}
    assert not {unicodedata.category(character) for character in shown} & {"Zl", "Zp"}


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert printable(printable(text)) == printable(text)
