"""The ``xml-api`` panel: Plesk's XML API over HTTPS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from mailswitch.core.domain import Inventory, Kind, Switch, SwitchTarget
from mailswitch.core.errors import ApplyError, InvalidName, InventoryError
from mailswitch.plesk import inventory, packets, replies
from mailswitch.plesk.credentials import Credentials
from mailswitch.plesk.failures import PanelFailure
from mailswitch.plesk.names import panel_name
from mailswitch.plesk.records import whole_number
from mailswitch.plesk.tls import TlsSettings
from mailswitch.plesk.transport import Transport, TransportLimits

__all__ = ["XmlApiPanel", "XmlApiSettings", "open_xml_api"]

_T = TypeVar("_T")
_ATTEMPTS = 3
_FIRST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlApiSettings:
    """How to reach one panel."""

    server: str
    """The server's name from the configuration."""
    url: str
    """``https://HOST:8443``."""
    credentials: Credentials
    tls: TlsSettings = field(default_factory=TlsSettings)
    limits: TransportLimits = field(default_factory=TransportLimits)
    chunk: int = 250
    """Ids in one ``get_prefs`` packet (plesk.md section 1.1: 100 to 500)."""

    def __post_init__(self) -> None:
        """Check the chunk's range."""
        if not 1 <= self.chunk <= 1000:
            raise ValueError(f"chunk is {self.chunk}, not 1 to 1000")


def open_xml_api(settings: XmlApiSettings, *, sleep: Callable[[float], None] = time.sleep) -> XmlApiPanel:
    """Return the panel, not yet connected; ``sleep`` waits the given seconds between two attempts of a read.

    Raises:
        ConfigError: the URL, the credentials or the TLS settings cannot be used.
    """
    transport = Transport(url=settings.url, credentials=settings.credentials, tls=settings.tls, limits=settings.limits)
    return XmlApiPanel(settings, transport, sleep)


class XmlApiPanel:
    """One Plesk server through its XML API (`mailswitch.service.ports.Panel`)."""

    kind = "xml-api"

    def __init__(self, settings: XmlApiSettings, transport: Transport, sleep: Callable[[float], None]) -> None:
        """Use ``transport``; see `open_xml_api`."""
        self.server = settings.server
        self._chunk = settings.chunk
        self._host = urlsplit(settings.url).netloc
        self._transport = transport
        self._sleep = sleep

    def inventory(self) -> Inventory:
        """Read everything the panel hosts, in 2 calls and one more for each ``chunk`` of sites.

        Raises:
            InventoryError: it could not be read in full.
        """
        with self._reading("read the inventory"):
            record, addresses = self._ask(
                packets.identity_request(), lambda reply: (replies.server_record(reply), replies.addresses(reply))
            )
            sites, aliases = self._ask(
                packets.domains_request(), lambda reply: (replies.sites(reply), replies.aliases(reply))
            )
            switches, oddities = self._switches(sorted({site.id for site in sites}))
            found = inventory.build(
                server=self.server,
                panel=self.kind,
                record=record,
                addresses=addresses,
                sites=sites,
                aliases=aliases,
                switches=switches,
                oddities=oddities,
            )
            return replace(found, clock_ahead=self._transport.clock_ahead)

    def read_switch(self, target: SwitchTarget) -> Switch:
        """Read one switch afresh.

        Raises:
            InventoryError: it could not be read; code ``gone`` when there is no such object.
        """
        with self._reading(f"read the switch of {target.name}"):
            number = _number(target)
            if target.kind is Kind.ALIAS:
                return self._alias_switch(target, number)
            switches, faults, _ = self._ask(
                packets.prefs_request([number]), lambda reply: replies.switches(reply, [number])
            )
            if number in faults:
                raise faults[number].failure("mail get_prefs")
            return switches[number]

    def turn(self, target: SwitchTarget, to: Switch) -> None:
        """Ask the panel, exactly once, to turn one switch. Returning is no proof: read back.

        Raises:
            ApplyError: refused (by its code), or code ``reply-lost``: it may have been done all the same.
            ValueError: ``to`` is neither ON nor OFF.
        """
        if to not in {Switch.ON, Switch.OFF}:
            raise ValueError(f"a switch is turned on or off, not {to.value!r}")
        try:
            number = _number(target)
            if target.kind is Kind.ALIAS:
                request, operation, id_tag = packets.turn_alias_request(number, to), "site-alias/set", "id"
            else:
                request, operation, id_tag = packets.turn_site_request(number, to), "mail/set_prefs", "site-id"
            reply = replies.packet(self._transport.exchange(request))
            replies.check_done(reply, operation, id_tag, number)
        except PanelFailure as failure:
            raise self._apply_error(failure, target, to) from failure

    def close(self) -> None:
        """Close the connection. Harmless when called again."""
        self._transport.close()

    def _switches(self, ids: list[int]) -> tuple[dict[int, Switch], list[str]]:
        found: dict[int, Switch] = {}
        odd: list[str] = []
        for start in range(0, len(ids), self._chunk):
            asked = frozenset(ids[start : start + self._chunk])
            read = partial(replies.switches, asked=asked)
            told, _, strange = self._ask(packets.prefs_request(sorted(asked)), read)
            found |= told
            odd += strange
        return found, odd

    def _alias_switch(self, target: SwitchTarget, number: int) -> Switch:
        found = self._ask(packets.alias_request(number), lambda reply: replies.alias_name_and_switch(reply, number))
        try:
            is_same = panel_name(found.ascii_name, found.name) == target.name
        except InvalidName:
            is_same = False
        if not is_same:
            raise PanelFailure(f"alias {number} bears another name now", code="gone")
        return found.switch

    def _ask(self, request: bytes, read: Callable[[Element], _T]) -> _T:
        """Send a question and read the answer, again after a while if that may help. Never for writes."""
        attempt = 1
        while True:
            try:
                return read(replies.packet(self._transport.exchange(request)))
            except PanelFailure as failure:
                if not failure.is_passing or attempt == _ATTEMPTS:
                    raise
            self._sleep(_FIRST_WAIT_SECONDS * 4 ** (attempt - 1))
            attempt += 1

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except PanelFailure as failure:
            code = "unreachable" if failure.code == "cut" else failure.code
            raise InventoryError(
                f"{self.server}: could not {what} at {self._host}: {failure.text}.", code=code
            ) from failure

    def _apply_error(self, failure: PanelFailure, target: SwitchTarget, to: Switch) -> ApplyError:
        is_lost = failure.is_sent and failure.code in {"unreachable", "cut"}
        told = f"{failure.text}, so it may have been done" if is_lost else failure.text
        return ApplyError(
            f"{self.server}: could not turn {target.name} {to.value} at {self._host}: {told}.",
            code="reply-lost" if is_lost else failure.code,
        )


def _number(target: SwitchTarget) -> int:
    number = whole_number(target.panel_id)
    if not number:
        raise PanelFailure(f"{target.panel_id!r} is no id of an object in Plesk", code="gone")
    return number
