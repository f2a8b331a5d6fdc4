"""The one state behind a simulated panel's XML API and its ``plesk`` executable: one SQLite file for each server.

The file may be used by the threads of an HTTPS server and by any number of processes at once.
Besides what psa holds it keeps a journal: every request, every write, and every violation, which is a request that
mailswitch must never make (design.md section 6).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from mailswitch.core.domain import Platform, Switch
from mailswitch.core.names import DomainName
from mailswitch.simulation.journal import Request, Write
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.population import populate
from mailswitch.simulation.tables import turn
from mailswitch.simulation.world import WorldServer

__all__ = ["DEFAULT_KEY", "DEFAULT_LOGIN", "DEFAULT_PASSWORD", "PanelState"]

DEFAULT_KEY = "5f3c1a9e-7d42-4b60-9c8f-0e1d2c3b4a59"
DEFAULT_LOGIN = "admin"
DEFAULT_PASSWORD = "simulated-panel"  # noqa: S105 (the password of a panel that exists on loopback only)

_BUSY_SECONDS = 20.0


class PanelState:
    """What one simulated panel knows. Made by `create`, found again by its path."""

    def __init__(self, path: Path) -> None:
        """Use the state in the file at ``path``; raise FileNotFoundError without one."""
        if not path.is_file():
            raise FileNotFoundError(f"no state of a simulated panel at {str(path)!r}")
        self.path = path

    @classmethod
    def create(
        cls,
        path: Path,
        server: WorldServer,
        *,
        secret_key: str = DEFAULT_KEY,
        key_address: str | None = None,
        login: str = DEFAULT_LOGIN,
        password: str = DEFAULT_PASSWORD,
    ) -> PanelState:
        """Make the state of ``server`` in a new file.

        With ``key_address`` the secret key is bound to that source address (plesk.md section 1.1).
        """
        path.touch(mode=0o600, exist_ok=False)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        state = cls(path)
        settings = {
            "version": server.version,
            "platform": server.platform.value,
            "key": _digest(secret_key),
            "key_address": key_address or "",
            "login": login,
            "password": _digest(password),
        }
        with state.connection() as connection:
            populate(connection, server)
            connection.executemany("INSERT INTO sim_settings VALUES (?, ?)", settings.items())
        for misbehaviour in server.faults:
            state.misbehave(misbehaviour, times=None)
        return state

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one transaction: committed at the end, rolled back on an exception."""
        with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a connection that reads, one snapshot per statement, and keeps nobody waiting."""
        with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection

    # ---- what is so

    def setting(self, key: str) -> str:
        """Return one of version, platform and the like; raise KeyError for one that is not there."""
        with self.reading() as connection:
            row = connection.execute("SELECT value FROM sim_settings WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return str(row["value"])

    @property
    def version(self) -> str:
        """The panel's version."""
        return self.setting("version")

    @property
    def platform(self) -> Platform:
        """What the panel runs on."""
        return Platform(self.setting("platform"))

    def is_key(self, text: str, *, source: str) -> bool:
        """Whether ``text`` is the secret key, used from an address it may be used from."""
        with self.reading() as connection:
            made = connection.execute("SELECT digest, address FROM sim_keys").fetchall()
        keys = [(self.setting("key"), self.setting("key_address")), *((row["digest"], row["address"]) for row in made)]
        return any(hmac.compare_digest(_digest(text), digest) and bound in {"", source} for digest, bound in keys)

    def is_login(self, login: str, password: str) -> bool:
        """Whether this is the administrator."""
        is_known = hmac.compare_digest(login.encode(), self.setting("login").encode())
        return hmac.compare_digest(_digest(password), self.setting("password")) and is_known

    def switch_of(self, name: DomainName | str) -> Switch:
        """Return the switch of a hosted name; raise KeyError for one that is not hosted."""
        text = _text(name)
        with self.reading() as connection:
            row = connection.execute(
                "SELECT d.id, s.sim_is_on FROM domains d"
                " LEFT JOIN DomainServices s ON s.dom_id = d.id AND s.type = 'mail' WHERE d.name = ?",
                (text,),
            ).fetchone()
            if row is None:
                row = connection.execute("SELECT mail FROM domain_aliases WHERE name = ?", (text,)).fetchone()
                if row is None:
                    raise KeyError(text)
                return Switch.ON if row["mail"] == "true" else Switch.OFF
        match row["sim_is_on"]:
            case None:
                return Switch.NOT_CONFIGURED
            case is_on:
                return Switch.ON if is_on else Switch.OFF

    # ---- what somebody does at the panel

    def set_switch(self, name: DomainName | str, to: Switch) -> None:
        """Turn a switch as somebody at the panel does; this is no write of ours.

        Raises:
            KeyError: ``name`` is not hosted.
            ValueError: ``to`` is unknown, or an alias is to be not configured.
        """
        with self.connection() as connection:
            turn(connection, _text(name), to)

    def remove(self, name: DomainName | str) -> None:
        """Remove a hosted name, as somebody at the panel does; raise KeyError for one that is not hosted."""
        with self.connection() as connection:
            text = _text(name)
            connection.execute(
                "DELETE FROM DomainServices WHERE dom_id IN (SELECT id FROM domains WHERE name = ?)", (text,)
            )
            gone = connection.execute("DELETE FROM domains WHERE name = ?", (text,)).rowcount
            gone += connection.execute("DELETE FROM domain_aliases WHERE name = ?", (text,)).rowcount
            if not gone:
                raise KeyError(text)

    # ---- misbehaviour

    def misbehave(self, misbehaviour: Misbehaviour, *, times: int | None = 1) -> None:
        """Misbehave at the next ``times`` requests that it strikes; always, with None. The first told comes first."""
        with self.connection() as connection:
            connection.execute(
                "INSERT INTO sim_misbehaviours (times, value) VALUES (?, ?)", (times, json.dumps(asdict(misbehaviour)))
            )

    def clear_misbehaviour(self) -> None:
        """Behave again."""
        with self.connection() as connection:
            connection.execute("DELETE FROM sim_misbehaviours")

    def next_misbehaviour(self, operations: tuple[str, ...], *, is_write: bool) -> Misbehaviour | None:
        """Take the misbehaviour that strikes this request off the queue, if there is one."""
        with self.connection() as connection:
            for row in connection.execute("SELECT * FROM sim_misbehaviours ORDER BY id").fetchall():
                fields = json.loads(row["value"])
                found = Misbehaviour(**{**fields, "fault": Fault(fields["fault"])})
                if not found.strikes(operations, is_write=is_write):
                    continue
                if row["times"] == 1:
                    connection.execute("DELETE FROM sim_misbehaviours WHERE id = ?", (row["id"],))
                elif row["times"] is not None:
                    connection.execute("UPDATE sim_misbehaviours SET times = times - 1 WHERE id = ?", (row["id"],))
                return found
        return None

    # ---- the journal

    def record_request(self, kind: str, operations: tuple[str, ...], text: str, *, is_write: bool) -> int:
        """Write down a request before it is answered, and return its number."""
        with self.connection() as connection:
            found = connection.execute(
                "INSERT INTO sim_requests (kind, operations, is_write, text) VALUES (?, ?, ?, ?)",
                (kind, json.dumps(operations), int(is_write), text),
            )
            return int(found.lastrowid or 0)

    def record_violation(self, text: str) -> None:
        """Write down that mailswitch asked for something it must never ask for."""
        with self.connection() as connection:
            connection.execute("INSERT INTO sim_violations (text) VALUES (?)", (text,))

    def requests(self, kind: str | None = None) -> tuple[Request, ...]:
        """Return every request, oldest first; with ``kind`` only those of that kind."""
        with self.reading() as connection:
            rows = connection.execute("SELECT * FROM sim_requests ORDER BY id").fetchall()
        return tuple(
            Request(
                number=row["id"],
                kind=row["kind"],
                operations=tuple(json.loads(row["operations"])),
                is_write=bool(row["is_write"]),
                text=row["text"],
            )
            for row in rows
            if kind is None or row["kind"] == kind
        )

    def writes(self) -> tuple[Write, ...]:
        """Return every switch the panel was rightly asked to turn, oldest first."""
        with self.reading() as connection:
            rows = connection.execute("SELECT * FROM sim_writes ORDER BY id").fetchall()
        return tuple(
            Write(
                name=DomainName(row["name"]),
                to=Switch(row["switch"]),
                interface=row["interface"],
                is_applied=bool(row["is_applied"]),
            )
            for row in rows
        )

    def violations(self) -> tuple[str, ...]:
        """Return every violation, oldest first; a test of mailswitch ends with none."""
        with self.reading() as connection:
            rows = connection.execute("SELECT text FROM sim_violations ORDER BY id").fetchall()
        return tuple(str(row["text"]) for row in rows)

    def perform(self, name: str, to: Switch, *, interface: str, is_applied: bool) -> None:
        """Turn a switch because a permitted request asked for it, and write it down.

        Raises:
            KeyError: ``name`` is not hosted.
        """
        with self.connection() as connection:
            connection.execute(
                "INSERT INTO sim_writes (name, switch, interface, is_applied) VALUES (?, ?, ?, ?)",
                (name, to.value, interface, int(is_applied)),
            )
            if is_applied:
                turn(connection, name, to)


def _text(name: DomainName | str) -> str:
    return name.text if isinstance(name, DomainName) else DomainName(name).text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
