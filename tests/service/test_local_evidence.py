"""What the mail log says reaches the decisions: recorded once, used in dry runs too, and missed aloud."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.config.settings import load_text
from mailswitch.core.ledger import Guard
from mailswitch.core.policy import Mode
from mailswitch.core.reports import PassReport
from mailswitch.evidence.source import MailLogSettings, PostfixLogs
from mailswitch.service.local_evidence import UnreadLog
from mailswitch.service.log_wiring import mail_log_of
from tests.support.builders import NOW
from tests.support.mail_logs import line, message, write
from tests.support.ports import Scene, mx

DAY = timedelta(days=1)
GATEWAY = "mx.filter.example[185.201.16.7]"


def _scene(tmp_path: Path, log: Path) -> Scene:
    """Return a hoster whose web01 keeps the log, its lines in their order."""
    if log.exists():
        log.write_text("".join(sorted(log.read_text().splitlines(keepends=True), key=lambda one: one.split()[0])))
    return Scene(tmp_path, "moved.example", mail_log=PostfixLogs(MailLogSettings(paths=(log,))))


def _noise(log: Path, *, days: int) -> None:
    """Write a line twice a day, so that the log reaches back without a gap."""
    moments = (NOW - timedelta(hours=12 * half) for half in range(2 * days, -1, -1))
    write(log, (line(at, "anvil", "statistics: max connection rate 1/60s", is_iso=True) for at in moments))


def _mail(log: Path, *moments: datetime, to: str = "info@moved.example", client: str = GATEWAY) -> None:
    for number, at in enumerate(moments):
        lines = message(at, f"4F1A2B3C{number:02}", to, client)
        stamp = f"{at:%b} {at.day:2} {at:%H:%M:%S}"
        write(log, (one.replace(stamp, at.isoformat(timespec="microseconds"), 1) for one in lines))


def _held(report: PassReport, name: str = "moved.example") -> tuple[Guard, ...]:
    return next(one for one in report.servers[0].domains if one.domain.name.text == name).decision.holding


def _reason(report: PassReport, code: str) -> str:
    entry = next(one for one in report.servers[0].domains if one.domain.name.text == "moved.example")
    return next(reason.text for reason in entry.decision.reasons if reason.code == code)


def _log(tmp_path: Path) -> Path:
    return tmp_path / "maillog"


def test_a_filter_that_relays_back_is_held_with_its_network(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _noise(log, days=8)
    _mail(log, NOW - 3 * DAY, NOW - 2 * DAY, NOW - timedelta(hours=2))
    scene = _scene(tmp_path, log)

    report = scene.dry_run()

    assert _held(report) == (Guard.STILL_RECEIVING,)
    assert _reason(report, "still-receiving").startswith(
        "3 messages from 185.201.16.0/24 in 7 days, the last 2 h ago: looks like a filter that relays back"
    )
    assert report.alerts == ()


def test_a_split_delivery_is_held_with_its_network(tmp_path: Path) -> None:
    """The new provider hands the mail of some mailboxes on to this server, by ways of its own."""
    log = _log(tmp_path)
    _noise(log, days=8)
    for days, host in ((3, 18), (2, 77), (1, 201)):
        _mail(log, NOW - days * DAY, to="sales@moved.example", client=f"out{host}.provider.example[192.0.2.{host}]")
    scene = _scene(tmp_path, log)

    report = scene.dry_run()

    assert _held(report) == (Guard.STILL_RECEIVING,)
    assert _reason(report, "still-receiving").startswith("3 messages from 192.0.2.0/24 in 7 days, the last 1 d ago")


def test_stray_spam_to_the_old_address_holds_nothing(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _noise(log, days=8)
    for number in range(5):
        _mail(log, NOW - DAY, client=f"spam.example[198.51.{number}.7]")
    scene = _scene(tmp_path, log)

    assert _held(scene.dry_run()) == ()


def test_co_tenants_mail_holds_nothing(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _noise(log, days=8)
    _mail(log, NOW - 3 * DAY, NOW - 2 * DAY, NOW - DAY, client="localhost[127.0.0.1]")
    scene = _scene(tmp_path, log)

    assert _held(scene.dry_run()) == ()


def test_a_moved_name_at_an_unknown_host_is_turned_off_if_the_log_shows_nothing(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _noise(log, days=8)
    scene = _scene(tmp_path, log)
    scene.view.publish(mx("mx.unknown.example"), "moved.example")

    assert _held(scene.dry_run()) == ()


def test_mail_from_outside_to_a_name_at_an_unknown_host_is_told_with_its_network(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _noise(log, days=8)
    _mail(log, NOW - timedelta(hours=3))
    scene = _scene(tmp_path, log)
    scene.view.publish(mx("mx.unknown.example"), "moved.example")

    report = scene.dry_run()

    assert _held(report) == (Guard.UNKNOWN_PROVIDER,)
    told = "and the mail log shows 1 message from outside in 7 days, from 185.201.16.0/24, the last 3 h ago"
    assert told in _reason(report, "unknown-provider")


@pytest.mark.parametrize(
    ("days", "age", "told"),
    [
        (3, timedelta(0), "the mail log covers only 3 d of the 7 days needed"),
        (9, timedelta(days=2), "the newest line of the mail log is 2 d old"),
    ],
)
def test_a_log_too_short_or_too_old_is_told_in_every_report(
    tmp_path: Path, days: int, age: timedelta, told: str
) -> None:
    log = _log(tmp_path)
    _noise(log, days=days)
    scene = _scene(tmp_path, log)
    scene.view.publish(mx("mx.unknown.example"), "moved.example")
    scene.clock.move(age)

    report = scene.dry_run()

    assert [alert.code for alert in report.alerts if alert.code == "mail-log"] == ["mail-log"]
    assert told in report.alerts[-1].text
    assert _held(report) == (Guard.UNKNOWN_PROVIDER,)


def test_a_log_that_cannot_be_read_holds_unknown_hosts_and_says_why(tmp_path: Path) -> None:
    scene = _scene(tmp_path, tmp_path / "nowhere" / "maillog")
    scene.view.publish(mx("mx.unknown.example"), "moved.example")

    report = scene.once()

    assert "cannot look for the mail log" in report.alerts[-1].text
    assert "cannot look for the mail log" in _reason(report, "unknown-provider")


def test_an_empty_log_is_told(tmp_path: Path) -> None:
    log = _log(tmp_path)
    log.touch()

    assert "there is no line yet" in _scene(tmp_path, log).dry_run().alerts[-1].text


def test_recorded_passes_count_each_message_once_and_dry_runs_record_nothing(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _noise(log, days=8)
    _mail(log, NOW - 2 * DAY)
    scene = _scene(tmp_path, log)
    scene.dry_run()
    scene.mode = Mode.REPORT
    scene.once()
    _mail(log, NOW - timedelta(hours=1))
    scene.once()
    scene.once()
    _mail(log, NOW - timedelta(minutes=5))
    with scene.reading() as reader:
        recorded = {
            domain.name.text: sum(
                one.messages for one in reader.mail_counts("web01", domain.name, since=(NOW - 30 * DAY).date())
            )
            for domain in scene.plesk.domains.values()
        }

    assert recorded == {"here.example": 0, "moved.example": 2}
    assert _reason(scene.dry_run(), "still-receiving").startswith("3 messages from 185.201.16.0/24")


def test_a_server_whose_log_is_not_read_says_so(tmp_path: Path) -> None:
    scene = _scene(tmp_path, _log(tmp_path))
    scene.configure("web01", mail_log=UnreadLog("no mail log is read: the server is another machine"))

    assert scene.dry_run().alerts[-1].text.startswith("no mail log is read: the server is another machine: names at")


def _source(server: str) -> object:
    key = "secret_key_env: KEY, tls: {verify: 'false'}"
    text = f"servers: [{{name: a, {server.replace('URL', 'url: https://').replace('KEYS', key)}}}]"
    settings = load_text(text, origin="test", environ={"KEY": "k"})
    return mail_log_of(settings.servers[0])


@pytest.mark.parametrize(
    ("server", "is_read"),
    [
        ("panel: local", True),
        ("panel: local, mail_log: 'off'", False),
        ("panel: local, mail_log: {read: no}", False),
        ("URL127.0.0.1:8443, KEYS", True),
        ("URLlocalhost:8443, KEYS", True),
        ("URLweb01.example.net:8443, KEYS", False),
        (
            "URLweb01.example.net:8443, KEYS, mail_log: {paths: [/logs/web01], mynetworks: [10.0.0.0/8, 192.0.2.1]}",
            True,
        ),
    ],
)
def test_the_log_is_read_where_the_server_is_this_machine_or_a_copy_is_named(server: str, *, is_read: bool) -> None:
    assert isinstance(_source(server), PostfixLogs if is_read else UnreadLog)


def test_mail_to_a_name_the_panel_left_out_once_is_counted_all_the_same(tmp_path: Path) -> None:
    log = _log(tmp_path)
    _noise(log, days=8)
    scene = _scene(tmp_path, log)
    scene.mode = Mode.REPORT
    scene.once()
    left_out = scene.plesk.domains.pop("moved.example")
    _mail(log, NOW - timedelta(minutes=9), NOW - timedelta(minutes=8))
    scene.once()
    scene.plesk.domains["moved.example"] = left_out
    scene.view.publish(mx("mx.unknown.example"), "moved.example")

    assert "shows 2 messages from outside in 7 days" in _reason(scene.dry_run(), "unknown-provider")
