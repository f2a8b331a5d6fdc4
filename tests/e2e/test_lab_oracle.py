"""The lab's oracle can fail: every wrong end of a message is told as what it is."""

from __future__ import annotations

import pytest

from tests.e2e.lab.mailboxes import Kind, read_message
from tests.e2e.lab.mta import shifted
from tests.e2e.lab.paper import Printed, paper
from tests.e2e.lab.tally import Found, Row, Sent, Tally, Verdict, table, tally, verdict
from tests.e2e.lab.timeline import Change, Course, Phase, Streamed, judged, possible


def a_message(number: str = "a.1", rightful: tuple[str, ...] = ("provider",)) -> Sent:
    return Sent(number=number, sender="web form", recipient="info@moved.example", rightful=frozenset(rightful))


def a_row(found: Tally, *, expected: Tally | None = None, is_promised: bool = True) -> Row:
    return Row(scenario="a", step="after", expected=expected or found, found=found, is_promised=is_promised)


# ---- one message


@pytest.mark.parametrize(
    ("copies", "bounces", "wanted"),
    [
        (("provider",), 0, Verdict.RIGHTLY),
        (("plesk",), 0, Verdict.ABANDONED),
        (("provider", "plesk"), 0, Verdict.ABANDONED),
        (("provider", "provider"), 0, Verdict.TWICE),
        (("provider",), 1, Verdict.TWICE),
        ((), 1, Verdict.BOUNCED),
        ((), 2, Verdict.TWICE),
        ((), 0, Verdict.LOST),
    ],
)
def test_a_message_gets_the_worst_that_can_be_said_of_it(
    copies: tuple[str, ...], bounces: int, wanted: Verdict
) -> None:
    found = Found({"a.1": copies} if copies else {}, {"a.1": bounces} if bounces else {})

    assert verdict(a_message(), found) is wanted


def test_another_message_in_the_right_mailbox_is_not_this_one() -> None:
    assert verdict(a_message(), Found({"a.2": ("provider",)})) is Verdict.LOST


def test_any_rightful_mailbox_will_do() -> None:
    assert verdict(a_message(rightful=("provider", "plesk")), Found({"a.1": ("plesk",)})) is Verdict.RIGHTLY


# ---- many


def test_every_message_is_counted_once() -> None:
    messages = [a_message(f"a.{number}") for number in range(5)]
    found = Found({"a.0": ("provider",), "a.1": ("plesk",), "a.2": ("provider",) * 2}, {"a.3": 1})

    counted = tally(messages, found)

    assert counted == Tally(rightly=1, abandoned=1, twice=1, bounced=1, lost=1)
    assert counted.sent == 5


def test_two_messages_with_one_id_are_no_evidence() -> None:
    with pytest.raises(ValueError, match=r"two messages bear the id a\.1"):
        tally([a_message(), a_message()], Found())


# ---- rows


@pytest.mark.parametrize("word", ["abandoned", "bounced", "lost", "twice"])
def test_a_promise_is_broken_by_a_single_message_even_if_it_was_expected(word: str) -> None:
    row = a_row(Tally(rightly=99, **{word: 1}))

    assert len(row.problems) == 1
    assert f"1 {word}" in row.problems[0]


def test_other_rows_may_have_such_ends_but_exactly_the_expected_ones() -> None:
    as_expected = a_row(Tally(abandoned=2, rightly=1), is_promised=False)
    otherwise = a_row(Tally(abandoned=1, rightly=2), expected=Tally(abandoned=2, rightly=1), is_promised=False)

    assert as_expected.problems == ()
    assert len(otherwise.problems) == 1


def test_fewer_messages_than_expected_are_a_problem_though_all_are_right() -> None:
    assert a_row(Tally(rightly=2), expected=Tally(rightly=3)).problems != ()


def test_the_table_tells_every_figure() -> None:
    written = table([a_row(Tally(rightly=1, abandoned=2, bounced=3, lost=4, twice=5))])

    assert written.splitlines()[-1] == "| a | after | 15 | 1 | 2 | 3 | 4 | 5 | yes |"


# ---- mailboxes


def test_a_message_is_known_by_its_field_and_not_by_its_text() -> None:
    assert read_message(b"To: <a@b>\r\nX-Lab-Id: a.1\r\n\r\nX-Lab-Id: a.2\r\n") == ("a.1", Kind.COPY)
    assert read_message(b"To: <a@b>\n\nX-Lab-Id: a.2\n") is None


def test_a_bounce_tells_which_message_it_is_about() -> None:
    bounce = (
        b"From: MAILER-DAEMON\nContent-Type: multipart/report; report-type=delivery-status;\n\n"
        b"--x\nContent-Type: message/rfc822\n\nSubject: s\nX-Lab-Id: d.7\n\nbody\n"
    )

    assert read_message(bounce) == ("d.7", Kind.BOUNCE)


