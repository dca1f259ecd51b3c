"""Which modules a command imports: most of the time of the short ones, and a good part of a plan's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.processes import PATIENCE, environment
from tests.support.specs import shop
from tests.support.world import World

NEVER = frozenset({"deepdiff", "rich", "moto", "werkzeug", "asyncio", "pydantic"})
NETWORK = frozenset({"boto3", "s3transfer", "botocore", "urllib3", "ssl", "http.client", "socketserver"})


def imported(*arguments: str, more: Mapping[str, str] | None = None) -> set[str]:
    """Every module that `ecsplan ARGUMENTS` has imported, and the packages around them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ecsplan", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment() | dict(more or {}),
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.rpartition("|")[2].strip() for line in lines}
    assert "ecsplan" in names
    return names | {name.partition(".")[0] for name in names}


@pytest.fixture
def deployed(world: World) -> World:
    world.write(shop())
    world.deploy("v1")
    return world


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("--version",)], ids=" ".join)
def test_the_list_of_commands_imports_none_of_them(world: World, arguments: tuple[str, ...]) -> None:
    found = imported(*arguments)
    assert found & (NEVER | NETWORK | {"msgspec", "tomli", "filelock"}) == set()
    modules = {f"ecsplan.cli.{name}" for name in ("deploy", "inspect", "resume", "sandbox")}
    assert found & {"ecsplan.pipeline", *modules} == set()


def test_completion_imports_nothing_heavy(world: World) -> None:
    words = {"_ECSPLAN_COMPLETE": "bash_complete", "COMP_WORDS": "ecsplan pl", "COMP_CWORD": "1"}
    assert imported(more=words) & (NEVER | NETWORK | {"filelock"}) == set()


@pytest.mark.parametrize("arguments", [("plan", "--help"), ("apply", "--help")], ids=" ".join)
def test_help_of_a_command_imports_nothing_heavy(world: World, arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) & (NEVER | NETWORK | {"filelock"}) == set()


@pytest.mark.parametrize("arguments", [("history",), ("history", "--format", "json"), ("show", "1")], ids=" ".join)
def test_reading_the_journal_needs_no_network(deployed: World, arguments: tuple[str, ...]) -> None:
    found = imported(*arguments)
    assert found & (NEVER | NETWORK | {"filelock"}) == set()
    assert found & {"ecsplan.pipeline", "ecsplan.plan.diff", "ecsplan.apply.engine"} == set()


def test_a_plan_imports_what_it_uses(deployed: World) -> None:
    found = imported("plan", "v2")
    assert {"botocore.session", "ecsplan.plan.diff"} <= found
    assert found & (NEVER | {"filelock", "ecsplan.sandbox", "ecsplan.rehearsal"}) == set()


def test_an_apply_imports_what_it_uses(deployed: World) -> None:
    deployed.ok("plan", "v2")
    found = imported("apply", "--no-wait")
    assert {"botocore.session", "filelock", "ecsplan.apply.engine"} <= found
    assert found & (NEVER | {"ecsplan.sandbox", "ecsplan.rehearsal"}) == set()


def test_the_models_are_read_once_and_no_folders_are_looked_through(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clients and the checks share a loader, which opens only the folders of the services that ecsplan calls."""
    from botocore.loaders import JSONFileLoader

    from ecsplan.aws import api

    read: list[Path] = []
    load = JSONFileLoader.load_file

    def counted(self: JSONFileLoader, path: str) -> object:
        found = load(self, path)
        if found is not None:
            read.append(Path(path))
        return found

    api.loader.cache_clear()
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "anew")  # an environment for which no client has been made yet
    monkeypatch.setattr(JSONFileLoader, "load_file", counted)
    world.write(shop())
    world.deploy("v1")
    assert sorted(set(read)) == sorted(read)
    assert {path.parts[-3] for path in read if path.name == "service-2"} == {"ecs", "events", "sts"}
