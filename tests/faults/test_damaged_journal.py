"""A journal that was damaged, as whoever runs ecsplan meets it: what is said, what still works, and the way out."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ecsplan.core.codec import to_json
from ecsplan.core.model import Identity
from ecsplan.journal import Deployment, Journal, Opened, open_store
from tests.support.processes import environment
from tests.support.specs import shop
from tests.support.world import ACCOUNT, REGION, World

FOLDER = Path(".ecsplan") / "shop" / "123456789012-eu-west-1"


@pytest.fixture
def deployed(world: World) -> World:
    world.write(shop())
    for tag in ("v1", "v2", "v3"):
        world.deploy(tag)
    world.forget()
    return world


def path(number: int) -> Path:
    return FOLDER / f"{number:06d}.jsonl"


def read(number: int) -> Deployment:
    return Journal(open_store(".ecsplan"), "shop", Identity(account=ACCOUNT, region=REGION)).read(number)


def contents() -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in FOLDER.glob("*.jsonl")}


def with_line(number: int, line: bytes) -> None:
    first, *rest = path(number).read_bytes().splitlines(keepends=True)
    path(number).write_bytes(b"".join([first, line + b"\n", *rest]))


def torn(number: int) -> None:
    with_line(number, b'{"entry":"be')


def newer(number: int) -> None:
    whole = path(number).read_bytes()
    path(number).write_bytes(whole.replace(b'"format_version":"1.1"', b'"format_version":"2.0"', 1))


def swapped(number: int) -> None:
    first, second, *rest = path(number).read_bytes().splitlines(keepends=True)
    path(number).write_bytes(b"".join([second, first, *rest]))


def foreign(number: int) -> None:
    with_line(number, b'{"entry":"began","at":"2026-01-01T00:00:00Z","step":77}')


DAMAGES = {
    torn: "line 2 is damaged",
    newer: "line 1: written in format 2.0, and this ecsplan reads 1.1",
    swapped: "line 1: the plan of the deployment should stand here",
    foreign: "line 2: the plan has no step 77",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("number", [1, 3])
def test_is_named_and_nothing_is_overwritten(deployed: World, damage: object, number: int) -> None:
    """An old one as well as the newest: nobody knows what it has left."""
    assert callable(damage)
    damage(number)
    before = contents()
    for command in (("deploy", "v4", "--yes"), ("rollback", "--yes"), ("resume",), ("show", str(number))):
        ran = deployed.run(*command)
        assert ran.code == 1, (command, ran.said)
        assert f"{path(number)}: {DAMAGES[damage]}" in ran.err
        assert "move it away" in ran.err or "Use the version of ecsplan that wrote it" in ran.err
    assert (deployed.sent(), contents()) == ([], before)
    shown = deployed.history()
    assert [one["number"] for one in shown] == [1, 2, 3]
    assert [one["number"] for one in shown if "error" in one] == [number]
    assert all(deployed.run("show", str(other)).code == 0 for other in {1, 2, 3} - {number})


def test_the_way_out_is_to_move_it_away(deployed: World) -> None:
    """What the message says works; the gap is shown, and a rollback across it says what it cannot do."""
    torn(2)
    assert "move it away" in deployed.run("deploy", "v4", "--yes").err
    path(2).rename("damaged.jsonl")
    deployed.deploy("v4")
    assert [(one["number"], one.get("outcome", "missing" in one.get("error", ""))) for one in deployed.history()] == [
        (1, "succeeded"), (2, True), (3, "succeeded"), (4, "succeeded"),
    ]  # fmt: skip
    assert "missing" in deployed.ok("history").out
    ran = deployed.run("show", "2")
    assert (ran.code, "there is no deployment 2" in ran.err) == (3, True)
    shown = deployed.ok("rollback", "--to", "1", "--plan")
    assert "the journal lacks deployment 2: what it changed goes back only as far as the others tell" in shown.out
    assert "lacks" not in deployed.ok("rollback", "--to", "3", "--plan").said
    deployed.ok("rollback", "--to", "1", "--yes")
    assert deployed.image(deployed.on("web")) == "web:v1"


def test_a_folder_that_cannot_be_read(deployed: World) -> None:
    """A file stands in its place, which stops root too."""
    FOLDER.rename("away")
    FOLDER.write_bytes(b"no folder")
    for command in (("plan", "v4"), ("deploy", "v4", "--yes"), ("rollback", "--yes"), ("resume",)):
        ran = deployed.run(*command)
        assert ran.code == 1, (command, ran.said)
        assert f"the journal {FOLDER} cannot be" in ran.err
    assert deployed.sent() == []
    assert FOLDER.read_bytes() == b"no folder"


def limited(size: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process that cannot make any file larger than `size`, as on a disk that is full."""
    return subprocess.run(
        [sys.executable, "-m", "ecsplan", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


def first_line(number: int) -> int:
    return len(path(number).read_bytes().partition(b"\n")[0]) + 1


def test_a_disk_that_is_full_before_the_first_call(deployed: World) -> None:
    deployed.ok("plan", "v4")
    deployed.forget()
    ran = limited(1000, "apply")
    assert ran.returncode == 1, ran.stderr
    assert "cannot be written: File too large" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert (deployed.sent(), path(4).exists()) == ([], False)
    deployed.ok("apply")


@pytest.mark.parametrize("entries", [110, 250, 700])
def test_a_disk_that_is_full_on_the_way(deployed: World, entries: int) -> None:
    """Nothing more is sent; what is written is whole, and from there the deployment can be finished."""
    deployed.ok("plan", "v4")
    assert limited(10**9, "apply").returncode == 0
    room = first_line(4) + entries  # the same command makes a first line of the same length, give or take a few digits
    deployed.ok("plan", "v5")
    deployed.forget()
    ran = limited(room, "apply")
    assert ran.returncode == 7, ran.stderr
    assert "cannot be written: File too large" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert path(5).read_bytes().endswith(b"\n")
    left = read(5)
    assert left.entries
    begun = [step.call.operation for step in left.plan.steps if step.index in left.begun()]
    assert len(deployed.sent()) <= len(begun)
    deployed.ok("resume")
    assert deployed.image(deployed.on("web")) == "web:v5"
    assert set(deployed.pointing("nightly").values()) == {deployed.on("web")} == {deployed.on("admin")}
    assert deployed.sent().count("RegisterTaskDefinition") == 1


def test_the_newest_of_a_newer_ecsplan(deployed: World) -> None:
    """Its minor additions are read; nothing is taken away from it."""
    opened, *rest = path(3).read_bytes().splitlines(keepends=True)
    again = to_json(Opened(**{name: getattr(read(3).opened, name) for name in Opened.__struct_fields__}))
    assert opened == again + b"\n"
    path(3).write_bytes(
        opened.replace(b'"format_version":"1.1"', b'"format_version":"1.9","later":1', 1) + b"".join(rest)
    )
    assert deployed.history()[2]["outcome"] == "succeeded"
    deployed.deploy("v4")
    assert b'"later":1' in path(3).read_bytes()


def test_only_the_owner_may_read_what_is_written(deployed: World) -> None:
    modes = {one.name: oct(one.stat().st_mode & 0o777) for one in FOLDER.iterdir()}
    assert {mode for name, mode in modes.items() if name.endswith((".jsonl", ".json", "lock"))} == {"0o600"}
    for folder in (FOLDER, FOLDER.parent, FOLDER.parent.parent):
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert oct((FOLDER.parent / "plan.json").stat().st_mode & 0o777) == "0o600"
    assert [one.name for one in FOLDER.iterdir() if one.name.startswith(".")] == []  # no temporary file is left
