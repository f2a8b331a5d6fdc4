"""The world that ``mailswitch demo`` shows."""

from __future__ import annotations

from importlib import resources

from mailswitch.simulation.world import World
from mailswitch.simulation.world_file import parse_world

__all__ = ["demo_world"]


def demo_world() -> World:
    """Return the built-in world, with its relative dates counted from now."""
    text = resources.files("mailswitch.simulation").joinpath("demo.yaml").read_text(encoding="utf-8")
    return parse_world(text, origin="demo.yaml")
