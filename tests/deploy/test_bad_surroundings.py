"""Credentials, region, account, network, lock, disk: one clear message, the right exit code, nothing sent or lost."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from ecsplan.core.model import Identity
from ecsplan.journal import Journal, Origin, open_store
from tests.support.paths import journal_file
from tests.support.specs import shop, spec
from tests.support.world import ACCOUNT, REGION, World


def test_no_credentials(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(spec())
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = world.run("plan", "v1")
    assert (ran.code, ran.out) == (1, "")
    assert "no AWS credentials were found" in ran.err
    assert "AWS_PROFILE" in ran.err
    assert ran.err.count("error: ") == 1
    assert not world.aws.requests


def test_half_of_the_credentials(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(spec())
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ran = world.run("plan", "v1")
    assert (ran.code, ran.out) == (1, "")
    assert "credentials" in ran.err
    assert not world.aws.requests


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"])
def test_credentials_that_aws_refuses(world: World, code: str) -> None:
    world.write(spec())
    world.aws.fault("*", "error", times=50, code=code, message="No such luck.", status=403)
    ran = world.run("plan", "v1")
    assert (ran.code, ran.out) == (1, "")
    assert code in ran.err
    assert "credentials" in ran.err
    assert ran.err.count("error: ") == 1
    assert world.sent() == []


def test_a_profile_that_does_not_exist(world: World) -> None:
    world.write(spec())
    ran = world.run("--profile", "nobody", "plan", "v1")
    assert (ran.code, ran.out) == (3, "")
    assert "nobody" in ran.err
    assert not world.aws.requests


def test_no_region(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(spec())
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    ran = world.run("plan", "v1")
    assert (ran.code, ran.out) == (3, "")
    assert "no AWS region is set" in ran.err
    assert "--region" in ran.err
    assert not world.aws.requests


@pytest.mark.parametrize("command", [("plan", "v1"), ("deploy", "v1", "--yes"), ("rollback", "--yes")])
def test_the_wrong_account(world: World, command: tuple[str, ...]) -> None:
    world.write(spec(account="999999999999"))
    ran = world.run(*command)
    assert (ran.code, ran.out) == (1, "")
    assert f"these credentials are of account {ACCOUNT}, and the spec is for account 999999999999" in ran.err
    assert world.sent() == []


def test_the_right_account(world: World) -> None:
    world.write(spec(account=ACCOUNT))
    world.deploy("v1")


def test_the_wrong_account_explains_what_is_missing_there(world: World) -> None:
    """Services that are not there are a consequence, and not told."""
    world.write(spec(account="999999999999"), seed=False)
    ran = world.run("plan", "v1")
    assert ran.code == 1
    assert "account" in ran.err
    assert "there is no service" not in ran.err


def test_an_endpoint_that_cannot_be_reached(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore tries five times and waits in between; all in all a few seconds."""
    world.write(spec())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    began = time.monotonic()
    ran = world.run("plan", "v1")
    assert (ran.code, ran.out) == (1, "")
    assert f"127.0.0.1:{port}" in ran.err
    assert "AWS_ENDPOINT_URL" in ran.err
    assert ran.err.count("error: ") == 1
    assert time.monotonic() - began < 20
    assert not world.aws.requests


def test_permission_that_is_missing(world: World) -> None:
    world.write(shop())
    world.aws.fault("DescribeServices", "error", times=9, code="AccessDeniedException", message="Not authorized.")
    ran = world.run("plan", "v1")
    assert (ran.code, ran.out) == (1, "")
    assert "ecs:describe_services" in ran.err
    assert "AccessDeniedException" in ran.err
    assert "permission" in ran.err
    assert world.sent() == []


def test_a_throttled_plan_goes_on(world: World) -> None:
    world.write(shop())
    world.aws.fault("DescribeServices", "throttle", times=1)
    assert world.plan("v1")["changed"] is True


def locked(world: World) -> Journal:
    return Journal(open_store(world.folder / ".ecsplan"), "shop", Identity(account=ACCOUNT, region=REGION))


