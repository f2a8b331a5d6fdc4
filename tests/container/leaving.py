"""Taking it away again: by an option, by an answer at a terminal, and by force."""

from __future__ import annotations

from mailswitch.core.domain import Switch
from tests.container.world import CONFIG, HERE, MOVED, POLICY, PROGRAM, World, tell

__all__ = ["Leaving"]


class Leaving(World):
    """The last steps, in order; each but the first installs it anew before."""

    def uninstalling(self) -> None:
        """Taken away: everything on again, nothing left but the ledger."""
        refused = self.box.try_run(PROGRAM, "uninstall")
        self.check(
            refused.returncode == 2 and "--keep-off" in refused.stderr,
            "uninstall asks what to do with 20 switches that are off",
        )
        tell(self.mailswitch("uninstall", "--restore"))
        self.check(
            all(self.panel.switch_of(name) is Switch.ON for name in MOVED), "uninstall --restore turned all of them on"
        )
        self.check_gone()

    def answering(self) -> None:
        """Taken away by somebody at a terminal, who is asked what to do with the switches."""
        names = HERE[5:8]
        self._installed_anew()
        self.configure(self.box.file(CONFIG).read_text().replace("mode: report", "mode: enforce") + POLICY)
        self.box.run("systemctl", "reload", "mailswitch")
        self.move(names)
        self.mailswitch("recheck", *names)
        self.await_off(names)
        code, said = self.box.at_terminal(PROGRAM, "uninstall", answer="y\n")
        self.check(code == 0 and "Turn them on again?" in said, "at a terminal it asks, and takes the answer")
        self.check(all(self.panel.switch_of(name) is Switch.ON for name in names), "which turned them on again")
        self.check_gone()

    def forcing(self) -> None:
        """Taken away though its configuration cannot be read."""
        self._installed_anew()
        self.configure("servers: [\n")
        refused = self.box.try_run(PROGRAM, "uninstall")
        self.check(refused.returncode == 2, f"refused while nobody can tell what is off: {refused.stderr.strip()[:90]}")
        self.check(self.box.is_active() and self.box.file(CONFIG).exists(), "and nothing is taken away")
        said = self.mailswitch("uninstall", "--force")
        self.check("going on although" in said, "--force goes on all the same")
        self.check_gone()

    def _installed_anew(self) -> None:
        passes = len(self.box.events("pass_finished"))
        self.mailswitch("install")
        self.box.next_event("pass_finished", passes, seconds=60)
        self.check(self.box.is_active(), "installed anew, beside the ledger that was left")

    def check_gone(self) -> None:
        """Check that nothing of it is left but the ledger."""
        self.check(not self.box.file("/etc/mailswitch").exists(), "the configuration and the key are gone")
        self.check(not self.box.file("/etc/systemd/system/mailswitch.service").exists(), "so are the units")
        self.check(
            self.box.run("/usr/sbin/plesk", "bin", "event_handler", "--list").strip() == "", "and the event handlers"
        )
        self.check(self.box.run("/usr/sbin/plesk", "bin", "secret_key", "--list").strip() == "", "and the panel's key")
        self.check(self.box.file("/var/lib/mailswitch/ledger.db").exists(), "the ledger stays")
