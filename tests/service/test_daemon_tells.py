"""Days of the real daemon in seconds: what people and Prometheus are told of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from mailswitch.core.errors import InventoryError, OutletError
from mailswitch.core.names import DomainName
from mailswitch.core.notices import Bulletin
from mailswitch.report.metrics import Metrics
from mailswitch.service.metrics import MetricsObserver
from mailswitch.service.notify import NoticeObserver, Telling
from mailswitch.service.parts import Parts
from tests.support.daemons import Played
from tests.support.ports import HOUR, Scene

DAY = timedelta(days=1)


@dataclass
class Post:
    """A way that keeps what it was given."""

    name: str = "mail"
    shown: str = "a way"
    documents: list[dict[str, Any]] = field(default_factory=list)
    is_broken: bool = False

    def send(self, bulletin: Bulletin, *, at: datetime) -> None:
        if self.is_broken:
            raise OutletError("nobody listens there")
        self.documents.append(json.loads(bulletin.document))

    def kinds(self) -> Counter[tuple[str, str | None, str | None]]:
        notices = [notice for document in self.documents for notice in document["notices"]]
        return Counter((notice["kind"], notice["server"], notice["name"]) for notice in notices)


class Telltale(Played):
    """A played daemon with notices and metrics."""

    def __init__(self, scene: Scene, *, digest: time | None = None) -> None:
        self.post = Post()
        self.metrics = Metrics(["web01", "web02"], ["a", "b", "c"])
        self._telling = Telling(
            ways=(self.post,), ledger=scene.place, host="web01.example", now=scene.clock, digest=digest
        )
        super().__init__(scene)

    def parts(self) -> Parts:
        observers = (MetricsObserver(metrics=self.metrics), NoticeObserver(self._telling))
        usual = super().parts()
        return replace(usual, open_observers=lambda: (*usual.open_observers(), *observers))

    def metric(self, line: str) -> float:
        found = [
            one for one in self.metrics.exposition().decode().splitlines() if one.startswith(f"mailswitch_{line} ")
        ]
        return float(found[0].rpartition(" ")[2])


def test_a_day_of_passes_tells_each_change_once(tmp_path: Path) -> None:
    daemon = Telltale(Scene(tmp_path, "moved.example"))
    daemon.scene.add_server("web02").host("other.example")
    daemon.scene.moves("other.example")

    daemon.live(DAY)

    told = daemon.post.kinds()
    assert told["changed", "web01", "moved.example"] == 1
    assert not [key for key, number in told.items() if number > 1]
    assert daemon.metric('changes_total{outcome="done",server="web01",to="off"}') == 1
    assert daemon.metric("passes_total") >= 24


def test_a_server_down_for_a_day_and_retried_all_the_time_is_told_once_and_its_recovery_once(tmp_path: Path) -> None:
    daemon = Telltale(Scene(tmp_path, "moved.example"))
    daemon.live(2 * HOUR)
    daemon.scene.plesk.failure = InventoryError("web01: no answer", code="unreachable")
    daemon.live(DAY)
    failing = daemon.metric('server_failing{server="web01"}')
    daemon.scene.plesk.failure = None
    daemon.live(3 * HOUR)

    told = daemon.post.kinds()
    assert (told["failing", "web01", None], told["recovered", "web01", None]) == (1, 1)
    assert (failing, daemon.metric('server_failing{server="web01"}')) == (1, 0)


def test_mail_that_comes_back_is_told_when_it_is_accepted_and_a_recheck_is_no_news(tmp_path: Path) -> None:
    daemon = Telltale(Scene(tmp_path, "moved.example"))
    daemon.live(3 * HOUR)
    daemon.scene.comes_back("moved.example")
    with daemon.scene.place.writer(wait=timedelta(seconds=5)) as ledger:
        ledger.request_recheck([DomainName("moved.example")], by="event", at=daemon.scene.clock())
    daemon.live(timedelta(minutes=1))
    daemon.live(3 * HOUR)

    assert daemon.post.kinds()["changed", "web01", "moved.example"] == 2
    assert daemon.post.kinds()["mail-refused", "web01", "moved.example"] == 0


def test_a_digest_is_sent_each_day_and_says_what_stands(tmp_path: Path) -> None:
    daemon = Telltale(Scene(tmp_path, "moved.example"), digest=time(7))
    daemon.scene.plesk.failure = InventoryError("web01: no answer", code="unreachable")

    daemon.live(2 * DAY)

    digests = [document["digest"] for document in daemon.post.documents if document["digest"] is not None]
    assert len(digests) == 2
    assert all(digest["standing"][0]["kind"] == "failing" for digest in digests)


def test_a_way_that_never_works_disturbs_no_pass(tmp_path: Path) -> None:
    daemon = Telltale(Scene(tmp_path, "moved.example"))
    daemon.post.is_broken = True

    daemon.live(6 * HOUR)

    assert daemon.metric("passes_total") >= 6
    assert daemon.scene.plesk.switch("moved.example").value == "off"
    assert daemon.events("observer_failed", "pass_failed") == []
