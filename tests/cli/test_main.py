"""The program's frame: exit codes, messages, lazy commands and completion."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from mailswitch import __version__
from mailswitch.cli import main as program
from mailswitch.cli.invocation import Invocation
from mailswitch.cli.lazy import LazyCommand, LazyGroup
from mailswitch.cli.main import entry, main
from mailswitch.core.errors import (
    AlreadyRunning,
    ApplyError,
    ConfigError,
    InvalidName,
    InventoryError,
    LedgerError,
    UnsafePlan,
)

COMMANDS = (
    "report once run recheck explain status history revert switch pin unpin approve pause resume config doctor "
    "notify install uninstall demo"
)  # fmt: skip


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Return a function that runs the program with one command, ``try-it``, that does what it is given."""

    def run(action: Callable[[], object]) -> int:
        monkeypatch.setattr(sys.modules[__name__], "try_it", click.Command("try-it", callback=action), raising=False)
        lazy = {"try-it": LazyCommand(target=f"{__name__}:try_it", summary="Try it.")}
        monkeypatch.setattr(program._program, "_lazy", lazy)
        return main(["try-it"])

    return run


def _raise(error: BaseException) -> Callable[[], object]:
    def action() -> object:
        raise error

    return action


def test_help_lists_every_command_with_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    lines = capsys.readouterr().out.splitlines()
    for command in COMMANDS.split():
        assert [line for line in lines if line.split()[:1] == [command] and len(line.split()) > 2]


def test_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0

    assert __version__ in capsys.readouterr().out


def test_no_command_shows_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2

    assert "Commands:" in capsys.readouterr().err


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reporrt"]) == 2

    assert "Did you mean 'report'?" in capsys.readouterr().err


def test_an_unknown_command_like_nothing_known_is_a_plain_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xyzzy"]) == 2

    complaint = capsys.readouterr().err
    assert "There is no command 'xyzzy'" in complaint
    assert "Did you mean" not in complaint


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--colour"]) == 2

    assert "--colour" in capsys.readouterr().err


def test_escape_sequences_in_arguments_are_not_echoed_raw(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["\x1b[2J"]) == 2

    complaint = capsys.readouterr().err
    assert "\x1b" not in complaint
    assert "x1b[2J" in complaint


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("bad"), 2),
        (InvalidName("bad"), 2),
        (UnsafePlan("bad"), 3),
        (AlreadyRunning("bad"), 5),
        (LedgerError("bad"), 1),
        (InventoryError("bad", code="unreachable"), 1),
        (ApplyError("bad", code="refused"), 1),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("bad"), 2),
        (click.ClickException("bad"), 1),
        (click.exceptions.Exit(4), 4),
        (BrokenPipeError(), 141),
        (RuntimeError("bad"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
@pytest.mark.usefixtures("capsys")  # without it, a closed pipe would close pytest's own capture
def test_each_error_has_its_exit_code(
    error: BaseException, code: int, run_command: Callable[[Callable[[], object]], int]
) -> None:
    assert run_command(_raise(error)) == code


@pytest.mark.parametrize(("result", "code"), [(4, 4), (0, 0), (None, 0)])
def test_a_command_s_number_is_the_exit_code(
    result: object, code: int, run_command: Callable[[Callable[[], object]], int]
) -> None:
    assert run_command(lambda: result) == code


def test_every_configuration_problem_is_told(
    run_command: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(_raise(ConfigError(("a.yaml:1: one", "a.yaml:2: two\x1b"))))

    assert capsys.readouterr().err.splitlines() == ["mailswitch: a.yaml:1: one", "mailswitch: a.yaml:2: two\\x1b"]


def test_an_unexpected_error_ends_in_a_clean_traceback(
    run_command: Callable[[Callable[[], object]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(_raise(RuntimeError("odd \x1b[31m")))

    complaint = capsys.readouterr().err
    assert "unexpected error" in complaint
    assert "RuntimeError: odd \\x1b[31m" in complaint


def test_a_command_finds_the_options_before_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Invocation] = []
    command = click.Command("try-it", callback=click.pass_obj(seen.append))
    monkeypatch.setattr(sys.modules[__name__], "try_it", command, raising=False)
    lazy = {"try-it": LazyCommand(target=f"{__name__}:try_it", summary="Try it.")}
    monkeypatch.setattr(program._program, "_lazy", lazy)

    assert main(["--config", "/somewhere/else.yaml", "try-it"]) == 0
    assert main(["try-it"]) == 0
    assert [str(invocation.config) for invocation in seen] == ["/somewhere/else.yaml", "None"]


def test_completion_offers_commands_without_importing_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_MAILSWITCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "mailswitch re")
    monkeypatch.setenv("COMP_CWORD", "1")

    assert main([]) == 0
    assert capsys.readouterr().out.split() == [
        "plain,report",
        "plain,recheck",
        "plain,revert",
        "plain,rescue",
        "plain,resume",
    ]


def test_completion_offers_the_program_s_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_MAILSWITCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "mailswitch --c")
    monkeypatch.setenv("COMP_CWORD", "1")

    assert main([]) == 0
    assert capsys.readouterr().out.split() == ["plain,--config"]


def test_a_target_that_is_no_command_is_refused() -> None:
    with pytest.raises(TypeError, match="not a click command"):
        LazyCommand(target="mailswitch:__version__", summary="").load()


def test_a_group_answers_none_for_a_command_it_does_not_have() -> None:
    group = LazyGroup("group", lazy_commands={})

    assert group.get_command(click.Context(group), "nothing") is None
    assert group.list_commands(click.Context(group)) == []


def test_entry_ends_the_process_with_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mailswitch", "xyzzy"])

    with pytest.raises(SystemExit) as end:
        entry()

    assert end.value.code == 2


def test_entry_leaves_streams_alone_that_are_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mailswitch", "--version"])
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    with pytest.raises(SystemExit) as end:
        entry()

    assert end.value.code == 0


def test_a_closed_pipe_is_no_error_worth_a_message() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from mailswitch.cli.main import entry; entry()", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)

    assert done.returncode == 141
    assert done.stderr == ""


def test_names_are_written_out_where_the_terminal_knows_ascii_only() -> None:
    code = "from mailswitch.cli import main; main.main = lambda: print('b\\xfccher'); main.entry()"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "b\\xfccher\n"
