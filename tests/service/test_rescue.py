"""Stranded mail sent on: when, how, what stops it, and each message at most once ever.

The ledger, the mailboxes, the log and the way through a mail server on loopback are real; the panel and public DNS are
fakes at the service's ports, and time passes only while somebody waits.
"""

from __future__ import annotations

import gzip
import re
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.errors import ConfigError, InventoryError, MailError, UnsafePlan
from mailswitch.core.mailboxes import Content, Examined
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Confirmation, Policy
from mailswitch.core.rescue import Handover, Letter, RescueOutcome
from mailswitch.service.rescue_ports import Outbox
from tests.support.mta import DELIVERED, LATER, REFUSED, SILENT, Mta, attached
from tests.support.ports import HERE
from tests.support.ports import SILENT as NO_ANSWER
from tests.support.rescuing import MOVED, Desk, outbox_at


@pytest.fixture
def mta(tmp_path: Path) -> Iterator[Mta]:
    with Mta(tmp_path / "maillog") as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, mta: Mta) -> Iterator[Desk]:
    found = Desk(tmp_path, mta.port, mta.log)
    found.look()
    yield found
    found.outbox.close()


def _messages(desk: Desk, number: int, **more: object) -> list[bytes]:
    contents = [b"Subject: number %d\n\nhello\n" % one for one in range(number)]
    for content in contents:
        desk.arrive(content, **more)
    return contents


def _arrived(mta: Mta) -> list[bytes]:
    return sorted(attached(mail.content).replace(b"\r\n", b"\n") for mail in mta.taken)


def test_everything_arrives_once_and_a_second_run_sends_nothing(desk: Desk, mta: Mta) -> None:
    contents = _messages(desk, 5)

    first, second = desk.send(), desk.send()

    assert _arrived(mta) == sorted(contents)
    assert (first.counts, first.stopped, first.perhaps) == ({RescueOutcome.DELIVERED: 5}, None, ())
    assert second.counts == {}
    assert desk.told == ["1 of 1 message taken by the other side", "4 of 4 messages taken by the other side"]


def test_originals_are_never_changed(desk: Desk) -> None:
    paths = [desk.arrive(b"Subject: x\n\n1\n"), desk.arrive(b"Subject: x\n\n2\n", flags="S")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in paths]

    desk.send()

    assert [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in paths] == before


def test_a_run_is_on_record_with_who_when_and_where_to(desk: Desk) -> None:
    _messages(desk, 2)
    result = desk.send()

    (rescue,) = desk.scene.place.reader().rescues()

    assert (rescue.id, rescue.by, rescue.name, rescue.stopped) == (result.id, "alice", MOVED, None)
    assert rescue.exchanges == (DomainName("aspmx.l.google.com"),)
    assert rescue.counts == (("delivered", 2),)
    assert rescue.finished is not None


# ---- each message at most once


@pytest.mark.parametrize("what", ["marked", "moved", "copied", "fetched"])
def test_a_message_is_the_same_however_a_mail_program_handles_it(desk: Desk, mta: Mta, what: str) -> None:
    path = desk.arrive(b"Subject: x\n\n1\n", flags=None if what == "fetched" else "")
    desk.send()
    archive = desk.mailhouse.maildir(folder=".Archive") / "cur"
    match what:
        case "marked":
            path.rename(path.with_name(path.name + "S"))
        case "moved":
            path.rename(archive / "1794000001.other.web01:2,S")
        case "copied":
            (archive / "1794000001.other.web01:2,S").write_bytes(path.read_bytes())
        case _:
            path.rename(desk.mailhouse.maildir() / "cur" / f"{path.name}:2,S")

    desk.send()

    assert len(mta.taken) == 1


def test_equal_messages_in_two_mailboxes_are_two(desk: Desk, mta: Mta) -> None:
    for user in ("info", "sales", "info"):
        desk.arrive(b"Subject: x\n\nnewsletter\n", user=user)

    desk.send()

    assert sorted(mail.recipient for mail in mta.taken) == ["info@moved.example", "sales@moved.example"]


