"""Root sends stranded mail on beside a daemon of another user: mailboxes and log are root's to open, the ledger not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mta import Mta

pytestmark = pytest.mark.root

_SERVICE = 60_123
"""A user without a name."""
_SENDING = """
import encodings.idna, os, sys
from dataclasses import replace
from pathlib import Path
from mailswitch.service.privileges import as_caller, step_down
from mailswitch.service.rescue_send import send_rescue
from tests.support.rescuing import Desk
folder, port, log = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
desk = Desk(folder, port, log)
desk.look()
for number in range(3):
    desk.arrive(b"Subject: " + str(number).encode() + b"\\n\\nhello\\n")
desk.send(only=frozenset({"nobody"}))  # what is imported when it is needed is imported now
for path in folder.iterdir():
    if path.name.startswith("ledger.db"):
        os.chown(path, %(user)d, %(user)d)
os.chown(folder, %(user)d, %(user)d)
folder.joinpath("mailnames").chmod(0o700)
log.chmod(0o600)
step_down(folder / "ledger.db", is_coming_back=True, program=(Path("/"),))
seen = []
def watched():
    seen.append(os.geteuid())
    return as_caller()
tools = replace(desk.tools, as_caller=watched)
result = send_rescue(desk.scene.setup, tools, desk.terms())
owners = {path.stat().st_uid for path in folder.iterdir() if path.name.startswith("ledger.db")}
print(sum(result.counts.values()), result.stopped, os.geteuid(), sorted(owners), set(seen))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="mailswitch-test-")).resolve()
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


def test_only_mailboxes_and_log_are_opened_as_root(folder: Path) -> None:
    (folder / "var").mkdir()
    with Mta(folder / "maillog") as mta:
        done = subprocess.run(
            [sys.executable, "-c", _SENDING % {"user": _SERVICE}, str(folder / "var"), str(mta.port), str(mta.log)],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"3 None {_SERVICE} [{_SERVICE}] {{{_SERVICE}}}"
    assert len(mta.taken) == 3
