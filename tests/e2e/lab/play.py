"""What a scenario does in the lab: host names, publish, hand in mail, run the installed program, and count."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import yaml

from mailswitch.core.domain import Switch
from mailswitch.simulation.certificates import self_signed
from mailswitch.simulation.world_file import parse_world
from tests.e2e.lab import mta, places
from tests.e2e.lab.configured import configuration
from tests.e2e.lab.panel import CERTIFICATE, READY, STATE, MailPanel
from tests.e2e.lab.senders import ALL, send
from tests.e2e.lab.tally import Found, Row, Sent, Tally, tally
from tests.e2e.lab.theatre import Theatre, tell
from tests.e2e.lab.waiting import Broken, until

__all__ = ["Mail", "Play"]

_ROOT = Path(__file__).parents[3]
_KEY = "0b6b2f9c-1f64-4b0f-8a52-5d0f6f0f6a11"
_SETTLING_SECONDS = 45.0
_SILENCE_SECONDS = 3.0
"""With empty queues everywhere, what was not found for so long is nowhere."""


class Numbered(Protocol):
    """A message that was handed in."""

    @property
    def number(self) -> str:
        """Its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Messages to hand in: one to each name by each way."""

    to: tuple[str, ...]
    rightful: tuple[str, ...]
    by: tuple[str, ...] = ALL
    user: str = "info"


class Play:
    """One scenario on a Plesk server of its own making: fresh panel, fresh ledger, the lab's mail server."""

    def __init__(self, theatre: Theatre, scenario: str) -> None:
        self.theatre = theatre
        self.lab = theatre.lab
        self.scenario = scenario
        self.folder = theatre.lab.work / "plays" / scenario.replace(" ", "-")
        self._panel: subprocess.Popen[bytes] | None = None
        self._fingerprint = ""

    # ---- the panel

    def host(self, *domains: Mapping[str, object], config: Mapping[str, object] | None = None) -> None:
        """Have the panel host these names, beside those that always are, and write the program's configuration."""
        self.folder.mkdir(parents=True)
        identity = self_signed("Plesk", "plesk.hoster.example")
        identity.write(self.folder / CERTIFICATE)
        self._populate(domains)
        (self.folder / "panel.key").touch(mode=0o600)
        (self.folder / "panel.key").write_text(f"{_KEY}\n")
        self._fingerprint = identity.fingerprint
        self.configure(config or {})
        self._panel = self.lab.plesk.spawn(
            sys.executable,
            "-m",
            "tests.e2e.lab.panel",
            "serve",
            self.folder,
            log=f"panel-{self.scenario}",
            variables={"PYTHONPATH": str(_ROOT)},
        )
        until(
            "the panel answers",
            (self.folder / READY).exists,
            told=lambda: self.lab.plesk.log(f"panel-{self.scenario}").read_text(errors="replace")[-3000:],
        )

    def _populate(self, domains: Iterable[Mapping[str, object]]) -> None:
        always = [{"name": name} for name in (places.COTENANT, *places.FILLERS)]
        listed = [{"mail": "on", "created": "2015-05-05", **domain} for domain in (*always, *domains)]
        first, second = places.ADDRESSES[places.PLESK]
        server = {
            "name": "plesk",
            "addresses": [first, second, {"private": places.NAT_PRIVATE, "public": places.NAT_PUBLIC}],
            "domains": listed,
        }
        world = parse_world(yaml.safe_dump({"servers": [server]}))
        panel = MailPanel.create(self.folder / STATE, world.servers[0], secret_key=_KEY, key_address="127.0.0.1")
        with panel.connection() as connection:
            connection.execute(
                "INSERT INTO mail (mail_name, dom_id, postbox, mail_group, redirect, redir_addr, autoresponder,"
                " mbox_quota, account_id) SELECT 'sales', dom_id, postbox, mail_group, redirect, redir_addr,"
                " autoresponder, mbox_quota, account_id FROM mail"
            )

    def configure(self, more: Mapping[str, object]) -> None:
        """Write the configuration, ``more`` laid over its sections."""
        value = configuration(self.lab, self.folder, self._fingerprint)
        for key, section in more.items():
            value[key] = {**value.get(key, {}), **section} if isinstance(section, dict) else section
        (self.folder / "mailswitch.yaml").write_text(yaml.safe_dump(value, sort_keys=False))

    def close(self) -> None:
        """Stop the panel; the mail server goes on."""
        if self._panel is not None:
            self._panel.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._panel.wait(timeout=10)
            self._panel.kill()
            self._panel.wait()

    @property
    def panel(self) -> MailPanel:
        """The panel's state, to look at and to meddle with."""
        return MailPanel(self.folder / STATE)

    def write_tables(self) -> None:
        """Have the panel write Postfix's tables after somebody changed something in it."""
        done = self.lab.plesk.try_run(
            sys.executable,
            "-m",
            "tests.e2e.lab.panel",
            "write",
            self.folder,
            variables={"PYTHONPATH": str(_ROOT)},
        )
        if done.returncode != 0:
            raise Broken(f"the panel could not write Postfix's tables:\n{done.stderr[-2000:]}")

    def repeat_log(self, days: Iterable[int]) -> None:
        """Write the mail log's lines once more for some days ago, to where logrotate would have put them."""
        lines = self.lab.plesk.file(mta.MAIL_LOG).read_text().splitlines()
        earlier = [mta.shifted(line, timedelta(days=ago)) for ago in sorted(days, reverse=True) for line in lines]
        self.lab.plesk.write(f"{mta.MAIL_LOG}.1", "".join(f"{line}\n" for line in earlier), 0o640)

    # ---- the program

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run the installed program on the Plesk server, and return what it printed."""
        config = self.folder / "mailswitch.yaml"
        done = self.lab.plesk.try_run(self.theatre.program, "--config", config, *words, seconds=120)
        if done.returncode not in codes:
            raise Broken(
                f"mailswitch {' '.join(words)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
            )
        return done.stdout

    def spawn(self, *words: str) -> subprocess.Popen[bytes]:
        """Start the installed program on the Plesk server, and leave it running."""
        config = self.folder / "mailswitch.yaml"
        return self.lab.plesk.spawn(self.theatre.program, "--config", config, *words, log=f"{self.scenario}-{words[0]}")

    def json(self, *words: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """Run it with ``--format json``."""
        found: dict[str, Any] = json.loads(self.run(*words, "--format", "json", codes=codes))
        return found

    def passes(self, count: int) -> dict[str, Any]:
        """Make passes that apply what is due, and return the last one's report."""
        for _ in range(count - 1):
            self.run("once", "--apply")
        return self.json("once", "--apply")

    def entry(self, report: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return what a report says of one name."""
        for server in report["servers"]:
            for domain in server["domains"]:
                if domain["name"] == name:
                    found: dict[str, Any] = domain
                    return found
        raise Broken(f"the report has no {name}")

    def check(self, is_so: object, what: str) -> None:
        """Say that something is as it must be, or end."""
        if not is_so:
            raise Broken(f"{self.scenario}: not so: {what}")
        tell(f"   ok  {what}")

    def check_switches(self, to: Switch, *names: str) -> None:
        """Check how switches stand at the panel."""
        found = {name: self.panel.switch_of(name) for name in names}
        self.check(set(found.values()) == {to}, f"{', '.join(names)}: {to.value}")

    def check_held(self, report: Mapping[str, Any], name: str, *codes: str) -> None:
        """Check that a name is held, for these reasons among others."""
        entry = self.entry(report, name)
        reasons = {reason["code"] for reason in entry["reasons"]} | {entry["route"]}
        is_held = entry["decision"] in {"hold", "keep"} and set(codes) <= reasons
        self.check(is_held, f"{name}: {entry['decision']} ({', '.join(sorted(reasons))})")
        for reason in entry["reasons"]:
            tell(f"         {reason['text']}")

    def check_alert(self, report: Mapping[str, Any], code: str, name: str) -> None:
        """Check that a report has this alert about a name."""
        alerts = {(alert["code"], alert["name"]) for alert in report["alerts"]}
        self.check((code, name) in alerts, f"an alert for {name}: {code}")

    def remark(self, text: str) -> None:
        """Print something, and put it below the table."""
        tell(f"   {text}")
        self.theatre.remarks.append(f"{self.scenario}: {text}")

    # ---- mail

    def step(self, name: str, *mails: Mail, is_promised: bool = False, **expected: int) -> Row:
        """Hand in messages, wait until all have come to rest, and add a row to the table."""
        sent = [message for mail in mails for message in self.hand_in(mail)]
        self.settle(sent)
        wanted = Tally(**expected) if expected else Tally(rightly=len(sent))
        return self.count(name, sent, expected=wanted, is_promised=is_promised)

    def count(
        self, name: str, sent: Iterable[Sent], *, expected: Tally, is_promised: bool, found: Found | None = None
    ) -> Row:
        """Count messages that have come to rest, and add a row to the table."""
        counted = tally(sent, self.lab.mailboxes.found() if found is None else found)
        return self.add(
            Row(scenario=self.scenario, step=name, expected=expected, found=counted, is_promised=is_promised)
        )

    def add(self, row: Row) -> Row:
        """Add a row to the table, and say what is wrong with it."""
        self.theatre.rows.append(row)
        counts = ", ".join(f"{getattr(row.found, word)} {word}" for word in ("rightly", "abandoned", "bounced", "lost"))
        tell(f"   {row.step}: {row.found.sent} sent, {counts}")
        for problem in row.problems:
            self.wrong(problem)
        return row

    def wrong(self, problem: str) -> None:
        """Say that something is not as it must be, and go on: the whole fails in the end."""
        tell(f"   WRONG  {problem}")
        self.theatre.problems.append(problem)

    def hand_in(self, mail: Mail) -> list[Sent]:
        """Hand in messages, and return them."""
        handed = []
        for name in mail.to:
            for way in mail.by:
                message = Sent(
                    number=self.theatre.next_number(self.scenario),
                    sender=way,
                    recipient=f"{mail.user}@{name}",
                    rightful=frozenset(mail.rightful),
                )
                send(self.lab, message)
                handed.append(message)
        return handed

    def settle(self, sent: Iterable[Numbered]) -> None:
        """Wait until every message is in a mailbox or sent back, and nothing waits in any queue."""
        numbers = {message.number for message in sent}
        deadline = time.monotonic() + _SETTLING_SECONDS
        quiet_since: float | None = None
        while time.monotonic() < deadline:
            found = self.lab.mailboxes.found()
            is_quiet = self.is_quiet()
            if is_quiet and numbers <= found.copies.keys() | found.bounces.keys():
                return
            quiet_since = (quiet_since or time.monotonic()) if is_quiet else None
            if quiet_since is not None and time.monotonic() - quiet_since > _SILENCE_SECONDS:
                return
            time.sleep(0.1)

    def is_quiet(self) -> bool:
        """Whether nothing waits in any queue."""
        return not any(mta.queued(self.lab.hosts[name]) for name in places.MAIL_HOSTS)

    def quiet(self) -> None:
        """Wait until nothing waits in any queue."""
        until("all queues are empty", self.is_quiet)
