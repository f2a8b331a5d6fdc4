"""YAML as administrators write it: every scalar a text as written, every place with its line.

Facts:

- YAML 1.1 reads plain ``on``, ``off``, ``yes`` and ``no`` as booleans (YAML 1.1 bool type), ``1e3``, ``0x1f`` and
  ``12:30`` as numbers. Here a scalar stays the text that was written, and the models give it its type.
- Only ``null`` (in YAML's spellings), ``~`` and nothing at all are None.
- Anchors, aliases, merge keys and tags are refused: a configuration needs none of them, and they are how a small file
  becomes a large one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from mailswitch.config.messages import explain, path_text, shorten
from mailswitch.config.tree import CONTROL, Place, Refused, Tree
from mailswitch.core.errors import ConfigError

__all__ = ["Document", "Place", "Problem", "check", "decode", "parse", "read", "read_text", "scan", "validate"]

Model = TypeVar("Model", bound=BaseModel)
_MAX_CHARACTERS = 4_000_000
_MOST = 1_000
"""Problems told at once: more than anybody reads, fewer than a hostile file can hold."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to correct, and where it stands."""

    line: int
    path: str
    """``servers[0].panel``; empty for the document as a whole."""
    message: str

    def at(self, origin: str) -> str:
        """Return the problem as one line: ``FILE:LINE: path: message``."""
        return (
            f"{origin}:{self.line}: {self.path}: {self.message}"
            if self.path
            else f"{origin}:{self.line}: {self.message}"
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document whose scalars are texts or None."""

    value: Any
    """Nested dicts and lists of ``str`` and ``None``; None for an empty document."""
    origin: str
    """The file's name, for messages."""
    lines: Mapping[Place, int] = field(default_factory=dict, repr=False, compare=False)

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line, from 1, of the place at ``path``, or of its nearest ancestor that is in the file."""
        place = tuple(path)
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """Return a problem with what stands at ``path``."""
        return Problem(self.line(path), path_text(path), message)

    def error(self, problems: Iterable[Problem]) -> ConfigError:
        """Return the error that carries ``problems``, each once, in the order of the file."""
        found = sorted(set(problems))
        rest = [f"{self.origin}: and {len(found) - _MOST:,} more problems"] if len(found) > _MOST else []
        return ConfigError((*(problem.at(self.origin) for problem in found[:_MOST]), *rest))


def decode(raw: bytes, *, origin: str) -> str:
    """Return the text of a file.

    Raises:
        ConfigError: it is not UTF-8; with the line of the first octet that is not.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{origin}:{line}: the file is not UTF-8 text: save it as UTF-8") from error


def read(path: Path) -> Document:
    """Read and parse a file.

    Raises:
        ConfigError: it cannot be read, is no regular file, or is refused by `parse`.
    """
    return parse(read_text(path), origin=str(path))


def read_text(path: Path) -> str:
    """Return a file's text, bounded in size.

    Raises:
        ConfigError: it cannot be read, is no regular file, too large, or not UTF-8.
    """
    try:
        if not path.is_file():
            what = "is not a regular file" if path.exists() else "does not exist"
            raise ConfigError(f"{path}: cannot read the file: it {what}")
        with path.open("rb") as file:
            raw = file.read(_MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: cannot read the file: {reason}") from error
    return decode(raw, origin=str(path))


def parse(text: str, *, origin: str) -> Document:
    """Parse one YAML document.

    Raises:
        ConfigError: with every problem found: broken YAML, duplicate or unusable keys, tags, anchors, aliases, merge
            keys, control characters, too deep, too large.
    """
    document, problems = scan(text, origin=origin)
    if problems:
        raise document.error(problems)
    return document


def scan(text: str, *, origin: str) -> tuple[Document, tuple[Problem, ...]]:
    """Parse one YAML document and return what could be read of it beside the problems found.

    Raises:
        ConfigError: nothing can be made of it (broken YAML, too deep, too large).
    """
    text = text.removeprefix("\ufeff")
    if len(text) > _MAX_CHARACTERS:
        raise ConfigError(f"{origin}:1: the file is larger than {_MAX_CHARACTERS:,} characters")
    control = CONTROL.search(text.replace("\r\n", "\n"))
    if control is not None:
        line = text.replace("\r\n", "\n").count("\n", 0, control.start()) + 1
        code = f"U+{ord(control.group()):04X}"
        raise ConfigError(f"{origin}:{line}: the control character {code} is not allowed: remove it")
    tree = Tree()
    try:
        value = tree.build(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{origin}:{_error_line(error)}: not YAML: {_error_text(error)}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin}:1: not YAML: {shorten(str(error), 120)}") from error
    except Refused as error:
        raise ConfigError(f"{origin}:{error.line}: {error}") from error
    return Document(value, origin, tree.lines), tuple(
        Problem(line, path_text(place), message) for line, place, message in tree.problems
    )


def validate(model: type[Model], document: Document, *, context: object = None) -> Model:
    """Return ``document`` as a checked model.

    Args:
        model: a pydantic model that forbids unknown keys and takes its values from texts.
        document: what was parsed.
        context: handed to the model's validators.

    Raises:
        ConfigError: with every problem, in the order of the file, each with file, line, place and, where there is one,
            the nearest valid key.
    """
    found, problems = check(model, document, context=context)
    if found is None:
        raise document.error(problems)
    return found


def check(
    model: type[Model], document: Document, *, context: object = None
) -> tuple[Model | None, tuple[Problem, ...]]:
    """Return ``document`` as a checked model, or None and what is wrong with it; arguments as for `validate`."""
    value = {} if document.value is None else document.value
    try:
        return model.model_validate(value, context=context), ()
    except ValidationError as error:
        return None, tuple(document.problem(path, text) for path, text in explain(error, model, value))


def _error_line(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return 1 if mark is None else mark.line + 1


def _error_text(error: yaml.MarkedYAMLError) -> str:
    text = shorten(error.problem or "it cannot be read", 160, quote="")
    if error.context is None:
        return text
    since = "" if error.context_mark is None else f" that begins on line {error.context_mark.line + 1}"
    return f"{text} ({shorten(error.context, 80, quote='')}{since})"
