"""Reads one switch at a panel in a process of its own, whose memory is that of the reading alone.

``python -m tests.support.panel_child URL FINGERPRINT`` prints, as JSON, the error's ``code`` and ``text``, and how many
octets of memory the process had ``grown`` by at most.
"""

from __future__ import annotations

import json
import sys

from benchmarks.spent import most_resident, resident
from mailswitch.core.domain import Kind, SwitchTarget
from mailswitch.core.errors import InventoryError
from mailswitch.core.names import DomainName
from mailswitch.plesk.credentials import Key
from mailswitch.plesk.secret import Secret
from mailswitch.plesk.tls import TlsSettings
from mailswitch.plesk.xml_api import XmlApiSettings, open_xml_api

if __name__ == "__main__":
    url, fingerprint = sys.argv[1:]
    settings = XmlApiSettings(
        server="web01", url=url, credentials=Key(Secret("key")), tls=TlsSettings(fingerprints=(fingerprint,))
    )
    panel = open_xml_api(settings)
    before = resident()
    try:
        panel.read_switch(SwitchTarget(name=DomainName("moved.example"), kind=Kind.DOMAIN, panel_id="7"))
    except InventoryError as error:
        sys.stdout.write(json.dumps({"code": error.code, "text": str(error), "grown": most_resident() - before}))
