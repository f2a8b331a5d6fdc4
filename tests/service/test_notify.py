"""People are told what really happened, once, and a way that fails costs no pass anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailswitch.core.errors import AlreadyRunning, LedgerError, OutletError, ResolverError
from mailswitch.core.ledger import Pause
from mailswitch.core.names import DomainName
from mailswitch.core.notices import IN_HAND, Bulletin, NoticeMemory
from mailswitch.core.policy import Mode
from mailswitch.service.notify import NoticeObserver, Sent, Telling, send_test
from mailswitch.service.observe import Scope
from mailswitch.service.observers import DaemonState, PassContext, PassReason
from mailswitch.service.ports import Ledger, LedgerPlace, LedgerReader
from tests.support.ports import HOUR, Scene, Whim

CONTEXT = PassContext(reason=PassReason.SWEEP, servers=("web01",), elapsed=timedelta(seconds=1))


@dataclass
class Way:
    """A way that keeps what it was given, and fails while told to."""

    name: str = "mail"
    shown: str = "a way"
    sent: list[Bulletin] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    is_broken: bool = False

    def send(self, bulletin: Bulletin, *, at: datetime) -> None:
        assert at.tzinfo is not None
        self.tried.append(bulletin.id)
        if self.is_broken:
            raise OutletError("nobody listens there")
        self.sent.append(bulletin)

    def told(self) -> list[list[tuple[str, str | None]]]:
        """What each bulletin told, in short."""
        return [[(one["kind"], one["name"]) for one in json.loads(b.document)["notices"]] for b in self.sent]


class Town:
    """A scene with somebody who is told of it."""

    def __init__(self, folder: Path, *names: str, digest: time | None = None, **scene: Any) -> None:
        self.scene = Scene(folder, *names, **scene)
        self.mail, self.webhook = Way(), Way("webhook")
        self.attempts: list[Sent] = []
        self.digest = digest
        self.observer = self.another_process()

    def another_process(self) -> NoticeObserver:
        return NoticeObserver(
            Telling(
                ways=(self.mail, self.webhook),
                ledger=self.scene.place,
                host="web01.example",
                now=self.scene.clock,
                digest=self.digest,
            ),
            on_sent=self.attempts.append,
        )

    def make_pass(self, context: PassContext = CONTEXT, *, scope: Scope | None = None) -> None:
        self.observer.pass_done(self.scene.once(scope=scope), context)

    def memory(self) -> NoticeMemory:
        with self.scene.reading() as reader:
            found = reader.notice_memory()
        assert found is not None
        return found


@pytest.fixture
def town(folder: Path) -> Town:
    return Town(folder, "moved.example")


@pytest.fixture
def town_on_file(tmp_path: Path) -> Town:
    """Its ledger is a file that tests destroy."""
    return Town(tmp_path, "moved.example")


def lines(way: Way) -> list[tuple[str, str | None]]:
    return [line for told in way.told() for line in told]


def test_a_change_is_told_every_way_and_not_again(town: Town) -> None:
    town.make_pass()
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert town.mail.told() == [[("changed", "moved.example")]]
    assert town.webhook.sent == town.mail.sent
    assert town.attempts == [Sent(way="mail"), Sent(way="webhook")]
    assert "moved.example (web01): turned off by mailswitch" in town.mail.sent[0].text


def test_a_pass_without_news_writes_nothing(town: Town) -> None:
    town.make_pass()
    before = town.memory()
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert town.memory() == before


def test_a_lost_reply_is_told_by_the_pass_that_settles_it_with_its_true_outcome(town: Town) -> None:
    town.scene.plesk.whims["moved.example"] = [Whim.UNREADABLE]
    town.make_pass()
    assert ("changed", "moved.example") not in lines(town.mail)

    town.scene.plesk.unreadable.clear()
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert lines(town.mail).count(("changed", "moved.example")) == 1


def test_a_change_by_hand_is_told_with_who_did_it(town: Town) -> None:
    town.scene.mode = Mode.REPORT
    town.make_pass()
    town.scene.mode = Mode.ENFORCE
    town.scene.once()  # a pass by hand that told nobody
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert town.mail.told() == [[("changed", "moved.example")]]


def test_changes_of_the_time_before_notices_are_no_news(town: Town) -> None:
    town.scene.once()
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert town.mail.sent == []


def test_mail_that_is_refused_while_changes_are_paused_is_told_and_its_end_too(town: Town) -> None:
    town.make_pass()
    town.scene.comes_back("moved.example")
    with town.scene.place.writer(wait=timedelta(seconds=5)) as ledger:
        ledger.set_pause(Pause(by="alice", at=town.scene.clock()))
    town.scene.clock.move(HOUR)
    town.make_pass()
    town.scene.resume()
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert town.mail.told() == [
        [("changed", "moved.example")],
        [("mail-refused", "moved.example")],
        [("changed", "moved.example"), ("mail-accepted", "moved.example")],
    ]


def fail_panel(town: Town) -> None:
    def refuse() -> Any:
        from mailswitch.core.errors import InventoryError

        raise InventoryError("web01: no answer", code="unreachable")

    town.scene.configure("web01", open_panel=refuse)


def test_a_server_that_fails_for_a_day_is_told_once_and_by_whichever_process(town: Town) -> None:
    fail_panel(town)
    for _ in range(24):
        town.observer = town.another_process()
        town.make_pass()
        town.scene.clock.move(HOUR)
    town.scene.configure("web01", open_panel=town.scene.plesk.open)
    town.make_pass()

    assert town.mail.told() == [[("failing", None)], [("changed", "moved.example"), ("recovered", None)]]


def test_a_look_at_one_name_ends_no_other_trouble(town: Town) -> None:
    town.make_pass()
    town.scene.plesk.host("other.example")
    town.scene.comes_back("moved.example")
    town.scene.pause()
    town.scene.clock.move(HOUR)
    town.make_pass()
    town.scene.clock.move(HOUR)
    only = Scope(names=frozenset({DomainName("other.example")}))
    town.make_pass(PassContext(reason=PassReason.RECHECK, servers=("web01",), elapsed=HOUR), scope=only)

    assert ("mail-refused", "moved.example") in lines(town.mail)
    assert ("mail-accepted", "moved.example") not in lines(town.mail)


# --- Two processes that find the same news -----------------------------------------------------------


@dataclass
class Overtaken:
    """The ledger as a process sees it that is overtaken by others before it writes; each of them once."""

    place: LedgerPlace
    others: list[Callable[[], object]]

    def reader(self) -> LedgerReader:
        return self.place.reader()

    def writer(self, *, wait: timedelta) -> AbstractContextManager[Ledger]:
        if self.others:
            self.others.pop(0)()
        return self.place.writer(wait=wait)


def test_a_pass_by_hand_and_the_daemon_find_the_same_and_one_tells_it(town: Town) -> None:
    report = town.scene.once()
    by_hand = town.another_process()
    overtaken = Overtaken(town.scene.place, [lambda: by_hand.tell(report, whole=("web01",))])
    daemon = NoticeObserver(replace(town.observer.telling, ledger=overtaken))  # type: ignore[arg-type]  # all it uses

    sent = daemon.tell(report, whole=("web01",))

    assert (sent, overtaken.others) == ((), [])
    assert town.mail.told() == town.webhook.told() == [[("changed", "moved.example")]]


def test_what_a_process_is_sending_no_other_sends(town: Town) -> None:
    other = town.another_process()
    report = town.scene.once()
    found: list[tuple[Sent, ...]] = []
    town.observer.on_sent = lambda _: found.append(other.tell(report, whole=("web01",)))

    town.observer.tell(report, whole=("web01",))

    assert found == [(), ()]
    assert len(town.mail.tried) == len(town.webhook.tried) == 1
    assert town.memory().unsent == ()


def test_what_others_put_on_record_while_it_sends_stays_there(town: Town) -> None:
    """And what it failed to send is beside it."""
    town.mail.is_broken = True
    report = town.scene.once()

    def tell_of_another(_: Sent) -> None:
        town.observer.on_sent = lambda _: None
        with town.scene.place.writer(wait=timedelta(seconds=5)) as ledger:
            former = ledger.notice_memory()
            assert former is not None
            assert ledger.remember_notices(replace(former, last_change=77), former=former)

    town.observer.on_sent = tell_of_another
    town.observer.tell(report, whole=("web01",))

    assert town.memory().last_change == 77
    assert [(one.way, one.taken_at) for one in town.memory().unsent] == [("mail", None)]


def test_one_who_never_gets_its_news_on_record_tells_nobody(town: Town) -> None:
    """The next pass finds the same once more."""
    report = town.scene.once()

    def disturb() -> None:
        with town.scene.place.writer(wait=timedelta(seconds=5)) as ledger:
            former = ledger.notice_memory()
            done = 0 if former is None else former.done
            ledger.remember_notices(replace(former or NoticeMemory(), done=done + 1), former=former)

    overtaken = Overtaken(town.scene.place, [disturb] * 100)
    disturbed = NoticeObserver(replace(town.observer.telling, ledger=overtaken))  # type: ignore[arg-type]  # all it uses

    assert disturbed.tell(report, whole=("web01",)) == ()
    assert town.mail.tried == []

    town.observer.tell(report, whole=("web01",))
    assert ("changed", "moved.example") in lines(town.mail)


def test_what_a_killed_process_was_sending_waits_until_it_is_surely_over(town: Town) -> None:
    class Killed(BaseException):
        pass

    def killed(sent: Sent) -> None:
        raise Killed

    town.observer.on_sent = killed
    with pytest.raises(Killed):
        town.make_pass()
    town.observer = town.another_process()
    town.scene.clock.move(IN_HAND - timedelta(minutes=1))
    town.make_pass()
    tried_early = len(town.webhook.tried)
    town.scene.clock.move(timedelta(minutes=2))
    town.make_pass()

    assert (tried_early, len(town.webhook.tried)) == (0, 1)


# --- Ways that fail ------------------------------------------------------------------------------


def test_a_way_that_fails_is_tried_once_more_with_the_next_pass_and_then_given_up(town: Town) -> None:
    town.mail.is_broken = True
    for _ in range(5):
        town.make_pass()
        town.scene.clock.move(HOUR)

    assert len(town.mail.tried) == 2
    assert len(set(town.mail.tried)) == 1
    assert len(town.webhook.sent) == 1
    assert [one.error for one in town.attempts if one.way == "mail"] == ["nobody listens there"] * 2
    assert town.memory().unsent == ()


def test_a_way_that_works_again_delivers_what_failed_the_last_time(town: Town) -> None:
    town.mail.is_broken = True
    town.make_pass()
    town.mail.is_broken = False
    town.observer = town.another_process()
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert town.mail.told() == [[("changed", "moved.example")]]


def test_killed_while_sending_the_next_pass_sends_it(town: Town) -> None:
    class Killed(BaseException):
        pass

    def killed(sent: Sent) -> None:
        raise Killed

    town.observer.on_sent = killed
    with pytest.raises(Killed):
        town.make_pass()
    town.observer = town.another_process()
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert {b.id for b in town.webhook.sent} == {b.id for b in town.mail.sent}
    assert len(town.webhook.sent) == 1


def test_a_way_that_is_configured_no_more_is_forgotten(town: Town) -> None:
    town.mail.is_broken = True
    town.make_pass()
    town.mail = Way("other")
    town.observer = town.another_process()
    town.scene.clock.move(HOUR)
    town.make_pass()

    assert town.mail.tried == []
    assert town.memory().unsent == ()


# --- Passes that cannot be made ------------------------------------------------------------------


def failed(town: Town, *errors: Any) -> None:
    for error in errors:
        town.observer.pass_failed(error, CONTEXT)
        town.scene.clock.move(HOUR)


def test_an_unusable_ledger_is_told_once_though_it_cannot_remember_that(town_on_file: Town) -> None:
    town = town_on_file
    town.make_pass()
    ledger = town.scene.folder / "ledger.db"
    content = ledger.read_bytes()
    for extra in ("-wal", "-shm"):
        ledger.with_name(ledger.name + extra).unlink(missing_ok=True)
    ledger.write_bytes(b"no database at all" * 100)
    failed(town, *[LedgerError("the ledger is damaged")] * 5)
    ledger.write_bytes(content)
    town.make_pass()

    assert town.mail.told() == [[("changed", "moved.example")], [("failing", None)], [("recovered", None)]]


def test_a_new_process_beside_an_unusable_ledger_tells_no_old_changes_when_it_works_again(town_on_file: Town) -> None:
    town = town_on_file
    town.make_pass()
    ledger = town.scene.folder / "ledger.db"
    content = ledger.read_bytes()
    ledger.write_bytes(b"no database at all" * 100)
    town.observer = town.another_process()
    failed(town, *[LedgerError("the ledger is damaged")] * 2)
    ledger.write_bytes(content)
    town.make_pass()

    assert town.mail.told() == [[("changed", "moved.example")], [("failing", None)], [("recovered", None)]]


@pytest.mark.parametrize(
    ("error", "codes"),
    [(ResolverError("no sweep"), ["public-dns"]), (OutletError("?"), ["pass"]), (AlreadyRunning("x"), [])],
)
def test_a_pass_that_could_not_be_made_is_told_with_its_reason(town: Town, error: Any, codes: list[str]) -> None:
    failed(town, error, error)

    assert [one["code"] for b in town.mail.sent for one in json.loads(b.document)["notices"]] == codes


# --- The digest, the test, and the rest of an observer -------------------------------------------


def test_a_digest_goes_out_daily_and_counts(folder: Path) -> None:
    town = Town(folder, "moved.example", digest=time(7))
    for _ in range(48):
        town.make_pass()
        town.scene.clock.move(HOUR)

    digests = [json.loads(b.document)["digest"] for b in town.mail.sent]
    made = [digest for digest in digests if digest is not None]
    assert [digest["done"] for digest in made] == [1, 0]
    assert made[0]["servers"][0]["name"] == "web01"


def test_a_test_goes_every_way_and_says_which_one_fails(town: Town) -> None:
    town.webhook.is_broken = True

    ended = send_test(town.observer.telling)

    assert ended == (Sent(way="mail"), Sent(way="webhook", error="nobody listens there"))
    assert json.loads(town.mail.sent[0].document)["test"] is True


def test_between_passes_nothing_is_told(town: Town) -> None:
    state = DaemonState(
        at=town.scene.clock(), started=town.scene.clock(), is_busy=False, is_paused=False, unsettled=0, next_pass=None
    )

    town.observer.ticked(state)
    town.observer.close()

    assert sent_ids([town.mail, town.webhook]) == []


def sent_ids(ways: Iterable[Way]) -> list[str]:
    return [one for way in ways for one in way.tried]
