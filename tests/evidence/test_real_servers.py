"""What a real Postfix and a real Dovecot log while they run, counted exactly (`tests.support.real_mail`)."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from mailswitch.config.providers import load_table
from mailswitch.core.evidence import Gathered
from mailswitch.core.names import DomainName
from mailswitch.evidence.journal import JournalLog, JournalSettings
from tests.support.journal import Journal, entry
from tests.support.mail_logs import gathered, line, tally

pytestmark = pytest.mark.mail_servers

_STAGE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-m")
_HOSTED = tuple(
    DomainName(f"{word}.example") for word in ("moved", "other", "alias", "lists", "lmtp", "gone", "sender", "remote")
)
_OWN = (ip_network("203.0.113.10/32"),)
_FILTER, _OUTSIDER = "185.201.16.0/24", "198.51.100.0/24"
_TOLD = {
    ("moved.example", "outside", _FILTER): 6,  # four, one to two of its mailboxes, one deferred and delivered later
    ("other.example", "outside", _FILTER): 1,
    ("alias.example", "outside", _FILTER): 1,
    ("lists.example", "outside", _FILTER): 1,
    ("lmtp.example", "outside", _OUTSIDER): 1,
    ("moved.example", "co-tenant", None): 4,  # sendmail, the list's post, by SMTP from loopback and our own address
    ("other.example", "co-tenant", None): 4,  # the list's post, root's alias, a bounce, authenticated submission
    ("alias.example", "co-tenant", None): 1,
    ("lmtp.example", "co-tenant", None): 1,
    ("gone.example", "refused", _OUTSIDER): 3,
    ("gone.example", "refused-gateway", _FILTER): 1,
}
_LOGINS = {("moved.example", "info"): 2, ("moved.example", "bob"): 1, ("other.example", "info"): 1}


@pytest.fixture(scope="module")
def logs(mail: Path) -> tuple[str, str]:
    """Return what was logged before and after the log was rotated."""
    return (mail / "maillog.1").read_text(encoding="utf-8"), (mail / "maillog").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let the servers run, and return the folder with what they logged."""
    folder = tmp_path_factory.mktemp("mail")
    done = subprocess.run(
        [*_STAGE, "tests.support.real_mail", str(folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def _before() -> str:
    """Return a line from long before: until then a missing client tells nothing."""
    return line(datetime.now(UTC) - timedelta(hours=2), "anvil", "statistics") + "\n"


def _after() -> str:
    """Return a line from later, by which no filter can give anything back any more."""
    return line(datetime.now(UTC) + timedelta(minutes=10), "anvil", "statistics") + "\n"


def _look(log: Path, before: Gathered | None = None) -> Gathered:
    reading = None if before is None else before.reading
    return gathered(log, reading, now=datetime.now(UTC), hosted=_HOSTED, own=_OWN, providers=load_table(()))


def _logins(*looks: Gathered) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for look in looks:
        for one in look.logins:
            found[one.name.text, one.mailbox] = found.get((one.name.text, one.mailbox), 0) + one.logins
    return found


def test_what_real_servers_log_is_counted_exactly(tmp_path: Path, logs: tuple[str, str]) -> None:
    log = tmp_path / "maillog"
    log.write_text(_before() + "".join(logs) + _after(), encoding="utf-8")

    found = _look(log)

    assert tally(found) == _TOLD
    assert _logins(found) == _LOGINS
    assert found.problem is None


def test_real_logs_rotated_in_the_middle_are_counted_exactly(tmp_path: Path, logs: tuple[str, str]) -> None:
    log = tmp_path / "maillog"
    log.write_text(_before() + logs[0][:-5_000], encoding="utf-8")
    looks = [_look(log)]
    with log.open("a", encoding="utf-8") as writer:
        log.rename(tmp_path / "maillog.1")
        writer.write(logs[0][-5_000:])  # a renamed log still grows
    log.write_text(logs[1][:3_000], encoding="utf-8")
    looks.append(_look(log, looks[-1]))
    with log.open("a", encoding="utf-8") as writer:
        writer.write(logs[1][3_000:] + _after())
    looks.append(_look(log, looks[-1]))

    assert tally(*looks) == _TOLD
    assert _logins(*looks) == _LOGINS


def test_a_real_journal_is_counted_exactly_and_believes_no_tenant(tmp_path: Path, mail: Path) -> None:
    recorded = (mail / "journal.json").read_bytes().splitlines(keepends=True)
    journal = Journal(tmp_path)
    journal.add([entry(0, datetime.now(UTC) - timedelta(hours=2), "anvil", "statistics")])
    before = (tmp_path / "entries.json").read_bytes()
    settings = JournalSettings(journalctl=journal.journalctl, providers=load_table(()))
    looks: list[Gathered] = []
    for end in (40, 41, 97, len(recorded)):
        journal.replace(before + b"".join(recorded[:end]))
        if end == len(recorded):
            journal.add([entry(1 << 40, datetime.now(UTC) + timedelta(minutes=10), "anvil", "statistics")])
        reading = looks[-1].reading if looks else None
        hosted = (*_HOSTED, DomainName("forged.example"))
        looks.append(JournalLog(settings).gather(reading, hosted=hosted, own=_OWN, now=datetime.now(UTC)))

    assert tally(*looks) == _TOLD
    assert _logins(*looks) == _LOGINS
    assert [look.problem for look in looks] == [None] * 4
