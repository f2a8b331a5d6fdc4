"""Which names nothing is told about from memory."""

from __future__ import annotations

import pytest

from mailswitch.core.asked_anew import is_asked_anew, is_news
from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import Claim, DomainHistory
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Action, Policy, Route
from tests.support.builders import NOW, a_domain, a_history

NAME = DomainName("moved.example")


def anew(history: DomainHistory | None, *, switch: Switch = Switch.ON, policy: Policy | None = None) -> bool:
    histories = {} if history is None else {NAME: history}
    return is_asked_anew(a_domain(switch=switch), policy or Policy(), histories)


@pytest.mark.parametrize("route", [Route.HERE, Route.BACKUP_HERE, Route.GATEWAY, Route.NO_MAIL, Route.PARKED])
def test_a_name_whose_route_moves_nothing_may_be_remembered(route: Route) -> None:
    assert not anew(a_history(route=route))


@pytest.mark.parametrize("switch", [Switch.OFF, Switch.NOT_CONFIGURED, Switch.UNKNOWN])
def test_a_name_whose_switch_is_not_ours_to_turn_may_be_remembered(switch: Switch) -> None:
    assert not anew(a_history(route=Route.ELSEWHERE), switch=switch)


def test_a_name_on_its_way_to_a_change_is_asked_anew_whatever_holds_it() -> None:
    assert anew(a_history(route=Route.ELSEWHERE))


def test_the_policy_tells_what_could_change() -> None:
    held = Policy(actions={Route.ELSEWHERE: Action.HOLD})
    strict = Policy(actions={Route.PARKED: Action.TURN_OFF})

    assert not anew(a_history(route=Route.ELSEWHERE), policy=held)
    assert anew(a_history(route=Route.PARKED), policy=strict)


@pytest.mark.parametrize("claim", [Claim.OURS, Claim.RE_ENABLED])
@pytest.mark.parametrize("switch", [Switch.ON, Switch.OFF])
@pytest.mark.parametrize("route", [Route.HERE, Route.ELSEWHERE, Route.NO_DOMAIN])
def test_a_name_off_by_us_or_turned_on_against_us_is_asked_anew(claim: Claim, switch: Switch, route: Route) -> None:
    assert anew(a_history(route=route, claim=claim), switch=switch)


def test_a_name_that_is_not_known_well_is_asked_anew() -> None:
    assert anew(None)
    assert anew(a_history(route=None))
    assert anew(a_history(route=Route.HERE, unknown_since=NOW))


@pytest.mark.parametrize(("claim", "expected"), [(Claim.OURS, True), (Claim.NONE, False)])
def test_an_alias_of_a_domain_off_by_us_is_asked_anew(claim: Claim, expected: bool) -> None:
    alias = a_domain("alias.example", kind=Kind.ALIAS, parent=NAME.text, switch=Switch.ON)
    histories = {alias.name: a_history(route=Route.HERE), NAME: a_history(route=Route.NO_MAIL, claim=claim)}

    assert is_asked_anew(alias, Policy(), histories) is expected


def test_an_alias_of_a_domain_unheard_of_and_a_subdomain_of_one_off_by_us_may_be_remembered() -> None:
    orphan = a_domain("alias.example", kind=Kind.ALIAS, parent="gone.example")
    below = a_domain("shop.moved.example", kind=Kind.SUBDOMAIN, parent=NAME.text)
    here = a_history(route=Route.HERE)
    histories = {orphan.name: here, below.name: here, NAME: a_history(claim=Claim.OURS)}

    assert not is_asked_anew(orphan, Policy(), histories)
    assert not is_asked_anew(below, Policy(), histories)


def test_a_remembered_route_is_news_unless_it_is_on_record() -> None:
    assert is_news(Route.HERE, None)
    assert is_news(Route.HERE, a_history(route=Route.ELSEWHERE))
    assert not is_news(Route.HERE, a_history(route=Route.HERE))
