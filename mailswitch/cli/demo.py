"""``demo``: the real program against a simulated Plesk and a simulated public DNS, all on this machine."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session

if TYPE_CHECKING:
    from mailswitch.simulation.world import World

__all__ = ["demo"]


@click.command()
@click.option(
    "--world",
    "world_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Run the world of this YAML file instead of the built-in one.",
)
@click.option(
    "--keep",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="No tour: keep the world running, with its configuration, keys and ledger in this new or empty directory.",
)
def demo(*, world_file: Path | None, directory: Path | None) -> int:
    """Try mailswitch on a world of its own: no Plesk, no network, nothing left behind.

    Starts a simulated Plesk and a simulated public DNS on loopback and shows the real program at work: a dry run, an
    apply, a neighbour's message before and after, a domain that comes back, the record of it all, and how it is undone.

    With --keep the world stays until Ctrl-C, so that every other command can be tried against it:
    mailswitch --config DIR/mailswitch.yaml report
    """
    from mailswitch.simulation.builtin import demo_world
    from mailswitch.simulation.world_file import read_world

    world = demo_world() if world_file is None else read_world(world_file)
    if directory is not None:
        return _keep(world, directory)
    from mailswitch.cli.tour import Tour
    from mailswitch.simulation.stage import Stage

    with (
        tempfile.TemporaryDirectory(prefix="mailswitch-demo-") as folder,
        Stage(world, Path(folder) / "world") as stage,
    ):
        return Tour(stage, is_built_in=world_file is None).run()


def _keep(world: World, directory: Path) -> int:
    """Run a world in the foreground until SIGINT or SIGTERM."""
    from mailswitch.simulation.stage import Stage

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Stage(world, directory) as stage:
        session.say(
            f"The world runs until Ctrl-C. Try it from another terminal:\n"
            f"  mailswitch --config {stage.config_path} report\n"
            f"  mailswitch --config {stage.config_path} once --apply"
        )
        sys.stdout.flush()
        stop.wait()
    return 0
