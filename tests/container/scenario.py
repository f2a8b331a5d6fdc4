"""What happens to daemons, done to mailswitch on a real systemd: ``python -m tests.container.scenario TREE WORK``.

Each step says what it saw and how long that took, and ends the whole with exit code 1 when it is not as it must be.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from mailswitch.simulation.misbehaviour import WRITES, Fault, Misbehaviour
from tests.container.installing import Installing
from tests.container.leaving import Leaving
from tests.container.machine import Broken, Container, until
from tests.container.world import CONFIG, HERE, KEY, MOVED, POLICY, tell

_SLOW = Misbehaviour(fault=Fault.SLOW, on=WRITES, seconds=0.7)
_STOPPING_SECONDS = 20.0
_ANSWER_SECONDS = 5.0


class Scenario(Installing, Leaving):
    """The daemon's own steps; each finds what the one before left."""

    def the_first_pass(self) -> None:
        """The service is ready, and its first pass has been made."""
        self.check(self.box.is_active(), "the service is ready (Type=notify)")
        entry, _ = self.box.next_event("pass_finished", 0, seconds=60)
        self.check(entry["domains"] == 40 and entry["dry_run"], "the first pass saw 40 names, in mode report")
        self.check("watching" in self.box.show("StatusText"), f"systemctl status says: {self.box.show('StatusText')}")
        self.mailswitch("status")
        self.check(True, "mailswitch status ends with 0")
        self.check(self.written() == Counter(), "nothing was written")
        again = self.mailswitch("install")
        self.check(again.count("there already: ") == 6, "installing again changes nothing")
        tell(
            self.box.run(
                "systemd-analyze", "security", "--no-pager", "--threshold=13", "mailswitch.service"
            ).splitlines()[-1],
        )

    def secrets_and_owners(self) -> None:
        """The key is root's and the service's; what root does beside the daemon stays the daemon's."""
        listing = self.box.run("stat", "--format=%U:%G %a", CONFIG, KEY).split("\n")
        self.check(listing[:2] == ["root:mailswitch 640"] * 2, "configuration and key are root:mailswitch 0640")
        key = self.box.file(KEY).read_text().strip()
        journal = self.box.run("journalctl", "--no-pager", "--output=verbose")
        self.check(key not in journal, "the key is nowhere in the journal")
        self.mailswitch("pin", HERE[0], "--reason", "as root beside the daemon")
        self.mailswitch("report", "--format", "json", "--output", "/root/plan.json")
        owners = set(self.box.run("find", "/var/lib/mailswitch", "-printf", r"%u\n").split())
        self.check(
            owners == {"mailswitch"}, "after pin and report as root, all below /var/lib/mailswitch is the daemon's"
        )
        self.check(
            self.box.run("stat", "--format=%U", "/root/plan.json").strip() == "root",
            "and report --output wrote root's file",
        )

    def reloading(self) -> None:
        """A broken configuration is refused; a good one is taken."""
        config = self.box.file(CONFIG)
        good = config.read_text()
        process = self.box.main_process()
        config.write_text(good.replace("mode: report", "mode: everything\nno_such_key: 1"))
        self.box.run("systemctl", "reload", "mailswitch")
        refused, _ = self.box.next_event("configuration_refused", 1, seconds=20)
        self.check(refused["reason"], f"refused, each problem in the journal: {refused['reason'][:90]}")
        self.check(self.box.is_active() and self.box.main_process() == process, "and the same daemon still runs")
        config.write_text(good.replace("mode: report", "mode: enforce") + POLICY)
        self.box.run("systemctl", "reload", "mailswitch")
        self.box.next_event("configuration_reloaded", 0, seconds=20)
        self.check(self.box.main_process() == process, "a good one is taken, without a restart")

    def rechecking(self) -> None:
        """A name somebody asks for is looked at within five seconds, also when Plesk's event handler asks."""
        for words, variables in (
            (("recheck", HERE[1]), {}),
            (("recheck", "--from-plesk", "site_dns_update"), {"NEW_DOMAIN_NAME": HERE[2]}),
        ):
            answers = len(self._rechecks())
            started = time.monotonic()
            self.mailswitch(*words, variables=variables)
            asked = time.monotonic() - started
            until("it is answered", lambda before=answers: len(self._rechecks()) > before, seconds=20)  # type: ignore[misc]
            took = time.monotonic() - started
            self.check(
                took - asked < _ANSWER_SECONDS, f"{' '.join(words)} was answered {took - asked:.1f} s after it ended"
            )

    def _rechecks(self) -> list[dict[str, Any]]:
        return [entry for entry in self.box.events("pass_finished") if entry["cause"] == "recheck"]

    def killing(self) -> None:
        """SIGKILL in the middle of an apply: restarted, settled, each change exactly once."""
        names = MOVED[:10]
        restarts = int(self.box.show("NRestarts"))
        self._apply_slowly(names, interrupt_after=3)
        until("it is between an intent and its outcome", self._is_stopped_in_a_change, seconds=60)
        self.box.signal_daemon("KILL")
        self.check(self._open_intents() == 1, "killed between an intent and its outcome")
        self.check(len(self.written()) < len(names), f"killed after {len(self.written())} of {len(names)} writes")
        until(
            "systemd has restarted it",
            lambda: int(self.box.show("NRestarts")) > restarts and self.box.is_active(),
            seconds=40,
        )
        until("all are off", lambda: self.are_off(names), seconds=90)
        until("no intent is open", lambda: not [one for one in self.changes() if one["outcome"] is None], seconds=60)
        self.panel.clear_misbehaviour()
        self.check_each_changed_once(names)

    def hanging(self) -> None:
        """SIGSTOP: the watchdog ends it, and it is started again."""
        restarts, process = int(self.box.show("NRestarts")), self.box.main_process()
        self.box.signal_daemon("STOP")
        took = until(
            "the watchdog restarts it",
            lambda: int(self.box.show("NRestarts")) > restarts and self.box.is_active(),
            seconds=120,
        )
        self.check(
            self.box.main_process() != process, f"a stopped daemon was replaced by the watchdog after {took:.0f} s"
        )
        journal = self.box.run("journalctl", "--unit=mailswitch.service", "--no-pager")
        self.check("Watchdog timeout" in journal, "and the journal says: Watchdog timeout")

    def stopping(self) -> None:
        """Stopped during an apply: the change in flight is finished, and the end is clean."""
        names = MOVED[10:]
        self._apply_slowly(names, interrupt_after=2)
        started = time.monotonic()
        self.box.run("systemctl", "stop", "mailswitch")
        took = time.monotonic() - started
        self.check(took < _STOPPING_SECONDS, f"stopped during an apply after {took:.1f} s")
        self.check(self.box.show("Result") == "success", "with result success")
        done = len([name for name in names if name in self.written()])
        self.check(done < len(names), f"{done} of {len(names)} were written by then")
        self.panel.clear_misbehaviour()
        self.box.run("systemctl", "start", "mailswitch")
        until("all are off", lambda: self.are_off(names), seconds=90)
        until(
            "the pass has ended",
            lambda: len([one for one in self.changes() if one["outcome"] == "done"]) >= 20,
            seconds=60,
        )
        self.check_each_changed_once(MOVED)

    def rebooting(self) -> None:
        """The machine is started anew: it is back."""
        passes = len(self.box.events("pass_finished"))
        self.box.reboot()
        until("the service is ready", self.box.is_active, seconds=60)
        until("it made a pass", lambda: len(self.box.events("pass_finished")) > passes, seconds=60)
        self.check(True, "after a reboot the service is ready again and has made its pass")
        self.check_each_changed_once(MOVED)
        self.check(self.panel.violations() == (), "the panel saw no request that is not allowed")

    def _is_stopped_in_a_change(self) -> bool:
        """Stop the daemon, and let it go on unless that was in the middle of a change."""
        self.box.signal_daemon("STOP")
        if self._open_intents() == 1:
            return True
        self.box.signal_daemon("CONT")
        return False

    def _open_intents(self) -> int:
        """Count the intents without an outcome as they lie on the disk at this moment, before anybody settles them."""
        with tempfile.TemporaryDirectory() as folder:
            for end in ("", "-wal"):
                shutil.copy(self.box.file(f"/var/lib/mailswitch/ledger.db{end}"), folder)
            with closing(sqlite3.connect(Path(folder) / "ledger.db")) as ledger:
                (count,) = ledger.execute("SELECT count(*) FROM changes WHERE outcome IS NULL").fetchone()
        return int(count)

    def _apply_slowly(self, names: list[str], *, interrupt_after: int) -> None:
        """Let names move, have them looked at, and return when so many of them were written."""
        before = sum(self.written().values())
        self.panel.misbehave(_SLOW, times=None)
        self.move(names)
        self.mailswitch("recheck", *names)
        until("the apply is under way", lambda: sum(self.written().values()) - before >= interrupt_after, seconds=60)


