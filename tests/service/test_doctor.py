"""The check-up: each thing a pass relies on, and what is wrong with it."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, ServerAddress, Switch
from mailswitch.core.errors import InventoryError
from mailswitch.core.mx import address
from mailswitch.report.doctor import Grade, Symptom
from mailswitch.service.doctor import LedgerState, VantageState, check_up
from tests.support.builders import a_vantage
from tests.support.ports import Scene

WELL = LedgerState(place="'ledger.db'", exists=True, problems=())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "moved.example")


def a_state(
    *, at: str = "192.0.2.53", trip: timedelta | None = timedelta(milliseconds=20), problems: tuple[str, ...] = ()
) -> VantageState:
    return VantageState(vantage=a_vantage("a", at=at), round_trip=trip, problems=problems)


def examined(
    scene: Scene, *vantages: VantageState, ledger: LedgerState = WELL, grade: Grade | None = None
) -> list[tuple[str, str]]:
    found: tuple[Symptom, ...] = check_up(
        scene.setup, probe_vantages=lambda: vantages or (a_state(),), inspect_ledger=lambda: ledger
    )
    return [(one.subject, one.text) for one in found if grade in {None, one.grade}]


def problems(scene: Scene, *vantages: VantageState, ledger: LedgerState = WELL) -> list[tuple[str, str]]:
    return examined(scene, *vantages, ledger=ledger, grade=Grade.PROBLEM)


def test_where_all_is_well_nothing_is_wrong_and_every_part_is_told(scene: Scene) -> None:
    found = examined(scene)

    assert problems(scene) == []
    assert examined(scene, grade=Grade.WARNING) == []
    assert {subject for subject, _ in found} == {"ledger", "clock", "vantage a", "server web01"}
    texts = [text for _, text in found]
    assert "Plesk 18.0.61 on linux answers through xml-api: 2 names" in texts
    assert "switches read: 2 on" in texts
    assert "answers, recursive, does not make up names (20 ms; operator a)" in texts


def test_it_writes_nothing(scene: Scene) -> None:
    examined(scene)

    assert scene.plesk.calls == [("inventory",)]
    assert list(scene.folder.iterdir()) == []


def test_a_ledger_that_is_not_there_yet_is_no_problem_and_a_damaged_one_is(scene: Scene) -> None:
    new = LedgerState(place="'ledger.db'", exists=False, problems=())
    (scene.folder / "ledger.db").write_bytes(b"no database at all, but long enough to be looked at" * 30)
    damaged = LedgerState(place="'ledger.db'", exists=True, problems=("it is damaged",))

    assert ("ledger", "'ledger.db': not made yet, the first pass makes it") in examined(scene, ledger=new)
    assert problems(scene, ledger=damaged) == [("ledger", "it is damaged")]


def test_a_clock_behind_the_last_pass_is_a_problem(scene: Scene) -> None:
    scene.once()
    scene.clock.move(-timedelta(hours=2))

    ((subject, text),) = problems(scene)

    assert subject == "clock"
    assert "behind the last pass on record" in text


def test_a_vantage_that_lies_or_is_silent_is_a_problem_and_a_slow_one_a_warning(scene: Scene) -> None:
    ((subject, text),) = problems(scene, a_state(problems=("makes up names",), trip=None))

    assert (subject, text) == ("vantage a", "makes up names: its opinion is worth nothing, replace it")
    assert examined(scene, a_state(trip=timedelta(seconds=2)), grade=Grade.WARNING) == [
        ("vantage a", "answers, but slowly (2000 ms)")
    ]


@pytest.mark.parametrize("at", ["203.0.113.10", "203.0.113.77", "192.0.2.99", "10.1.1.1"])
def test_a_vantage_at_an_address_of_ours_is_a_problem(tmp_path: Path, at: str) -> None:
    scene = Scene(
        tmp_path, addresses=frozenset({address("192.0.2.99")}), networks=(ipaddress.ip_network("10.1.0.0/16"),)
    )
    scene.plesk.addresses += (ServerAddress(address=address("10.0.0.5"), public=address("203.0.113.77")),)

    ((subject, text),) = problems(scene, a_state(at=at))

    assert subject == "server web01"
    assert "it is no public view of them" in text


def test_a_panel_that_cannot_be_read_is_a_problem_of_that_server_only(scene: Scene) -> None:
    scene.add_server("web02").failure = InventoryError("web02: wrong key", code="authentication")

    assert problems(scene) == [("server web02", "the panel cannot be read (authentication): web02: wrong key")]
    assert ("server web01", "switches read: 2 on") in examined(scene)


def test_a_panel_that_breaks_off_while_it_is_read_is_closed_and_told(scene: Scene) -> None:
    (server,) = scene.setup.servers
    panel = scene.plesk.open()

    def cut_off() -> None:
        raise InventoryError("web01: cut off", code="unreachable")

    scene.plesk.meanwhile = cut_off
    setup = replace(scene.setup, servers=(replace(server, open_panel=lambda: panel),))
    found = check_up(setup, probe_vantages=lambda: (), inspect_ledger=lambda: WELL)

    assert [one.text for one in found if one.grade is Grade.PROBLEM] == [
        "the panel cannot be read (unreachable): web01: cut off"
    ]
    assert not panel.is_open


def test_a_panel_with_only_the_full_off_is_warned_of(scene: Scene) -> None:
    scene.plesk.version = None

    (found,) = examined(scene, grade=Grade.WARNING)

    assert found[1].startswith("nothing is turned off here: the panel's version is not known")
    assert any("Plesk of unknown version" in text for _, text in examined(scene))


def test_a_server_without_a_public_address_is_a_problem(scene: Scene) -> None:
    scene.plesk.addresses = (ServerAddress(address=address("10.0.0.5")),)

    assert problems(scene) == [
        (
            "server web01",
            "no public address of this server is known: add it to local.addresses, or every name looks elsewhere",
        )
    ]


def test_a_public_address_may_come_from_nat_or_from_the_configuration(tmp_path: Path) -> None:
    nat = ServerAddress(address=address("10.0.0.5"), public=address("203.0.113.10"))
    scene = Scene(tmp_path, networks=(ipaddress.ip_network("203.0.113.0/24"),))
    scene.plesk.addresses = ()
    by_network = problems(scene)
    scene.plesk.addresses = (nat,)

    assert (by_network, problems(scene)) == ([], [])
    assert any("10.0.0.5 (public 203.0.113.10)" in text for _, text in examined(scene))


def test_what_the_panel_does_not_say_clearly_is_told(scene: Scene) -> None:
    scene.plesk.host("unclear.example", switch=Switch.UNKNOWN, created=None)
    scene.plesk.host("alias.example", kind=Kind.ALIAS, parent="moved.example", created=None)
    scene.plesk.oddities = ("site 4 has two names",)

    warnings = [text for _, text in examined(scene, grade=Grade.WARNING)]
    notes = [text for _, text in examined(scene, grade=Grade.NOTE)]

    assert warnings == [
        "the switch of 1 name is not clear and never touched: unclear.example",
        "not understood: site 4 has two names",
    ]
    assert "1 name without a date of creation: held as arriving only by the ledger" in notes
    assert "kinds read: 1 alias, 3 domain" in notes
