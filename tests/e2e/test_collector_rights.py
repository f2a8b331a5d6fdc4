"""The collector's rights are enough, and no more than the unit gives: root without capabilities, the daemon nobody."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailswitch.simulation.stage import Stage
from mailswitch.simulation.world_file import parse_world
from tests.e2e.test_mail_log import with_log
from tests.support.worlds import PROGRAM, a_world

pytestmark = pytest.mark.root

_DAEMON = 60_124
_COLLECTOR = (
    "setpriv",
    f"--regid={_DAEMON}",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
    "--no-new-privs",
)
_SERVICE = ()
"""As root, who takes on the ledger's user before anything of it is opened."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A world whose ledger is the daemon's own, and whose mail log is root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="mailswitch-collector-"))
    folder.chmod(0o755)
    world = parse_world(with_log(a_world(), "name: moved0.example, kind: co-tenant, number: 3"))
    with Stage(world, folder / "world") as staged:
        spool, log = folder / "spool", staged.directory / "panels" / "web01" / "maillog"
        spool.mkdir(mode=0o750)
        os.chown(spool, 0, _DAEMON)
        text = staged.config_path.read_text(encoding="utf-8")
        staged.config_path.write_text(text.replace("mail_log:", f"mail_log:\n    collected: {spool}"), encoding="utf-8")
        for path in (staged.directory, *staged.directory.rglob("*")):
            os.chown(path, _DAEMON, _DAEMON)
            path.chmod(0o750 if path.is_dir() else 0o640)
        for path in (log, *staged.directory.glob("keys/*")):
            os.chown(path, 0, 0 if path == log else _DAEMON)
            path.chmod(0o600 if path == log else 0o640)
        yield staged
    shutil.rmtree(folder)


def _run(stage: Stage, rights: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*rights, *PROGRAM, "--config", str(stage.config_path), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def _report(stage: Stage) -> Any:
    done = _run(stage, _SERVICE, "once", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_root_without_capabilities_reads_for_a_daemon_that_may_not(stage: Stage) -> None:
    assert "nothing was collected yet" in _report(stage)["alerts"][0]["text"]
    collected = _run(stage, _COLLECTOR, "evidence", "collect")
    document = _report(stage)

    assert (collected.returncode, collected.stderr) == (0, "")
    assert document["servers"][0]["impact"] == {"last_30_days": 21, "stopped": 21}
    assert document["alerts"] == []
