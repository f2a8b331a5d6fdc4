"""What was sent on: each message is intended at most once ever, and what became of it is kept."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import text

from mailswitch.core.errors import LedgerError
from mailswitch.core.names import DomainName
from mailswitch.core.rescue import Rescue, RescuedMessage, RescueOutcome
from mailswitch.ledger.place import open_place
from mailswitch.ledger.reader import EmptyLedger
from mailswitch.ledger.store import StoredLedger
from tests.support import ledger_values as values
from tests.support.ledger_values import NAME, NOW, SERVER

RESCUE = Rescue(id=None, server=SERVER, name=NAME, by="root", exchanges=(DomainName("mx.other.example"),), started=NOW)
OTHER = DomainName("other.example")


def _message(rescue_id: int, content: str = "one", *, mailbox: str = "info") -> RescuedMessage:
    return RescuedMessage(
        id=None,
        rescue_id=rescue_id,
        server=SERVER,
        name=NAME,
        mailbox=mailbox,
        sha256=sha256(content.encode()).hexdigest(),
        file=f"1700000000.{content}",
        octets=len(content),
        token=f"token-of-{content}",
        intended_at=NOW,
    )


def _intended(ledger: StoredLedger, message: RescuedMessage) -> RescuedMessage:
    found = ledger.intend_message(message)
    assert found is not None
    return found


def test_a_run_is_kept_with_who_and_when_and_what_came_of_it(ledger: StoredLedger) -> None:
    number = ledger.begin_rescue(RESCUE)
    later = ledger.begin_rescue(replace(RESCUE, server="web02", name=OTHER))
    assert ledger.rescues(name=NAME) == (replace(RESCUE, id=number),)

    ledger.finish_rescue(number, at=NOW + timedelta(hours=1), counts=(("delivered", 3),), stopped="550 no such user")

    ended = ledger.rescues(server=SERVER)[0]
    assert (ended.finished, ended.counts, ended.stopped) == (
        NOW + timedelta(hours=1),
        (("delivered", 3),),
        "550 no such user",
    )
    assert [one.id for one in ledger.rescues()] == [later, number]
    assert [one.id for one in ledger.rescues(limit=1)] == [later]


def test_a_run_that_is_not_on_record_cannot_end(ledger: StoredLedger) -> None:
    with pytest.raises(LedgerError, match="it has no rescue 7"):
        ledger.finish_rescue(7, at=NOW, counts=(), stopped=None)
    with pytest.raises(ValueError, match="began already"):
        ledger.begin_rescue(replace(RESCUE, id=7))


@pytest.mark.parametrize("outcome", [None, *RescueOutcome])
def test_a_message_is_intended_once_unless_it_never_left(ledger: StoredLedger, outcome: RescueOutcome | None) -> None:
    first = _intended(ledger, _message(ledger.begin_rescue(RESCUE)))
    assert first.id is not None
    if outcome is not None:
        ledger.settle_message(first.id, outcome=outcome, at=NOW)
    again = replace(_message(ledger.begin_rescue(RESCUE)), token="another", file="1700000009.moved")

    second = ledger.intend_message(again)

    if outcome is RescueOutcome.NOT_TAKEN:
        assert second == replace(again, id=first.id)
        assert ledger.unanswered(SERVER, NAME) == (second,)
    else:
        assert second is None


def test_a_rejected_message_is_intended_anew_where_that_is_asked_for(ledger: StoredLedger) -> None:
    first = _intended(ledger, _message(ledger.begin_rescue(RESCUE)))
    assert first.id is not None
    ledger.settle_message(first.id, outcome=RescueOutcome.REJECTED, at=NOW, queue_id="4ABC", answer="550 no")

    again = ledger.intend_message(_message(first.rescue_id), despite=(RescueOutcome.REJECTED,))

    assert again is not None
    assert ledger.rescued(SERVER, NAME, "info", sums=[first.sha256]) == (again,)
    assert again.queue_id is None


def test_the_same_content_in_another_mailbox_is_another_message(ledger: StoredLedger) -> None:
    number = ledger.begin_rescue(RESCUE)
    _intended(ledger, _message(number))

    assert ledger.intend_message(_message(number, mailbox="sales")) is not None
    assert ledger.intend_message(replace(_message(number), name=OTHER)) is not None
    assert ledger.intend_message(replace(_message(number), server="web02")) is not None
    assert ledger.intend_message(_message(number)) is None


def test_of_many_who_intend_one_message_at_once_one_is_told_to_send_it(url: str) -> None:
    with open_place(url).writer(wait=timedelta(seconds=30)) as ledger:
        message = _message(ledger.begin_rescue(RESCUE))
    told: list[RescuedMessage | None] = []

    def intend() -> None:
        with open_place(url).writer(wait=timedelta(seconds=30)) as own:
            told.append(own.intend_message(message))

    threads = [threading.Thread(target=intend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told) == 6
    assert len([one for one in told if one is not None]) == 1


def test_messages_are_found_by_file_and_by_content(ledger: StoredLedger) -> None:
    number = ledger.begin_rescue(RESCUE)
    one, two, three = (_intended(ledger, _message(number, content)) for content in ("one", "two", "three"))

    assert ledger.rescued(SERVER, NAME, "info", files=[one.file, "nothing"], sums=[three.sha256]) == (one, three)
    assert ledger.rescued(SERVER, NAME, "sales", files=[one.file], sums=[two.sha256]) == ()
    assert ledger.rescued(SERVER, NAME, "info") == ()


def test_what_is_unanswered_is_open_or_still_in_the_local_queue(ledger: StoredLedger) -> None:
    number = ledger.begin_rescue(RESCUE)
    messages = [_intended(ledger, _message(number, content)) for content in ("a", "b", "c", "d")]
    for message, outcome in zip(messages, RescueOutcome, strict=True):
        assert message.id is not None
        ledger.settle_message(message.id, outcome=outcome, at=NOW, queue_id="4ABC")
    perhaps = _intended(ledger, _message(number, "e"))

    assert [one.file for one in ledger.unanswered(SERVER, NAME)] == ["1700000000.a", perhaps.file]
    assert ledger.unanswered(SERVER, OTHER) == ()
    every: tuple[RescueOutcome | None, ...] = (None, *RescueOutcome)
    assert ledger.rescue_counts(SERVER, NAME) == dict.fromkeys(every, 1)


def test_a_last_word_stays_and_a_taken_message_gets_its_last_word(ledger: StoredLedger) -> None:
    message = _intended(ledger, _message(ledger.begin_rescue(RESCUE)))
    assert message.id is not None
    later = NOW + timedelta(minutes=1)
    ledger.settle_message(message.id, outcome=RescueOutcome.TAKEN, at=NOW, queue_id="4ABC", answer="250 queued")
    ledger.settle_message(message.id, outcome=RescueOutcome.DELIVERED, at=later, answer="250 thanks")
    ledger.settle_message(message.id, outcome=RescueOutcome.NOT_TAKEN, at=later, answer="lost")

    (kept,) = ledger.rescued(SERVER, NAME, "info", files=[message.file])
    assert (kept.outcome, kept.queue_id, kept.answer, kept.finished_at) == (
        RescueOutcome.DELIVERED,
        "4ABC",
        "250 thanks",
        later,
    )


def test_an_intent_is_new_and_has_an_identity_that_can_be_found_again(ledger: StoredLedger) -> None:
    message = _message(1)

    with pytest.raises(ValueError, match="no new intent"):
        ledger.intend_message(replace(message, id=1))
    with pytest.raises(ValueError, match="no SHA-256"):
        replace(message, sha256=message.sha256.upper())


def test_an_intent_belongs_to_a_run_on_record(ledger: StoredLedger) -> None:
    with pytest.raises(LedgerError):
        ledger.intend_message(_message(99))


def test_what_was_sent_on_is_never_forgotten(ledger: StoredLedger) -> None:
    message = _intended(ledger, _message(ledger.begin_rescue(RESCUE)))
    assert message.id is not None
    ledger.settle_message(message.id, outcome=RescueOutcome.DELIVERED, at=NOW)

    ledger.prune(before=NOW + timedelta(days=4_000), limit=1_000)

    assert ledger.intend_message(_message(message.rescue_id)) is None


def test_a_damaged_row_is_told(ledger: StoredLedger) -> None:
    message = _intended(ledger, _message(ledger.begin_rescue(RESCUE)))
    with ledger._session.transaction("damage") as connection:
        connection.execute(text("UPDATE rescued_messages SET sha256 = 'nonsense'"))

    with pytest.raises(LedgerError, match="a row in it makes no sense"):
        ledger.rescued(SERVER, NAME, "info", files=[message.file])


def test_a_ledger_not_made_yet_knows_of_nothing_sent_on() -> None:
    empty = EmptyLedger()

    assert (empty.rescues(), empty.rescued(SERVER, NAME, "info", files=["x"]), empty.unanswered(SERVER, NAME)) == (
        (),
        (),
        (),
    )
    assert empty.rescue_counts(SERVER, NAME) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(server=values.words, mailbox=values.words, words=values.words, name=values.names, at=values.moments)
def test_whatever_was_sent_on_comes_back(
    ledger: StoredLedger, server: str, mailbox: str, words: str, name: DomainName, **given: object
) -> None:
    at = given["at"]
    started = replace(RESCUE, server=server, name=name, by=words, started=at)  # type: ignore[arg-type]
    number = ledger.begin_rescue(started)
    content = f"{server}\0{mailbox}\0{name}\0{words}\0{at}"
    made = replace(_message(number, content), server=server, name=name, mailbox=mailbox, file=words, token=words)
    intended = ledger.intend_message(made)

    if intended is not None:
        assert intended in ledger.rescued(server, name, mailbox, sums=[made.sha256])
    assert ledger.rescues(server=server, name=name)[0] == replace(started, id=number)
