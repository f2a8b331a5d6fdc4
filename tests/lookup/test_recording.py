"""What real servers answered once, and what they answer now: read in every way, and the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.lookup.fast_codec import FastCodec
from mailswitch.lookup.low_level import read_low_level
from tests.support.readings import Recorded, by_dnspython, real_replies
from tests.support.real_dns import Net
from tests.support.real_zones import small_internet
from tests.support.recording import Recording, read_recordings, record


def ways_that_read(reply: Recorded) -> tuple[bool, bool]:
    """Return which of our own readings take a reply; what they take is what dnspython reads."""
    name, rdtype, asked, packet = reply
    fast, low = FastCodec().read(packet, asked), read_low_level(packet, asked, name, rdtype)
    heard = by_dnspython(packet, asked, name, rdtype)
    assert fast in (None, heard)
    assert low in (None, heard)
    return fast is not None, low is not None


def test_the_replies_kept_are_of_every_kind_that_lookups_meet() -> None:
    told = [str(each).split("\n", 1)[0] for each in read_recordings()]

    for words in (
        ["Unbound", "NOERROR", "answer MX"], ["Unbound", " A, ", "answer A"], ["Unbound", " AAAA, ", "answer AAAA"],
        ["Unbound", "NXDOMAIN", "SOA"], ["Unbound", "NOERROR", "authority SOA"], ["Unbound", "answer CNAME MX"],
        ["DNAME"], ["DO", "RRSIG"], ["DO", "NSEC"], [" TC "], ["extended error"], ["over TCP"], ["no EDNS"],
        ["NSD", " AA "], ["NSD", "NS DS RRSIG"], ["NSD", "REFUSED"],
    ):  # fmt: skip
        assert [text for text in told if all(word in text for word in words)], words
    assert len(told) > 60


def test_a_real_resolver_s_answers_are_read_without_messages_and_a_name_server_s_are_none() -> None:
    recordings = read_recordings()
    for each, reply in zip(recordings, real_replies(recordings), strict=True):
        is_answer = each.answered.startswith(("NOERROR, QR RD RA", "NXDOMAIN, QR RD RA"))

        assert any(ways_that_read(reply)) == is_answer, each.asked
        assert not (is_answer and each.asked.startswith("NSD"))


@pytest.mark.dns_servers
def test_what_is_recorded_anew_is_asked_and_read_as_what_is_kept(tmp_path: Path) -> None:
    net = Net(tmp_path)
    servers, resolver = small_internet(net)
    with net.serving(servers, resolver):
        anew = [*record(net)]

    def read(recordings: list[Recording]) -> dict[str, tuple[bool, bool]]:
        readings = map(ways_that_read, real_replies(recordings))
        return dict(zip((each.asked for each in recordings), readings, strict=True))

    assert read(anew) == read(read_recordings())
