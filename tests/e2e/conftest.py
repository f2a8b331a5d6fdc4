"""The whole program against whole worlds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.worlds import Staged, staging


@pytest.fixture
def staged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Staged]:
    """Stages worlds; at the end no panel may have seen a request that is not allowed."""
    with staging(tmp_path, capsys) as function:
        yield function