def test_a_rescued_message_is_known_within_the_mail_that_brings_it() -> None:
    mail = (
        b"Subject: mail that waited\nX-Mailswitch-Rescue: 1\nContent-Type: multipart/mixed; boundary=x\n\n"
        b"--x\nContent-Type: message/rfc822\n\nSubject: s\nX-Lab-Id: m.3\n\nbody\n--x--\n"
    )

    assert read_message(mail) == ("m.3", Kind.RESCUED)


def test_a_log_line_keeps_everything_but_its_day() -> None:
    from datetime import timedelta

    line = "Mar  3 07:40:18 plesk postfix/qmgr[690]: 49FA6208: removed"

    assert shifted(line, timedelta(days=3)) == "Feb 28 07:40:18 plesk postfix/qmgr[690]: 49FA6208: removed"


# ---- the stream

COURSE = Course(
    moves=(Change(False, 10.0, 11.0), Change(True, 50.0, 51.0)),
    turns=(Change(False, 30.0, 32.0), Change(True, 70.0, 72.0)),
)
"""Here until 10, away until 50; on until 30, off until 70."""


def streamed(at: float, *, is_from_outside: bool = False) -> Streamed:
    return Streamed(number="s.1", sender="x", domain="d.example", is_from_outside=is_from_outside, handed_in=at)


def fates(at: float, until: float, found: Found, *, is_from_outside: bool = False) -> tuple[dict[str, Row], list[str]]:
    rows, problems = judged(
        "stream",
        [streamed(at, is_from_outside=is_from_outside)],
        {"d.example": COURSE},
        found,
        {"s.1": until},
        now=99.0,
        here="plesk",
        away="provider",
    )
    return {row.step: row for row in rows if row.found.sent}, problems


@pytest.mark.parametrize(
    ("since", "until", "wanted"),
    [(1, 2, {True}), (1, 10.5, {True, False}), (10.5, 20, {True, False}), (12, 20, {False}), (12, 60, {False, True})],
)
def test_both_may_be_so_while_a_change_is_under_way(since: float, until: float, wanted: set[bool]) -> None:
    assert possible(COURSE.moves, since, until) == wanted


@pytest.mark.parametrize(
    ("at", "is_from_outside", "where", "phase"),
    [
        (1.0, False, "plesk", Phase.SETTLED),
        (1.0, True, "plesk", Phase.SETTLED),
        (20.0, False, "plesk", Phase.UNCONFIRMED),
        (20.0, True, "provider", Phase.UNCONFIRMED),
        (40.0, False, "provider", Phase.SETTLED),
        (40.0, True, "provider", Phase.SETTLED),
        (60.0, False, "bounced", Phase.REFUSING),
        (60.0, True, "bounced", Phase.REFUSING),
        (80.0, False, "plesk", Phase.SETTLED),
    ],
)
def test_each_phase_has_one_right_end_and_all_others_are_told(
    at: float, is_from_outside: bool, where: str, phase: Phase
) -> None:
    ends = {
        "plesk": Found({"s.1": ("plesk",)}),
        "provider": Found({"s.1": ("provider",)}),
        "bounced": Found({}, {"s.1": 1}),
        "nowhere": Found(),
    }

    for end, found in ends.items():
        rows, problems = fates(at, at + 1, found, is_from_outside=is_from_outside)
        assert set(rows) == {phase.value}
        assert bool(problems) is (end != where)
        assert bool(rows[phase.value].problems) is (end != where)


def test_a_message_on_its_way_during_a_change_may_have_either_end_but_an_end() -> None:
    for found in (Found({"s.1": ("plesk",)}), Found({"s.1": ("provider",)})):
        rows, problems = fates(29.0, 31.0, found)
        assert rows[Phase.CHANGING.value].problems == ()
        assert problems == []

    rows, problems = fates(29.0, 31.0, Found())
    assert rows[Phase.CHANGING.value].problems != ()
    assert len(problems) == 1


# ---- the paper


def test_the_paper_has_the_table_the_sum_and_the_remarks() -> None:
    printed = Printed(
        rows=(a_row(Tally(rightly=7)), a_row(Tally(abandoned=2), is_promised=False)),
        titles={"a": "The customer moved"},
        remarks=("d: 6 messages were refused",),
        when="2026-11-23",
        took_seconds=300,
        machine="2 cores, load 0.4",
        versions=("Postfix 3.7.11",),
    )

    written = paper(printed)

    assert "| a | after | 7 | 7 | 0 | 0 | 0 | 0 | yes |" in written
    assert (
        "After confirmation: 7 messages sent, 7 delivered rightly, 0 in abandoned mailboxes, 0 bounced, 0 lost."
        in written
    )
    assert "- d: 6 messages were refused" in written
    assert "$" not in written
