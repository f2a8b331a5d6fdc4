"""Somebody still sends to a name that we turned off: found in the log, told first, turned on and left on."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Actor, Guard
from mailswitch.core.names import NamePattern
from mailswitch.core.policy import Mode
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable
from mailswitch.core.reports import PassReport
from mailswitch.evidence.source import MailLogSettings, PostfixLogs
from mailswitch.service.status import status_of
from tests.support.builders import NOW
from tests.support.mail_logs import line, message, write
from tests.support.ports import Scene, entries_of, outcomes_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OUTSIDE = "unknown[185.201.16.7]"
FILTER = "out7.filter.example[185.201.16.7]"
FILTERS = ProviderTable(
    [
        KnownExchange(
            pattern=NamePattern("*.filter.example"), kind=ProviderKind.GATEWAY, provider="Filter", is_certain=True
        )
    ]
)


class Town:
    """A hoster with a mail log, whose moved.example is off by us."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "maillog"
        logs = PostfixLogs(MailLogSettings(paths=(self.log,), providers=FILTERS))
        self.scene = Scene(folder, "moved.example", mail_log=logs)
        write(self.log, (line(NOW - half * 12 * HOUR, "anvil", "statistics", is_iso=True) for half in range(16, 0, -1)))
        report = self.scene.once()
        assert outcomes_of(report) == {"moved.example": "done"}

    def refused(self, *, client: str = OUTSIDE, to: str = "info@moved.example", helo: str = "x") -> None:
        """Let an outside host be refused now."""
        text = (
            f"NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{to}>: Relay access denied; from=<bob@sender.example> "
            f"to=<{to}> proto=ESMTP helo=<{helo}>"
        )
        write(self.log, [line(self.now, "smtpd", text, is_iso=True)])

    def accepted(self) -> None:
        """Let an outside host's message be accepted now."""
        stamp = f"{self.now:%b} {self.now.day:2} {self.now:%H:%M:%S}"
        queue_id = f"4F{int(self.now.timestamp()):X}"
        lines = message(self.now, queue_id, "info@moved.example", OUTSIDE)
        write(self.log, (one.replace(stamp, self.now.isoformat(timespec="microseconds"), 1) for one in lines))

    @property
    def now(self) -> datetime:
        return self.scene.clock()

    def stands(self, switch: Switch) -> bool:
        """Return whether the switch stands so."""
        return self.scene.plesk.domains["moved.example"].switch is switch

    def days_of_refusals(self, days: int) -> PassReport:
        """Let a message be refused on each of some days, with a pass after each."""
        return [self._day_of_a_refusal() for _ in range(days)][-1]

    def _day_of_a_refusal(self) -> PassReport:
        self.scene.clock.move(DAY)
        self.refused()
        return self.scene.once()


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def codes(report: PassReport) -> list[str]:
    return [alert.code for alert in report.alerts]


def test_refusals_day_after_day_turn_the_name_on_and_it_stays_on(town: Town) -> None:
    report = town.days_of_refusals(3)

    assert outcomes_of(report) == {"moved.example": "done"}
    assert town.stands(Switch.ON)
    change = town.scene.changes("moved.example")[-1]
    assert (change.actor, change.switch_to) == (Actor.MAILSWITCH, Switch.ON)
    assert "refused-here: 3 messages refused here in 7 days from 1 network" in change.reason

    for _ in range(12):  # now what was refused is accepted
        town.scene.clock.move(DAY)
        town.accepted()
        entry = entries_of(town.scene.once())["moved.example"]
        assert Guard.STILL_RECEIVING in entry.decision.holding
    assert town.stands(Switch.ON)
    assert len(town.scene.changes("moved.example")) == 2


def test_a_known_filter_that_is_refused_turns_the_name_on_the_same_day(town: Town) -> None:
    town.scene.clock.move(HOUR)
    for _ in range(3):
        town.refused(client=FILTER)

    report = town.scene.once()

    assert town.stands(Switch.ON)
    assert report.alerts[0].code == "refused-here"
    assert "185.201.16.0/24 is a known filter's" in report.alerts[0].text
    assert Guard.STILL_RECEIVING in entries_of(town.scene.once())["moved.example"].decision.holding


def test_who_only_calls_itself_a_filter_is_none(town: Town) -> None:
    town.scene.clock.move(HOUR)
    for _ in range(9):
        town.refused(helo="out7.filter.example")

    assert outcomes_of(town.scene.once()) == {}
    assert town.stands(Switch.OFF)


def test_stray_refusals_change_nothing_and_alarm_nobody(town: Town) -> None:
    for number in range(200):
        town.scene.clock.move(timedelta(minutes=7))
        town.refused(client=f"unknown[198.51.{number}.9]")

    report = town.scene.once()

    assert outcomes_of(report) == {}
    assert "refused-here" not in codes(report)


def test_the_alarm_is_first_in_the_list_of_all_servers(town: Town) -> None:
    town.scene.add_server("web00")
    town.scene.plesks["web00"].host("never.example", switch=Switch.OFF)
    town.scene.view.publish(town.scene.view.truth["here.example"], "never.example")
    report = town.days_of_refusals(2)
    town.refused()
    report = town.scene.dry_run()

    assert codes(report)[0] == "refused-here"
    assert report.alerts[0].name is not None
    assert set(codes(report)) >= {"refused-here", "off-here"}
    assert town.stands(Switch.OFF)


def test_mode_report_turns_nothing_on_and_says_so(town: Town) -> None:
    town.scene.mode = Mode.REPORT

    report = town.days_of_refusals(3)

    assert town.stands(Switch.OFF)
    assert codes(report)[:2] == ["refused-here", "mail-refused"]
    assert report.alerts[1].text == (
        "mailswitch turned it off, its mail is still sent here and refused: turn it on with once --apply"
    )


def test_status_names_what_is_refused_while_something_stops_it(town: Town) -> None:
    town.scene.mode = Mode.REPORT
    town.days_of_refusals(2)
    before = status_of(town.scene.setup, stale_after=10 * DAY)
    town.days_of_refusals(1)
    stopped = status_of(town.scene.setup, stale_after=10 * DAY)
    town.scene.once(is_enforcing=True)
    after = status_of(town.scene.setup, stale_after=10 * DAY)

    assert (before.refused_mail, stopped.refused_mail, after.refused_mail) == ((), ("moved.example (web01)",), ())
    assert (stopped.is_healthy, stopped.problems, after.problems) == (False, (), ())


def test_a_pause_turns_nothing_on_and_says_so(town: Town) -> None:
    town.scene.pause()

    report = town.days_of_refusals(3)

    assert town.stands(Switch.OFF)
    assert codes(report)[:2] == ["refused-here", "mail-refused"]
    town.scene.resume()
    town.scene.once()
    assert town.stands(Switch.ON)


def test_a_switch_that_a_person_turned_off_stays_off(town: Town) -> None:
    town.scene.plesk.toggle("moved.example", Switch.ON)
    town.scene.once()
    town.scene.plesk.toggle("moved.example", Switch.OFF)

    report = town.days_of_refusals(5)

    assert town.stands(Switch.OFF)
    assert "refused-here" not in codes(report)


def test_what_the_server_itself_is_refused_is_nobody_outside(town: Town) -> None:
    for _ in range(4):
        town.scene.clock.move(DAY)
        town.refused(client="web01.hoster.example[127.0.0.1]")
    report = town.scene.once()

    assert outcomes_of(report) == {}
    assert "refused-here" not in codes(report)
