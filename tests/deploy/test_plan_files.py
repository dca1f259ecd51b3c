"""A saved plan: what it holds, where it may be applied, and what is refused as none."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecsplan.core.codec import digest_of
from tests.support.specs import shop, spec, task
from tests.support.toml import Doc
from tests.support.world import World

SAVED = Path(".ecsplan/shop/plan.json")


def edited(world: World, edit: Callable[[Doc], Any], *, sealed: bool = True) -> Path:
    """The saved plan after `edit`; `sealed` gives it a digest that fits, as somebody with bad intentions would."""
    data = json.loads((world.folder / SAVED).read_bytes())
    edit(data)
    if sealed:
        data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    path = world.folder / "edited.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def refused(world: World, path: Path) -> str:
    world.forget()
    ran = world.run("apply", str(path))
    assert (ran.code, ran.out) == (3, ""), ran.said
    assert ran.err.count("error: ") == 1
    assert not world.aws.requests
    assert world.history() == []
    return ran.err


@pytest.fixture
def planned(world: World) -> World:
    world.write(shop())
    world.ok("plan", "v1")
    return world


def test_is_for_its_owner_only(planned: World) -> None:
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (SAVED, SAVED.parent, SAVED.parent.parent)}
    assert list(modes.values()) == [0o600, 0o700, 0o700]
    assert (planned.folder / ".ecsplan" / ".gitignore").read_text() == "*\n"


def test_goes_where_it_is_told(planned: World) -> None:
    before = SAVED.read_bytes()
    ran = planned.ok("plan", "v2", "--out", "v2.plan")
    assert "ecsplan apply v2.plan" in ran.out
    assert SAVED.read_bytes() == before
    assert stat.S_IMODE(Path("v2.plan").stat().st_mode) == 0o600
    planned.ok("apply", "v2.plan")
    assert planned.image(planned.on("web")) == "web:v2"


def test_needs_no_spec(planned: World) -> None:
    planned.file.unlink()
    planned.ok("apply", str(SAVED))
    assert planned.on("web") == "web:1"
    assert len(planned.history()) == 1


def test_needs_no_spec_where_the_journal_is(planned: World) -> None:
    planned.file.unlink()
    planned.ok("apply")
    assert planned.on("web") == "web:1"


def test_does_what_was_shown_and_not_what_the_spec_says_by_now(planned: World) -> None:
    planned.write(spec(task("web", services=("web",))), seed=False)
    planned.ok("apply")
    assert planned.sent() == ["RegisterTaskDefinition", "RunTask", "UpdateService", "UpdateService", "PutTargets"]


def test_of_another_app_than_the_spec(planned: World) -> None:
    planned.write(spec(app="other"), seed=False)
    planned.forget()
    ran = planned.run("apply", str(SAVED))
    assert ran.code == 3
    assert "is a plan of shop" in ran.err
    assert not planned.aws.requests


def test_missing(world: World) -> None:
    world.write(spec())
    assert "there is no plan at nowhere.json" in refused(world, Path("nowhere.json"))
    world.forget()
    ran = world.run("apply")
    assert ran.code == 3
    assert "Make one with: ecsplan plan TAG" in ran.err


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"1", b'"plan"', b"\xff\xfe", b"{}", b"PK\x03\x04", b"[" * 100_000]
)
def test_garbage(planned: World, content: bytes) -> None:
    Path("garbage").write_bytes(content)
    said = refused(planned, Path("garbage"))
    assert "garbage is not a plan of ecsplan" in said
    assert "Nothing was sent." in said


def test_a_folder(planned: World) -> None:
    assert ".ecsplan" in refused(planned, Path(".ecsplan"))


@pytest.mark.parametrize("version", ["2.0", "0.9", "11.0", "x"])
def test_of_another_version(planned: World, version: str) -> None:
    said = refused(planned, edited(planned, lambda data: data.update(format_version=version)))
    assert f"written in format {version}, and this ecsplan reads 1.1" in said


@pytest.mark.parametrize("version", [1, None, [], {}])
def test_of_a_version_that_is_none(planned: World, version: object) -> None:
    refused(planned, edited(planned, lambda data: data.update(format_version=version)))


def test_of_a_newer_minor_version(planned: World) -> None:
    """Readers ignore what they do not know."""
    path = edited(planned, lambda data: data.update(format_version="1.7", mood="good"))
    planned.ok("apply", str(path))


def test_without_version(planned: World) -> None:
    assert "format_version" in refused(planned, edited(planned, lambda data: data.pop("format_version")))


def test_changed_by_hand(planned: World) -> None:
    def edit(data: Doc) -> None:
        data["steps"][0]["call"]["params"]["containerDefinitions"][0]["image"] = "evil:latest"

    said = refused(planned, edited(planned, edit, sealed=False))
    assert "changed after it was made" in said


def call(service: str, operation: str) -> Doc:
    return {"type": "call", "service": service, "operation": operation, "params": {}}


@pytest.mark.parametrize("where", ["call", "undo"])
@pytest.mark.parametrize(
    "foreign",
    [
        call("iam", "delete_role"),
        call("ecs", "delete_service"),
        call("ecs", "create_cluster"),
        call("sts", "get_caller_identity"),
        call("ecs", "run_task"),  # a kind makes it, but not the kind of that step
        call("ecs", "__class__"),
        call("", ""),
    ],
)
def test_with_an_operation_that_no_kind_makes(planned: World, foreign: Doc, where: str) -> None:
    def edit(data: Doc) -> None:
        data["steps"][2][where] = foreign

    said = refused(planned, edited(planned, edit))
    assert f"{foreign['service']}:{foreign['operation']}, which ecsplan never does" in said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "load_balancer.web"),
        ("address", "nonsense"),
        ("phase", "destroy"),
        ("action", "explode"),
        ("index", "one"),
        ("call", None),
        ("undo", {"type": "shell", "command": "rm -rf /"}),
    ],
)
def test_with_values_that_are_none(planned: World, field: str, value: object) -> None:
    def edit(data: Doc) -> None:
        data["steps"][0][field] = value

    refused(planned, edited(planned, edit))


@pytest.mark.parametrize("field", ["app", "identity", "steps", "changes", "observed", "digest"])
def test_with_a_part_missing(planned: World, field: str) -> None:
    refused(planned, edited(planned, lambda data: data.pop(field), sealed=field != "digest"))


@pytest.mark.parametrize("app", ["../evil", "{here}/evil", "..", ".", "a/b", ""])
def test_with_an_app_that_is_no_name(planned: World, app: str) -> None:
    """The app's name becomes a folder: a plan file cannot choose another place for it."""
    planned.file.unlink()
    path = edited(planned, lambda data: data.update(app=app.format(here=planned.folder)))
    planned.forget()
    ran = planned.run("apply", str(path))
    assert ran.code == 3
    assert planned.sent() == []
    assert {one.name for one in planned.folder.iterdir()} == {".ecsplan", "edited.json"}
    assert {one.name for one in (planned.folder / ".ecsplan").iterdir()} == {".gitignore", "shop"}
