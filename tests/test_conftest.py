"""The guards that hold for every test hold."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_TESTS = """
import pytest

@pytest.mark.schemas
def test_marked():
    assert True

def test_plain():
    assert True

def test_skipping():
    if {skips}:
        pytest.skip("no reason")
    assert True
"""


def _pytest(folder: Path, *arguments: str, skips: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text((_ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_some.py").write_text(_TESTS.format(skips=skips), encoding="utf-8")
    markers = "[pytest]\nmarkers =\n    schemas: s\n    postgresql: p\n"
    (folder / "pytest.ini").write_text(markers, encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAILSWITCH_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments, str(folder)],
        cwd=folder,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_tests_without_their_schemas_are_left_out_and_said_to_be(tmp_path: Path, workers: str) -> None:
    done = _pytest(tmp_path, "-n", workers)

    assert done.returncode == 0
    assert "left out: 1 tests marked schemas" in done.stdout
    assert "MAILSWITCH_PLESK_XSD is not set" in done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("workers", ["0", "2"])
def test_tests_that_must_run_satisfy_when_they_passed(tmp_path: Path, workers: str) -> None:
    done = _pytest(tmp_path, "-n", workers, "--must-run=schemas", "--fail-on-skip", MAILSWITCH_PLESK_XSD=str(tmp_path))

    assert done.returncode == 0
    assert "left out" not in done.stdout
    assert "3 passed" in done.stdout


def test_tests_that_must_run_and_did_not_fail_the_session(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "--must-run=schemas", "-k", "plain", MAILSWITCH_PLESK_XSD=str(tmp_path))

    assert done.returncode == 1
    assert "failed: no test marked schemas passed" in done.stdout


def test_a_skip_fails_the_session_where_none_is_allowed(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "--fail-on-skip", skips=True)

    assert done.returncode == 1
    assert "failed: skipped: " in done.stdout


def test_what_must_run_needs_its_variable(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "--must-run=schemas")

    assert done.returncode == 4
    assert "--must-run=schemas needs MAILSWITCH_PLESK_XSD" in done.stderr


def test_a_schema_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = _pytest(tmp_path, MAILSWITCH_PLESK_XSD=str(tmp_path / "missing"))

    assert done.returncode == 4
    assert "names no folder" in done.stderr


@pytest.mark.parametrize("target", [("192.0.2.1", 9), ("2001:db8::1", 9)])
def test_nothing_outside_this_machine_can_be_reached(target: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET

    with socket.socket(family, socket.SOCK_DGRAM) as end, pytest.raises(BaseException, match=re.escape(target[0])):
        end.sendto(b"", target)
    with socket.socket(family, socket.SOCK_STREAM) as end, pytest.raises(BaseException, match=re.escape(target[0])):
        end.connect(target)


def test_no_name_is_looked_up_by_the_system() -> None:
    with pytest.raises(BaseException, match="moved\\.example"):
        socket.getaddrinfo("moved.example", 25)


def test_loopback_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
