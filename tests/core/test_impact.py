"""What an abandoned mailbox has cost, counted by whole days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from mailswitch.core.decide import Case, decide
from mailswitch.core.domain import Switch
from mailswitch.core.evidence import Deliveries, Evidence, MailLog, NoEvidence, Written
from mailswitch.core.impact import Impact, impact_of
from mailswitch.core.ledger import Claim
from mailswitch.core.policy import Route
from tests.support.builders import NOW, a_case, a_domain, a_finding, a_history

DAY = timedelta(days=1)
TODAY = NOW.date()


def written(messages: int, *, days_ago: int = 0) -> Written:
    return Written(day=TODAY - timedelta(days=days_ago), messages=messages)


def a_log(*days: Written, covers: timedelta = 8 * DAY) -> MailLog:
    return MailLog(covers=covers, written=days)


def impact(evidence: Evidence, case: Case | None = None) -> Impact | None:
    asked = replace(case or a_case(), evidence=evidence)
    return impact_of(asked, decide(asked))


LOG = a_log(written(1, days_ago=60), written(2, days_ago=30), written(4, days_ago=29), written(8, days_ago=2))


def test_a_name_never_seen_here_is_counted_as_far_back_as_there_are_counts() -> None:
    assert impact(LOG) == Impact(messages=15, since=TODAY - 60 * DAY, recent=12)


def test_a_name_that_moved_is_counted_from_the_first_whole_day_after_it_was_seen_here() -> None:
    left = a_case(history=a_history(last_seen_here=NOW - 30 * DAY, was_here=True))

    assert impact(LOG, left) == Impact(messages=12, since=TODAY - 29 * DAY, recent=12)


def test_a_moment_still_to_come_hides_nothing() -> None:
    odd = a_case(history=a_history(last_seen_here=NOW + DAY))

    assert impact(LOG, odd) == impact(LOG)


def test_a_log_without_a_co_tenants_message_says_so_since_it_begins() -> None:
    assert impact(a_log()) == Impact(messages=0, since=TODAY - 8 * DAY, recent=0)


def test_what_was_turned_off_is_told_too() -> None:
    off = a_case(a_domain(switch=Switch.OFF), history=a_history(claim=Claim.OURS))

    assert impact(LOG, off) == impact(LOG)


@pytest.mark.parametrize(
    "case",
    [
        a_case(finding=a_finding(Route.HERE)),
        a_case(finding=a_finding(Route.GATEWAY)),
        a_case(finding=a_finding(Route.UNKNOWN)),
        a_case(a_domain(switch=Switch.OFF)),
    ],
)
def test_names_whose_mail_is_not_known_to_be_elsewhere_have_no_impact(case: Case) -> None:
    assert impact(LOG, case) is None


def test_mailboxes_that_the_world_still_delivers_to_are_not_abandoned() -> None:
    steady = tuple(
        Deliveries(day=(NOW - ago * DAY).date(), network=None, messages=9, last=NOW - ago * DAY) for ago in (0, 1)
    )

    assert impact(replace(LOG, outside=steady)) is None


def test_without_a_log_nothing_is_told() -> None:
    assert impact(NoEvidence("no mail log is read")) is None


def test_days_are_whole() -> None:
    found = impact(a_log(written(1, days_ago=0)))

    assert found is not None
    assert isinstance(found.since, date)
