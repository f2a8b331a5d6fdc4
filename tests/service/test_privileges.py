"""What root does beside a daemon of another user: it takes on that user before it touches what is that user's."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.errors import LedgerError
from mailswitch.ledger.place import file_of
from mailswitch.service import privileges
from mailswitch.simulation.stage import Stage
from mailswitch.simulation.world_file import parse_world
from tests.support.worlds import PROGRAM, a_world

pytestmark = pytest.mark.root

_ROOT = str(Path(__file__).parents[2])
_SERVICE = 60_123
"""A user without a name."""
_STEPPING = """
import os, sys
from datetime import timedelta
from pathlib import Path
from mailswitch.plesk.processes import ProcessLimits, run_bounded
from mailswitch.service.privileges import as_caller, step_down
path = Path(sys.argv[1])
def touched(name):
    try:
        os.close(os.open(path.parent / name, os.O_WRONLY | os.O_CREAT, 0o640))
    except PermissionError:
        return "refused"
    return os.stat(path.parent / name).st_uid
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of root's that everybody may enter, with ``var`` in it, which is the service's."""
    folder = Path(tempfile.mkdtemp(prefix="mailswitch-test-")).resolve()
    folder.chmod(0o755)
    (folder / "var").mkdir(mode=0o750)
    os.chown(folder / "var", _SERVICE, _SERVICE)
    yield folder
    shutil.rmtree(folder)


def _uid(path: Path) -> int | None:
    keeper = privileges.keeper_of(path)
    return None if keeper is None else keeper.uid


def test_a_way_that_is_roots_has_no_keeper(place: Path) -> None:
    assert _uid(place / "ledger.db") is None
    assert _uid(place / "nowhere" / "ledger.db") is None


def test_the_owner_of_the_directory_is_the_keeper(place: Path) -> None:
    assert _uid(place / "var" / "ledger.db") == _SERVICE
    assert _uid(place / "var" / "deeper" / "ledger.db") == _SERVICE
    assert _uid(place / "nowhere" / ".." / "var" / "ledger.db") is None  # there is no such way yet
    assert _uid(place / "var" / ".." / "ledger.db") == _SERVICE


def test_a_link_the_service_planted_does_not_make_root_the_keeper(place: Path) -> None:
    (place / "var" / "deeper").symlink_to("/etc")
    os.chown(place / "var" / "deeper", _SERVICE, _SERVICE, follow_symlinks=False)

    assert _uid(place / "var" / "deeper" / "ledger.db") == _SERVICE


def test_a_working_directory_that_is_gone_matters_to_relative_paths_only(place: Path) -> None:
    seen = _stepping(
        place,
        "from mailswitch.core.errors import LedgerError\n"
        "from mailswitch.service.privileges import keeper_of\n"
        "(path.parent.parent / 'gone').mkdir()\n"
        "os.chdir(path.parent.parent / 'gone')\n"
        "(path.parent.parent / 'gone').rmdir()\n"
        "print(keeper_of(path).uid)\n"
        "try:\n"
        "    keeper_of(Path('ledger.db'))\n"
        "except LedgerError as error:\n"
        "    print(error)\n",
    )

    assert seen.startswith(f"{_SERVICE}\n")
    assert "the working directory is gone" in seen


def test_a_link_of_roots_is_followed(place: Path) -> None:
    (place / "there").symlink_to("var")
    (place / "whole").symlink_to(place / "there")

    assert _uid(place / "there" / "ledger.db") == _SERVICE
    assert _uid(place / "whole" / "ledger.db") == _SERVICE


def test_links_in_a_circle_are_an_error(place: Path) -> None:
    (place / "round").symlink_to("about")
    (place / "about").symlink_to("round")

    with pytest.raises(LedgerError, match="too many symbolic links"):
        privileges.keeper_of(place / "round" / "ledger.db")


@pytest.mark.parametrize(
    ("mode", "who"), [(0o777, "everybody"), (0o775, f"the group {_SERVICE}"), (0o1777, "everybody")]
)
def test_a_directory_in_which_others_may_write_holds_no_ledger_for_root(place: Path, mode: int, who: str) -> None:
    shared = place / "shared"
    shared.mkdir()
    os.chown(shared, 0, _SERVICE)
    shared.chmod(mode)

    with pytest.raises(LedgerError, match=f"{who} may write to .*chmod go-w"):
        privileges.keeper_of(shared / "ledger.db")


def test_a_sticky_directory_may_lie_on_the_way(place: Path) -> None:
    (place / "tmp").mkdir()
    (place / "tmp").chmod(0o1777)
    (place / "tmp" / "own").mkdir(mode=0o700)

    assert _uid(place / "tmp" / "own" / "ledger.db") is None


def test_the_way_to_the_ledger_is_taken_as_it_is_written(place: Path) -> None:
    (place / "link").symlink_to("var")

    assert file_of(f"sqlite:///{place}/link/ledger.db") == place / "link" / "ledger.db"
    assert file_of("postgresql://user@host/database") is None


def _stepping(place: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _STEPPING + code, str(place / "var" / "ledger.db")],
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    return done.stdout.strip()


def test_files_made_after_stepping_down_are_the_services_and_there_is_no_way_back(place: Path) -> None:
    (place / "var" / "planted").symlink_to(place / "roots")

    seen = _stepping(
        place,
        "step_down(path, is_coming_back=False, program=(path.parent,))\n"
        "print(touched('made'), touched('planted'), os.getresuid(), os.getresgid(), os.getgroups())\n",
    )

    three = (_SERVICE,) * 3
    assert seen == f"{_SERVICE} refused {three} {three} [{_SERVICE}]"
    assert not (place / "roots").exists()


def test_a_command_for_a_local_panel_gives_root_to_plesk_only(place: Path) -> None:
    (place / "var" / "planted").symlink_to(place / "roots")

    seen = _stepping(
        place,
        "step_down(path, is_coming_back=True, program=(path.parent,))\n"
        "found = run_bounded(['/usr/bin/id', '-u'], ProcessLimits(timeout=timedelta(seconds=30)))\n"
        "print(touched('made'), touched('planted'), found.out.decode().strip(), os.getresuid())\n",
    )

    assert seen == f"{_SERVICE} refused 0 (0, {_SERVICE}, 0)"
    assert not (place / "roots").exists()


def test_the_file_the_caller_named_is_written_as_the_caller(place: Path) -> None:
    seen = _stepping(
        place,
        "step_down(path, is_coming_back=True, program=(path.parent,))\n"
        "with as_caller():\n"
        "    (path.parent.parent / 'plan.json').touch()\n"
        "print(os.geteuid(), os.getegid(), os.getgroups())\n",
    )

    assert seen == f"{_SERVICE} {_SERVICE} [{_SERVICE}]"
    assert (place / "plan.json").stat().st_uid == 0


def test_who_asked_stays_root_for_the_record(place: Path) -> None:
    seen = _stepping(
        place,
        "from mailswitch.cli.session import who\n"
        "for name in ('LOGNAME', 'USER', 'LNAME', 'USERNAME', 'SUDO_USER'):\n"
        "    os.environ.pop(name, None)\n"
        "step_down(path, is_coming_back=False, program=(path.parent,))\n"
        "print(who())\n",
    )

    assert seen == "root"


def test_a_program_the_service_cannot_read_is_told(place: Path) -> None:
    (place / "hidden").mkdir(mode=0o700)
    (place / "hidden" / "program").touch()

    seen = _stepping(
        place,
        "from mailswitch.core.errors import LedgerError\n"
        "try:\n"
        "    step_down(path, is_coming_back=False, program=(path.parent.parent / 'hidden' / 'program',))\n"
        "except LedgerError as error:\n"
        "    print(error)\n",
    )

    assert f"belongs to uid {_SERVICE}, who cannot read the program" in seen


def test_stepping_down_where_the_ledger_is_roots_changes_nothing(place: Path) -> None:
    assert privileges.step_down(place / "ledger.db", is_coming_back=False) is None
    assert os.getresuid() == (0, 0, 0)


# ---- the whole program


def _config(place: Path) -> Path:
    key = place / "panel.key"
    key.write_text("a-secret-key\n")
    key.chmod(0o640)
    os.chown(key, 0, _SERVICE)
    config = place / "mailswitch.yaml"
    config.write_text(
        f"ledger: sqlite:///{place}/var/ledger.db\n"
        "servers:\n"
        f"  - {{name: web01, url: 'https://127.0.0.1:1', secret_key_file: {key}, tls: {{verify: false}}}}\n"
    )
    return config


def _run(config: Path, *words: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_python() or sys.executable, *PROGRAM[1:], "--config", str(config), *words],
        env={**os.environ, **_python_path()},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd="/",
    )


def _python_path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join((_ROOT, *(entry for entry in sys.path if "site-" in entry)))}


def _python() -> str | None:
    """Return a Python like this one that the service can use; this one may lie in root's home."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        words = [python, "-c", "import mailswitch, os, click, pydantic_core"]
        with contextlib.suppress(OSError):
            done = subprocess.run(
                words,
                env=_python_path(),
                user=_SERVICE,
                group=_SERVICE,
                extra_groups=[],
                check=False,
                capture_output=True,
                cwd="/",
            )
            if done.returncode == 0:
                return python
    return None