@pytest.mark.parametrize("command", [("apply",), ("deploy", "v2", "--yes"), ("rollback", "--yes")])
def test_another_deployment_is_running(world: World, command: tuple[str, ...]) -> None:
    """Named with who and since when; the lock is free again afterwards."""
    world.write(spec())
    world.deploy("v1")
    world.ok("plan", "v2")
    world.forget()
    holder = Origin(user="ana", host="build-7", pid=4711, command="ecsplan apply")
    with locked(world).locked(holder, "2026-01-02T03:04:05Z"):
        ran = world.run(*command)
    assert ran.code == 5
    assert "another deployment of shop is running: ana@build-7, process 4711" in ran.err
    assert "2026-01-02T03:04:05Z" in ran.err
    assert world.sent() == []
    assert len(world.history()) == 1
    world.ok(*command)


def test_looking_needs_no_lock(world: World) -> None:
    world.write(spec())
    world.deploy("v1")
    with locked(world).locked(Origin(user="ana", host="a", pid=1, command="x"), "2026-01-02T03:04:05Z"):
        world.ok("history")
        world.ok("show", "1")
        world.ok("plan", "v2")


def test_planning_while_a_deployment_runs_says_so(world: World) -> None:
    world.write(spec())
    world.deploy("v1")
    path = journal_file(locked(world), 1)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    holder = {"user": "ana", "host": socket.gethostname(), "pid": os.getppid(), "command": "ecsplan deploy v1"}
    (path.parent / "holder.json").write_text(json.dumps({"since": "2026-01-02T03:04:05Z", "holder": holder}))
    said = "deployment 1 is running; no plan can be applied before it has ended"
    assert said in world.plan("v2")["warnings"]


def test_a_refused_plan_leaves_no_lock(world: World) -> None:
    world.write(spec())
    world.ok("plan", "v1")
    world.ecs("UpdateService", cluster="prod", service="web", healthCheckGracePeriodSeconds=9)
    assert world.run("apply").code == 4
    world.deploy("v1")


def test_a_journal_that_cannot_be_written(world: World) -> None:
    """Nothing is sent that could not be remembered."""
    world.write(spec())
    blocked = world.folder / "blocked"
    blocked.write_text("a file where a folder should be")
    world.ok("plan", "v1", "--out", "my.plan")
    world.forget()
    ran = world.run("--journal", str(blocked), "apply", "my.plan")
    assert ran.code == 1
    assert "blocked" in ran.err
    assert world.sent() == []


def test_a_plan_that_cannot_be_saved(world: World) -> None:
    world.write(spec())
    ran = world.run("plan", "v1", "--out", "no/such/folder/plan.json")
    assert ran.code == 1
    assert "no/such/folder/plan.json" in ran.err


def damaged(world: World) -> Path:
    path = journal_file(locked(world), 1)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], b'{"entry": "bega', *lines[2:], b""]))
    return path


@pytest.mark.parametrize("command", [("show", "1"), ("deploy", "v2", "--yes"), ("rollback", "--yes")])
def test_a_damaged_journal(world: World, command: tuple[str, ...]) -> None:
    """An error that names file and line; nothing is done on top of what cannot be read."""
    world.write(spec())
    world.deploy("v1")
    path = damaged(world)
    world.forget()
    ran = world.run(*command)
    assert ran.code == 1
    assert f"{os.fspath(path.relative_to(world.folder))}: line 2" in ran.err
    assert world.sent() == []


def test_history_of_a_damaged_journal_shows_the_rest(world: World) -> None:
    world.write(spec())
    world.deploy("v1")
    world.deploy("v2")
    damaged(world)
    first, second = world.history()
    assert (first["number"], "line 2" in first["error"]) == (1, True)
    assert (second["number"], second["outcome"]) == (2, "succeeded")
    assert "unreadable" in world.ok("history").out


def test_a_torn_last_line_is_no_damage(world: World) -> None:
    """As a crash leaves it: the deployment has no end, and the next one is refused until somebody decides."""
    world.write(spec())
    world.deploy("v1")
    path = journal_file(locked(world), 1)
    path.write_bytes(path.read_bytes()[:-20])
    assert world.history()[0]["outcome"] == "unfinished"
    world.forget()
    ran = world.run("deploy", "v2", "--yes")
    assert ran.code == 7
    assert "deployment 1 is unfinished" in ran.err
    assert "rollback" in ran.err
    assert world.sent() == []