def test_two_runs_at_once_send_nothing_twice(tmp_path: Path, desk: Desk, mta: Mta) -> None:
    contents = _messages(desk, 12)
    others = [Desk(tmp_path, mta.port, mta.log) for _ in range(3)]
    failures: list[BaseException] = []

    def run(other: Desk) -> None:
        try:
            other.send()
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=run, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.outbox.close()
    # One may have met another's message in the local queue, and refused to begin.
    assert all(isinstance(failure, UnsafePlan) for failure in failures)
    desk.send()

    assert _arrived(mta) == sorted(contents)


def test_a_mail_of_ours_that_came_back_is_never_sent_on(desk: Desk, mta: Mta) -> None:
    _messages(desk, 1)
    desk.send()
    desk.arrive(mta.taken[0].content.replace(b"\r\n", b"\n"))

    result = desk.send()

    assert result.skipped == {"message that an earlier rescue sent": 1}
    assert len(mta.taken) == 1


# ---- what stops it


def test_the_first_batch_is_one_message_and_a_refusal_ends_the_run_with_the_words(desk: Desk, mta: Mta) -> None:
    _messages(desk, 30)
    mta.decide = lambda _: REFUSED

    result = desk.send()

    assert len(mta.taken) == 1
    assert result.counts == {RescueOutcome.REJECTED: 1}
    assert result.stopped is not None
    assert "1 message of 1 not taken by the other side: mx.other.example[198.51.100.9]:25: host" in result.stopped
    assert "550 5.1.1 no such user" in result.stopped
    assert desk.scene.place.reader().rescues()[0].stopped == result.stopped


def test_a_refusal_in_a_later_batch_stops_behind_that_batch(desk: Desk, mta: Mta) -> None:
    _messages(desk, 30)
    mta.decide = lambda mail: REFUSED if len(mta.taken) == 4 else DELIVERED

    result = desk.send(batch=5)

    assert len(mta.taken) == 6
    assert result.counts == {RescueOutcome.DELIVERED: 5, RescueOutcome.REJECTED: 1}
    assert result.stopped is not None
    assert result.stopped.startswith("1 message of 5 not taken")


def test_refused_messages_are_left_out_until_somebody_says_again(desk: Desk, mta: Mta) -> None:
    _messages(desk, 3)
    mta.decide = lambda _: REFUSED
    desk.send()
    mta.decide = lambda _: DELIVERED

    following, again, done = desk.send(), desk.send(is_again=True), desk.send(is_again=True)

    assert (following.counts, following.rejected) == ({RescueOutcome.DELIVERED: 2}, 1)
    assert (again.counts, again.rejected) == ({RescueOutcome.DELIVERED: 1}, 0)
    assert done.counts == {}
    assert len(set(_arrived(mta))) == 3


def test_one_that_is_refused_again_is_tried_once_in_a_run(desk: Desk, mta: Mta) -> None:
    _messages(desk, 1)
    mta.decide = lambda _: REFUSED
    desk.send()

    desk.send(is_again=True)

    assert len(mta.taken) == 2


def test_a_side_that_wants_it_later_stops_it_and_what_is_queued_keeps_the_next_run_back(desk: Desk, mta: Mta) -> None:
    _messages(desk, 3)
    mta.decide = lambda _: LATER

    result = desk.send()
    with pytest.raises(UnsafePlan, match=r"has not taken 1 message of before, still in the local queue.*greylisted"):
        desk.send()
    mta.deliver(mta.taken[0], DELIVERED)
    mta.decide = lambda _: DELIVERED
    following = desk.send()

    assert result.counts == {RescueOutcome.TAKEN: 1}
    assert result.stopped is not None
    assert re.search("has not taken 1 of 1 within 10 min: .*greylisted", result.stopped)
    assert following.counts == {RescueOutcome.DELIVERED: 2}
    assert len(mta.taken) == 3


