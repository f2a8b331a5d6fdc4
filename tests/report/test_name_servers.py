"""How it is told whose name servers serve a name's zone."""

from __future__ import annotations

import pytest

from mailswitch.core.mx import Indeterminate
from mailswitch.report.name_servers import NameServer, NameServers, Place, name_server_fields, name_server_words


def told(*places: Place, left_out: int = 0, is_above: bool = False) -> str:
    servers = tuple(NameServer(host=f"ns{at}.example", addresses=(), place=each) for at, each in enumerate(places))
    return name_server_words(NameServers(zone="a.example", is_above=is_above, servers=servers, left_out=left_out))


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ((Place.HERE, Place.ELSEWHERE), "ns0.example (this server), ns1.example (elsewhere)"),
        ((Place.ELSEWHERE, Place.NOWHERE), "none point here: ns0.example (elsewhere), ns1.example (no address)"),
        (
            (Place.ELSEWHERE, Place.UNKNOWN),
            "none known to point here: ns0.example (elsewhere), ns1.example (address not known)",
        ),
    ],
)
def test_who_is_here_is_told_and_none_only_where_that_is_sure(places: tuple[Place, ...], words: str) -> None:
    assert told(*places) == words


def test_of_those_that_were_left_out_nobody_knows_where_they_are() -> None:
    assert told(Place.ELSEWHERE, left_out=3) == "none known to point here: ns0.example (elsewhere) and 3 more"


def test_a_zone_above_the_name_is_named() -> None:
    assert told(Place.HERE, is_above=True) == "ns0.example (this server) (of the zone a.example)"


def test_what_is_not_known_has_its_reason_and_the_same_keys() -> None:
    unknown = Indeterminate("a: SERVFAIL; b: REFUSED")
    known = NameServers(zone="a.example", is_above=False, servers=())

    assert name_server_words(unknown) == "not known: a: SERVFAIL; b: REFUSED"
    assert name_server_fields(unknown)["reason"] == "a: SERVFAIL; b: REFUSED"
    assert name_server_fields(unknown).keys() == name_server_fields(known).keys()
