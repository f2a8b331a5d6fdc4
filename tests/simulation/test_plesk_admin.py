"""The simulated `plesk bin secret_key` and `event_handler`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailswitch.simulation.plesk_admin import EVENTS
from mailswitch.simulation.plesk_bin import call
from mailswitch.simulation.state import PanelState
from tests.support.agent import a_hosted, a_server

_HANDLER = ("-command", "/opt/x recheck", "-priority", "50", "-user", "root", "-event", "site_create")


@pytest.fixture
def state(tmp_path: Path) -> PanelState:
    return PanelState.create(tmp_path / "panel.db", a_server(a_hosted("a.example")))


def test_a_key_is_printed_once_and_opens_the_panel_from_its_address_only(state: PanelState) -> None:
    made = call(state, "secret_key", ("--create", "-ip-address", "127.0.0.1", "-description", "mailswitch"))
    key = made.out.strip()

    listed = call(state, "secret_key", ("--list",))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key)
    assert state.is_key(key, source="127.0.0.1")
    assert not state.is_key(key, source="192.0.2.1")
    assert "mailswitch" in listed.out
    assert key not in listed.out


def test_a_key_without_an_address_opens_from_everywhere(state: PanelState) -> None:
    key = call(state, "secret_key", ("-c",)).out.strip()

    assert state.is_key(key, source="192.0.2.1")


def test_a_deleted_key_opens_nothing(state: PanelState) -> None:
    key = call(state, "secret_key", ("--create",)).out.strip()

    assert call(state, "secret_key", ("--delete", key)).code == 0
    assert not state.is_key(key, source="127.0.0.1")
    assert call(state, "secret_key", ("--delete", key)).code == 1


def test_handlers_are_made_listed_and_deleted(state: PanelState) -> None:
    assert call(state, "event_handler", ("--create", *_HANDLER)).code == 0

    listed = call(state, "event_handler", ("--list",)).out
    assert re.search(r"^Id +1$(.|\n)*^Command +/opt/x recheck$", listed, re.MULTILINE)
    assert EVENTS["site_create"] in listed
    assert call(state, "event_handler", ("--delete", "1")).code == 0
    assert call(state, "event_handler", ("--list",)).out == ""
    assert call(state, "event_handler", ("--delete", "1")).code == 1


def test_events_are_listed_by_their_names(state: PanelState) -> None:
    listed = call(state, "event_handler", ("--list-events",)).out

    assert [line.split("\t")[0] for line in listed.splitlines()] == list(EVENTS)


@pytest.mark.parametrize(
    ("utility", "arguments"),
    [
        ("event_handler", ()),
        ("event_handler", ("--create", *_HANDLER[:-1], "no_such_event")),
        ("event_handler", ("--create", *_HANDLER[:-2])),
        ("event_handler", ("--create", *_HANDLER, "-more", "x")),
        ("event_handler", ("--create", *_HANDLER, "-more")),
        ("event_handler", ("--delete", "one")),
        ("event_handler", ("--remove", "1")),
        ("secret_key", ("--create", "-login", "admin")),
    ],
)
def test_what_is_not_known_is_refused(state: PanelState, utility: str, arguments: tuple[str, ...]) -> None:
    assert call(state, utility, arguments).code == 1
    assert call(state, "event_handler", ("--list",)).out == ""
    assert call(state, "secret_key", ("--list",)).out == ""


def test_a_write_that_is_not_applied_changes_nothing(state: PanelState) -> None:
    key = call(state, "secret_key", ("--create",), is_applied=False).out.strip()
    kept = call(state, "secret_key", ("--create",)).out.strip()

    assert call(state, "event_handler", ("--create", *_HANDLER), is_applied=False).code == 0
    assert call(state, "secret_key", ("--delete", kept), is_applied=False).code == 0

    assert not state.is_key(key, source="127.0.0.1")
    assert state.is_key(kept, source="127.0.0.1")
    assert call(state, "event_handler", ("--list",)).out == ""
