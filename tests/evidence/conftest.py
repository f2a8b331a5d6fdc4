from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.maildirs import Mailhouse


@pytest.fixture
def mailhouse(tmp_path: Path) -> Mailhouse:
    return Mailhouse(tmp_path / "mailnames")
