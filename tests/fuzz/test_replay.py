"""What fuzzing has found worth keeping is tried again in every run of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.target import TARGETS, load, read_corpus, write_corpus


@pytest.mark.parametrize("name", TARGETS)
def test_no_seed_and_no_kept_input_is_a_finding(name: str) -> None:
    target = load(name)
    inputs = [*target.seeds(), *read_corpus(name)]
    for each in inputs:
        target.try_one(each)

    assert len(inputs) >= 10
    assert max(map(len, inputs)) <= target.MAX_OCTETS


@pytest.mark.parametrize("name", TARGETS)
def test_no_beginning_of_a_seed_is_a_finding(name: str) -> None:
    target = load(name)
    inputs = [each[: len(each) * part // 8] for each in target.seeds() for part in range(8)]
    for each in inputs:
        target.try_one(each)

    assert inputs


@pytest.mark.parametrize("name", TARGETS)
def test_a_kept_corpus_is_written_as_it_is_read(name: str, tmp_path: Path) -> None:

    kept = read_corpus(name)

    assert write_corpus(name, [*reversed(kept), *kept], tmp_path) == len(kept)
    assert read_corpus(name, tmp_path) == kept


def test_an_unknown_target_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'elsewhere' is no target: choose among dns"):
        load("elsewhere")
