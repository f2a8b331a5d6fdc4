"""Replies that are larger than any panel's, or become so when they are unpacked, against the limits as shipped."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.raw_panel import Framing, RawPanel, Reply

MEGABYTE = 2**20
LIMIT = 64 * MEGABYTE
ON_THE_WAY = 16 * MEGABYTE
"""What the kernel and the allocator may hold beside: the socket buffers of both sides, mostly."""


def told(tmp_path: Path, reply: Reply) -> tuple[dict[str, Any], int]:
    """How a process of its own ends that gets this reply, and how many octets of it were taken."""
    with RawPanel(tmp_path, [reply]) as raw:
        command = [sys.executable, "-m", "tests.support.panel_child", raw.url, raw.identity.fingerprint]
        done = subprocess.run(command, check=True, capture_output=True, timeout=60)
        assert len(raw.seen) == 1
        return json.loads(done.stdout), raw.sent


def gzipped(pieces: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return b"".join(map(packer.compress, pieces)) + packer.flush()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_reply_of_100_megabytes_is_left_at_the_limit_however_it_is_framed(tmp_path: Path, framing: Framing) -> None:
    end, taken = told(tmp_path, Reply(body=b" " * MEGABYTE, times=100, framing=framing))

    assert end["code"] == "not-understood"
    assert f"larger than {LIMIT} octets" in end["text"]
    assert LIMIT - ON_THE_WAY < taken < LIMIT + ON_THE_WAY
    assert end["grown"] < LIMIT + ON_THE_WAY


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip"])
def test_a_reply_that_would_unpack_to_100_megabytes_is_not_unpacked(tmp_path: Path, coding: str) -> None:
    bomb = gzipped(b" " * MEGABYTE for _ in range(100))
    body = bomb if coding == "gzip" else gzipped([bomb])
    end, _ = told(tmp_path, Reply(body=body, headers={"Content-Encoding": coding}))

    assert end["code"] == "not-understood"
    assert end["grown"] < ON_THE_WAY
