"""YAML as written: texts, lines, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from mailswitch.config.document import Document, decode, parse, read, validate
from mailswitch.core.errors import ConfigError


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, origin="f")
    return caught.value.problems


@pytest.mark.parametrize(
    "word",
    ["on", "off", "yes", "No", "true", "FALSE", "12", "1e3", "0x1f", "12:30", "2026-11-23", ".inf", "=", "9.9.9.10"],
)
def test_plain_scalars_stay_the_text_that_was_written(word: str) -> None:
    assert parse(f"a: {word}\n{word}: b\n", origin="f").value == {"a": word, word: "b"}


@pytest.mark.parametrize("nothing", ["null", "Null", "NULL", "~", "", " # a comment"])
def test_null_and_nothing_are_none(nothing: str) -> None:
    assert parse(f"a: {nothing}\nb: [~]\n", origin="f").value == {"a": None, "b": [None]}


@pytest.mark.parametrize("quoted", ["'null'", '"~"', "''", '""'])
def test_quoted_words_are_texts_even_if_they_would_be_null(quoted: str) -> None:
    assert parse(f"a: {quoted}", origin="f").value == {"a": quoted[1:-1]}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_document_is_none(text: str) -> None:
    assert parse(text, origin="f").value is None


def test_block_scalars_keep_their_lines() -> None:
    assert parse("dns: |\n  a. 1 IN A 192.0.2.1\n  b.\tIN\n", origin="f").value == {
        "dns": "a. 1 IN A 192.0.2.1\nb.\tIN\n"
    }


def test_every_place_knows_its_line_and_unknown_places_their_nearest_ancestors() -> None:
    document = parse("# head\na: 1\nb:\n  - c: 2\n    d: [x,\n      y]\n", origin="f")

    paths: list[tuple[str | int, ...]] = [(), ("a",), ("b",), ("b", 0), ("b", 0, "c"), ("b", 0, "d", 1)]
    assert [document.line(path) for path in paths] == [
        2, 2, 3, 4, 4, 6,
    ]  # fmt: skip
    assert document.line(["b", 0, "missing", 3]) == 4
    assert document.line(["missing"]) == 2


def test_windows_line_ends_and_a_byte_order_mark_are_no_problem() -> None:
    document = parse("\ufeffa: 1\r\nb: 2\r\n", origin="f")

    assert document.value == {"a": "1", "b": "2"}
    assert document.line(["b"]) == 2


def test_all_structural_problems_are_told_at_once() -> None:
    text = (
        'a: 1\na: 2\n? [x]\n: 3\n<<: {q: 1}\nb: &q 1\nc: !!python/object/apply:os.system x\n~: 2\nd: *q\nz: "\\e[31m"\n'
    )

    assert problems(text) == (
        "f:2: a: the key is written twice, first on line 1: remove one",
        "f:3: a key has to be a text",
        "f:5: merge keys ('<<') are not allowed: write the keys out",
        "f:6: b: anchors and aliases (& and *) are not allowed: quote a text that begins with one",
        "f:7: c: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed: "
        "quote a text that begins with '!'",
        "f:8: a key has to be a text",
        "f:9: d: anchors and aliases (& and *) are not allowed: quote a text that begins with one",
        "f:10: z: the control character U+001B is not allowed",
    )


def test_duplicates_are_found_in_nested_sections_too() -> None:
    assert problems("s:\n - {a: 1, b: {c: 1,\n c: [2]}}\n") == (
        "f:3: s[0].b.c: the key is written twice, first on line 2: remove one",
    )


def test_a_quoted_merge_key_is_a_key() -> None:
    assert parse("'<<': 1", origin="f").value == {"<<": "1"}


def test_an_alias_as_a_key_is_refused_once() -> None:
    assert problems("a: &x k\n*x : 1\n") == (
        "f:1: a: anchors and aliases (& and *) are not allowed: quote a text that begins with one",
        "f:2: anchors and aliases (& and *) are not allowed: quote a text that begins with one",
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a: 'x\n", 2, "that begins on line 1"),
        ("a:\n\t- b\n", 2, "not YAML"),
        ("a: b: c", 1, "not YAML"),
        ("a: 1\n--- \nb: 2", 2, "a second document"),
        ("a\nb\x1b[31m", 2, "control character U+001B"),
        ("a: 1\n\nb: \x00", 3, "control character U+0000"),
        ("a: \ud800", 1, "control character U+D800"),
        ("a: 1\rb: 2", 1, "control character U+000D"),
        ("[" * 100_000, 1, "nested deeper than 32 levels"),
        ("? " * 5000 + "a", 1, "nested deeper than 32 levels"),
        ("- " * 5000 + "a", 1, "nested deeper than 32 levels"),
        ("{[" * 5000, 1, "nested deeper than 32 levels"),
        ("{a: " * 100, 1, "nested deeper than 32 levels"),
        ("%YAML 9.0\n---\na: 1", 1, "not YAML"),
        ("a: !x!y z", 1, "not YAML"),
    ],
)
def test_broken_or_hostile_text_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    (problem,) = problems(text)

    assert problem.startswith(f"f:{line}: ")
    assert words in problem


def test_a_text_beyond_the_size_limit_is_refused() -> None:
    assert problems("a" * 4_000_001) == ("f:1: the file is larger than 4,000,000 characters",)


def test_a_bomb_of_aliases_is_never_expanded() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9) if n else 'x'}]" for n in range(20))

    assert len(problems(levels)) == 20 + 19 * 9


def test_an_endless_list_of_problems_is_cut() -> None:
    found = problems("".join(f"- &a{n} x\n" for n in range(1500)))

    assert len(found) == 1001
    assert found[-1] == "f: and 500 more problems"


def test_octets_that_are_no_utf_8_are_told_with_their_line() -> None:
    with pytest.raises(ConfigError, match=r"f:3: the file is not UTF-8 text"):
        decode(b"a: 1\n# \xc3\xa4\nb: \xff\n", origin="f")


def test_a_file_is_read_with_its_name_as_origin(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: on\n")

    assert read(path) == Document({"a": "on"}, str(path))


def test_files_that_cannot_be_read_are_config_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "big").write_bytes(b"#" * 4_000_001)

    for name, words in (
        ("missing", "it does not exist"),
        ("", "it is not a regular file"),
        ("fifo", "it is not a regular file"),
        ("big", "larger than 4,000,000 characters"),
        ("n" * 300, "File name too long"),
        ("a\0b", "cannot read"),
    ):
        with pytest.raises(ConfigError, match=words):
            read(tmp_path / name)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: str = "red"
    number: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: list[Inner] = []
    either: Inner | list[Inner] | None = None
    count: int


def test_validate_tells_every_problem_in_the_order_of_the_file() -> None:
    document = parse("inner:\n - {color: x}\n - {number: x}\n - 5\nzzz: 1\ninnner: []\n", origin="w.yaml")

    with pytest.raises(ConfigError) as caught:
        validate(Outer, document)
    assert caught.value.problems == (
        "w.yaml:1: count: this key is missing",
        "w.yaml:2: inner[0].color: unknown key 'color' (did you mean 'colour'?)",
        "w.yaml:3: inner[1].number: a whole number is expected, not 'x'",
        "w.yaml:4: inner[2]: a section of keys and values is expected, not '5'",
        "w.yaml:5: zzz: unknown key 'zzz' (known here: count, either, inner)",
        "w.yaml:6: innner: unknown key 'innner' (did you mean 'inner'?)",
    )


def test_validate_returns_the_model() -> None:
    assert validate(Outer, parse("count: 3\ninner: [{number: 2}]", origin="f")) == Outer(
        count=3, inner=[Inner(number=2)]
    )


def test_validate_takes_an_empty_document_as_an_empty_section() -> None:
    with pytest.raises(ConfigError, match="f:1: count: this key is missing"):
        validate(Outer, parse("", origin="f"))


def test_the_place_of_a_problem_in_a_union_is_a_place_in_the_document() -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Outer, parse("count: 1\neither:\n  number: x\n", origin="f"))
    assert "f:3: either.number: a whole number is expected, not 'x'" in caught.value.problems


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=12
)
trees = st.recursive(
    st.none() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, trees, max_size=5))
def test_what_was_written_is_what_is_read(value: dict[str, Any]) -> None:
    # default_style quotes every text; None stays plain, since a quoted null would be a text.
    class Quoting(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    text = yaml.dump(value, Dumper=Quoting, allow_unicode=True)

    assert parse(text, origin="f").value == value


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_a_config_error(text: str) -> None:
    try:
        document = parse(text, origin="f")
    except ConfigError as error:
        assert all(problem.startswith("f:") and "\n" not in problem for problem in error.problems)  # noqa: PT017
    else:
        assert document.origin == "f"
