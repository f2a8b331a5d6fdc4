"""What becomes of a co-tenant's message before and after a switch is turned."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Switch
from mailswitch.simulation.mail import deliver
from mailswitch.simulation.public_dns import PublicRecords, parse_records
from mailswitch.simulation.state import PanelState
from tests.support.agent import a_hosted, a_server


@pytest.fixture
def state(tmp_path: Path) -> PanelState:
    world = a_server(
        a_hosted("moved.example"),
        a_hosted("alias.example", Kind.ALIAS, of="moved.example"),
        a_hosted("off-here.example", switch=Switch.OFF),
        a_hosted("unset.example", switch=Switch.NOT_CONFIGURED),
    )
    return PanelState.create(tmp_path / "panel.db", world)


@pytest.fixture
def records() -> PublicRecords:
    return parse_records(
        """\
moved.example. 300 IN MX 20 second.example.
moved.example. 300 IN MX 10 first.example.
alias.example. 300 IN MX 10 first.example.
unset.example. 300 IN MX 10 first.example.
first.example. 300 IN A 192.0.2.1
off-here.example. 300 IN MX 10 ours.example.
ours.example. 300 IN A 203.0.113.10
null.example. 300 IN MX 0 .
web.example. 300 IN AAAA 2001:db8::99
dead.example. 300 IN MX 10 gone.example.
"""
    )


def test_a_neighbour_s_message_lands_in_the_abandoned_mailbox_while_the_switch_is_on(
    state: PanelState, records: PublicRecords
) -> None:
    assert deliver(state, records, "moved.example").is_local
    assert deliver(state, records, "alias.example").where == "local mailbox"


@pytest.mark.parametrize("name", ["moved.example", "alias.example"])
def test_it_leaves_for_the_best_exchange_once_the_switch_is_off(
    state: PanelState, records: PublicRecords, name: str
) -> None:
    state.set_switch(name, Switch.OFF)

    delivery = deliver(state, records, name)

    assert delivery.where == "exchange first.example"
    assert "relay=first.example[192.0.2.1]:25, status=sent" in delivery.text


@pytest.mark.parametrize(
    ("name", "where", "text"),
    [
        ("unset.example", "exchange first.example", "status=sent"),
        ("web.example", "exchange web.example", "2001:db8::99"),
        ("off-here.example", "bounced", "loops back to myself"),
        ("null.example", "bounced", "accepts no mail"),
        ("gone.example", "bounced", "NXDOMAIN"),
        ("dead.example", "bounced", "no address for the exchange gone.example"),
    ],
)
def test_other_mail_goes_where_public_dns_says(
    state: PanelState, records: PublicRecords, name: str, where: str, text: str
) -> None:
    delivery = deliver(state, records, name)

    assert (delivery.where, text in delivery.text) == (where, True)
