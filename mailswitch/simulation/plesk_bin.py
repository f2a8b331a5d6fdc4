"""``plesk bin`` of a simulated panel: domain, site, subscription and domalias (plesk.md sections 3.1 to 3.3).

What the installer uses beside them is in `plesk_admin`. The only write to a hosted name is the mail switch. Whatever
else is asked for is refused and written down as a violation.
"""

from __future__ import annotations

import sqlite3

from mailswitch.core.domain import Platform, Switch
from mailswitch.simulation import plesk_admin
from mailswitch.simulation.plesk_words import Printed
from mailswitch.simulation.state import PanelState

__all__ = ["OPTIONS", "call", "version_text"]

OPTIONS = {"-u": "--update", "-i": "--info", "-l": "--list"}

_SWITCHES = {"true": Switch.ON, "false": Switch.OFF}
_FLAGS = {"domain": "-mail_service", "site": "-mail_service", "subscription": "-mail_service", "domalias": "-mail"}
_NOUNS = {"domain": "domain", "site": "domain", "subscription": "subscription", "domalias": "domain alias"}
_VALUE_COLUMN = 40
_INCOMING_ONLY_SINCE = (18, 0, 51)
_COMMAND_AND_NAME = 2


def call(state: PanelState, utility: str, arguments: tuple[str, ...], *, is_applied: bool = True) -> Printed:
    """Run ``plesk bin UTILITY ARGUMENTS``; with ``is_applied`` false, say yes to a write and do nothing."""
    if utility in plesk_admin.UTILITIES:
        return plesk_admin.call(state, utility, arguments, is_applied=is_applied)
    command = OPTIONS.get(arguments[0], arguments[0]) if arguments else ""
    if utility in _FLAGS and command == "--list" and len(arguments) == 1 and utility != "domalias":
        return _listed(state, utility)
    if utility in _FLAGS and command == "--info" and len(arguments) == _COMMAND_AND_NAME:
        return _info(state, utility, arguments[1])
    if utility in _FLAGS and command == "--update" and len(arguments) >= _COMMAND_AND_NAME:
        return _update(state, utility, arguments[1], arguments[2:], is_applied=is_applied)
    if command in {"--list", "--info", "--help", "--list-events"}:
        return Printed(err=f"The simulated panel has no {utility} {command}\n", code=1)
    state.record_violation(f"plesk bin {utility} {' '.join(arguments)} is no write that mailswitch may make")
    return Printed(err="Unrecognized option\n", code=1)


def _update(state: PanelState, utility: str, name: str, rest: tuple[str, ...], *, is_applied: bool) -> Printed:
    if len(rest) != 2 or rest[0] != _FLAGS[utility] or rest[1] not in _SWITCHES:
        state.record_violation(f"plesk bin {utility} --update {name} {' '.join(rest)} changes more than the switch")
        return Printed(err=f"Unrecognized or unexpected options: {' '.join(rest)}\n", code=1)
    noun, to = _NOUNS[utility], _SWITCHES[rest[1]]
    if not _is_hosted(state, utility, name):
        return Printed(
            out=f"\nFAILURE: Update of {noun} '{name}' failed\n", err=f"Unable to find {noun} {name}\n", code=1
        )
    if state.switch_of(name) is Switch.NOT_CONFIGURED:
        state.record_violation(f"plesk bin {utility} --update turns {name} {to}, where mail is not configured")
        return Printed(err=f"Mail service of {name} is not configured\n", code=1)
    state.perform(name, to, interface="bin", is_applied=is_applied)
    return Printed(out=f"\nSUCCESS: Update of {noun} '{name}' complete\n")


def _is_hosted(state: PanelState, utility: str, name: str) -> bool:
    query = {
        "domalias": "SELECT 1 FROM domain_aliases WHERE name = ?",
        "subscription": "SELECT 1 FROM domains WHERE name = ? AND webspace_id = 0",
    }.get(utility, "SELECT 1 FROM domains WHERE name = ?")
    with state.reading() as connection:
        return connection.execute(query, (name,)).fetchone() is not None


def _listed(state: PanelState, utility: str) -> Printed:
    query = {
        "subscription": "SELECT name FROM domains WHERE webspace_id = 0 ORDER BY name",
        "site": "SELECT name FROM domains ORDER BY name",
        "domain": "SELECT name FROM domains ORDER BY name",
    }[utility]
    with state.reading() as connection:
        return Printed(out="".join(f"{row['name']}\n" for row in connection.execute(query)))


def _info(state: PanelState, utility: str, name: str) -> Printed:
    if not _is_hosted(state, utility, name):
        return Printed(err=f"Unable to find {_NOUNS[utility]} {name}\n", code=1)
    switch = state.switch_of(name)
    if utility == "domalias":
        lines = ["General", "=" * 29, _line("Domain alias", name), _line("Mail", str(switch is Switch.ON).lower())]
    else:
        with state.reading() as connection:
            row = connection.execute("SELECT * FROM domains WHERE name = ?", (name,)).fetchone()
        lines = _domain_lines(row, _mail_service(state, switch))
    done = f"\nSUCCESS: Gathering information for '{name}' complete\n"
    return Printed(out="\n".join(lines) + "\n" + done)


def _domain_lines(row: sqlite3.Row, mail_service: str | None) -> list[str]:
    lines = [
        "General",
        "=" * 29,
        _line("Domain name", row["name"]),
        _line("Owner's contact name", "Administrator"),
        _line("Domain status", "OK" if row["status"] == 0 else "Disabled"),
        _line("Creation date", row["cr_date"]),
        "",
        "Hosting",
        "=" * 29,
        _line("Hosting type", "Physical hosting"),
        "",
    ]
    if mail_service is not None:
        lines += ["Mail Accounts", "=" * 29, _line("Mail service", mail_service), _line("Total ", "1")]
    return lines


def _mail_service(state: PanelState, switch: Switch) -> str | None:
    if switch is Switch.NOT_CONFIGURED:
        return None
    if switch is Switch.ON:
        return "On"
    version = tuple(int(part) for part in state.version.split(".") if part.isdigit())
    has_modes = state.platform is Platform.LINUX and version >= _INCOMING_ONLY_SINCE
    return "Disabled for incoming mail" if has_modes else "Off"


def _line(key: str, value: str) -> str:
    """Return a line of ``--info``: the value begins at column 41, or right behind a long key."""
    return f"{key}:".ljust(_VALUE_COLUMN) + value


def version_text(state: PanelState) -> str:
    """Return what ``plesk version`` prints."""
    system = "Microsoft Windows Server 2022" if state.platform is Platform.WINDOWS else "Debian 12.5 x86_64"
    return (
        f"Product version: Plesk Obsidian {state.version}\n"
        f"     OS version: {system}\n"
        "     Build date: 2024/05/21 13:00\n"
        "       Revision: 0123456789abcdef0123456789abcdef01234567\n"
    )
