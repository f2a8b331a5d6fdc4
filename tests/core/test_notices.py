"""A trouble is told when it is new and not every hour, a change once and as it really ended, a digest once a day."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Actor, Outcome
from mailswitch.core.names import DomainName
from mailswitch.core.notices import (
    QUIET,
    Bulletin,
    Notice,
    NoticeKind,
    NoticeMemory,
    Seen,
    Told,
    Trouble,
    Unsent,
    digest_of,
    news_of,
)
from tests.support.builders import NOW, a_change

HOUR = timedelta(hours=1)
NAME = DomainName("back.example")
EVERYTHING = frozenset({"", "web01", "web02"})


def failing(code: str = "unreachable", text: str = "no answer", *, server: str = "web01") -> Trouble:
    return Trouble(kind=NoticeKind.FAILING, code=code, server=server, name=None, text=text)


def refusing(text: str = "it is not on yet") -> Trouble:
    return Trouble(kind=NoticeKind.MAIL_REFUSED, code="mail-refused", server="web01", name=NAME, text=text)


def alert(code: str = "never-local", name: DomainName | None = NAME) -> Trouble:
    return Trouble(kind=NoticeKind.ALERT, code=code, server="web01", name=name, text="a tenant catches mail")


def seen(*troubles: Trouble, at: datetime = NOW) -> Seen:
    """A pass over everything."""
    return Seen(now=at, troubles=troubles, whole=EVERYTHING - {""}, answered=EVERYTHING)


def told_over(passes: list[Seen], memory: NoticeMemory | None = None) -> list[list[NoticeKind]]:
    """The kinds told by each pass in turn."""
    memory = memory or NoticeMemory()
    kinds = []
    for one in passes:
        memory, notices = news_of(memory, one)
        kinds.append([notice.kind for notice in notices])
    return kinds


def test_a_server_that_keeps_failing_is_told_once_and_its_recovery_once() -> None:
    passes = [seen(failing(), at=NOW + HOUR * n) for n in range(30)]
    passes += [seen(at=NOW + HOUR * n) for n in range(30, 50)]

    told = told_over(passes)

    assert told[0] == [NoticeKind.FAILING]
    assert told[30] == [NoticeKind.RECOVERED]
    assert sum(map(len, told)) == 2


def test_a_recovery_says_what_it_was() -> None:
    memory, _ = news_of(NoticeMemory(), seen(failing()))

    _, notices = news_of(memory, seen(at=NOW + HOUR))

    assert notices == (
        Notice(
            kind=NoticeKind.RECOVERED,
            code="recovered",
            server="web01",
            name=None,
            text="works again (it was: no answer)",
        ),
    )


def test_a_server_that_fails_every_other_hour_is_told_at_most_once_in_the_quiet_time() -> None:
    passes = [seen(*([failing()] if n % 2 == 0 else []), at=NOW + HOUR * n) for n in range(24)]

    told = told_over(passes)

    assert [n for n, kinds in enumerate(told) if NoticeKind.FAILING in kinds] == [0, 6, 12, 18]
    assert sum(kinds.count(NoticeKind.RECOVERED) for kinds in told) == 4


def test_one_that_came_back_in_the_quiet_time_and_stays_is_told_when_it_is_over() -> None:
    passes = [seen(failing()), seen(at=NOW + HOUR)]
    passes += [seen(failing(), at=NOW + HOUR * n) for n in range(2, 12)]

    told = told_over(passes)

    assert told[:2] == [[NoticeKind.FAILING], [NoticeKind.RECOVERED]]
    assert [n for n, kinds in enumerate(told) if kinds] == [0, 1, 6]


def test_a_server_that_fails_for_another_reason_is_told_again_after_the_quiet_time() -> None:
    passes = [seen(failing()), seen(failing("authentication"), at=NOW + HOUR), seen(failing("licence"), at=NOW + QUIET)]

    assert told_over(passes) == [[NoticeKind.FAILING], [], [NoticeKind.FAILING]]


def test_an_alert_is_told_once_and_its_end_not_at_all() -> None:
    passes = [seen(alert()), seen(alert(), at=NOW + HOUR), seen(at=NOW + 2 * HOUR), seen(alert(), at=NOW + 9 * HOUR)]

    assert told_over(passes) == [[NoticeKind.ALERT], [], [], [NoticeKind.ALERT]]


def test_alerts_of_other_codes_or_names_are_other_troubles() -> None:
    others = (alert(), alert("off-here"), alert(name=None), alert(name=DomainName("other.example")))

    assert told_over([seen(*others)]) == [[NoticeKind.ALERT] * 4]


def test_mail_that_is_refused_and_accepted_again_is_told() -> None:
    assert told_over([seen(refusing()), seen(at=NOW + HOUR)]) == [[NoticeKind.MAIL_REFUSED], [NoticeKind.MAIL_ACCEPTED]]


@pytest.mark.parametrize(
    ("partial", "ends"),
    [
        (Seen(now=NOW + HOUR), []),
        (Seen(now=NOW + HOUR, names=frozenset({("web02", NAME)}), answered=frozenset({"web02"})), []),
        (Seen(now=NOW + HOUR, names=frozenset({("web01", NAME)})), [NoticeKind.MAIL_ACCEPTED]),
        (Seen(now=NOW + HOUR, answered=frozenset({"web01"})), [NoticeKind.RECOVERED]),
        (Seen(now=NOW + HOUR, whole=frozenset({"web01"})), [NoticeKind.MAIL_ACCEPTED]),
    ],
    ids=["nothing", "another server", "the name", "the server answered", "the whole server"],
)
def test_only_what_was_looked_at_can_be_over(partial: Seen, ends: list[NoticeKind]) -> None:
    server_wide = alert(name=None)
    memory, _ = news_of(NoticeMemory(), seen(failing(), refusing(), server_wide))

    after, notices = news_of(memory, partial)

    assert [notice.kind for notice in notices] == ends
    assert {told.key for told in after.told} == {told.key for told in memory.told}


def test_a_trouble_long_over_is_forgotten() -> None:
    memory, _ = news_of(NoticeMemory(), seen(alert()))
    memory, _ = news_of(memory, seen(at=NOW + HOUR))
    assert [told.is_over for told in memory.told] == [True]

    memory, _ = news_of(memory, seen(at=NOW + QUIET))

    assert memory.told == ()


def test_a_clock_that_went_backwards_silences_nothing() -> None:
    memory, _ = news_of(NoticeMemory(), seen(failing(), at=NOW + timedelta(days=400)))
    memory, _ = news_of(memory, seen(at=NOW))

    _, notices = news_of(memory, seen(failing(), at=NOW + HOUR))

    assert [notice.kind for notice in notices] == [NoticeKind.FAILING]


# --- Changes -------------------------------------------------------------------------------------


def test_a_change_is_told_once_with_its_true_outcome() -> None:
    open_one = a_change(id=8, outcome=None, finished_at=None)
    memory, first = news_of(NoticeMemory(last_change=7), replace(seen(), changes=(open_one, a_change(id=9))))
    memory, second = news_of(memory, replace(seen(at=NOW + HOUR), changes=(replace(open_one, outcome=Outcome.DONE),)))
    _, third = news_of(memory, seen(at=NOW + 2 * HOUR))

    assert [(n.kind, n.change and n.change.id) for n in first] == [(NoticeKind.CHANGED, 9)]
    assert [(n.kind, n.change and n.change.id) for n in second] == [(NoticeKind.CHANGED, 8)]
    assert third == ()
    assert (memory.last_change, memory.open_changes, memory.done, memory.failed) == (9, (), 2, 0)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (a_change(reason="moved"), "turned off by mailswitch: moved"),
        (
            a_change(reason="asked", actor=Actor.PERSON, by="alice", switch_to=Switch.ON, switch_from=Switch.OFF),
            "turned on by alice: asked",
        ),
        (a_change(outcome=Outcome.FAILED, error="refused by Plesk"), "not turned off by mailswitch: refused by Plesk"),
        (a_change(outcome=Outcome.FAILED), "not turned off by mailswitch: the switch stands elsewhere"),
    ],
)
def test_a_change_says_who_turned_what_and_why(change: object, text: str) -> None:
    _, notices = news_of(NoticeMemory(), replace(seen(), changes=(change,)))  # type: ignore[arg-type]  # it is one

    assert [notice.text for notice in notices] == [text]


def test_foreign_texts_are_bounded() -> None:
    _, notices = news_of(
        NoticeMemory(), replace(seen(failing(text="x" * 10**6)), changes=(a_change(reason="y" * 10**6),))
    )

    assert [len(notice.text) for notice in notices] == [1_000, 1_000]


# --- The digest ----------------------------------------------------------------------------------

SEVEN = time(7)


def test_the_first_digest_comes_at_its_time_of_day_and_then_daily() -> None:
    memory = NoticeMemory()
    made = []
    for hours in range(72):
        now = NOW + HOUR * hours  # from noon
        memory, _ = news_of(memory, seen(at=now))
        memory, digest = digest_of(memory, now, SEVEN, ())
        if digest is not None:
            made.append(hours)
            assert digest.since < digest.until == now

    assert made == [19, 43, 67]


def test_a_digest_counts_since_the_last_one_and_says_what_stands() -> None:
    changes = (a_change(id=1), a_change(id=2), a_change(id=3, outcome=Outcome.FAILED))
    memory, _ = news_of(NoticeMemory(), replace(seen(failing(), alert()), changes=changes))
    memory, _ = news_of(memory, seen(alert(), at=NOW + HOUR))

    memory, digest = digest_of(memory, NOW + 24 * HOUR, SEVEN, ())

    assert digest is not None
    assert (digest.done, digest.failed) == (2, 1)
    assert [told.kind for told in digest.standing] == [NoticeKind.ALERT]
    assert (memory.done, memory.failed, memory.digest_at) == (0, 0, NOW + 24 * HOUR)


def test_days_without_a_pass_are_one_digest() -> None:
    memory = NoticeMemory(digest_at=NOW)

    memory, late = digest_of(memory, NOW + timedelta(days=5), SEVEN, ())
    _, again = digest_of(memory, NOW + timedelta(days=5, minutes=1), SEVEN, ())

    assert late is not None
    assert again is None


# --- Whatever happens ----------------------------------------------------------------------------

_troubles = st.sampled_from([failing(), failing("licence"), refusing(), alert(), alert("off-here"), alert(name=None)])
_passes = st.builds(
    lambda hours, troubles, whole, answered, names: Seen(
        now=NOW + HOUR * hours,
        troubles=tuple({trouble.key: trouble for trouble in troubles}.values()),
        whole=whole,
        answered=answered,
        names=names,
    ),
    st.integers(-5, 100),
    st.lists(_troubles, max_size=5),
    st.frozensets(st.sampled_from(["web01", "web02"])),
    st.frozensets(st.sampled_from(["", "web01"])),
    st.frozensets(st.sampled_from([("web01", NAME)])),
)


@given(passes=st.lists(_passes, max_size=20).map(lambda found: sorted(found, key=lambda one: one.now)))
def test_no_trouble_is_told_twice_within_the_quiet_time(passes: list[Seen]) -> None:
    memory = NoticeMemory()
    said: dict[tuple[object, ...], datetime] = {}
    for one in passes:
        memory, notices = news_of(memory, one)
        for notice in notices:
            if notice.kind in {NoticeKind.RECOVERED, NoticeKind.MAIL_ACCEPTED}:
                continue
            key = (notice.kind, notice.name, notice.code if notice.kind is NoticeKind.ALERT else "")
            assert key not in said or one.now - said[key] >= QUIET
            said[key] = one.now


@given(passes=st.lists(_passes, max_size=20))
def test_the_same_pass_again_has_no_news(passes: list[Seen]) -> None:
    memory = NoticeMemory()
    for one in passes:
        memory, _ = news_of(memory, one)
        memory, again = news_of(memory, one)
        assert again == ()


@given(passes=st.lists(_passes, max_size=20))
def test_each_end_follows_a_beginning(passes: list[Seen]) -> None:
    memory = NoticeMemory()
    balance: Counter[str] = Counter()
    for one in passes:
        memory, notices = news_of(memory, one)
        for notice in notices:
            balance[notice.kind] += 1
        assert balance[NoticeKind.RECOVERED] <= balance[NoticeKind.FAILING]
        assert balance[NoticeKind.MAIL_ACCEPTED] <= balance[NoticeKind.MAIL_REFUSED]


def test_what_could_not_be_sent_is_left_alone() -> None:
    unsent = (Unsent(way="mail", bulletin=Bulletin(id="ab12", subject="s", text="t", document="{}")),)

    memory, _ = news_of(NoticeMemory(unsent=unsent), seen(failing()))

    assert memory.unsent == unsent
    assert memory.told == (
        Told(kind=NoticeKind.FAILING, code="unreachable", server="web01", name=None, text="no answer", said_at=NOW),
    )
