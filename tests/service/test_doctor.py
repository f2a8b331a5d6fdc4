"""The check-up: each thing a pass relies on, and what is wrong with it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, ServerAddress, Switch
from mailswitch.core.errors import InventoryError
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.report.doctor import Grade, Symptom
from mailswitch.service.doctor import LedgerState, check_up
from mailswitch.service.vantage_check import RootState, Validation, VantageState
from tests.support.builders import a_vantage
from tests.support.ports import Scene

WELL = LedgerState(place="'ledger.db'", exists=True, problems=())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "moved.example")


def a_state(
    name: str = "a",
    *,
    at: str = "192.0.2.53",
    trip: timedelta | None = timedelta(milliseconds=20),
    problems: tuple[str, ...] = (),
    validation: Validation = Validation.DONE,
    signed: tuple[datetime, datetime] | None = None,
) -> VantageState:
    return VantageState(
        vantage=a_vantage(name, at=at), round_trip=trip, problems=problems, validation=validation, signed=signed
    )


def examined(
    scene: Scene, *vantages: VantageState, ledger: LedgerState = WELL, grade: Grade | None = None
) -> list[tuple[str, str]]:
    found: tuple[Symptom, ...] = check_up(
        scene.setup, probe_vantages=lambda _: vantages or (a_state(),), inspect_ledger=lambda: ledger
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


def test_what_the_configuration_allows_and_should_not_is_a_warning(scene: Scene) -> None:
    found = check_up(
        scene.setup, probe_vantages=lambda _: (), inspect_ledger=lambda: WELL, cautions=["nothing is verified"]
    )

    assert Symptom(subject="configuration", grade=Grade.WARNING, text="nothing is verified") in found


@pytest.mark.parametrize(
    ("answering", "is_required", "grade", "words"),
    [
        (13, True, Grade.OK, "13 of 13 root servers answer"),
        (1, False, Grade.OK, "1 of 13 root servers answer"),
        (0, False, Grade.WARNING, "the quorum decides; let port 53 out, UDP and TCP, or write dns.authoritative"),
        (0, True, Grade.PROBLEM, "nothing is turned off while dns.authoritative is require: let port 53 out"),
    ],
)
def test_it_says_whether_the_domains_own_name_servers_can_be_found(
    scene: Scene, answering: int, is_required: bool, grade: Grade, words: str
) -> None:
    state = RootState(asked=13, answering=answering, reason="198.41.0.4: no answer within 3 s", is_required=is_required)

    found = check_up(scene.setup, probe_vantages=lambda _: (), inspect_ledger=lambda: WELL, probe_root=lambda: state)

    ((told, text),) = [(one.grade, one.text) for one in found if one.subject == "vantage authoritative"]
    assert told is grade
    assert words in text
    assert ("198.41.0.4" in text) is (answering == 0)


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


def test_what_a_ledger_is_warned_of_keeps_it_in_order(scene: Scene) -> None:
    shared = replace(WELL, warnings=("a group may write to it",))

    assert examined(scene, ledger=shared, grade=Grade.WARNING) == [("ledger", "a group may write to it")]
    assert ("ledger", "'ledger.db': in order") in examined(scene, ledger=shared, grade=Grade.OK)


def test_a_clock_behind_the_last_pass_is_a_problem(scene: Scene) -> None:
    scene.once()
    scene.clock.move(-timedelta(hours=2))

    ((subject, text),) = problems(scene)

    assert subject == "clock"
    assert "behind the last pass on record" in text


def test_a_vantage_that_lies_or_is_silent_is_a_problem_and_a_slow_one_a_warning(scene: Scene) -> None:
    silent, lying = a_state(problems=("no answer: see",), trip=None), a_state(problems=("makes up names: replace it",))

    assert [found for found in examined(scene, silent) if found[0] == "vantage a"] == [("vantage a", "no answer: see")]
    assert problems(scene, lying) == [("vantage a", "makes up names: replace it")]
    assert not any("does not make up names" in text for _, text in examined(scene, lying))
    assert examined(scene, a_state(trip=timedelta(seconds=2)), grade=Grade.WARNING) == [
        ("vantage a", "answers, but slowly (2000 ms): passes take long; use one that is nearer")
    ]


@pytest.mark.parametrize(
    ("validation", "grade", "words"),
    [
        (Validation.DONE, Grade.OK, "validates DNSSEC: what is signed cannot be forged"),
        (
            Validation.NOT_DONE,
            Grade.NOTE,
            "does not validate DNSSEC: it believes forged answers; prefer a resolver that",
        ),
        (Validation.PRETENDED, Grade.WARNING, "says that it validates DNSSEC, and yet believes a name whose"),
    ],
)
def test_whether_a_vantage_validates_is_told(scene: Scene, validation: Validation, grade: Grade, words: str) -> None:
    found = [text for _, text in examined(scene, a_state(validation=validation), grade=grade)]

    assert len([text for text in found if text.startswith(words)]) == 1


HOUR = timedelta(hours=1)


def test_a_clock_outside_of_all_signatures_is_a_problem(scene: Scene) -> None:
    now = scene.setup.now()
    behind = [a_state(name, signed=(now + 3 * HOUR + timedelta(seconds=30), now + 300 * HOUR)) for name in "ab"]
    ahead = [a_state(signed=(now - 300 * HOUR, now - 48 * HOUR))]

    assert problems(scene, *behind) == [
        (
            "clock",
            f"the clock is 3 h behind the beginning of the signatures that vantage {name} hands out: "
            "it is wrong; look at the time service",
        )
        for name in "ab"
    ]
    assert problems(scene, *ahead) == [
        (
            "clock",
            "the clock is 2 d after the end of the signatures that vantage a hands out: "
            "it is wrong; look at the time service",
        )
    ]


def test_a_vantage_alone_with_its_old_signatures_is_warned_of_and_the_clock_is_not(scene: Scene) -> None:
    now = scene.setup.now()
    old = a_state("a", signed=(now - 300 * HOUR, now - HOUR))
    new = a_state("b", signed=(now - HOUR, now + HOUR))

    assert problems(scene, old, new) == []
    assert [subject for subject, _ in examined(scene, old, new, grade=Grade.WARNING)] == ["vantage a"]


def test_a_clock_within_the_signatures_is_told(scene: Scene) -> None:
    now = scene.setup.now()
    found = examined(scene, a_state(signed=(now - HOUR, now + HOUR)), a_state("b"), grade=Grade.OK)

    assert ("clock", "within what the signatures of 1 vantage allow") in found


@pytest.mark.parametrize(("ahead", "words"), [(5, "5 min ahead of"), (-90, "1 h 30 min behind")])
def test_a_panel_whose_clock_is_another_is_warned_of(scene: Scene, ahead: int, words: str) -> None:
    scene.plesk.clock_ahead = timedelta(minutes=ahead)

    assert examined(scene, grade=Grade.WARNING) == [
        ("server web01", f"the panel's clock is {words} this machine's: look at the time service of both")
    ]


def test_a_panel_whose_clock_is_about_the_same_is_not(scene: Scene) -> None:
    scene.plesk.clock_ahead = timedelta(seconds=-3)

    assert examined(scene, grade=Grade.WARNING) == []


def test_vantages_are_given_a_few_hosted_names_to_try_and_no_more(scene: Scene) -> None:
    scene.plesk.host("off.example", switch=Switch.OFF)
    scene.plesk.host("shop.moved.example", kind=Kind.SUBDOMAIN, parent="moved.example")
    for number in range(30):
        scene.plesk.host(f"d{number}.example")
    given: list[DomainName] = []

    def probed(hosted: Sequence[DomainName]) -> tuple[VantageState, ...]:
        given.extend(hosted)
        return ()

    check_up(scene.setup, probe_vantages=probed, inspect_ledger=lambda: WELL)

    assert len(given) == 8
    assert {name.text for name in given}.isdisjoint({"off.example", "shop.moved.example"})


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
    found = check_up(setup, probe_vantages=lambda _: (), inspect_ledger=lambda: WELL)

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
