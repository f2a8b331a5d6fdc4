"""The local panel against the simulated plesk executable, and against ones that no simulation makes up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Platform, Switch, SwitchTarget, target_of
from mailswitch.core.errors import ApplyError, InventoryError
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.plesk.local_cli import LocalPanel, LocalSettings, open_local
from mailswitch.plesk.processes import Finished, ProcessLimits
from mailswitch.service.ports import Panel
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.plesk_executable import write_executable
from mailswitch.simulation.state import PanelState
from mailswitch.simulation.world import WorldServer
from tests.support.agent import a_hosted, a_server

SITE = SwitchTarget(name=DomainName("moved.example"), kind=Kind.DOMAIN, panel_id="3")
ALIAS = SwitchTarget(name=DomainName("alias.example"), kind=Kind.ALIAS, panel_id="1")
WORLD = a_server(
    a_hosted("moved.example"),
    a_hosted("shop.moved.example", Kind.SUBDOMAIN, of="moved.example", switch=Switch.OFF),
    a_hosted("more.example", Kind.ADDON, of="moved.example", switch=Switch.NOT_CONFIGURED, status=16),
    a_hosted("held.example", status=16),
    a_hosted("alias.example", Kind.ALIAS, of="moved.example"),
)


@pytest.fixture
def state(tmp_path: Path) -> PanelState:
    return PanelState.create(tmp_path / "panel.db", WORLD)


@pytest.fixture
def panel(tmp_path: Path, state: PanelState) -> LocalPanel:
    return opened(tmp_path, state)


def opened(folder: Path, state: PanelState, limits: ProcessLimits | None = None) -> LocalPanel:
    executable = write_executable(folder / "plesk", state.path)
    limits = ProcessLimits(timeout=timedelta(seconds=60)) if limits is None else limits
    return open_local(LocalSettings(server="web01", executable=executable, limits=limits))


def scripted(*finished: Finished, calls: list[tuple[str, ...]] | None = None) -> LocalPanel:
    """A panel whose processes end as told, one after the other."""
    waiting = list(finished)

    def run(arguments: Sequence[str], limits: ProcessLimits) -> Finished:
        if calls is not None:
            calls.append(tuple(arguments))
        return waiting.pop(0)

    return open_local(LocalSettings(server="web01"), run=run)


def ended(code: int = 0, out: bytes = b"", err: bytes = b"") -> Finished:
    return Finished(code=code, out=out, err=err)


def test_the_panel_is_one_for_the_service(panel: LocalPanel) -> None:
    seam: Panel = panel
    seam.close()

    assert (seam.server, seam.kind) == ("web01", "local")


# ---- Inventory


def test_inventory_tells_everything_hosted(panel: LocalPanel, state: PanelState) -> None:
    found = panel.inventory()

    assert {(d.name.text, d.kind, d.switch, d.is_suspended, d.parent and d.parent.text) for d in found.domains} == {
        ("moved.example", Kind.DOMAIN, Switch.ON, False, None),
        ("shop.moved.example", Kind.SUBDOMAIN, Switch.OFF, False, "moved.example"),
        ("more.example", Kind.ADDON, Switch.NOT_CONFIGURED, True, "moved.example"),
        ("held.example", Kind.DOMAIN, Switch.UNKNOWN, True, None),
        ("alias.example", Kind.ALIAS, Switch.ON, False, "moved.example"),
    }
    assert (found.version, found.platform, found.oddities) == ("18.0.61", Platform.LINUX, ())
    assert found.host_name is not None
    assert {a.address: a.public for a in found.addresses} == {
        address("10.0.0.5"): address("203.0.113.10"),
        address("2001:db8::10"): None,
    }
    assert state.violations() == ()
    assert not any(request.is_write for request in state.requests())


@pytest.mark.parametrize("count", [0, 2000])
def test_processes_for_an_inventory_are_three_at_most(tmp_path: Path, count: int) -> None:
    world: WorldServer = a_server(*(a_hosted(f"d{number}.example") for number in range(count)))
    state = PanelState.create(tmp_path / "panel.db", world)
    panel = opened(tmp_path, state)

    assert len(panel.inventory().domains) == count
    assert len(state.requests()) <= 3


@pytest.mark.parametrize(
    ("fault", "on", "code"),
    [
        (Fault.ERROR, "db", "refused"),
        (Fault.ERROR, "version", "refused"),
        (Fault.CUT_OFF, "db", "unavailable"),
        (Fault.GARBAGE, "db", "incomplete"),
        (Fault.LICENCE_EXPIRED, "db", "refused"),
    ],
)
def test_a_plesk_that_misbehaves_ends_the_inventory(
    panel: LocalPanel, state: PanelState, fault: Fault, on: str, code: str
) -> None:
    state.misbehave(Misbehaviour(fault=fault, on=on), times=None)

    with pytest.raises(InventoryError, match="web01") as caught:
        panel.inventory()
    assert caught.value.code == code


@pytest.mark.parametrize(
    "rows",
    [b"", b"site\t5\n", b"\xff\n", b"<html>\x00 no\tsuch\tthing\n", b"host\tplesk.example.net\n"],
)
def test_rows_that_are_none_are_not_understood(rows: bytes) -> None:
    panel = scripted(ended(), ended(out=b"domain_aliases\n"), ended(out=rows))

    with pytest.raises(InventoryError) as caught:
        panel.inventory()
    assert caught.value.code == "not-understood"


def test_a_server_without_addresses_is_incomplete() -> None:
    panel = scripted(ended(), ended(out=b"domain_aliases\n"), ended(out=b"end\n"))

    with pytest.raises(InventoryError) as caught:
        panel.inventory()
    assert caught.value.code == "incomplete"


def test_an_old_panel_has_its_aliases_elsewhere() -> None:
    calls: list[tuple[str, ...]] = []
    rows = b"address\t203.0.113.10\tNULL\nend\n"
    scripted(ended(), ended(out=b"domainaliases\n"), ended(out=rows), calls=calls).inventory()

    assert "FROM domainaliases;" in calls[2][-1]


def test_a_plesk_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    panel = open_local(LocalSettings(server="web01", executable=tmp_path / "plesk"))

    with pytest.raises(InventoryError, match="root") as caught:
        panel.inventory()
    assert caught.value.code == "unreachable"
    with pytest.raises(ApplyError) as written:
        panel.turn(SITE, Switch.OFF)
    assert written.value.code == "unreachable"


def test_what_plesk_said_is_shown_cleaned() -> None:
    panel = scripted(ended(1, out=b"FAILURE\x1b[2J", err=b"kaputt\r\n"))

    with pytest.raises(InventoryError, match="kaputt FAILURE") as caught:
        panel.inventory()
    assert "\x1b" not in str(caught.value)


# ---- Switches


@pytest.mark.parametrize("to", [Switch.OFF, Switch.ON])
def test_every_kind_is_turned_and_read_back(panel: LocalPanel, state: PanelState, to: Switch) -> None:
    wanted = {"moved.example", "shop.moved.example", "alias.example"}
    targets = [target_of(d) for d in panel.inventory().domains if d.name.text in wanted]
    for target in targets:
        panel.turn(target, to)

    assert [panel.read_switch(target) for target in targets] == [to] * 3
    assert {write.name.text for write in state.writes()} == wanted
    assert state.violations() == ()


def test_a_write_is_one_call_with_nothing_but_the_flag() -> None:
    calls: list[tuple[str, ...]] = []
    panel = scripted(ended(), ended(), calls=calls)
    panel.turn(SITE, Switch.OFF)
    panel.turn(ALIAS, Switch.ON)

    assert calls == [
        ("/usr/sbin/plesk", "bin", "domain", "--update", "moved.example", "-mail_service", "false"),
        ("/usr/sbin/plesk", "bin", "domalias", "--update", "alias.example", "-mail", "true"),
    ]


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.ERROR, "refused"), (Fault.REPLY_LOST, "reply-lost"), (Fault.CUT_OFF, "reply-lost")],
)
def test_a_write_that_fails_is_never_tried_again(panel: LocalPanel, state: PanelState, fault: Fault, code: str) -> None:
    state.misbehave(Misbehaviour(fault=fault, on="write"), times=None)

    with pytest.raises(ApplyError, match=r"moved\.example") as caught:
        panel.turn(SITE, Switch.OFF)
    assert caught.value.code == code
    assert len(state.requests()) == 1


def test_a_write_that_does_not_end_is_a_lost_reply(tmp_path: Path, state: PanelState) -> None:
    executable = tmp_path / "slow"
    executable.write_text("#!/bin/sh\nexec sleep 60\n")
    executable.chmod(0o755)
    limits = ProcessLimits(timeout=timedelta(seconds=0.2))
    panel = open_local(LocalSettings(server="web01", executable=executable, limits=limits))

    with pytest.raises(ApplyError, match="may have been done") as caught:
        panel.turn(SITE, Switch.OFF)
    assert caught.value.code == "reply-lost"


def test_accepted_and_not_applied_shows_in_the_reading_back(panel: LocalPanel, state: PanelState) -> None:
    state.misbehave(Misbehaviour(fault=Fault.NOT_APPLIED))
    panel.turn(SITE, Switch.OFF)

    assert panel.read_switch(SITE) is Switch.ON


@pytest.mark.parametrize("target", [SITE, ALIAS])
def test_a_name_that_is_gone_is_told_so(panel: LocalPanel, state: PanelState, target: SwitchTarget) -> None:
    state.remove(target.name)

    with pytest.raises(InventoryError) as caught:
        panel.read_switch(target)
    assert caught.value.code == "gone"
    with pytest.raises(ApplyError):
        panel.turn(target, Switch.OFF)


@pytest.mark.parametrize("target", [SITE, ALIAS])
def test_an_id_that_bears_another_name_is_gone(panel: LocalPanel, target: SwitchTarget) -> None:
    renamed = SwitchTarget(name=DomainName("former.example"), kind=target.kind, panel_id=target.panel_id)

    with pytest.raises(InventoryError) as caught:
        panel.read_switch(renamed)
    assert caught.value.code == "gone"


@pytest.mark.parametrize("panel_id", ["", "0", "-1", "5 OR 1=1", "5; DROP TABLE domains", "٣"])
@pytest.mark.parametrize("kind", [Kind.DOMAIN, Kind.ALIAS])
def test_an_id_that_is_none_starts_no_process(panel_id: str, kind: Kind) -> None:
    with pytest.raises(InventoryError) as caught:
        scripted().read_switch(SwitchTarget(name=SITE.name, kind=kind, panel_id=panel_id))

    assert caught.value.code == "gone"


@pytest.mark.parametrize(
    "name",
    ["--help", "-mail_service", "*.example.org", "_x.example.org", "$(id).example", "a;b.example", "a\\032b.example"],
)
@pytest.mark.parametrize("kind", [Kind.DOMAIN, Kind.ALIAS])
def test_a_name_that_could_be_read_as_something_else_starts_no_process(name: str, kind: Kind) -> None:
    with pytest.raises(ApplyError) as caught:
        scripted().turn(SwitchTarget(name=DomainName(name), kind=kind, panel_id="5"), Switch.OFF)

    assert caught.value.code == "refused"


@pytest.mark.parametrize("to", [Switch.NOT_CONFIGURED, Switch.UNKNOWN])
def test_nothing_is_turned_to_anything_else(to: Switch) -> None:
    with pytest.raises(ValueError, match="on or off"):
        scripted().turn(SITE, to)
