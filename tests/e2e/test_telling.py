"""Notices and metrics end to end: the real program, a real mail server and webhook on loopback, a real world."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.sinks import MailSink, WebhookSink, closed_port
from tests.support.worlds import Play, Staged, a_world

SECRET = "hush-hunter2"


@pytest.fixture(autouse=True)
def hook_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", SECRET)


def told_world(mail_port: int, hook: str = "", *, extra: str = "", moved: int = 1) -> str:
    """A world whose changes are due at once and told by mail, and by webhook where there is one."""
    webhook = f", webhook: {{url: '{hook}', secret_env: HOOK, timeout: 2s}}" if hook else ""
    mail = f"mail: {{to: [root@example.net], sender: m@example.net, host: 127.0.0.1, port: '{mail_port}', timeout: 2s}}"
    confirm = "confirm: {sightings: '1', window: 0s, unknown_provider_window: 0s}"
    return a_world(moved=moved, tail=f"config: {{{confirm}, notify: {{{mail}{webhook}}}{extra}}}\n")


def test_an_apply_is_told_by_mail_and_signed_webhook_and_a_quiet_pass_is_not(staged: Staged) -> None:
    with MailSink() as mail, WebhookSink() as hook:
        play = staged(told_world(mail.port, hook.url))
        play.ok("once", "--apply")
        play.ok("once", "--apply")

    (message,) = mail.messages
    (post,) = hook.posts
    assert "1 changed" in message["Subject"]
    assert "moved0.example (web01): turned off by mailswitch" in message.get_content().replace("\n", " ")
    document = json.loads(post.body)
    changed = [notice for notice in document["notices"] if notice["kind"] == "changed"]
    assert [notice["name"] for notice in changed] == ["moved0.example"]
    assert changed[0]["change"]["outcome"] == "done"
    assert document["mode"] == "enforce"


def test_a_report_tells_nobody_anything(staged: Staged) -> None:
    with MailSink() as mail:
        staged(told_world(mail.port)).ok("report")

    assert mail.commands == []


def test_nobody_listening_changes_neither_the_pass_nor_its_exit_code(staged: Staged) -> None:
    play = staged(told_world(closed_port(), f"http://127.0.0.1:{closed_port()}/"))

    code, out, complaints = play.run("once", "--apply")

    assert code == 0
    assert play.switch("moved0.example") == "off"
    assert "moved0.example" in out
    assert complaints.count("nobody listens there") == 2
    assert SECRET not in complaints


def test_a_silent_mail_server_costs_its_time_out_and_no_more(staged: Staged) -> None:
    with MailSink(greeting=None) as mail:
        play = staged(told_world(mail.port))
        began = time.monotonic()
        code, _, complaints = play.run("once", "--apply")

    assert code == 0
    assert "notice not sent by mail" in complaints
    assert time.monotonic() - began < 60


def test_a_way_that_failed_gets_the_notice_with_the_next_pass(staged: Staged) -> None:
    with MailSink(replies={"RCPT": "450 later"}) as mail:
        play = staged(told_world(mail.port))
        play.run("once", "--apply")
        assert mail.deliveries == []
        mail.replies.clear()
        play.ok("once", "--apply")

    assert len(mail.deliveries) == 1


def test_notify_shows_the_ways_and_proves_them(staged: Staged) -> None:
    with MailSink() as mail, WebhookSink() as hook:
        play = staged(told_world(mail.port, hook.url))
        shown = play.ok("notify")
        assert (len(mail.deliveries), len(hook.posts)) == (0, 0)
        proven = play.ok("notify", "--test")

    assert shown.splitlines() == [
        f"mail to root@example.net through 127.0.0.1 port {mail.port}",
        f"webhook at 127.0.0.1 port {hook.port}",
    ]
    assert [line.rpartition(": ")[2] for line in proven.splitlines()] == ["sent", "sent"]
    assert "test notice" in mail.messages[0]["Subject"]
    assert json.loads(hook.posts[0].body)["test"] is True


def test_notify_says_clearly_which_way_fails(staged: Staged) -> None:
    with MailSink() as mail, WebhookSink(status=403) as hook:
        play = staged(told_world(mail.port, hook.url))
        code, out, _ = play.run("notify", "--test")
        document = play.json("notify", "--test", code=1)

    assert code == 1
    assert "sent\n" in out
    assert "the receiver said 403" in out
    assert "T0KEN" not in out
    assert [(way["way"], way["sent"]) for way in document["ways"]] == [("mail", True), ("webhook", False)]


def test_notify_without_a_way_says_what_to_configure(staged: Staged) -> None:
    assert "configure notify.mail or notify.webhook" in staged(a_world()).complains(2, "notify", "--test")


# --- Metrics -------------------------------------------------------------------------------------


def measured(play: Play, path: Path) -> dict[str, float]:
    play.run("once", "--apply")
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    return {
        f"{sample.name} {' '.join(sorted(sample.labels.values()))}".strip(): sample.value
        for family in families
        for sample in family.samples
    }


def test_once_leaves_its_metrics_in_a_file(staged: Staged, tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    play = staged(told_world(closed_port(), extra=f", metrics: {{textfile: '{path}'}}", moved=2))

    found = measured(play, path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert found["mailswitch_last_pass_changes done off web01"] == 2
    assert found["mailswitch_domains elsewhere turn-off web01"] == 2
    assert found["mailswitch_domains here keep web01"] == 8
    assert found["mailswitch_paused"] == found["mailswitch_unsettled_intents"] == 0
    assert found["mailswitch_notices_total failed mail"] == 1
    assert found["mailswitch_last_pass_timestamp_seconds web01"] > 0
    assert sum(value for key, value in found.items() if key.startswith("mailswitch_last_pass_lookups answered")) > 0
    assert not [key for key in found if ".example" in key]


def test_a_pause_and_refused_mail_are_in_the_file(staged: Staged, tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    play = staged(told_world(closed_port(), extra=f", metrics: {{textfile: '{path}'}}"))
    play.run("once", "--apply")
    play.ok("pause", "--reason", "migration")

    found = measured(play, path)

    assert found["mailswitch_paused"] == 1


def test_a_file_that_cannot_be_written_is_complained_of_and_fails_nothing(staged: Staged, tmp_path: Path) -> None:
    play = staged(told_world(closed_port(), extra=f", metrics: {{textfile: '{tmp_path}/nowhere/m.prom'}}"))

    code, _, complaints = play.run("once", "--apply")

    assert code == 0
    assert "metrics not written to" in complaints
