"""Getting it onto the machine, and what an administrator may set up around it: a report only, a credential, metrics."""

from __future__ import annotations

import re
from pathlib import Path

from tests.container.machine import until
from tests.container.world import CONFIG, FOLDER, KEY, PROGRAM, World, tell

__all__ = ["Installing"]

_ROOT = Path(__file__).parents[2]
_REPORT, _TIMER = "mailswitch-report.service", "mailswitch-report.timer"
_SOON = "[Timer]\nOnCalendar=\nOnActiveSec=1s\nAccuracySec=100ms\nRandomizedDelaySec=0\n"
_TEXTFILE = "/var/lib/prometheus/node-exporter/mailswitch.prom"
_METRICS = f"""
metrics: {{listen: "127.0.0.1:9732", textfile: {_TEXTFILE}}}
"""
_FETCH = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9732/metrics', timeout=10).read().decode())"
_STAGE_UNIT = f"""\
[Unit]
Description=A simulated Plesk and a simulated public DNS
Before=mailswitch.service
[Service]
Type=notify
WorkingDirectory=/usr/src/mailswitch
ExecStart=/opt/mailswitch/bin/python -m tests.container.stage {FOLDER}
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""


class Installing(World):
    """The steps, in order; each finds what the one before left."""

    def getting_ready(self) -> None:
        """Install the program by the README's steps, beside a simulated Plesk."""
        self.box.file(FOLDER).mkdir(mode=0o700)
        self.publish()
        commands = readme_commands()
        for command in commands:
            if command.startswith(PROGRAM):
                break
            self.box.run("sh", "-c", f"cd /usr/src/mailswitch && {command}", seconds=300)
        self.box.file("/etc/systemd/system/simulated-plesk.service").write_text(_STAGE_UNIT)
        self.box.run("systemctl", "enable", "--now", "simulated-plesk.service")
        before = set(self.box.run("find", "/etc", "-newer", "/usr/sbin/plesk").split())
        said = self.mailswitch("install", "--dry-run")
        self.check(said.count("would ") == 6, "install --dry-run prints six steps")
        after = set(self.box.run("find", "/etc", "-newer", "/usr/sbin/plesk").split())
        self.check(after == before and not self.box.file(CONFIG).exists(), "and does none")

    def only_a_report(self) -> None:
        """Only a report: its timer fires, the report is in the journal, and nothing else has happened."""
        self.mailswitch("install", "--only-report")
        states = [self.box.try_run("systemctl", "is-enabled", unit).stdout.strip() for unit in (_TIMER, "mailswitch")]
        self.check(states == ["enabled", "disabled"], "the timer is enabled, the daemon is not")
        listed = self.box.run("systemctl", "list-timers", "--no-pager", "--all")
        self.check(_TIMER in listed, f"next: {self.box.show('NextElapseUSecRealtime', unit=_TIMER)}")
        self.drop_in(_TIMER, "soon", _SOON)
        self.box.run("systemctl", "restart", _TIMER)
        until("the timer has fired", lambda: self.box.show("ExecMainExitTimestamp", unit=_REPORT) != "", seconds=60)
        ended = self.box.show("Result", unit=_REPORT), self.box.show("ExecMainStatus", unit=_REPORT)
        self.check(ended == ("success", "0"), "the timer fired by itself, and the report ended well")
        lines = self.box.run("journalctl", f"--unit={_REPORT}", "--output=cat", "--no-pager").splitlines()
        self.check([line for line in lines if "40" in line], f"its report is in the journal, in {len(lines)} lines")
        self.check(not self.box.file("/var/lib/mailswitch/ledger.db").exists(), "it recorded nothing")
        self.check(self.written().total() == 0, "and changed nothing")
        self.check(self._handlers() == "", "the panel calls nobody")
        said = self.mailswitch("uninstall")
        self.check("no switch is off by mailswitch" in said, "uninstall has nothing to ask")
        self.check(not self.box.file(f"/etc/systemd/system/{_TIMER}").exists(), "and takes the timer away")

    def installing(self) -> None:
        """Install the daemon by the README's command."""
        (install,) = [command for command in readme_commands() if command.endswith(" install")]
        tell(self.box.run("sh", "-c", install))

    def credential(self) -> None:
        """The key as a systemd credential: the service cannot read its file, and works."""
        self.box.run("chown", "root:root", KEY)
        self.box.run("chmod", "0600", KEY)
        self.drop_in("mailswitch.service", "credential", f"[Service]\nLoadCredential=panel.key:{KEY}\n")
        self._pass_after_restart()
        service = ("setpriv", "--reuid=mailswitch", "--regid=mailswitch", "--clear-groups")
        self.check(self.box.try_run(*service, "cat", KEY).returncode != 0, "the service's user cannot read the file")
        environment = self.box.run("cat", f"/proc/{self.box.main_process()}/environ").split("\0")
        (given,) = [line for line in environment if line.startswith("CREDENTIALS_DIRECTORY=")]
        self.check(not self.box.events("server_failed"), f"and it logs in at the panel, with {given}")
        self.mailswitch("report")
        self.check(True, "as do root's commands")

    def metrics(self) -> None:
        """Metrics of the hardened service, as a textfile and on loopback."""
        folder = str(Path(_TEXTFILE).parent)
        self.box.run("install", "--directory", "--owner=mailswitch", "--group=mailswitch", folder)
        self.drop_in("mailswitch.service", "textfile", f"[Service]\nReadWritePaths={folder}\n")
        self.configure(self.box.file(CONFIG).read_text() + _METRICS)
        self._pass_after_restart()
        seen = 'mailswitch_domains{decision="keep",route="here",server='
        until("the textfile holds the pass", lambda: seen in self.box.file(_TEXTFILE).read_text(), seconds=20)
        is_counted = "\nmailswitch_lookup_unmatched_datagrams_total " in self.box.file(_TEXTFILE).read_text()
        self.check(is_counted, "what came for no socket is counted: ProcSubset=pid leaves the service /proc/self/net")
        listing = self.box.run("stat", "--format=%U %a", _TEXTFILE).strip()
        self.check(listing == "mailswitch 644", "the hardened service wrote its textfile, which everybody can read")
        self.check(seen in self.box.run("/opt/mailswitch/bin/python", "-c", _FETCH), "and answers on 127.0.0.1")
        listening = [line for line in self.box.run("ss", "-ltnH").splitlines() if ":9732" in line]
        self.check(len(listening) == 1 and "127.0.0.1:9732" in listening[0], "and nowhere else")

    def _pass_after_restart(self) -> None:
        passes = len(self.box.events("pass_finished"))
        self.box.run("systemctl", "restart", "mailswitch")
        self.box.next_event("pass_finished", passes, seconds=60)

    def _handlers(self) -> str:
        return self.box.run("/usr/sbin/plesk", "bin", "event_handler", "--list").strip()


def readme_commands() -> list[str]:
    """Return the commands with which the README installs the daemon."""
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [
        block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "python3 -m venv /opt/mailswitch" in block
    ]
    return [line.split("  #")[0].strip() for line in blocks[0].splitlines() if line.strip()]
