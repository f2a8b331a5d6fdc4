"""Lookups are tested with replies read in either way, where that can matter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailswitch.lookup.vantages import Codec
from tests.support import asking


@pytest.fixture(params=list(Codec))
def codec(request: pytest.FixtureRequest) -> Codec:
    """Each test that takes it is run with replies read in either way."""
    chosen: Codec = request.param
    return chosen


@pytest.fixture
def each_codec(codec: Codec) -> Iterator[None]:
    """The same for tests that leave it to ``codec_in_use``."""
    with asking.using(codec):
        yield
