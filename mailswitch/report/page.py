"""A page of text for people: lines and aligned rows, coloured on a terminal and plain in a pipe.

Every text given to a page is cleaned here and never read as markup, so foreign text needs no care elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mailswitch.report.clean import printable

__all__ = ["BAD", "DIM", "GOOD", "PLAIN", "STRONG", "WARNING", "Page", "Part"]

PLAIN, STRONG, DIM = "", "bold", "dim"
GOOD, WARNING, BAD = "green", "yellow", "bold red"

Part = str | tuple[str, str]
"""A text, or a text with its style."""

_UNLIMITED = 10_000
_NARROWEST = 20
_NARROW = 60


class Page:
    """Collects a page and writes it to a stream at the end, in one piece."""

    def __init__(self, *, is_terminal: bool, width: int | None) -> None:
        """Make an empty page.

        Args:
            is_terminal: Whether colours are wanted; NO_COLOR and TERM=dumb are heeded all the same.
            width: In columns; None does not wrap at all, for pipes.
        """
        self._text = io.StringIO()
        self._console = Console(
            file=self._text,
            force_terminal=is_terminal,
            force_interactive=False,
            color_system="auto" if is_terminal else None,
            width=_UNLIMITED if width is None else max(width, _NARROWEST),
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
        )

    def line(self, *parts: Part, indent: int = 0) -> None:
        """Add one line; what is too long is wrapped and stays indented."""
        self._console.print(Padding(_joined(parts), (0, 0, 0, indent), expand=False))

    def blank(self) -> None:
        """Add an empty line."""
        self._console.print()

    def section(self, title: str, style: str = STRONG) -> None:
        """Add a title with an empty line before it."""
        self.blank()
        self.line((title, style))

    def rows(self, rows: Iterable[Sequence[Part]], *, indent: int = 2) -> None:
        """Add rows of equally many cells with their columns aligned; a narrow page has one cell a line instead.

        A column that is empty in every row is left out.
        """
        every = [[_joined([cell]) for cell in row] for row in rows]
        filled = [place for place in range(len(every[0]) if every else 0) if any(row[place].plain for row in every)]
        if self._console.width < _NARROW:
            for row in every:
                self._stack([cell for cell in row if cell.plain], indent)
        elif filled:
            table = Table.grid(padding=(0, 2, 0, 0))
            for _ in filled:
                table.add_column(overflow="fold")
            for row in every:
                table.add_row(*(row[place] for place in filled))
            self._console.print(Padding(table, (0, 0, 0, indent), expand=False))

    def _stack(self, cells: Sequence[Text], indent: int) -> None:
        for number, cell in enumerate(cells):
            self._console.print(Padding(cell, (0, 0, 0, indent + (2 if number else 0)), expand=False))

    def write(self, stream: TextIO) -> None:
        """Write the page; what the stream's encoding cannot show is written out as an escape."""
        text = "\n".join(line.rstrip(" ") for line in self._text.getvalue().split("\n"))
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _joined(parts: Iterable[Part]) -> Text:
    text = Text()
    for part in parts:
        words, style = (part, PLAIN) if isinstance(part, str) else part
        text.append(printable(words), style)
    return text
