"""What a real Postfix logged, counted exactly.

``postfix-3.7.log`` was written by Debian 12's Postfix 3.7.11, set up as Plesk does (virtual mailboxes handed to the
pipe service ``plesk_virtual``) in a network of its own with 203.0.113.10 and, as outside hosts, 185.201.16.7 and
198.51.100.9:

- from outside: four messages to info@moved, one to a@moved, b@moved and c@other, one to an alias domain, one to a
  forwarding address at other, one deferred and delivered later, one to a mailing list, two through a content filter on
  loopback (one tells the client by XFORWARD, and of the other the copy was delivered before the filter had answered);
- two recipients refused, and one whose local part looks like a delivery;
- from here: one by SMTP from loopback, one from the server's own address, four by sendmail (to info@moved, to the alias
  domain, to root, which is an alias of admin@other, and to an address that bounces to www@other); and the list's post
  to a member at moved and one at other.
"""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailswitch.core.evidence import LogReading
from mailswitch.core.names import DomainName
from tests.support.mail_logs import gathered, later, line, tally

_LOG = (Path(__file__).parent / "postfix-3.7.log").read_text(encoding="utf-8")
# The log has to begin a while before the first message: until then a missing client tells nothing.
_WHOLE = (
    f"{line(later(-200), 'anvil', 'statistics')}\n{_LOG}Nov 23 07:00:00 web01 postfix/anvil[1]: statistics\n".encode()
)
_HOSTED = tuple(
    DomainName(f"{word}.example") for word in ("moved", "other", "alias", "lists", "gone", "sender", "spam", "victim")
)
_OWN = (ip_network("203.0.113.10/32"),)
_GATEWAY = "185.201.16.0/24"
_TOLD = {
    ("moved.example", "outside", _GATEWAY): 8,
    ("other.example", "outside", _GATEWAY): 2,
    ("alias.example", "outside", _GATEWAY): 1,
    ("lists.example", "outside", _GATEWAY): 1,
    ("moved.example", "co-tenant", None): 3,
    ("other.example", "co-tenant", None): 4,
    ("alias.example", "co-tenant", None): 1,
    ("gone.example", "refused", "198.51.100.0/24"): 2,
}


def test_a_real_postfixs_log_is_counted_exactly(tmp_path: Path) -> None:
    log = tmp_path / "maillog"
    log.write_bytes(_WHOLE)

    found = gathered(log, hosted=_HOSTED, own=_OWN)

    assert tally(found) == _TOLD
    assert found.problem is None


@settings(max_examples=30, deadline=None)
@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_a_real_log_read_in_pieces_gives_the_same_counts(
    tmp_path_factory: pytest.TempPathFactory, shares: list[float]
) -> None:
    log = tmp_path_factory.mktemp("log") / "maillog"
    reading: LogReading | None = None
    looks = []
    for place in (*sorted(round(share * len(_WHOLE)) for share in shares), len(_WHOLE)):
        log.write_bytes(_WHOLE[:place])
        looks.append(gathered(log, reading, hosted=_HOSTED, own=_OWN))
        reading = looks[-1].reading or reading

    assert tally(*looks) == _TOLD
