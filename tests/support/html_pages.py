"""Reads an HTML page as a browser does: its elements in their order, its texts, its tables' rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["Element", "HtmlPage", "html_page"]

_VOID = frozenset({"meta"})


@dataclass(frozen=True, slots=True)
class Element:
    """One element: what it is, and what it is told."""

    tag: str
    attributes: tuple[tuple[str, str | None], ...] = ()


@dataclass(slots=True)
class HtmlPage:
    """What is on a page."""

    elements: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """The texts between tags, the style left out."""
    style: str = ""
    headings: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    """The cells of each row of each table, those of the columns' headings too."""

    @property
    def words(self) -> str:
        """All texts on one line."""
        return " ".join("".join(self.texts).split())


def html_page(text: str) -> HtmlPage:
    """Read a page.

    Raises:
        AssertionError: an element is closed that is not the innermost open one, or is never closed; there is a comment,
            or anything that is neither element nor text.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    if reader.open:
        raise AssertionError(f"never closed: {reader.open}")
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = HtmlPage()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.elements.append(Element(tag, tuple(attrs)))
        if tag in _VOID:
            return
        self.open.append(tag)
        if tag == "tr":
            self.page.rows.append([])
        elif tag in {"th", "td"}:
            self.page.rows[-1].append("")
        elif tag in {"h1", "h2", "h3"}:
            self.page.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:  # as <meta/> is told
            return
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ""
        if where == "style":
            self.page.style += data
            return
        self.page.texts.append(data)
        if where in {"th", "td"}:
            self.page.rows[-1][-1] += data
        elif where in {"h1", "h2", "h3"}:
            self.page.headings[-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        if decl != "DOCTYPE html" or self.page.elements:
            raise AssertionError(f"a declaration: {decl!r}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data!r}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data!r}")