def test_a_log_that_says_nothing_stops_it_and_says_so(desk: Desk, mta: Mta) -> None:
    _messages(desk, 3)
    mta.decide = lambda _: SILENT

    result = desk.send(wait=timedelta(seconds=90))

    assert result.stopped is not None
    assert result.stopped.startswith("the other side has not taken 1 of 1 within 1 min 30 s")
    assert sum(desk.time.waits) == pytest.approx(90, abs=2)


def test_what_was_queued_long_ago_keeps_nobody_back(desk: Desk, mta: Mta) -> None:
    _messages(desk, 2)
    mta.decide = lambda _: SILENT
    desk.send(wait=timedelta(seconds=5))
    mta.decide = lambda _: DELIVERED
    desk.scene.clock.move(timedelta(days=6))

    assert desk.send().counts == {RescueOutcome.DELIVERED: 1}


def test_mail_that_is_delivered_here_again_stops_it(desk: Desk, mta: Mta) -> None:
    _messages(desk, 3)

    def kept(queue_id: str, recipient: str) -> None:
        fields = "relay=plesk_virtual, delay=0.1, delays=0.1/0/0/0, dsn=2.0.0"
        mta.say("pipe", f"{queue_id}: to=<{recipient}>, {fields}, status=sent (delivered via plesk_virtual service)")
        mta.say("qmgr", f"{queue_id}: removed")

    def decide(mail: object) -> str:
        kept(mta.taken[-1].queue_id, mta.taken[-1].recipient)
        return SILENT

    mta.decide = decide

    result = desk.send()

    assert len(mta.taken) == 1
    assert result.stopped is not None
    assert "delivered on this server itself, not elsewhere" in result.stopped


@pytest.mark.parametrize(
    ("at", "reply", "outcome"),
    [
        (".", "550 5.7.1 spam", RescueOutcome.REJECTED),
        (".", "451 4.3.0 try later", RescueOutcome.NOT_TAKEN),
        ("RCPT TO:<info@moved.example>", "554 5.7.1 relay access denied", None),
        ("DATA", "452 4.3.1 no room", None),
    ],
)
def test_a_local_mail_server_that_does_not_take_a_message_stops_it(
    desk: Desk, mta: Mta, at: str, reply: str, outcome: RescueOutcome | None
) -> None:
    _messages(desk, 2)
    mta.reply = lambda command: reply if command.upper() == at.upper() else None

    result = desk.send()

    assert result.stopped == f"the local mail server did not take a message: {reply}"
    assert result.counts == ({} if outcome is None else {outcome: 1})
    assert mta.taken == []
    mta.reply = lambda _: None
    assert desk.send().counts == {RescueOutcome.DELIVERED: 1 if outcome is RescueOutcome.REJECTED else 2}


def test_a_message_the_server_may_have_is_found_in_the_log_at_once(desk: Desk, mta: Mta) -> None:
    """The connection ends after the dot, and before the answer."""
    _messages(desk, 2)

    def hang_up(command: str) -> str | None:
        return "" if command == "." and not mta.taken else None

    mta.reply = hang_up
    result = desk.send()
    assert result.stopped is not None
    assert "perhaps sent" in result.stopped
    assert len(result.perhaps) == 1  # this server logged neither that it has it nor that it has not

    mta.reply = lambda _: None
    following = desk.send()

    assert following.counts == {RescueOutcome.DELIVERED: 1}
    assert [one.file for one in following.perhaps] == [one.file for one in result.perhaps]
    assert len(mta.taken) == 1


# ---- what has to hold, before each batch


def _refused(desk: Desk, mta: Mta, **more: object) -> str:
    with pytest.raises(UnsafePlan) as caught:
        desk.send(**more)
    assert mta.taken == []
    shown = "; ".join(desk.plan(**more).obstacles)
    assert all(line.partition("nothing is sent, ")[2] in shown for line in str(caught.value).splitlines())
    return str(caught.value)