def test_what_root_pins_the_service_can_write_to(place: Path) -> None:
    config = _config(place)

    pinned = _run(config, "pin", "a.example", "--reason", "test")

    if _python() is None:  # the program lies where no service could use it, and that is told
        assert (pinned.returncode, "cannot read the program" in pinned.stderr) == (1, True)
        return
    paused = _run(config, "pause", user=_SERVICE)
    listed = _run(config, "pin", "--list")
    assert (pinned.returncode, paused.returncode, listed.returncode) == (0, 0, 0), pinned.stderr + paused.stderr
    assert "a.example" in listed.stdout
    assert {path.stat().st_uid for path in (place / "var").iterdir()} == {_SERVICE}
    assert (place / "var" / "ledger.db") in set((place / "var").iterdir())


def test_a_pass_on_a_local_panel_writes_to_the_panel_as_root_and_to_the_ledger_as_its_owner(place: Path) -> None:
    text = a_world().replace('version: "18.0.61"', 'version: "18.0.61"\n    panel: local')
    text = text.replace("config: {", f"config: {{ledger: 'sqlite:///{place}/var/ledger.db', ")

    with Stage(parse_world(text), place / "world") as stage:
        done = _run(stage.config_path, "once", "--apply")
        switch = stage.panel("web01").switch_of("moved0.example")

    if _python() is None:
        assert "cannot read the program" in done.stderr
        return
    assert (done.returncode, switch) == (0, Switch.OFF), done.stderr
    assert {path.stat().st_uid for path in (place / "var").iterdir()} == {_SERVICE}


def test_a_report_s_file_is_written_as_root_who_named_it(place: Path) -> None:
    (place / "own").mkdir(mode=0o700)

    done = _run(_config(place), "report", "--output", str(place / "own" / "plan.txt"))

    if _python() is None:
        assert "cannot read the program" in done.stderr
        return
    assert done.returncode == 1  # nobody answers at the panel's address, and the report says so
    assert (place / "own" / "plan.txt").stat().st_uid == 0


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"])
def test_a_link_planted_for_root_leads_nowhere(place: Path, name: str) -> None:
    config = _config(place)
    target = place / "roots"
    target.write_bytes(b"")
    target.chmod(0o600)
    (place / "var" / name).symlink_to(target)

    done = _run(config, "pin", "a.example", "--reason", "test")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert target.read_bytes() == b""
    assert target.stat().st_uid == 0
