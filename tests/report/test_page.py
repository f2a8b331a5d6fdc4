"""A page aligns, wraps and colours, and cleans every text it is given."""

from __future__ import annotations

import io

import pytest

from mailswitch.report.page import BAD, Page


def written(page: Page) -> str:
    stream = io.StringIO()
    page.write(stream)
    return stream.getvalue()


@pytest.fixture
def _colour_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    page = Page(is_terminal=False, width=None)

    page.rows([("a", "", "one"), ("longer", "", "two")])

    assert written(page) == "  a       one\n  longer  two\n"


def test_no_rows_and_empty_rows_leave_nothing() -> None:
    page = Page(is_terminal=False, width=None)

    page.rows([])
    page.rows([("", "")])

    assert written(page) == ""


def test_a_narrow_page_has_one_cell_a_line() -> None:
    page = Page(is_terminal=False, width=40)

    page.rows([("name.example", "", "domain", "Google Workspace")])

    assert written(page) == "  name.example\n    domain\n    Google Workspace\n"


def test_wide_letters_count_as_two_columns() -> None:
    page = Page(is_terminal=False, width=None)

    page.rows([("例え.example", "x"), ("ascii.example", "y")])

    assert written(page) == "  例え.example   x\n  ascii.example  y\n"


def test_a_wrapped_line_stays_indented() -> None:
    page = Page(is_terminal=False, width=20)

    page.line("some words that need more than one line", indent=4)

    assert {line[:4] for line in written(page).splitlines()} == {"    "}


@pytest.mark.usefixtures("_colour_terminal")
def test_a_terminal_gets_colours() -> None:
    page = Page(is_terminal=True, width=80)

    page.line(("failed", BAD))

    assert written(page) == "\x1b[1;31mfailed\x1b[0m\n"


@pytest.mark.usefixtures("_colour_terminal")
def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    page = Page(is_terminal=True, width=80)

    page.line(("failed", "red"))

    assert "31m" not in written(page)


@pytest.mark.usefixtures("_colour_terminal")
def test_a_dumb_terminal_gets_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    page = Page(is_terminal=True, width=80)

    page.line(("failed", BAD))

    assert written(page) == "failed\n"


@pytest.mark.usefixtures("_colour_terminal")
def test_foreign_text_can_neither_style_nor_end_a_style() -> None:
    page = Page(is_terminal=True, width=80)

    page.line(("a\x1b[0mb [/] [bold]c", BAD))

    assert written(page) == "\x1b[1;31ma\\x1b[0mb [/] [bold]c\x1b[0m\n"
