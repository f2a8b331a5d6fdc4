"""``server/get`` of the simulated panel: its name, version and statistics (plesk.md section 1.8)."""

from __future__ import annotations

import uuid
from xml.etree.ElementTree import Element

from mailswitch.core.domain import Platform
from mailswitch.simulation.operators import Answering
from mailswitch.simulation.packets import Operation, add

__all__ = ["server_get"]

_COUNTS = (
    "clients", "domains", "active_domains", "mail_boxes", "mail_redirects", "mail_groups", "mail_responders",
    "web_users", "databases", "database_users", "problem_clients", "problem_domains",
)  # fmt: skip
_MEMORY = ("total", "used", "free", "shared", "buffer", "cached")
_GIBIBYTE = 1 << 30


def server_get(operation: Operation, reply: Element, at: Answering) -> None:
    """Answer with as much of ``gen_info``, ``stat`` and ``services_state`` as was asked for."""
    result = add(reply, "result")
    add(result, "status", "ok")
    wanted = {item.tag for item in operation.node}
    host = at.connection.execute("SELECT val FROM misc WHERE param = 'FullHostName'").fetchone()["val"]
    if "gen_info" in wanted:
        general = add(result, "gen_info")
        add(general, "server_name", host)
        add(general, "server_guid", str(uuid.uuid5(uuid.NAMESPACE_DNS, host)))
        add(general, "mode", "standard")
    if "stat" in wanted:
        _statistics(add(result, "stat"), at)
    if "services_state" in wanted:
        services = add(result, "services_state")
        for name, title in (("web", "Web Server"), ("smtp", "SMTP Server"), ("mail", "IMAP/POP3 Server")):
            service = add(services, "srv")
            add(service, "id", name)
            add(service, "title", title)
            add(service, "state", "running")


def _statistics(node: Element, at: Answering) -> None:
    objects = add(node, "objects")
    hosted = at.connection.execute("SELECT COUNT(*) AS n FROM domains").fetchone()["n"]
    for name in _COUNTS:
        add(objects, name, hosted if name in {"domains", "active_domains"} else 0)
    _version(add(node, "version"), at)
    other = add(node, "other")
    add(other, "cpu", "Simulated CPU")
    add(other, "uptime", 86400)
    add(other, "inside_vz", text=False)
    load = add(node, "load_avg")
    for name in ("l1", "l5", "l15"):
        add(load, name, "0.1")
    memory = add(node, "mem")
    for name in _MEMORY:
        add(memory, name, _GIBIBYTE)
    swap = add(node, "swap")
    for name in ("total", "used", "free"):
        add(swap, name, 0)
    device = add(add(node, "diskspace"), "device")
    add(device, "name", "C:" if at.platform is Platform.WINDOWS else "/dev/sda1")
    for name in ("total", "used", "free"):
        add(device, name, 100 * _GIBIBYTE)


def _version(node: Element, at: Answering) -> None:
    is_windows = at.platform is Platform.WINDOWS
    add(node, "plesk_name", "ppwse" if is_windows else "psa")
    add(node, "plesk_version", at.version)
    add(node, "plesk_os", "Windows" if is_windows else "Debian")
    add(node, "plesk_os_version", "2022" if is_windows else "12")
    add(node, "plesk_build", "1800240521.13")
    add(node, "os_release", "10.0.20348" if is_windows else "6.1.0-21-amd64")