def test_a_switch_that_is_on_or_unreadable_stands_in_the_way(desk: Desk, mta: Mta) -> None:
    _messages(desk, 1)
    desk.scene.plesk.toggle("moved.example", Switch.ON)
    assert "the switch is on: mail to it would land in its mailboxes here again" in _refused(desk, mta)

    desk.scene.plesk.unreadable.add("moved.example")
    assert "the switch cannot be read" in _refused(desk, mta)


def test_a_route_that_is_not_elsewhere_just_now_stands_in_the_way(desk: Desk, mta: Mta) -> None:
    _messages(desk, 1)
    desk.scene.view.publish(HERE, "moved.example")
    assert "its mail does not live elsewhere as far as can be seen now: route here" in _refused(desk, mta)

    desk.scene.view.publish(NO_ANSWER, "moved.example")
    assert "route unknown" in _refused(desk, mta)

    desk.scene.moves("moved.example")
    desk.scene.view.is_remembering = True
    assert "no quorum of vantages agrees just now" in _refused(desk, mta)


def test_an_unconfirmed_route_stands_in_the_way(tmp_path: Path, mta: Mta) -> None:
    desk = Desk(tmp_path, mta.port, mta.log)
    desk.scene.policy = Policy(confirm=Confirmation())
    _messages(desk, 1)
    assert "no pass has seen it elsewhere yet" in _refused(desk, mta)
    desk.look()

    told = _refused(desk, mta)
    desk.scene.clock.move(timedelta(hours=25))

    assert "the route is not confirmed: seen 0 times over 0 s, 3 times over 1 d needed" in told
    assert desk.send().counts == {RescueOutcome.DELIVERED: 1}
    desk.outbox.close()


def test_a_pause_a_missing_sender_and_an_alias_stand_in_the_way(desk: Desk, mta: Mta) -> None:
    _messages(desk, 1)
    desk.scene.pause()
    assert "all changes are paused by alice" in _refused(desk, mta)
    desk.scene.resume()

    assert "rescue.sender is not configured" in _refused(desk, mta, sender=None)

    desk.scene.plesk.host("alias.example", kind=Kind.ALIAS, parent="moved.example", switch=Switch.OFF)
    desk.scene.moves("alias.example")
    told = _refused(desk, mta, name=DomainName("alias.example"))
    assert "it is an alias of moved.example, whose mailboxes its mail is in" in told


def test_a_switch_that_is_turned_on_meanwhile_stops_before_the_next_batch(desk: Desk, mta: Mta) -> None:
    _messages(desk, 10)

    def decide(_: object) -> str:
        if len(mta.taken) == 3:
            desk.scene.plesk.toggle("moved.example", Switch.ON)
        return DELIVERED

    mta.decide = decide

    result = desk.send(batch=3)

    assert len(mta.taken) == 4  # 1, then 3
    assert result.stopped is not None
    assert result.stopped.startswith("the switch is on")


def test_a_name_that_is_not_here_or_a_silent_panel_is_told(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"nobody\.example is not hosted on this machine"):
        desk.send(name=DomainName("nobody.example"))
    desk.scene.plesk.failure = InventoryError("no answer", code="unreachable")
    with pytest.raises(InventoryError, match=r"cannot tell who hosts moved\.example"):
        desk.send()


def test_a_name_on_two_servers_has_to_be_told_apart(desk: Desk) -> None:
    desk.scene.add_server("web02").host("moved.example")

    with pytest.raises(ConfigError, match="say which with --server"):
        desk.send(servers=frozenset({"web01", "web02"}))


def test_without_a_log_or_a_mail_server_nothing_begins(desk: Desk, mta: Mta) -> None:
    _messages(desk, 1)
    mta.log.unlink()
    with pytest.raises(MailError, match="without it nobody learns what the other side answers"):
        desk.send()
    assert desk.scene.place.reader().rescues() == ()

    mta.log.touch()
    desk.outbox = outbox_at(1)
    with pytest.raises(MailError, match="nobody listens there"):
        desk.send()
    assert desk.scene.place.reader().rescues()[0].stopped is not None
    assert mta.taken == []


