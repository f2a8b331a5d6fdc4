"""The simulated panel behind the HTTPS server: who asks, what for, whether it may, and the reply."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.operators import READERS, Answering
from mailswitch.simulation.packets import (
    NEWEST_PROTOCOL,
    Code,
    Operation,
    PacketError,
    RequestPacket,
    add,
    add_error,
    packet_bytes,
    read_request,
    reply_packet,
    system_error,
)
from mailswitch.simulation.schemas import SchemaSet
from mailswitch.simulation.server_operator import server_get
from mailswitch.simulation.state import PanelState
from mailswitch.simulation.switching import WRITERS, Writing, forbidden

__all__ = ["Asked", "Credentials", "Panel"]

_READERS = {**READERS, "server/get": server_get}

_OPERATORS = frozenset({
    "certificate", "customer", "db_server", "dns", "webspace", "subdomain", "site-alias", "event_log", "ip", "mail",
    "migration", "secret_key", "server", "spamfilter", "ui", "service-plan", "webuser", "maillist", "virtdir",
    "database", "ftp-user", "session", "updater", "locale", "log-rotation", "backup-manager", "sso", "protected-dir",
    "reseller", "reseller-plan", "aps", "smb", "service-plan-addon", "site", "user", "role", "webmail", "plan-item",
    "sitebuilder", "service-node", "ip-ban", "extension",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credentials:
    """What came with a request; never printed."""

    source: str
    key: str | None
    login: str | None
    password: str | None

    def __repr__(self) -> str:
        """Say where they came from and nothing else."""
        return f"Credentials(source={self.source!r})"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is in the journal and has met its misbehaviour, if any."""

    turn: int
    packet: RequestPacket | None
    refusal: int | None
    """The code for the packet as a whole; None when it was understood."""
    misbehaviour: Misbehaviour | None


class Panel:
    """Answers packets from one state; used by many threads at once."""

    def __init__(self, state: PanelState, schemas: SchemaSet | None) -> None:
        """Answer from ``state``, and validate requests with ``schemas`` if they are at hand."""
        self._state = state
        self._schemas = schemas

    def receive(self, body: bytes) -> Asked:
        """Write the request down, and find out what it is and how it will be ill-treated."""
        packet, refusal, problem = self._read(body)
        operations = () if packet is None else tuple(operation.path for operation in packet.operations)
        is_write = packet is not None and any(_is_write(operation) for operation in packet.operations)
        text = body.decode("utf-8", "replace")
        turn = self._state.record_request("xml", operations, text, is_write=is_write)
        if problem is not None:
            self._state.record_violation(problem)
        return Asked(turn, packet, refusal, self._state.next_misbehaviour(operations, is_write=is_write))

    def _read(self, body: bytes) -> tuple[RequestPacket | None, int | None, str | None]:
        try:
            packet = read_request(body)
        except PacketError as error:
            # An unsupported version is a question one may ask; a packet nobody can read is a bug.
            return None, error.code, None if error.code == Code.PROTOCOL else str(error)
        unknown = [operation.operator for operation in packet.operations if operation.operator not in _OPERATORS]
        if unknown:
            return packet, Code.PARSE, f"no panel knows the operator {unknown[0]!r}"
        if self._schemas is not None:
            problems = self._schemas.validate_request(body)
            if problems:
                return packet, Code.PARSE, f"the input schema rejects the packet: {'; '.join(problems)}"
        return packet, None, None

    def answer(self, asked: Asked, credentials: Credentials) -> bytes:
        """Do what was asked and return the reply, as far as misbehaviour lets it."""
        version = NEWEST_PROTOCOL if asked.packet is None else asked.packet.version
        refusal = self._refused(credentials) or _misbehaved(asked.misbehaviour, credentials) or asked.refusal
        if refusal is not None or asked.packet is None:
            return system_error(refusal or Code.PARSE, asked.turn, version)
        packet = reply_packet(version)
        group, operator = -1, packet
        for operation in asked.packet.operations:
            if operation.group != group:
                group, operator = operation.group, add(packet, operation.operator)
            self._operate(operation, add(operator, operation.name), asked)
        return self._checked(packet_bytes(packet))

    def _checked(self, reply: bytes) -> bytes:
        """Return a reply; one that no real panel could give is written down, so that no test relies on it."""
        problems = [] if self._schemas is None else self._schemas.validate_reply(reply)
        if problems:
            self._state.record_violation(f"the simulation's own reply is invalid: {'; '.join(problems)}")
        return reply

    def _refused(self, credentials: Credentials) -> int | None:
        if credentials.key is not None:
            is_known = self._state.is_key(credentials.key, source=credentials.source)
            return None if is_known else Code.SECRET_KEY
        is_known = self._state.is_login(credentials.login or "", credentials.password or "")
        return None if is_known else Code.AUTHENTICATION

    def _operate(self, operation: Operation, reply: Element, asked: Asked) -> None:
        misbehaviour = asked.misbehaviour
        is_struck = misbehaviour is not None and misbehaviour.is_for_one_operation and misbehaviour.on == operation.path
        if misbehaviour is not None and is_struck and misbehaviour.fault is Fault.ERROR:
            add_error(reply, misbehaviour.code, asked.turn)
        elif operation.path in _READERS:
            with self._state.reading() as connection:
                at = Answering(connection, self._state.version, self._state.platform, asked.turn)
                _READERS[operation.path](operation, reply, at)
        elif operation.path in WRITERS:
            is_applied = misbehaviour is None or misbehaviour.fault is not Fault.NOT_APPLIED
            WRITERS[operation.path](operation, reply, Writing(self._state, asked.turn, is_applied))
        else:
            forbidden(operation, reply, self._state, asked.turn)


def _is_write(operation: Operation) -> bool:
    return operation.path not in _READERS and not operation.name.startswith("get")


def _misbehaved(misbehaviour: Misbehaviour | None, credentials: Credentials) -> int | None:
    """Return the error that misbehaviour gives the whole request."""
    if misbehaviour is None:
        return None
    match misbehaviour.fault:
        case Fault.WRONG_KEY:
            return Code.AUTHENTICATION if credentials.key is None else Code.SECRET_KEY
        case Fault.LICENCE_EXPIRED:
            return Code.LICENCE
        case Fault.ERROR if not misbehaviour.is_for_one_operation:
            return misbehaviour.code
        case _:
            return None
