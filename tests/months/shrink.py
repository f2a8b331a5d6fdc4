"""From a story that fails to the shortest one that fails in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.months.story import Event, Story

__all__ = ["shrunk"]

_MOST_TRIES = 300


def shrunk(story: Story, name: str, fails: Callable[[Story], bool]) -> Story:
    """Leave out events and names for as long as the story still fails; give up after some hundred tries.

    It begins with the name it failed about, alone with its aliases and its domain.
    """
    tries = 0

    def still(candidate: Story) -> bool:
        nonlocal tries
        tries += 1
        return tries <= _MOST_TRIES and fails(candidate)

    family = {one.name for one in story.names if name in {one.name, one.parent}}
    family |= {one.parent for one in story.names if one.name == name and one.parent}
    alone = _without(story, {one.name for one in story.names} - family)
    if family and still(alone):
        story = alone
    for _ in range(2):
        story = _without_names(story, still)
        story = _without_events(story, still)
    return story


def _without_names(story: Story, still: Callable[[Story], bool]) -> Story:
    size = max(1, len(story.names) // 2)
    while True:
        at = 0
        while at < len(story.names):
            gone = {one.name for one in story.names[at : at + size]}
            gone |= {one.name for one in story.names if one.parent in gone}
            candidate = _without(story, gone)
            if candidate.names and still(candidate):
                story = candidate
            else:
                at += size
        if size == 1:
            return story
        size //= 2


def _without(story: Story, gone: set[str]) -> Story:
    names = tuple(one for one in story.names if one.name not in gone)
    return replace(story, names=names, events=tuple(one for one in story.events if not gone & set(_words(one))))


def _words(event: Event) -> list[str]:
    return [event.subject, *event.what.split()]


def _without_events(story: Story, still: Callable[[Story], bool]) -> Story:
    size = max(1, len(story.events) // 2)
    while story.events:
        at = 0
        while at < len(story.events):
            candidate = replace(story, events=(*story.events[:at], *story.events[at + size :]))
            if still(candidate):
                story = candidate
            else:
                at += size
        if size == 1:
            return story
        size //= 2
    return story
