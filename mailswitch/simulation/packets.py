"""XML API packets as the simulated panel reads and writes them (plesk.md sections 1.1 and 1.2).

A request is a packet of operators, each with operations in order; a reply mirrors it. What is wrong with the packet
as a whole is answered in ``system``, before anything is done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

__all__ = [
    "NEWEST_PROTOCOL",
    "PROTOCOLS",
    "Code",
    "Operation",
    "PacketError",
    "RequestPacket",
    "add",
    "add_error",
    "error_text",
    "packet_bytes",
    "read_request",
    "reply_packet",
    "system_error",
]

NEWEST_PROTOCOL = "1.6.9.1"

PROTOCOLS = (
    "1.6.9.1", "1.6.9.0", "1.6.8.0", "1.6.7.0", "1.6.6.0", "1.6.5.0", "1.6.4.0", "1.6.3.5", "1.6.3.0", "1.6.0.0",
)  # fmt: skip

_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,3}\Z")


class Code:
    """The error codes of plesk.md section 1.2 that the simulation uses by itself."""

    AUTHENTICATION = 1001
    PROTOCOL = 1005
    PERMISSION = 1006
    NO_SUCH_OBJECT = 1013
    PARSE = 1014
    NOT_IN_THIS_VERSION = 1017
    OPERATION_FAILED = 1023
    LICENCE = 1030
    SECRET_KEY = 11003


_TEXTS = {
    Code.AUTHENTICATION: ("Sie haben einen ungültigen Benutzernamen oder ein falsches Passwort angegeben.",
                          "ユーザ名またはパスワードが正しくありません。"),
    Code.PROTOCOL: ("Die Protokollversion wird nicht unterstützt.", "プロトコルバージョンはサポートされていません。"),
    Code.PERMISSION: ("Zugriff verweigert.", "アクセスは拒否されました。"),
    Code.NO_SUCH_OBJECT: ("Das Objekt ist nicht vorhanden.", "オブジェクトが存在しません。"),
    Code.PARSE: ("Parserfehler: Anfrage ungültig.", "パーサエラー: リクエストが無効です。"),
    Code.NOT_IN_THIS_VERSION: ("In dieser Version nicht verfügbar.", "このバージョンでは利用できません。"),
    Code.LICENCE: ("Ihr Lizenzschlüssel ist abgelaufen.", "ライセンスキーの有効期限が切れています。"),
    Code.SECRET_KEY: ("PleskAPIInvalidSecretKeyException : Ungültige Verwendung des Geheimschlüssels.",
                      "PleskAPIInvalidSecretKeyException : 秘密鍵の使用が無効です。"),
}  # fmt: skip
_OTHER_TEXT = ("Vorgang fehlgeschlagen.", "操作に失敗しました。")

# XML 1.0 §2.2: what a document cannot hold, however hostile a name is.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class PacketError(Exception):
    """The packet as a whole is refused with ``code``; the text is for the journal."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one operator, as it was asked for."""

    operator: str
    name: str
    node: Element
    group: int
    """Operations with the same number stand in one operator element."""

    @property
    def path(self) -> str:
        """The operation in short: ``mail/get_prefs``."""
        return f"{self.operator}/{self.name}"


@dataclass(frozen=True, slots=True)
class RequestPacket:
    """A packet that was understood."""

    version: str
    operations: tuple[Operation, ...]


def read_request(body: bytes) -> RequestPacket:
    """Read a packet.

    Raises:
        PacketError: it is malformed, or has a version or a shape that no panel understands.
    """
    try:
        root: Element = defusedxml.ElementTree.fromstring(body)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise PacketError(Code.PARSE, f"the packet is no XML: {error}") from error
    if root.tag != "packet":
        raise PacketError(Code.PARSE, f"the root element is {root.tag!r}, not 'packet'")
    version = root.get("version")
    if version is not None and not _is_supported(version):
        raise PacketError(Code.PROTOCOL, f"protocol version {version!r} is not supported")
    operations = tuple(
        Operation(operator.tag, node.tag, node, group)
        for group, operator in enumerate(root)
        if operator.tag != "request-settings"
        for node in operator
    )
    if not operations:
        raise PacketError(Code.PARSE, "the packet asks for nothing")
    return RequestPacket(version or NEWEST_PROTOCOL, operations)


def _is_supported(version: str) -> bool:
    if not _VERSION.match(version):
        return False
    asked, newest = (tuple(int(part) for part in text.split(".")) for text in (version, NEWEST_PROTOCOL))
    return (1, 4) <= asked <= newest


def reply_packet(version: str = NEWEST_PROTOCOL) -> Element:
    """Return an empty reply."""
    return Element("packet", version=version)


def add(parent: Element, tag: str, text: str | int | bool | None = None) -> Element:  # noqa: FBT001 (a value to be written)
    """Add a child; truth values are written as Plesk writes them, None makes an empty element."""
    child = SubElement(parent, tag)
    match text:
        case None:
            pass
        case bool():
            child.text = "true" if text else "false"
        case _:
            child.text = _NO_XML.sub("\ufffd", str(text))
    return child


def error_text(code: int, turn: int) -> str:
    """Return a text for an error in the panel's language, which is another one at every turn."""
    texts = _TEXTS.get(code, _OTHER_TEXT)
    return texts[turn % len(texts)]


def add_error(parent: Element, code: int, turn: int, *, tag: str = "result") -> Element:
    """Add the result of an operation that failed."""
    result = add(parent, tag)
    add(result, "status", "error")
    add(result, "errcode", code)
    add(result, "errtext", error_text(code, turn))
    return result


def system_error(code: int, turn: int, version: str = NEWEST_PROTOCOL) -> bytes:
    """Return the reply to a request that failed before any operation (plesk.md section 1.2)."""
    packet = reply_packet(version)
    add_error(packet, code, turn, tag="system")
    return packet_bytes(packet)


def packet_bytes(packet: Element) -> bytes:
    """Return a packet as it is sent."""
    text: bytes = tostring(packet, encoding="UTF-8", xml_declaration=True)
    return text
