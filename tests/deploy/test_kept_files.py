"""Journals and a plan that an earlier version wrote are read, shown, resumed, rolled back and applied: see the README
in `tests/data/8e13e7f`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ecsplan.core.codec import to_json
from ecsplan.core.model import FORMAT_VERSION, Identity
from ecsplan.journal import Journal, open_store
from ecsplan.plan import file as planfile
from tests.support.paths import ROOT, journal_file
from tests.support.toml import Doc
from tests.support.world import ACCOUNT, REGION, World

KEPT = ROOT / "tests" / "data" / "8e13e7f"
PLAN = KEPT / "v2.plan"
SCENES = ("first", "succeeded", "stopped", "cut_off", "going_back", "put_back")
#: The state of every step of deployment 2, in order.
STATES = {
    "succeeded": ["done", "done", "done", "done", "done"],
    "stopped": ["done", "done", "done", "done", "failed"],
    "cut_off": ["done", "done", "begun", "begun", "planned"],
    "going_back": ["done", "done", "done", "done", "failed"],
    "put_back": ["undone", "failed", "planned", "planned", "planned"],
}
FORWARD = ["RegisterTaskDefinition", "RunTask", "UpdateService", "UpdateService", "PutTargets"]


def journal() -> Journal:
    return Journal(open_store(".ecsplan"), "shop", Identity(account=ACCOUNT, region=REGION))


def stand(world: World, *scenes: str) -> None:
    """The files and the account after these deployments."""
    world.write((KEPT / "ecsplan.toml").read_text())
    for scene in scenes:
        ids = carried_out(world, json.loads((KEPT / scene / "calls.json").read_text()))
        for kept in (KEPT / scene).glob("*.jsonl"):
            path = journal_file(journal(), int(kept.stem))
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept, path)
            known = {one["outputs"]["deployment"] for one in lines(kept) if "deployment" in one.get("outputs", {})}
            assert known <= ids, "the embedded AWS gives other ids than those in the files"
    world.clock.time += 60
    world.forget()


def carried_out(world: World, calls: list[Doc]) -> set[str]:
    """Carries out the calls; the ids of the service deployments that they began."""
    ids = set()
    for call in calls:
        world.clock.time = call["at"]
        answer = getattr(world.client(call["service"]), call["operation"])(**call["params"])
        if call["operation"] == "update_service":
            ids.add(answer["service"]["deployments"][0]["id"])
    return ids


def lines(path: Path) -> list[Doc]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def live(world: World) -> dict[str, str]:
    """The revision of every service and target, and the status of every revision of the family."""
    return {"web": world.on("web"), "admin": world.on("admin")} | world.pointing("nightly") | world.statuses()


def on(revision: str, **revisions: str) -> dict[str, str]:
    """What `live` should be."""
    used = dict.fromkeys(("web", "admin", "report"), revision)
    return used | {name.replace("_", ":"): status for name, status in revisions.items()}


def outcomes(world: World) -> list[str]:
    return [one["outcome"] for one in world.history()]


def run(world: World, *arguments: str, code: int = 0) -> list[str]:
    """The operations that the command sent."""
    world.forget()
    ran = world.run(*arguments, clock=world.clock)
    assert ran.code == code, ran.said
    return world.sent()


# --- read ---


@pytest.mark.parametrize("scene", SCENES)
def test_a_journal_is_shown_as_it_was(world: World, scene: str) -> None:
    stand(world, *dict.fromkeys(("first", scene)))
    kept: dict[str, Any] = json.loads((KEPT / scene / "show.json").read_text())
    shown = world.ok("show", str(kept["number"]), "--format", "json").data
    shown["plan"] = shown["plan"]["digest"]
    assert shown == kept | {"format_version": FORMAT_VERSION}
    listed = world.history()[-1]
    assert listed == {name: kept[name] for name in listed}
    assert [step["state"] for step in kept["steps"]] == STATES.get(scene, ["done"] * 5)
    world.ok("show", str(kept["number"]))
    assert f"{kept['number']} " in world.ok("history").out


@pytest.mark.parametrize("scene", SCENES)
def test_the_same_entries_are_written_as_the_same_bytes(world: World, scene: str) -> None:
    stand(world, *dict.fromkeys(("first", scene)))
    number = journal().numbers()[-1]
    deployment = journal().read(number)
    again = [to_json(entry) + b"\n" for entry in (deployment.opened, *deployment.entries)]
    assert b"".join(again) == journal_file(journal(), number).read_bytes()


def test_the_same_plan_is_saved_as_the_same_bytes(tmp_path: Path) -> None:
    planfile.save(planfile.load(PLAN), tmp_path / "again.plan")
    assert (tmp_path / "again.plan").read_bytes() == PLAN.read_bytes()


# --- gone on with ---


def test_what_succeeded_needs_nothing_more(world: World) -> None:
    stand(world, "first", "succeeded")
    assert run(world, "resume") == []
    assert run(world, "deploy", "v2", "--yes") == []
    assert run(world, "apply", str(PLAN), code=4) == []  # it was applied already
    assert outcomes(world) == ["succeeded", "succeeded"]


def test_what_succeeded_is_rolled_back(world: World) -> None:
    stand(world, "first", "succeeded")
    assert live(world) == on("web:2", web_1="ACTIVE", web_2="ACTIVE")
    sent = run(world, "rollback", "--yes")
    assert sent == ["UpdateService", "UpdateService", "PutTargets", "DeregisterTaskDefinition"]
    assert live(world) == on("web:1", web_1="ACTIVE", web_2="INACTIVE")
    assert world.image("web:1") == "web:v1"
    assert outcomes(world) == ["succeeded"] * 3
    assert run(world, "deploy", "v2", "--yes")[0] == "RegisterTaskDefinition"


def test_what_was_stopped_is_resumed(world: World) -> None:
    stand(world, "first", "stopped")
    assert run(world, "deploy", "v3", "--yes", code=7) == []
    assert run(world, "resume") == ["PutTargets"]
    assert live(world) == on("web:2", web_1="ACTIVE", web_2="ACTIVE")
    assert outcomes(world) == ["succeeded", "succeeded"]


def test_what_was_stopped_is_rolled_back(world: World) -> None:
    stand(world, "first", "stopped")
    assert run(world, "rollback", "--yes") == ["UpdateService", "UpdateService", "DeregisterTaskDefinition"]
    assert live(world) == on("web:1", web_1="ACTIVE", web_2="INACTIVE")
    assert outcomes(world) == ["succeeded", "stopped", "succeeded"]


def test_what_was_cut_off_is_resumed_and_then_rolled_back(world: World) -> None:
    """One update without an end was carried out, which AWS shows, and the other was not."""
    stand(world, "first", "cut_off")
    assert (world.on("web"), world.on("admin")) == ("web:2", "web:1")
    assert run(world, "resume") == ["UpdateService", "PutTargets"]
    assert world.params("UpdateService")[0]["service"] == "admin"
    assert live(world) == on("web:2", web_1="ACTIVE", web_2="ACTIVE")
    assert outcomes(world) == ["succeeded", "succeeded"]
    assert run(world, "rollback", "--yes")[-1] == "DeregisterTaskDefinition"
    assert live(world) == on("web:1", web_1="ACTIVE", web_2="INACTIVE")


def test_what_was_cut_off_is_rolled_back(world: World) -> None:
    stand(world, "first", "cut_off")
    assert run(world, "rollback", "--yes") == ["UpdateService", "DeregisterTaskDefinition"]
    assert live(world) == on("web:1", web_1="ACTIVE", web_2="INACTIVE")
    assert outcomes(world) == ["succeeded", "unfinished", "succeeded"]


def test_what_was_going_back_goes_on_with_that(world: World) -> None:
    stand(world, "first", "going_back")
    assert (world.on("web"), world.on("admin")) == ("web:2", "web:1")
    assert run(world, "resume", code=6) == ["UpdateService", "DeregisterTaskDefinition"]
    assert world.params("UpdateService")[0]["service"] == "web"
    assert live(world) == on("web:1", web_1="ACTIVE", web_2="INACTIVE")
    assert outcomes(world) == ["succeeded", "put back"]


def test_what_was_going_back_is_rolled_back(world: World) -> None:
    stand(world, "first", "going_back")
    assert run(world, "rollback", "--yes") == ["UpdateService", "DeregisterTaskDefinition"]
    assert live(world) == on("web:1", web_1="ACTIVE", web_2="INACTIVE")
    assert outcomes(world) == ["succeeded", "unfinished", "succeeded"]


def test_after_what_was_put_back_the_next_one_is_deployed(world: World) -> None:
    stand(world, "first", "put_back")
    assert run(world, "resume") == []
    assert run(world, "deploy", "v2", "--yes") == FORWARD
    assert live(world) == on("web:3", web_1="ACTIVE", web_2="INACTIVE", web_3="ACTIVE")
    assert outcomes(world) == ["succeeded", "put back", "succeeded"]


def test_a_saved_plan_is_applied(world: World) -> None:
    stand(world, "first")
    assert run(world, "apply", str(PLAN)) == FORWARD
    assert live(world) == on("web:2", web_1="ACTIVE", web_2="ACTIVE")
    assert world.image("web:2") == "web:v2"
    assert journal().read(2).plan.digest == msgspec.json.decode(PLAN.read_bytes())["digest"]
    assert run(world, "rollback", "--yes")[-1] == "DeregisterTaskDefinition"
    assert live(world) == on("web:1", web_1="ACTIVE", web_2="INACTIVE")