def main(tree: Path, work: Path) -> int:
    """Boot the tree and do everything to it."""
    # The drop-in makes the watchdog quick; everything else is as it is installed.
    drop_in = tree / "etc/systemd/system/mailswitch.service.d"
    drop_in.mkdir(parents=True)
    (drop_in / "quick-watchdog.conf").write_text("[Service]\nWatchdogSec=20\nTimeoutAbortSec=5\n")
    (tree / "var/log/journal").mkdir(exist_ok=True)
    started = time.monotonic()
    with Container(tree, work) as container:
        scenario = Scenario(container)
        steps = (
            scenario.getting_ready, scenario.only_a_report, scenario.installing, scenario.the_first_pass,
            scenario.secrets_and_owners, scenario.credential, scenario.metrics, scenario.reloading,
            scenario.rechecking, scenario.killing, scenario.hanging, scenario.stopping, scenario.rebooting,
            scenario.uninstalling, scenario.answering, scenario.forcing,
        )  # fmt: skip
        for step in steps:
            tell(f"-- {time.monotonic() - started:4.0f} s  {(step.__doc__ or '').splitlines()[0]}")
            try:
                step()
            except Broken as error:
                tell(f"   FAILED  {error}")
                tell(container.try_run("journalctl", "--no-pager", "--lines=80").stdout)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
