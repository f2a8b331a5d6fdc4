"""What a configuration problem is called: pydantic's findings in an administrator's words, without secrets."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

__all__ = ["did_you_mean", "explain", "is_secret", "path_text", "sections", "shorten", "shown"]

_SECRET_KEY = re.compile(r"password|passwd|secret|key|token|credential", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"://.*@|[?&][^=]*(?:password|passwd|secret|token|key)[^=]*=", re.IGNORECASE)
_PLAIN_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_QUOTED = re.compile(r"'([^']*)'")
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_EXPECTED = {
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "int_parsing_size": "a smaller number is expected",
    "float_type": "a number is expected",
    "float_parsing": "a number is expected",
    "bool_type": "on or off is expected",
    "bool_parsing": "on or off is expected",
    "string_type": "a text is expected",
    "list_type": "a list is expected",
    "tuple_type": "a list is expected",
    "dict_type": "a section of keys and values is expected",
    "model_type": "a section of keys and values is expected",
    "model_attributes_type": "a section of keys and values is expected",
}


def explain(error: ValidationError, model: type[BaseModel], value: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Return place and text of each problem in ``error``, found when ``value`` was validated as ``model``."""
    found = []
    for detail in error.errors(include_url=False):
        kind = detail["type"]
        path = _place(detail["loc"], value, is_missing=kind == "missing")
        if kind == "extra_forbidden":
            found.append((path, _unknown_key(path, model)))
        else:
            found.append((path, _text(kind, path, detail.get("input"), detail.get("ctx", {}), detail["msg"])))
    return found


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `` (did you mean 'nearest'?)``, or nothing where no choice is near."""
    known = _spellings(choices)
    typed = word.lower().replace("-", "_")
    # Who writes a secret itself where its place belongs is led to the file, the first way the documentation names.
    near = [f"{typed}_file"] if f"{typed}_file" in known else difflib.get_close_matches(typed, known, n=1, cutoff=0.55)
    return f" (did you mean {known[near[0]]!r}?)" if near else ""


def is_secret(path: Sequence[str | int]) -> bool:
    """Whether a value at ``path`` may be a secret, or was perhaps meant to be one."""
    return any(isinstance(part, str) and _SECRET_KEY.search(part) for part in path)


def shown(value: Any, path: Sequence[str | int] = ()) -> str:
    """Return a value for a message: quoted, shortened, escaped; nothing of what may be a secret."""
    if value is None:
        return "an empty value"
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    if is_secret(path) or _SECRET_VALUE.search(str(value)):
        return "the value (not shown here)"
    return shorten(str(value))


def shorten(text: str, limit: int = 60, *, quote: str = "'") -> str:
    """Return ``text`` on one line, escaped to what any terminal can show, cut after ``limit`` characters."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    plain = "".join(one if one.isprintable() and one != "\\" else one.encode("unicode_escape").decode() for one in cut)
    return f"{quote}{plain}{quote}"


def path_text(path: Sequence[str | int]) -> str:
    """Return a place as it is written in messages: ``servers[0].policy.domains['*.example.jp']``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_PART.match(part):
            text += f".{part}" if text else part
        elif part:
            text += f"[{shorten(part)}]"
    return text


def sections(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """Return the keys a model knows, each with the model of its section or of its list's items, if it has one."""
    return {field.alias or name: _model_in(field.annotation) for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if typing.get_origin(annotation) is not None:
        return next((found for inner in typing.get_args(annotation) if (found := _model_in(inner))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _model_at(path: Sequence[str | int], model: type[BaseModel]) -> type[BaseModel] | None:
    """Follow ``path`` through sections; the keys of a plain mapping and the places of a list change no model."""
    here: type[BaseModel] | None = model
    for part in path:
        if here is None:
            return None
        if isinstance(part, str) and part in (keys := sections(here)):
            here = keys[part]
    return here


def _unknown_key(path: Sequence[str | int], model: type[BaseModel]) -> str:
    word = str(path[-1]) if path else ""
    parent = _model_at(path[:-1], model)
    keys = sorted(sections(parent)) if parent is not None else []
    near = did_you_mean(word, keys)
    if not near:
        elsewhere = _elsewhere(word, model, ())
        near = f" (it belongs under {path_text(elsewhere)!r})" if elsewhere else f" (known here: {', '.join(keys)})"
    return f"unknown key {shorten(word)}{near}"


def _elsewhere(word: str, model: type[BaseModel], path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the section that knows the key ``word``; nothing if there is none or it is the top."""
    for key, section in sections(model).items():
        if section is not None and section is not model:
            found = (*path, key) if word in sections(section) else _elsewhere(word, section, (*path, key))
            if found:
                return found
    return ()


def _place(location: tuple[int | str, ...], value: Any, *, is_missing: bool) -> tuple[str | int, ...]:
    """Return the part of a pydantic location that is a place in the document; union and function tags are not."""
    path: list[str | int] = []
    here = value
    for at, part in enumerate(location):
        if part in _parts(here):
            here = here[part]
        elif not (is_missing and at == len(location) - 1):
            continue
        path.append(part)
    return tuple(path)


def _parts(value: Any) -> Collection[str | int]:
    if isinstance(value, list):
        return range(len(value))
    return value.keys() if isinstance(value, dict) else ()


def _text(kind: str, path: Sequence[str | int], value: Any, context: Mapping[str, Any], message: str) -> str:
    if kind == "missing":
        return "this key is missing"
    if value is None:
        return "this key has no value"
    if kind in ("enum", "literal_error"):
        choices = _QUOTED.findall(str(context.get("expected", "")))
        near = did_you_mean(value, choices) if isinstance(value, str) else ""
        return f"{shown(value, path)} is not one of {', '.join(choices)}{near}"
    if kind == "value_error":
        reason = str(context.get("error", message))
        return reason if isinstance(value, Mapping | list) else f"{shown(value, path)} {reason}"
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{shown(value, path)} has to be {words} {context.get(key)}"
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind]}, not {shown(value, path)}"
    return f"{shown(value, path)}: {message[:1].lower()}{message[1:]}"


def _spellings(choices: Iterable[str]) -> dict[str, str]:
    return {choice.lower().replace("-", "_"): choice for choice in choices}
