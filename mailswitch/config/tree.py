"""A YAML document's values and lines, built from the parser's events, with bounds on what is built."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from mailswitch.config.messages import shorten

__all__ = ["CONTROL", "Place", "Refused", "Tree"]

Place = tuple[str | int, ...]

_MAX_DEPTH = 32
_MAX_NODES = 400_000
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that no document may hold, written as they are or escaped: control characters but tab and line feed."""


class Refused(Exception):
    """The document is refused as a whole."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


class Tree:
    """One document under construction."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self.problems: list[tuple[int, Place, str]] = []
        self._nodes = 0

    def build(self, events: Iterable[Any]) -> Any:
        """Return the value of the only document among ``events``."""
        stream = iter(events)
        value: Any = None
        documents = 0
        for event in stream:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Refused(_line(event), "a second document begins here: write one only")
            elif isinstance(event, yaml.NodeEvent):
                self.lines[()] = _line(event)
                value = self._node(event, stream, ())
        return value

    def _node(self, event: Any, stream: Any, place: Place) -> Any:
        line = _line(event)
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise Refused(line, f"the file has more than {_MAX_NODES:,} values")
        if len(place) > _MAX_DEPTH:
            raise Refused(line, f"nested deeper than {_MAX_DEPTH} levels")
        self._refuse_extras(event, place, line)
        match event:
            case yaml.MappingStartEvent():
                return self._mapping(stream, place)
            case yaml.SequenceStartEvent():
                return self._sequence(stream, place)
            case yaml.ScalarEvent():
                return self._scalar(event, place, line)
        return None

    def _refuse_extras(self, event: Any, place: Place, line: int) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._add(place, line, "anchors and aliases (& and *) are not allowed: quote a text that begins with one")
        elif event.tag is not None:
            self._add(place, line, f"the tag {shorten(event.tag)} is not allowed: quote a text that begins with '!'")

    def _sequence(self, stream: Any, place: Place) -> list[Any]:
        items: list[Any] = []
        for event in stream:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*place, len(items))
            self.lines[here] = _line(event)
            items.append(self._node(event, stream, here))
        return items

    def _mapping(self, stream: Any, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in stream:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = _line(event)
            key = self._key(event, stream, place)
            if key is None:
                self._node(next(stream), stream, (*place, ""))
                continue
            here = (*place, key)
            if key in found:
                self._add(here, line, f"the key is written twice, first on line {self.lines[here]}: remove one")
                self._node(next(stream), stream, (*place, key, ""))
                continue
            self.lines[here] = line
            found[key] = self._node(next(stream), stream, here)
        return found

    def _key(self, event: Any, stream: Any, place: Place) -> str | None:
        line = _line(event)
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value == "<<":
            self._add(place, line, "merge keys ('<<') are not allowed: write the keys out")
            return None
        key = self._node(event, stream, (*place, ""))
        if isinstance(key, str):
            return key
        if not isinstance(event, yaml.AliasEvent):
            self._add(place, line, "a key has to be a text")
        return None

    def _scalar(self, event: Any, place: Place, line: int) -> str | None:
        value: str = event.value
        if event.implicit[0] and value in _NULLS:
            return None
        control = CONTROL.search(value)
        if control is not None:
            self._add(place, line, f"the control character U+{ord(control.group()):04X} is not allowed")
        return value

    def _add(self, place: Place, line: int, message: str) -> None:
        self.problems.append((line, place, message))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
