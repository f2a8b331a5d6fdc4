"""A Plesk server inside the container: the XML API on 127.0.0.1:8443, /usr/sbin/plesk, and three public resolvers.

Run by simulated-plesk.service as root. The default resolvers' addresses are made the loopback device's own, so that
mailswitch runs with the configuration that its installer wrote. Public DNS is read from FOLDER/zone, and again on
SIGHUP; the panel's state is FOLDER/panel.db, which the test looks at and meddles with.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from mailswitch.core.domain import ServerAddress
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.simulation.certificates import self_signed
from mailswitch.simulation.plesk_executable import write_executable
from mailswitch.simulation.plesk_xml import XmlApiServer
from mailswitch.simulation.public_dns import PublicDNSServer, PublicRecords, parse_records
from mailswitch.simulation.state import PanelState
from mailswitch.simulation.world import WorldDomain, WorldServer

RESOLVERS = ("9.9.9.10", "1.1.1.1", "8.8.8.8")
NAMES = (*(f"moved{number}.example" for number in range(20)), *(f"here{number}.example" for number in range(20)))


def main(folder: Path) -> None:
    """Run until SIGTERM."""
    folder.mkdir(mode=0o700, exist_ok=True)
    state = _panel(folder)
    plesk = Path("/usr/sbin/plesk")
    if not plesk.exists():
        write_executable(plesk, state.path)
    certificate = folder / "panel.pem"
    if not certificate.exists():
        self_signed("Plesk").write(certificate)
    signals = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with ExitStack() as running:
        running.enter_context(XmlApiServer(state, certificate, port=8443))
        vantages = []
        for resolver in RESOLVERS:
            _own(resolver)
            vantages.append(running.enter_context(PublicDNSServer(_records(folder), address=resolver, port=53)))
        _ask(RESOLVERS[0])
        _ready()
        while signal.sigwait(signals) == signal.SIGHUP:
            for vantage in vantages:
                vantage.replace(_records(folder))


def _panel(folder: Path) -> PanelState:
    path = folder / "panel.db"
    if path.exists():
        return PanelState(path)
    domains = tuple(WorldDomain(name=DomainName(name), created=date(2015, 5, 5)) for name in NAMES)
    ours = (ServerAddress(address=address("203.0.113.10")),)
    return PanelState.create(path, WorldServer(name="plesk", addresses=ours, domains=domains))


def _records(folder: Path) -> PublicRecords:
    return parse_records((folder / "zone").read_text(encoding="utf-8"))


def _own(resolver: str) -> None:
    subprocess.run(["ip", "address", "replace", f"{resolver}/32", "dev", "lo"], check=True)


def _ask(resolver: str) -> None:
    """Have the server itself ask a resolver: what mailswitch takes for Postfix's view."""
    written = Path("/etc/resolv.conf")
    written.unlink(missing_ok=True)
    written.write_text(f"nameserver {resolver}\n", encoding="ascii")


def _ready() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.connect(os.environ["NOTIFY_SOCKET"])
        speaker.sendall(b"READY=1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
