"""The whole program against whole worlds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailswitch.lookup.vantages import Codec
from mailswitch.simulation.builtin import demo_world
from mailswitch.simulation.stage import Stage
from tests.support.worlds import Ending, Play, Staged, staging


@pytest.fixture
def staged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Staged]:
    """Stages worlds; at the end no panel may have seen a request that is not allowed."""
    with staging(tmp_path, capsys) as function:
        yield function


@pytest.fixture(params=list(Codec))
def staged_for_each_codec(staged: Staged, request: pytest.FixtureRequest) -> Staged:
    """Stages worlds whose program reads DNS replies in one way, and in the other in the same test's second run."""

    def under_codec(text: str) -> Play:
        play = staged(text)
        play.edit_config("dns:\n", f"dns:\n  codec: {request.param.value}\n")
        return play

    return under_codec


@pytest.fixture(scope="session")
def demo_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, dict[tuple[str, ...], Ending]]]:
    """The built-in world with what was shown of it, shared by tests that only look."""
    with Stage(demo_world(), tmp_path_factory.mktemp("demo") / "world") as stage:
        yield stage, {}


@pytest.fixture
def demo(demo_stage: tuple[Stage, dict[tuple[str, ...], Ending]], capsys: pytest.CaptureFixture[str]) -> Iterator[Play]:
    """The program against the built-in world, for tests that only look."""
    stage, seen = demo_stage
    yield Play(stage, capsys, seen)
    assert [name for name, panel in stage.panels.items() if panel.writes() or panel.violations()] == []
    assert not (stage.directory / "ledger.db").exists()
