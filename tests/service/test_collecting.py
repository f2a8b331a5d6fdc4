"""Looking for garbage more rarely, and as before afterwards."""

from __future__ import annotations

import gc

import pytest

from mailswitch.service.collecting import rare_collections


def test_garbage_is_looked_for_more_rarely_in_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()

    with rare_collections():
        inside = gc.get_threshold()

    assert inside[0] > before[0]
    assert gc.get_threshold() == before


def test_a_block_that_fails_leaves_it_as_before() -> None:
    before = gc.get_threshold()

    with pytest.raises(RuntimeError, match="on purpose"), rare_collections():
        raise RuntimeError("on purpose")

    assert gc.get_threshold() == before
