"""Help texts, completion and the version: what a newcomer meets first, and that it is quick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import click
import pytest

from mailswitch import __version__
from mailswitch.cli import main as program

HEAVY = ("sqlalchemy", "dns", "requests", "alembic", "apscheduler", "pydantic", "yaml", "cryptography")
FORBIDDEN = ("sqlalchemy", "dns", "requests")

COMMANDS = (
    "report", "once", "explain", "status", "history", "revert", "switch", "pin", "unpin", "approve", "pause", "resume",
    "config", "config init", "config check", "config show", "doctor", "demo", "run", "recheck", "notify", "install",
    "uninstall", "stranded", "rescue", "evidence", "evidence collect",
)  # fmt: skip

_SCRIPT = """
import io, json, sys
from contextlib import redirect_stdout
from mailswitch.cli.main import main

shown = {}
for command in json.loads(sys.argv[1]):
    page = io.StringIO()
    with redirect_stdout(page):
        code = main([*command.split(), "--help"])
    imported = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
    shown[command] = {"code": code, "text": page.getvalue(), "imported": imported}
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def helped() -> dict[str, dict[str, Any]]:
    """What each command's ``--help`` shows, and which heavy packages a fresh process had imported by then."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(["", *COMMANDS]), json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_program_s_help_imports_nothing_heavy(helped: dict[str, dict[str, Any]]) -> None:
    assert helped[""]["imported"] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_is_usable_and_quick(helped: dict[str, dict[str, Any]], command: str) -> None:
    found = helped[command]

    assert found["code"] == 0
    assert f"Usage: mailswitch {command}" in found["text"]
    assert set(found["imported"]) & set(FORBIDDEN) == set()
    body = found["text"].split("\n\n", 1)[1]
    assert len(body.split()) > 10


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_is_explained(command: str) -> None:
    context = click.Context(program._program)
    found: click.Command = program._program
    for word in command.split():
        assert isinstance(found, click.Group)
        below = found.get_command(context, word)
        assert below is not None
        found = below

    options = [one for one in found.params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help] == []


def test_the_commands_that_end_in_numbers_explain_them(helped: dict[str, dict[str, Any]]) -> None:
    for command in ("report", "once", "status", "revert", "switch", "doctor"):
        assert "Exit codes:" in helped[command]["text"], command


def test_the_version_needs_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from mailswitch.cli.main import main\n"
        "main(['--version'])\n"
        "print([name for name in ('sqlalchemy', 'dns', 'requests') if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [f"mailswitch, version {__version__}", "[]"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_names_of_commands(shell: str) -> None:
    at = "" if shell == "fish" else "1"  # fish hands over the incomplete word, the others its place
    done = subprocess.run(
        [sys.executable, "-c", "from mailswitch.cli.main import entry; entry()"],
        env={**os.environ, "COMP_WORDS": "mailswitch ", "COMP_CWORD": at, "_MAILSWITCH_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    for command in ("report", "once", "explain", "doctor", "demo"):
        assert command in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_MAILSWITCH_COMPLETE", f"{shell}_source")

    assert program.main([]) == 0
    assert "mailswitch" in capsys.readouterr().out


def test_an_option_that_does_not_exist_names_a_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["report", "--sever", "web01"]) == 2
    assert "--server" in capsys.readouterr().err
