"""The daemon as a process tells of its passes: a mail, a webhook, and metrics while it runs."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from tests.support.sinks import MailSink, WebhookSink, closed_port
from tests.support.worlds import PROGRAM, Staged, a_world


def wait_until(is_so: Callable[[], bool], *, within: float = 60.0) -> None:
    """Look again and again, for what another process does, until it is so."""
    end, pause = time.monotonic() + within, threading.Event()
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        pause.wait(0.05)


def page(port: int) -> list[str]:
    """Return the lines of the metrics page; none while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            found: list[str] = response.read().decode().splitlines()
            return found
    except (urllib.error.URLError, OSError):
        return []


def test_a_pass_of_the_daemon_reaches_people_and_prometheus(staged: Staged) -> None:
    port = closed_port()
    with MailSink() as mail, WebhookSink() as hook:
        ways = (
            f"mail: {{to: root, sender: root, host: 127.0.0.1, port: '{mail.port}'}}, "
            f"webhook: {{url: '{hook.url}', secret_env: HOOK}}"
        )
        confirm = "confirm: {sightings: '1', window: 0s, unknown_provider_window: 0s}"
        metrics = f"metrics: {{listen: '127.0.0.1:{port}'}}"
        play = staged(a_world(tail=f"config: {{mode: enforce, {confirm}, notify: {{{ways}}}, {metrics}}}\n"))
        log_path = play.stage.directory / "daemon.log"
        with log_path.open("w") as log:
            daemon = subprocess.Popen(
                [*PROGRAM, "--config", str(play.config_path), "run"],
                env={**os.environ, "HOOK": "hush-hunter2"},
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            wait_until(lambda: 'mailswitch_notices_total{result="done",way="webhook"} 1.0' in page(port))
            shown = page(port)
        finally:
            daemon.terminate()
            ended = daemon.wait(timeout=30)

    assert ended == 0
    assert 'mailswitch_changes_total{outcome="done",server="web01",to="off"} 1.0' in shown
    assert 'mailswitch_server_failing{server="web01"} 0.0' in shown
    assert [message["Subject"].rpartition("] ")[2] for message in mail.messages] != []
    assert "moved0.example" in mail.messages[0].get_content()
    assert "moved0.example" in {notice["name"] for notice in json.loads(hook.posts[0].body)["notices"]}
    assert page(port) == []
    written = log_path.read_text(encoding="utf-8")
    assert "telling_failed" not in written
    assert "hunter2" not in written
