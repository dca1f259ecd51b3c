"""Several machines that deploy one app to one account: a folder for each, with a spec and a journal of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from tests.support import toml
from tests.support.toml import Doc
from tests.support.world import Ran, World


class Laptop:
    """A folder in that of the world. Commands are run in it, so that no path stands in what they print."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.folder = world, world.folder / name
        self.folder.mkdir()
        self.file = self.folder / "ecsplan.toml"

    def write(self, spec: Mapping[str, Any]) -> None:
        self.file.write_text(toml.dumps(spec), encoding="utf-8")

    def run(self, *arguments: str) -> Ran:
        with contextlib.chdir(self.folder):
            return self.world.run(*arguments)

    def ok(self, *arguments: str) -> Ran:
        """A command that has to end well."""
        ran = self.run(*arguments)
        assert ran.code == 0, ran.said
        return ran

    def deploy(self, tag: str, *options: str) -> Ran:
        return self.ok("deploy", tag, "--yes", *options)

    def history(self) -> list[Doc]:
        deployments: list[Doc] = self.ok("history", "--format", "json").data["deployments"]
        return deployments


def laptops(world: World, spec: Mapping[str, Any], *names: str) -> tuple[Laptop, ...]:
    """Machines with the same spec; the account is what it is before the spec's first deployment."""
    world.write(spec)
    made = tuple(Laptop(world, name) for name in names)
    for one in made:
        one.write(spec)
    return made
