"""The collector's rights are enough, and no more than its unit gives: root without any capability."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.names import DomainName
from mailswitch.evidence.collected import CollectedLogs
from mailswitch.evidence.spool import Spool
from mailswitch.simulation.mail_log import mail_log_text
from mailswitch.simulation.world import MailKind, WorldMail, WorldMailLog
from tests.support.worlds import PROGRAM

pytestmark = pytest.mark.root

_DAEMON = 60_124
"""A user and a group without names."""
_RIGHTS = (
    "setpriv", f"--regid={_DAEMON}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
)  # fmt: skip
_MOVED = DomainName("moved.example")


class Place:
    """The folders of a server: a log that is root's alone, a ledger's folder that is the daemon's alone."""

    def __init__(self, folder: Path) -> None:
        self.log, self.spool, self.own = folder / "maillog", folder / "spool", folder / "own"
        self.config = folder / "mailswitch.yaml"
        self.daemon = CollectedLogs("web01", Spool(self.spool), self.own)
        self.spool.mkdir(mode=0o750)
        os.chown(self.spool, 0, _DAEMON)
        self.own.mkdir(mode=0o750)
        self.config.write_text(
            f"ledger: sqlite:///{self.own}/ledger.db\n"
            f"servers: [{{name: web01, panel: local, mail_log: {{paths: [{self.log}], collected: {self.spool}}}}}]\n",
            encoding="utf-8",
        )
        mail = WorldMail(name=_MOVED, kind=MailKind.CO_TENANT, number=3)
        self.log.write_text(mail_log_text(WorldMailLog(mail=(mail,)), datetime.now(UTC)), encoding="utf-8")
        self.log.chmod(0o600)
        assert self.daemon.remember(None, hosted=(_MOVED,), own=()) is None
        for path in (self.own, *self.own.iterdir()):
            os.chown(path, _DAEMON, _DAEMON)

    def collects(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*_RIGHTS, *PROGRAM, "--config", str(self.config), "evidence", "collect"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="mailswitch-collector-"))
    yield Place(folder)
    shutil.rmtree(folder)


def test_root_without_capabilities_reads_for_a_daemon_that_may_not(place: Place) -> None:
    done = place.collects()
    found = place.daemon.gather(None, hosted=(_MOVED,), own=(), now=datetime.now(UTC))
    modes = {(path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) for path in place.spool.iterdir()}

    assert (done.returncode, done.stderr) == (0, "")
    assert sum(one.messages for one in found.counts) == 21
    assert found.reading is not None
    assert datetime.now(UTC) - found.reading.since > timedelta(days=8)
    assert modes == {(0, _DAEMON, 0o640)}


def test_a_log_of_somebody_elses_is_not_read_and_that_is_told(place: Place) -> None:
    os.chown(place.log, _DAEMON + 1, 0)
    done = place.collects()
    found = place.daemon.gather(None, hosted=(_MOVED,), own=(), now=datetime.now(UTC))

    assert (done.returncode, "Permission denied" in done.stdout) == (0, True)
    assert found.counts == ()
    assert "Permission denied" in (found.problem or "")
