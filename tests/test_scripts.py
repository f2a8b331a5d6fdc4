"""The set-up says what is missing, and does nothing when nothing is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with what the set-up reads, and no .venv."""
    folder = tmp_path / "a folder"
    for name in ("script", "requirements"):
        shutil.copytree(_ROOT / name, folder / name)
    (folder / "mailswitch").mkdir()
    shutil.copy(_ROOT / "mailswitch" / "__init__.py", folder / "mailswitch")
    shutil.copy(_ROOT / "pyproject.toml", folder)
    return folder


def _setup(folder: Path, *arguments: str, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "script" / "setup", *arguments],
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _program(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_an_unknown_kind_is_a_usage_error(checkout: Path) -> None:
    done = _setup(checkout, "everything", python=sys.executable)

    assert done.returncode == 2
    assert done.stderr.startswith("usage: script/setup runtime|dev")


def test_a_missing_python_is_named_with_what_to_install(checkout: Path) -> None:
    done = _setup(checkout, "runtime", python="python-of-nowhere")

    assert done.returncode == 1
    assert "python-of-nowhere was not found" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr


def test_a_python_that_is_too_old_is_named_with_its_version(checkout: Path, tmp_path: Path) -> None:
    old = _program(tmp_path / "python3.9", 'if [ "$1" = -V ]; then echo Python 3.9.2; else exit 1; fi')

    done = _setup(checkout, "runtime", python=old)

    assert done.returncode == 1
    assert "Python 3.9.2, mailswitch needs 3.11 or later" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_without_venv_is_named_with_what_to_install(checkout: Path, tmp_path: Path) -> None:
    bare = _program(
        tmp_path / "python3", 'case "$*" in *ensurepip*) exit 1 ;; -V) echo Python 3.11.2 ;; *) exit 0 ;; esac'
    )

    done = _setup(checkout, "runtime", python=bare)

    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr


def test_what_is_up_to_date_is_left_alone_and_a_changed_lock_is_not(checkout: Path) -> None:
    python = _program(
        checkout / ".venv" / "bin" / "python", 'case "$*" in *"pip install"*) echo "$@" >>"$0.log" ;; esac'
    )
    _program(checkout / ".venv" / "bin" / "pip", f"# {python}")
    _program(checkout / ".venv" / "bin" / "mailswitch", "true")
    log = Path(f"{python}.log")

    first = _setup(checkout, "dev", python=sys.executable)
    installed = log.read_text(encoding="utf-8").splitlines()
    again = [_setup(checkout, kind, python=sys.executable) for kind in ("dev", "runtime")]

    assert (first.returncode, [done.returncode for done in again]) == (0, [0, 0])
    assert "--require-hashes --requirement requirements/dev.lock" in installed[0]
    assert "--no-deps --no-build-isolation --editable ." in installed[1]
    assert [done.stderr for done in again] == ["", ""]
    assert log.read_text(encoding="utf-8").splitlines() == installed

    with (checkout / "requirements" / "runtime.lock").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    _setup(checkout, "runtime", python=sys.executable)

    assert "requirements/runtime.lock" in log.read_text(encoding="utf-8").splitlines()[len(installed)]
