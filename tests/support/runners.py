"""More than one machine: each has a folder with the spec and a journal of its own, and all deploy to the same AWS."""

from __future__ import annotations

import contextlib

from ecsplan.core.clock import Clock
from tests.support.world import Ran, World


class Runner(World):
    """A machine that has never deployed anything."""

    def run(self, *arguments: str, clock: Clock | None = None) -> Ran:
        """The command in this machine's own folder."""
        with contextlib.chdir(self.folder):
            return super().run(*arguments, clock=clock)


def fresh_runner(world: World, name: str = "fresh") -> Runner:
    """A machine with the spec of that world, and nothing else."""
    folder = world.folder / name
    folder.mkdir()
    runner = Runner(world.aws, folder, world.client)
    runner.file.write_bytes(world.file.read_bytes())
    return runner