def test_an_interrupted_run_says_so_on_record(desk: Desk, mta: Mta) -> None:
    _messages(desk, 3)

    class _Interrupted:
        def __init__(self, outbox: Outbox) -> None:
            self._outbox = outbox

        def __getattr__(self, name: str) -> object:
            return getattr(self._outbox, name)

        def send(self, *arguments: object, **more: object) -> Handover:
            if mta.taken:
                raise KeyboardInterrupt
            return self._outbox.send(*arguments, **more)  # type: ignore[arg-type]

    whole, desk.outbox = desk.outbox, _Interrupted(desk.outbox)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        desk.send()
    assert desk.scene.place.reader().rescues()[0].stopped == "it was interrupted"

    desk.outbox = whole
    desk.send()
    assert len(set(_arrived(mta))) == len(mta.taken) == 3


# ---- how it is sent


def test_it_is_no_faster_than_the_rate_allows(desk: Desk) -> None:
    _messages(desk, 7)

    desk.send(rate=30)

    assert sum(wait for wait in desk.time.waits if wait > 1) == pytest.approx(6 * 2)


def test_single_mailboxes_and_spam_are_sent_on_request(desk: Desk, mta: Mta) -> None:
    desk.arrive(b"Subject: a\n\n", user="sales")
    desk.arrive(b"Subject: b\n\n", folder=".Spam")
    desk.arrive(b"Subject: c\n\n")

    assert desk.send(only=frozenset({"sales"})).counts == {RescueOutcome.DELIVERED: 1}
    assert desk.send().counts == {RescueOutcome.DELIVERED: 1}
    assert desk.send(is_with_spam=True).counts == {RescueOutcome.DELIVERED: 1}
    assert [mail.recipient.partition("@")[0] for mail in mta.taken] == ["sales", "info", "info"]


def test_what_cannot_be_sent_is_left_out_and_told(desk: Desk, mta: Mta) -> None:
    mta.offers = ("8BITMIME", "SIZE 100000")
    desk.arrive(b"Subject: fine\n\n")
    desk.arrive(b"Subject: large\n\n" + b"x\n" * 60_000)
    desk.arrive(b"CRYPTED\x03\x07abc")
    desk.arrive(gzip.compress(b"Subject: broken\n\n" + b"x" * 10_000)[:60])
    desk.arrive(b"Subject: y\n\n", user="in fo")

    result = desk.send()

    assert result.skipped == {
        "too large for the local mail server": 1,
        "message encrypted by Dovecot": 1,
        "unreadable message": 1,
        "message in a mailbox whose name is no address": 1,
    }
    assert len(mta.taken) == 1


def test_a_message_that_changes_while_it_is_sent_is_not_sent(desk: Desk, mta: Mta) -> None:
    path = desk.arrive(b"Subject: before\n\n")
    desk.send(only=frozenset({"nobody"}))

    class _Changing:
        def __init__(self, outbox: Outbox) -> None:
            self._outbox = outbox

        def __getattr__(self, name: str) -> object:
            return getattr(self._outbox, name)

        def send(self, letter: Letter, content: Content, examined: Examined, **more: object) -> Handover:
            with path.open("r+b") as stream:
                stream.write(b"Subject: AFTER!\n\n")
            return self._outbox.send(letter, content, examined, **more)  # type: ignore[arg-type]

    whole, desk.outbox = desk.outbox, _Changing(desk.outbox)  # type: ignore[assignment]
    result = desk.send()
    assert result.skipped == {"message changed meanwhile": 1}
    assert mta.taken == []

    desk.outbox = whole
    assert desk.send().counts == {RescueOutcome.DELIVERED: 1}


