"""What is configured is what is opened, and nothing else."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from mailswitch.config.settings import Settings, load_text
from mailswitch.service.metrics import MetricsObserver
from mailswitch.service.notify import NoticeObserver
from mailswitch.service.telling import host_name, observers_of, telling_of
from tests.support.sinks import closed_port

SERVERS = "servers: [{name: web01, panel: local}]\n"


def settings(tmp_path: Path, text: str = "") -> Settings:
    ledger = f"ledger: sqlite:///{tmp_path}/ledger.db\n"
    return load_text(ledger + SERVERS + text, origin="x", base=tmp_path, environ={"HOOK": "hush"})


def test_nothing_configured_is_nobody_told(tmp_path: Path) -> None:
    assert observers_of(settings(tmp_path), pytest.fail) == ()


def test_notices_are_told_every_configured_way(tmp_path: Path) -> None:
    text = "notify: {mail: {to: root, sender: root}, webhook: {url: 'https://h.example/x', secret_env: HOOK}}"

    (observer,) = observers_of(settings(tmp_path, text), pytest.fail)

    assert isinstance(observer, NoticeObserver)
    assert [way.shown for way in observer.telling.ways] == [
        "mail to root through localhost port 25",
        "webhook at h.example port 443",
    ]


def test_metrics_are_given_on_loopback_until_closed(tmp_path: Path) -> None:
    port = closed_port()

    (observer,) = observers_of(settings(tmp_path, f"metrics: {{listen: '127.0.0.1:{port}'}}"), pytest.fail)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        page = response.read().decode()
    observer.close()

    assert isinstance(observer, MetricsObserver)
    assert 'mailswitch_last_pass_timestamp_seconds{server="web01"} 0.0' in page
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)


def test_a_port_in_use_is_complained_of_and_the_rest_goes_on(tmp_path: Path) -> None:
    metrics = f"metrics: {{listen: '127.0.0.1:{closed_port()}', textfile: m.prom}}\n"
    text = metrics + "notify: {mail: {to: root, sender: root}}"
    complaints: list[str] = []
    first = observers_of(settings(tmp_path, text), complaints.append)

    second = observers_of(settings(tmp_path, text), complaints.append)
    for observer in (*first, *second):
        observer.close()

    assert len(second) == 2
    assert [one.split(":")[0] for one in complaints] == [complaints[0].split(":")[0]]
    assert "Address already in use" in complaints[0]


def test_what_goes_wrong_with_a_notice_is_counted_and_complained_of(tmp_path: Path) -> None:
    from mailswitch.service.notify import Sent

    text = "metrics: {textfile: m.prom}\nnotify: {mail: {to: root, sender: root}}"
    complaints: list[str] = []
    metrics, notices = observers_of(settings(tmp_path, text), complaints.append)
    assert isinstance(metrics, MetricsObserver)
    assert isinstance(notices, NoticeObserver)

    notices.on_sent(Sent(way="mail", error="nobody listens there"))

    assert complaints == ["nobody listens there"]
    assert b'mailswitch_notices_total{result="failed",way="mail"} 1.0' in metrics.metrics.exposition()


@pytest.mark.parametrize(
    ("called", "name"), [("web01.example", "web01.example"), ("a\r\nb: <x>", "abx"), ("ünï", "n"), ("..", "localhost")]
)
def test_the_machine_s_name_is_fit_for_a_header(called: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: called)

    assert host_name() == name


def test_names_are_shown_as_people_know_them(tmp_path: Path) -> None:
    from mailswitch.core.names import DomainName

    telling = telling_of(settings(tmp_path))

    assert telling.ways == ()
    assert telling.display(DomainName("xn--mnchen-3ya.example")) == "münchen.example"
