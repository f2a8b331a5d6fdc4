"""Configurations to build on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mailswitch.config.settings import Settings, load
from mailswitch.core.errors import ConfigError

KEY = "5e0a1c2d-hunter2-f00d"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return a secret file as it should be."""
    path = tmp_path / "web01.key"
    path.write_text(KEY + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def load_yaml(tmp_path: Path, key_file: Path) -> Callable[..., Settings]:
    """Return a function that writes a configuration beside the key file and loads it."""

    def load_it(text: str, environ: Mapping[str, str] | None = None) -> Settings:
        path = tmp_path / "m.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ=environ or {})

    return load_it


@pytest.fixture
def problems_in(load_yaml: Callable[..., Settings], tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that loads a bad configuration and returns its problems, each from its line on."""

    def find(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_yaml(text, environ)
        origin = f"{tmp_path / 'm.yaml'}:"
        assert all(problem.startswith(origin) for problem in caught.value.problems)
        return [problem.removeprefix(origin).strip() for problem in caught.value.problems]

    return find