@pytest.mark.parametrize("what", ["fetched", "deleted"])
def test_messages_that_move_while_they_are_sent_are_neither_lost_nor_doubled(desk: Desk, mta: Mta, what: str) -> None:
    _messages(desk, 8)
    new, cur = desk.mailhouse.maildir() / "new", desk.mailhouse.maildir() / "cur"

    def decide(_: object) -> str:
        for path in list(new.iterdir()) if len(mta.taken) == 2 else ():
            if what == "fetched":
                path.rename(cur / f"{path.name}:2,S")
            else:
                path.unlink()
        return DELIVERED

    mta.decide = decide

    desk.send(batch=2)

    assert len(set(_arrived(mta))) == len(mta.taken)
    assert what == "deleted" or len(mta.taken) == 8


def test_a_dry_run_tells_what_is_left_by_mailbox(desk: Desk, mta: Mta) -> None:
    _messages(desk, 3)
    desk.arrive(b"Subject: x\n\n", user="sales")
    before = desk.plan()
    mta.decide = lambda _: REFUSED
    desk.send(only=frozenset({"sales"}))
    mta.decide = lambda _: DELIVERED
    desk.send(only=frozenset({"info"}))
    desk.arrive(b"Subject: new\n\n")

    after = desk.plan()

    assert [(one.mailbox, one.messages, one.known) for one in before.mailboxes] == [("info", 3, {}), ("sales", 1, {})]
    assert (before.messages, before.obstacles, before.exchanges) == (4, (), (DomainName("aspmx.l.google.com"),))
    assert [(one.mailbox, one.messages, one.known) for one in after.mailboxes] == [
        ("info", 1, {RescueOutcome.DELIVERED: 3}),
        ("sales", 0, {RescueOutcome.REJECTED: 1}),
    ]


def test_a_mailbox_of_many_messages_is_walked_in_bounded_memory(desk: Desk, mta: Mta) -> None:
    """The budget holds the names of a tenth of them."""
    for number in range(2_000):
        desk.arrive(b"", name=f"1794000000.M{number}.web01", user="many" if number else "few")
    desk.plan()
    peaks = []
    for user in ("few", "many"):
        tracemalloc.start()
        desk.plan(only=frozenset({user}))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < peaks[0] + 40_000


def test_what_arrives_is_what_was_there(desk: Desk, mta: Mta) -> None:
    contents = [
        b"Subject: plain\n\nhello\n.\n..\n.hidden\nFrom here\n",
        b"Subject: 8 bit\n\n\xe3\x81\x82 \xff\xfe\n",
        b"Subject: no newline at the end\n\nhello",
        b"",
        b"\n",
        b"Subject: nul\n\na\0b\n",
        b"Subject: cr\n\na\rb\n",
        b"Subject: long\n\n" + b"x" * 1_000_000 + b"\n",
        b"Subject: mixed\n\na\r\nb\n",
        b"Subject: binary\n\n" + bytes(range(256)) * 500,
    ]
    for content in contents:
        desk.arrive(content)
    desk.arrive(b"Subject: crlf\r\n\r\nhello\r\n")

    desk.send()

    found = {sha256(attached(mail.content)).digest() for mail in mta.taken}
    found |= {sha256(attached(mail.content).replace(b"\r\n", b"\n")).digest() for mail in mta.taken}
    assert {sha256(content).digest() for content in (*contents, b"Subject: crlf\r\n\r\nhello\r\n")} <= found
    assert len(mta.taken) == 11


def test_a_ledger_restored_from_an_old_backup_sends_nothing(desk: Desk, mta: Mta, tmp_path: Path) -> None:
    """It forgot what was sent."""
    _messages(desk, 1)
    backup = (tmp_path / "ledger.db").read_bytes()
    desk.send()
    desk.look()
    (tmp_path / "ledger.db").write_bytes(backup)

    with pytest.raises(UnsafePlan, match=r"paused by mailswitch itself .*the ledger is not the one"):
        desk.send()

    assert len(mta.taken) == 1
