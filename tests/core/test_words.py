from __future__ import annotations

from datetime import timedelta

import pytest

from mailswitch.core.words import counted, duration


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(milliseconds=900), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=61), "1 h 1 min"),
        (timedelta(hours=24), "1 d"),
        (timedelta(days=2, hours=4, minutes=30), "2 d 4 h"),
        (timedelta(days=2, minutes=4), "2 d"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(span: timedelta, text: str) -> None:
    assert duration(span) == text


@pytest.mark.parametrize(
    ("amount", "one", "many", "text"),
    [(1, "name", None, "1 name"), (0, "name", None, "0 names"), (2, "switch", "switches", "2 switches")],
)
def test_an_amount_is_told_with_its_noun(amount: int, one: str, many: str | None, text: str) -> None:
    assert counted(amount, one, many) == text
