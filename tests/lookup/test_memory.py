"""What sweeps remember of former ones, against simulated public resolvers on loopback and a clock that is set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from mailswitch.core.mx import NoMX, NoSuchDomain, Observation, Published
from mailswitch.core.names import DomainName
from mailswitch.lookup.memory import AnswerMemory
from mailswitch.lookup.survey import VantageView, open_public_view
from mailswitch.lookup.vantages import Timing, VantageSettings
from mailswitch.simulation.public_dns import Fault, PublicDNSServer, parse_records
from tests.support.asking import codec_in_use

pytestmark = pytest.mark.usefixtures("each_codec")

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TIMING = Timing(timeout=timedelta(seconds=10), rate=None, concurrency=20)
HASTY = Timing(timeout=timedelta(milliseconds=200), tries=1, rate=None, concurrency=20)

RECORDS = """
example.              900 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 400
moved.example.       3600 IN MX 1 mx.other.example.
moved.example.       3600 IN MX 5 backup.other.example.
same.example.        3600 IN MX 10 mx.other.example.
mx.other.example.    7200 IN A 192.0.2.26
mx.other.example.    1800 IN AAAA 2001:db8::26
backup.other.example. 7200 IN CNAME alias.other.example.
alias.other.example. 7200 IN A 192.0.2.27
nullmx.example.      3600 IN MX 0 .
nomx.example.        3600 IN A 192.0.2.1
short.example.          5 IN MX 10 mx.other.example.
long.example.      604800 IN MX 10 mx.other.example.
"""
STEADY = ("moved.example", "same.example", "nullmx.example", "nomx.example", "nowhere.example", "long.example")


@dataclass
class World:
    """Three vantages, a clock that stands until it is set, and the folder of a ledger."""

    servers: tuple[PublicDNSServer, ...]
    file: Path | None
    timing: Timing
    at: datetime = NOW
    complaints: list[str] = field(default_factory=list)
    rotation: int = 0

    def view(self) -> VantageView:
        """Return public DNS as a program sees it that starts now."""
        settings = [
            VantageSettings(name=f"v{at}", operator=f"O{at}", address=ip_address(each.address), port=each.port)
            for at, each in enumerate(self.servers)
        ]
        memory = AnswerMemory(self.file, self.complaints.append)
        return open_public_view(settings, self.timing, lambda: self.at, codec=codec_in_use(), memory=memory)

    def sweep(
        self, view: VantageView, *texts: str, remembered: Iterable[str] | None = None, is_kept: bool = True
    ) -> dict[str, Observation]:
        """Ask for first opinions in a sweep of their own; all names may be remembered unless told which."""
        may = names(*(texts if remembered is None else remembered))
        self.rotation += 1
        with view.sweep(rotation=self.rotation, is_kept=is_kept) as sweep:
            found = sweep.first_opinions(names(*texts), remembered=may)
        return {name.text: seen for name, seen in found.items()}

    def later(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)

    def asked(self, act: Callable[[], object]) -> set[tuple[str, str]]:
        """Return what was asked of any vantage while ``act`` ran."""
        before = [server.queries for server in self.servers]
        act()
        return {question for server, old in zip(self.servers, before, strict=True) for question in server.queries - old}


def names(*texts: str) -> list[DomainName]:
    return [DomainName(text) for text in texts]


@contextmanager
def a_world(
    file: Path | None = None, *, timing: Timing = TIMING, faults: dict[str, Fault] | None = None
) -> Iterator[World]:
    by_name = {DomainName(name): fault for name, fault in (faults or {}).items()}
    with ExitStack() as stack:
        servers = [stack.enter_context(PublicDNSServer(parse_records(RECORDS), by_name)) for _ in range(3)]
        yield World(tuple(servers), file, timing)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_nothing_is_asked_again_inside_its_ttl(tmp_path: Path, is_restarted: bool) -> None:
    with a_world(tmp_path / "answers") as world:
        view = world.view()
        first = world.sweep(view, *STEADY)
        world.later(390)
        again = world.view() if is_restarted else view
        asked = world.asked(lambda: first.update(world.sweep(again, *STEADY)))
        second = world.sweep(again, *STEADY)

    assert asked == set()
    assert world.complaints == []
    assert all(seen.is_remembered and seen.at == NOW for seen in second.values())
    assert {name: (seen.mx, seen.hosts, seen.canonical) for name, seen in first.items()} == {
        name: (seen.mx, seen.hosts, seen.canonical) for name, seen in second.items()
    }


def test_what_is_remembered_is_what_was_heard(tmp_path: Path) -> None:
    with a_world(tmp_path / "answers") as world:
        heard = world.sweep(world.view(), *STEADY)
        told = world.sweep(world.view(), *STEADY)

    assert not any(seen.is_remembered for seen in heard.values())
    for name, seen in told.items():
        assert (seen.mx, seen.hosts, seen.vantage) == (heard[name].mx, heard[name].hosts, heard[name].vantage)


def test_each_answer_is_asked_for_again_when_its_own_ttl_is_over() -> None:
    with a_world() as world:
        view = world.view()
        world.sweep(view, *STEADY)
        world.later(400)
        after_negatives = world.asked(lambda: world.sweep(view, *STEADY))
        world.later(1400)
        after_aaaa = world.asked(lambda: world.sweep(view, *STEADY))
        world.later(1800)
        after_mx = world.asked(lambda: world.sweep(view, *STEADY))

    assert ("nomx.example", "MX") in after_negatives
    assert ("nowhere.example", "MX") in after_negatives
    assert ("moved.example", "MX") not in after_negatives
    assert ("mx.other.example", "AAAA") in after_aaaa
    assert ("mx.other.example", "A") not in after_aaaa | after_negatives
    assert ("moved.example", "MX") in after_mx
    assert ("long.example", "MX") not in after_mx


def test_a_changed_mx_is_seen_when_the_ttl_is_over_and_not_before() -> None:
    with a_world() as world:
        view = world.view()
        world.sweep(view, "same.example")
        for server in world.servers:
            server.replace(parse_records("same.example. 3600 IN MX 10 elsewhere.example."))
        world.later(3599)
        before = world.sweep(view, "same.example")["same.example"]
        world.later(1)
        after = world.sweep(view, "same.example")["same.example"]

    assert isinstance(before.mx, Published)
    assert {record.exchange.text for record in before.mx.records} == {"mx.other.example"}
    assert before.is_remembered
    assert isinstance(after.mx, Published)
    assert {record.exchange.text for record in after.mx.records} == {"elsewhere.example"}
    assert not after.is_remembered


@pytest.mark.parametrize(
    ("name", "still", "over"), [("short.example", 59, 60), ("long.example", 6 * 3600 - 1, 6 * 3600)]
)
def test_an_answer_holds_for_a_minute_at_least_and_six_hours_at_most(name: str, still: int, over: int) -> None:
    with a_world() as world:
        view = world.view()
        world.sweep(view, name)
        world.later(still)
        inside = world.asked(lambda: world.sweep(view, name, is_kept=False))
        world.later(over - still)
        outside = world.asked(lambda: world.sweep(view, name))

    assert (name, "MX") not in inside
    assert (name, "MX") in outside


def test_negative_answers_hold_for_the_minimum_of_their_soa() -> None:
    with a_world() as world:
        view = world.view()
        seen = world.sweep(view, "nomx.example", "nowhere.example")

    assert seen["nomx.example"].mx == NoMX(ttl=timedelta(seconds=400))
    assert seen["nowhere.example"].mx == NoSuchDomain(ttl=timedelta(seconds=400))


def test_a_name_that_may_not_be_remembered_is_asked_anew_with_its_hosts() -> None:
    with a_world() as world:
        view = world.view()
        world.sweep(view, *STEADY)
        found: dict[str, Observation] = {}
        asked = world.asked(lambda: found.update(world.sweep(view, *STEADY, remembered=["moved.example"])))

    assert ("same.example", "MX") in asked
    assert ("mx.other.example", "A") in asked
    assert ("moved.example", "MX") not in asked
    assert ("backup.other.example", "A") not in asked
    assert {name for name, seen in found.items() if seen.is_remembered} == {"moved.example"}


def test_a_fresh_answer_with_a_remembered_host_is_remembered() -> None:
    with a_world() as world:
        view = world.view()
        world.sweep(view, "same.example")
        seen = world.sweep(view, "same.example", "long.example")["long.example"]

    assert seen.is_remembered


def test_a_second_look_in_one_sweep_is_none_from_memory() -> None:
    with a_world() as world:
        view = world.view()
        world.sweep(view, "moved.example", "same.example")
        with view.sweep(rotation=0) as sweep:
            old = sweep.first_opinions(
                names("moved.example", "same.example"), remembered=names("moved.example", "same.example")
            )
            new = sweep.first_opinions(names("moved.example"))
            all_of_them = sweep.all_opinions(names("same.example"))

    assert all(seen.is_remembered for seen in old.values())
    assert not any(seen.is_remembered for seen in new.values())
    assert not any(seen.is_remembered for seen in all_of_them[DomainName("same.example")])


def test_all_opinions_and_host_answers_ask_every_vantage_whatever_is_remembered() -> None:
    with a_world() as world:
        view = world.view()
        world.sweep(view, "same.example")
        before = sum(sum(server.queries.values()) for server in world.servers)
        with view.sweep(rotation=0, is_kept=True) as sweep:
            seen = sweep.all_opinions(names("same.example"))[DomainName("same.example")]
            sweep.host_answers(names("backup.other.example"))
        asked = sum(sum(server.queries.values()) for server in world.servers) - before

    assert not any(each.is_remembered for each in seen)
    assert asked == 3 * (1 + 2) + 3 * 2


def test_what_is_no_answer_is_not_remembered() -> None:
    with a_world(faults={"same.example": Fault.SERVFAIL, "mx.other.example": Fault.TIMEOUT}, timing=HASTY) as world:
        view = world.view()
        world.sweep(view, "same.example", "moved.example")
        asked = world.asked(lambda: world.sweep(view, "same.example", "moved.example"))

    assert ("same.example", "MX") in asked
    assert ("mx.other.example", "A") in asked
    assert ("moved.example", "MX") not in asked


def test_an_answer_from_the_future_was_not_heard(tmp_path: Path) -> None:
    with a_world(tmp_path / "answers") as world:
        world.sweep(world.view(), "same.example")
        world.later(-1)
        asked = world.asked(lambda: world.sweep(world.view(), "same.example"))

    assert ("same.example", "MX") in asked


def test_a_sweep_that_is_not_kept_may_remember_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    with a_world(file) as world:
        world.sweep(world.view(), "same.example", is_kept=False)
        was_there = file.exists()
        world.sweep(world.view(), "same.example")
        before = file.read_bytes()
        asked = world.asked(lambda: world.sweep(world.view(), "same.example", "moved.example", is_kept=False))

    assert not was_there
    assert file.read_bytes() == before
    assert asked == {("moved.example", "MX"), ("backup.other.example", "A"), ("backup.other.example", "AAAA")}


def test_without_a_memory_all_is_asked_anew() -> None:
    with a_world() as world:
        (one,) = world.servers[:1]
        settings = [VantageSettings(name="v", operator="O", address=ip_address(one.address), port=one.port)]
        view = open_public_view(settings, TIMING, lambda: world.at, codec=codec_in_use())
        world.sweep(view, "same.example")
        asked = world.asked(lambda: world.sweep(view, "same.example"))

    assert ("same.example", "MX") in asked


def test_another_resolver_under_the_same_name_remembers_nothing(tmp_path: Path) -> None:
    with a_world(tmp_path / "answers") as former, a_world(tmp_path / "answers") as world:
        former.sweep(former.view(), "same.example")
        asked = world.asked(lambda: world.sweep(world.view(), "same.example"))

    assert ("same.example", "MX") in asked


def test_the_file_forgets_what_is_over(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    with a_world(file) as world:
        world.sweep(world.view(), *STEADY)
        full = file.stat().st_size
        world.later(7 * 3600)
        world.sweep(world.view(), "nullmx.example")

    assert file.stat().st_size < full
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_costs_one_complaint_and_no_sweep(tmp_path: Path) -> None:
    with a_world(tmp_path / "nowhere" / "answers") as world:
        view = world.view()
        world.sweep(view, "same.example")
        asked = world.asked(lambda: world.sweep(view, "same.example"))

    assert asked == set()
    assert len(world.complaints) == 1
    assert "cannot be kept there" in world.complaints[0]


def test_progress_counts_remembered_names_too() -> None:
    told: list[int] = []
    with a_world() as world:
        view = world.view()
        world.sweep(view, *STEADY)
        with view.sweep(rotation=0, progress=told.append) as sweep:
            sweep.first_opinions(names(*STEADY), remembered=names(*STEADY))

    assert told[-1] == len(STEADY)
