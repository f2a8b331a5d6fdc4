"""What was told comes back as it was, whatever is in it, and damage is told as damage."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, Text, create_engine, select, update

from mailswitch.core.errors import LedgerError
from mailswitch.core.ledger import Outcome
from mailswitch.core.notices import Bulletin, NoticeKind, NoticeMemory, Told, Unsent
from mailswitch.ledger.place import open_place
from mailswitch.ledger.store import StoredLedger
from tests.support import ledger_values as values

_any_text = st.text(max_size=30) | values.words
_told = st.builds(
    Told,
    kind=st.sampled_from(NoticeKind),
    code=_any_text,
    server=_any_text,
    name=st.none() | values.names,
    text=_any_text,
    said_at=values.moments,
    is_over=st.booleans(),
)
_unsent = st.builds(
    Unsent,
    way=_any_text,
    bulletin=st.builds(Bulletin, id=_any_text, subject=_any_text, text=_any_text, document=_any_text),
    taken_at=st.none() | values.moments,
)
_numbers = st.integers(0, 2**31 - 1)
_memories = st.builds(
    NoticeMemory,
    last_change=st.integers(0, 2**63 - 1),
    open_changes=st.lists(_numbers, max_size=3).map(tuple),
    told=st.lists(_told, max_size=3).map(tuple),
    digest_at=st.none() | values.moments,
    done=_numbers,
    failed=_numbers,
    unsent=st.lists(_unsent, max_size=2).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(memory=_memories)
def test_a_memory_comes_back_as_it_was(ledger: StoredLedger, memory: NoticeMemory) -> None:
    assert ledger.remember_notices(memory, former=ledger.notice_memory())

    assert ledger.notice_memory() == memory


def test_nothing_is_remembered_before_the_first_notice(ledger: StoredLedger) -> None:
    assert ledger.notice_memory() is None


def test_a_memory_is_written_beside_a_running_pass(url: str) -> None:
    with open_place(url).locked(), open_place(url).writer(wait=timedelta(seconds=5)) as writer:
        writer.remember_notices(NoticeMemory(last_change=7), former=None)

    reader = open_place(url).reader()
    assert reader.notice_memory() == NoticeMemory(last_change=7)
    reader.close()


def test_of_two_who_remember_something_else_one_is_refused(ledger: StoredLedger, url: str) -> None:
    """Also before there is anything, and with something that is the same for both."""
    first, second, both = (NoticeMemory(last_change=number) for number in (1, 2, 3))
    with open_place(url).writer(wait=timedelta(seconds=5)) as other:
        assert ledger.remember_notices(first, former=None)
        assert not other.remember_notices(first, former=None)
        assert not other.remember_notices(second, former=None)
        assert other.remember_notices(both, former=first)
        assert not ledger.remember_notices(second, former=first)

    assert ledger.notice_memory() == both


def test_what_an_earlier_version_left_unsent_is_in_nobodys_hand(sqlite_url: str) -> None:
    bulletin = Bulletin(id="ab12", subject="", text="", document="")
    with open_place(sqlite_url).locked() as ledger:
        ledger.remember_notices(NoticeMemory(unsent=(Unsent(way="mail", bulletin=bulletin),)), former=None)
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        table = Table("notice_memory", MetaData(), Column("unsent", Text))
        (row,) = json.loads(connection.execute(select(table.c.unsent)).scalar_one())
        del row["taken_at"]
        connection.execute(update(table).values(unsent=json.dumps([row])))
    engine.dispose()

    reader = open_place(sqlite_url).reader()
    found = reader.notice_memory()
    reader.close()
    assert found is not None
    assert [one.is_in_hand(values.NOW) for one in found.unsent] == [False]


def test_changes_after_a_number_come_oldest_first_with_their_outcomes(ledger: StoredLedger) -> None:
    first, second, third = (ledger.intend(values.change()) for _ in range(3))
    ledger.settle(third, outcome=Outcome.DONE, error=None, at=values.NOW, claim=None)

    found = ledger.changes_after(first)

    assert [(change.id, change.outcome) for change in found] == [(second, None), (third, Outcome.DONE)]


TOLD = {"kind": "alert", "code": "", "server": "", "name": None, "text": "", "said_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("column", "damage"),
    [
        ("told", "nonsense"),
        ("told", '[{"kind": "changed"}]'),
        ("told", json.dumps([{**TOLD, "kind": "?", "is_over": False}])),
        ("told", json.dumps([{**TOLD, "said_at": "2026-01-01T00:00:00", "is_over": False}])),
        ("unsent", '[{"way":1,"id":"","subject":"","text":"","document":""}]'),
        ("unsent", '[{"way":"","id":"","subject":"","text":"","document":"","taken_at":"2026-01-01T00:00:00"}]'),
        ("open_changes", '["x"]'),
    ],
)
def test_damage_is_told_and_not_taken_for_silence(sqlite_url: str, column: str, damage: str) -> None:
    with open_place(sqlite_url).locked() as ledger:
        ledger.remember_notices(NoticeMemory(), former=None)
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        table = Table("notice_memory", MetaData(), Column(column, Text))
        connection.execute(update(table).values({column: damage}))
    engine.dispose()

    reader = open_place(sqlite_url).reader()
    with pytest.raises(LedgerError, match="a row in it makes no sense"):
        reader.notice_memory()
    reader.close()
