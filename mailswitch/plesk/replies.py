"""Reply packets of Plesk's XML API, read as hostile input.

Facts:

- A ``system`` node, or a ``result`` with status ``error``, carries ``errcode`` (plesk.md section 1.2).
- Answers are found by operator name: that the order is kept is not documented (plesk.md section 1.1).
- No object at all is told by no ``result``, by an ``ok`` without an id, or by a lone 1013 (plesk.md section 1.3; by the
  official output schema ``site-alias get`` cannot have zero results).
- Booleans are ``true``, ``false``, ``1`` or ``0`` (plesk.md section 1.7).
- A ``get_prefs`` error need not carry its ``site-id`` (design.md section 6): never guess which site it means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.ElementTree import DefusedXMLParser

from mailswitch.core.domain import ServerAddress, Switch
from mailswitch.plesk.failures import Fault, PanelFailure, cleaned
from mailswitch.plesk.records import AliasRecord, ServerRecord, SiteRecord, created_on, server_address, whole_number

__all__ = [
    "addresses",
    "alias_name_and_switch",
    "aliases",
    "check_done",
    "packet",
    "server_record",
    "sites",
    "switches",
]

_CUT = frozenset({3, 5, 6, 20})
"""expat: no element found, unclosed token, partial character, unclosed CDATA section."""
_MAX_NODES = 2_000_000
"""Tags and attributes: about 40,000 domains. A tree takes up to 300 octets for each, and the daemon may have 1 GB."""
_BOOLEANS = {"true": Switch.ON, "1": Switch.ON, "false": Switch.OFF, "0": Switch.OFF}


def packet(body: bytes) -> Element:
    """Return the reply packet in ``body``.

    Raises:
        PanelFailure: code ``not-understood`` for anything that is no packet, entities and document types included;
            ``cut`` when it ends too early; or the code of the error the panel reported for the whole packet.
    """
    if body.count(b"<") + body.count(b"=") > _MAX_NODES:
        raise PanelFailure(f"the reply has more than {_MAX_NODES} tags and attributes", code="not-understood")
    try:
        root = _tree(body)
    except ParseError as error:
        if error.code in _CUT and not _looks_like_html(body):
            raise PanelFailure("the reply ends before it is complete", code="cut", is_passing=True) from error
        raise _strange(body) from error
    except (ValueError, LookupError) as error:  # defusedxml's refusals are ValueErrors; unknown encodings are either
        raise _strange(body) from error
    if root.tag != "packet":
        raise _strange(body)
    system = root.find("system")
    if system is not None and _field(system, "status") != "ok":
        raise _fault(system).failure("the request was refused")
    return root


def _tree(body: bytes) -> Element:
    """Return the tree of an XML text; defusedxml's parser refuses what is dangerous, and C builds the elements.

    Raises:
        ParseError: it is no XML.
        ValueError: it has a document type, entities or an external reference.
    """
    builder = TreeBuilder()
    guard = DefusedXMLParser(target=builder, forbid_dtd=True)
    # Its own way to the builder is a Python function for each tag: a fifth of the speed.
    guard.parser.StartElementHandler = builder.start
    guard.parser.EndElementHandler = builder.end
    guard.parser.ordered_attributes = False
    guard.feed(body)
    root: Element = guard.close()
    return root


def server_record(reply: Element) -> ServerRecord:
    """Return what ``server get`` tells; anything missing is None, for a name or version is no reason to fail.

    Raises:
        PanelFailure: the key or login may not read the server (a reseller's would see a part of it only).
    """
    for result in reply.iterfind("server/get/result"):
        fault = _error(result)
        if fault is not None and fault.is_general:
            raise fault.failure("reading the server")
        if fault is None:
            return ServerRecord(
                host_name=_field(result, "gen_info/server_name"),
                version=_field(result, "stat/version/plesk_version"),
                system=_field(result, "stat/version/plesk_os"),
            )
    return ServerRecord(host_name=None, version=None, system=None)


def addresses(reply: Element) -> tuple[ServerAddress, ...]:
    """Return the addresses ``ip get`` lists.

    Raises:
        PanelFailure: there is none, or one that is not understood: what is ours has to be complete.
    """
    found = []
    for result in _results(reply, "ip"):
        for listed in result.iterfind("addresses/ip_info"):
            own, public = _field(listed, "ip_address"), _field(listed, "public_ip_address")
            found.append(server_address(own or "", public))
    if not found:
        raise PanelFailure("the panel lists no address of its own", code="incomplete")
    return tuple(found)


def sites(reply: Element) -> tuple[SiteRecord, ...]:
    """Return the main domains that ``webspace get`` lists and the others that ``site get`` does.

    Raises:
        PanelFailure: either of them is missing or failed: a part of an inventory is never used.
    """
    found = [_site(result, "webspace") for result in _results(reply, "webspace")]
    found += [_site(result, "site") for result in _results(reply, "site")]
    return tuple(found)


def aliases(reply: Element) -> tuple[AliasRecord, ...]:
    """Return what ``site-alias get`` lists.

    Raises:
        PanelFailure: it is missing or failed.
    """
    return tuple(_alias(result) for result in _results(reply, "site-alias"))


def alias_name_and_switch(reply: Element, alias_id: int) -> AliasRecord:
    """Return the one alias that was asked for.

    Raises:
        PanelFailure: code ``gone`` when there is none with this id.
    """
    for found in aliases(reply):
        if found.id == alias_id:
            return found
    raise PanelFailure(f"the panel knows no alias with id {alias_id}", code="gone")


def switches(reply: Element, asked: Collection[int]) -> tuple[dict[int, Switch], dict[int, Fault], tuple[str, ...]]:
    """Return each asked site's switch, the errors that name their site, and what was odd.

    A site without a clear answer of its own is ``unknown``; contradictory answers are, too.

    Raises:
        PanelFailure: the answer is about something else, the panel refuses us as such, or it cannot answer for now.
    """
    if reply.find("mail/get_prefs") is None:
        raise PanelFailure("the reply holds no answer to mail get_prefs", code="incomplete")
    found: dict[int, Switch] = {}
    faults: dict[int, Fault] = {}
    odd: list[str] = []
    nameless: list[Fault] = []
    results = reply.findall("mail/get_prefs/result")
    for result in results:
        site_id, fault = whole_number(_field(result, "site-id")), _error(result)
        if fault is not None and fault.is_general:
            raise fault.failure("reading mail preferences")
        if site_id is None and fault is not None and len(asked) == len(results) == 1:
            (site_id,) = asked  # one question, one answer: nothing is guessed
        if site_id is None:
            nameless += [] if fault is None else [fault]
            odd.append(
                f"An answer about mail names no site: {fault or 'without an error'}; its sites count as unknown."
            )
            continue
        if site_id not in asked:
            odd.append(f"The panel told the mail preferences of site {site_id}, which was not asked for.")
            continue
        switch = _switch(result) if fault is None else Switch.UNKNOWN
        if fault is not None:
            faults[site_id] = fault
            odd.append(f"The mail preferences of site {site_id} could not be read: {fault}.")
        found[site_id] = switch if found.get(site_id, switch) is switch else Switch.UNKNOWN
    passing = [fault for fault in nameless if fault.code == "unavailable"]
    if passing and len(passing) == len(results):
        # The operation as a whole did not work this time. Called unknown, all names would be held and all look well.
        raise passing[0].failure("reading mail preferences")
    return {site_id: found.get(site_id, Switch.UNKNOWN) for site_id in asked}, faults, tuple(odd)


def check_done(reply: Element, operation: str, id_tag: str, number: int) -> None:
    """Check that the one result of ``operation`` (``mail/set_prefs``) is a success for the id that was meant.

    Raises:
        PanelFailure: the panel refused, or its answer is about something else.
    """
    results = reply.findall(f"{operation}/result")
    for result in results:
        fault = _error(result)
        if fault is not None:
            raise fault.failure(f"{operation} for id {number}")
    told = [whole_number(_field(result, id_tag)) for result in results]
    if told != [number]:
        raise PanelFailure(f"the reply to {operation} for id {number} is about {told}", code="not-understood")


def _results(reply: Element, operator: str) -> Iterator[Element]:
    """Yield the results of ``OPERATOR get`` that stand for an object."""
    if reply.find(f"{operator}/get") is None:
        raise PanelFailure(f"the reply holds no answer to {operator} get", code="incomplete")
    results = reply.findall(f"{operator}/get/result")
    for result in results:
        fault = _error(result)
        if fault is None:
            if len(results) == 1 and result.find("id") is None and operator != "ip":
                return
            yield result
        elif len(results) == 1 and fault.errcode == 1013:
            return
        else:
            raise _incomplete(fault, f"{operator} get")


def _incomplete(fault: Fault, attempt: str) -> PanelFailure:
    failure = fault.failure(attempt)
    if fault.is_general or failure.is_passing:
        return failure
    return PanelFailure(failure.text, code="incomplete")


def _site(result: Element, operator: str) -> SiteRecord:
    site_id, told = whole_number(_field(result, "id")), result.find("data")
    general = None if told is None else told.find("gen_info")  # a path of tags would be walked in Python
    if not site_id or general is None:
        raise PanelFailure(f"{operator} get answered with an object without id or gen_info", code="incomplete")
    webspace_id = 0 if operator == "webspace" else whole_number(_field(general, "webspace-id"))
    if webspace_id is None or (operator == "site" and webspace_id == 0):
        raise PanelFailure(f"site {site_id} belongs to no subscription", code="incomplete")
    return SiteRecord(
        id=site_id,
        ascii_name=_field(general, "ascii-name"),
        name=_field(general, "name"),
        status=whole_number(_field(general, "status")),
        webspace_id=webspace_id if webspace_id != site_id else 0,  # a server whose site get tells main domains, too
        created=created_on(_field(general, "cr_date")),
    )


def _alias(result: Element) -> AliasRecord:
    alias_id, told = whole_number(_field(result, "id")), result.find("info")
    if not alias_id or told is None:
        raise PanelFailure("site-alias get answered with an object without id or info", code="incomplete")
    return AliasRecord(
        id=alias_id,
        ascii_name=_field(told, "ascii-name"),
        name=_field(told, "name"),
        site_id=whole_number(_field(told, "site-id")),
        status=0 if told.find("status") is None else whole_number(_field(told, "status")),  # optional in the schema
        switch=_BOOLEANS.get((_field(told, "pref/mail") or "").lower(), Switch.UNKNOWN),
    )


def _switch(result: Element) -> Switch:
    prefs = result.findall("prefs")
    services = [service for each in prefs for service in each.findall("mailservice")]
    nothing = any(each.find("none") is not None for each in prefs)
    if nothing and not services:
        return Switch.NOT_CONFIGURED
    if len(services) != 1 or nothing:
        return Switch.UNKNOWN
    return _BOOLEANS.get((services[0].text or "").strip().lower(), Switch.UNKNOWN)


def _error(result: Element) -> Fault | None:
    return None if _field(result, "status") == "ok" else _fault(result)


def _fault(node: Element) -> Fault:
    return Fault(errcode=whole_number(_field(node, "errcode")), text=cleaned(_field(node, "errtext") or ""))


def _field(node: Element, path: str) -> str | None:
    text = (node.findtext(path) or "").strip()
    return text or None


def _looks_like_html(body: bytes) -> bool:
    return body.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<head", b"<body"))


def _strange(body: bytes) -> PanelFailure:
    kind = "a web page" if _looks_like_html(body) else "no packet"
    start = cleaned(body[:200].decode("utf-8", errors="replace"), 60)
    return PanelFailure(
        f"the reply is {kind} ({start!r}): check that the URL is the Plesk panel itself and that its API is enabled",
        code="not-understood",
    )
