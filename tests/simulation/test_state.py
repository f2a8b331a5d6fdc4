"""The state behind a simulated panel, shared by threads and processes."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Platform, Switch
from mailswitch.core.names import DomainName
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.state import DEFAULT_KEY, PanelState
from tests.support.agent import a_hosted, a_server

MAIN, ALIAS = DomainName("main.example"), DomainName("alias.example")


@pytest.fixture
def state(tmp_path: Path) -> PanelState:
    world = a_server(a_hosted("main.example"), a_hosted("alias.example", Kind.ALIAS, of="main.example"))
    return PanelState.create(tmp_path / "panel.db", world)


def test_a_state_is_found_again_by_its_path(state: PanelState) -> None:
    state.set_switch(MAIN, Switch.OFF)

    again = PanelState(state.path)

    assert (again.switch_of(MAIN), again.version, again.platform) == (Switch.OFF, "18.0.61", Platform.LINUX)


def test_a_state_is_never_made_over_another(state: PanelState) -> None:
    with pytest.raises(FileExistsError):
        PanelState.create(state.path, a_server())


def test_a_state_that_is_not_there_is_no_state(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PanelState(tmp_path / "gone.db")


def test_the_file_is_its_owner_s_and_has_no_key_in_it(state: PanelState) -> None:
    content = b"".join(path.read_bytes() for path in state.path.parent.glob("panel.db*"))

    assert state.path.stat().st_mode & 0o077 == 0
    assert DEFAULT_KEY.encode() not in content


@pytest.mark.parametrize("to", [Switch.ON, Switch.OFF, Switch.NOT_CONFIGURED])
def test_somebody_at_the_panel_turns_a_domain(state: PanelState, to: Switch) -> None:
    state.set_switch(MAIN, to)

    assert state.switch_of(MAIN) is to
    assert state.writes() == ()


@pytest.mark.parametrize(
    ("name", "to"), [(ALIAS, Switch.NOT_CONFIGURED), (ALIAS, Switch.UNKNOWN), (MAIN, Switch.UNKNOWN)]
)
def test_a_switch_cannot_be_what_it_cannot_be(state: PanelState, name: DomainName, to: Switch) -> None:
    with pytest.raises(ValueError, match="can be on"):
        state.set_switch(name, to)


@pytest.mark.parametrize("name", [MAIN, ALIAS])
def test_a_removed_name_is_not_hosted_any_more(state: PanelState, name: DomainName) -> None:
    state.remove(name)

    with pytest.raises(KeyError):
        state.switch_of(name)
    with pytest.raises(KeyError):
        state.remove(name)


def test_a_name_that_is_not_hosted_has_no_switch(state: PanelState) -> None:
    with pytest.raises(KeyError):
        state.switch_of("no.example")
    with pytest.raises(KeyError):
        state.set_switch("no.example", Switch.ON)
    with pytest.raises(KeyError):
        state.setting("no-such-setting")


def test_a_name_belongs_to_one_that_is_hosted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="which this server does not host"):
        PanelState.create(tmp_path / "x.db", a_server(a_hosted("a.example", Kind.ALIAS, of="b.example")))


def test_what_fails_half_way_leaves_nothing_behind(state: PanelState) -> None:
    def fail() -> None:
        with state.connection() as connection:
            connection.execute("DELETE FROM domains")
            connection.execute("SELECT * FROM no_such_table")

    with pytest.raises(sqlite3.OperationalError):
        fail()
    assert state.switch_of(MAIN) is Switch.ON


def test_misbehaviour_meant_once_strikes_once_whoever_comes_first(state: PanelState) -> None:
    state.misbehave(Misbehaviour(fault=Fault.SLOW, seconds=0.5))
    met: list[Misbehaviour | None] = []
    threads = [
        threading.Thread(target=lambda: met.append(state.next_misbehaviour(("ip/get",), is_write=False)))
        for _ in range(6)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one for one in met if one is not None] == [Misbehaviour(fault=Fault.SLOW, seconds=0.5)]


@pytest.mark.parametrize(
    ("on", "operations", "is_write", "strikes"),
    [
        ("any", ("ip/get",), False, True),
        ("read", ("ip/get",), False, True),
        ("read", ("mail/set_prefs",), True, False),
        ("write", ("mail/set_prefs",), True, True),
        ("write", ("ip/get",), False, False),
        ("ip/get", ("server/get", "ip/get"), False, True),
        ("ip/get", ("server/get",), False, False),
    ],
)
def test_what_misbehaviour_is_about(on: str, operations: tuple[str, ...], is_write: bool, strikes: bool) -> None:
    assert Misbehaviour(fault=Fault.ERROR, on=on).strikes(operations, is_write=is_write) is strikes


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.NOT_APPLIED])
def test_what_is_about_writes_lets_reads_pass(fault: Fault) -> None:
    assert not Misbehaviour(fault=fault).strikes(("ip/get",), is_write=False)
    assert Misbehaviour(fault=fault).strikes(("mail/set_prefs",), is_write=True)


def test_the_administrator_is_known_by_name_and_password(state: PanelState) -> None:
    assert state.is_login("admin", "simulated-panel")
    assert not state.is_login("admin", "")
    assert not state.is_login("Admin", "simulated-panel")
