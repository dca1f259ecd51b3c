"""What only a process shows: imports, pipes, the embedded AWS as a server."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest

from ecsplan.core.clock import SystemClock
from tests.support.processes import PATIENCE, environment, python, started
from tests.support.specs import TOPIC, shop, spec
from tests.support.world import World

COMMANDS = ("plan", "apply", "deploy", "rollback", "history", "show", "render", "validate", "sandbox", "demo")
HEAVY = ("boto3", "botocore", "deepdiff", "moto")


def imported(*arguments: str) -> set[str]:
    """The packages that a command has imported when it ends."""
    code = (
        "import contextlib, io, sys\n"
        "from ecsplan import cli\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    code = cli.run({list(arguments)!r})\n"
        "assert code == 0, code\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    return set(python(code).split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("plan", "--help"), ("deploy", "--help")])
def test_help_imports_nothing_heavy(world: World, arguments: tuple[str, ...]) -> None:
    assert imported(*arguments).isdisjoint({*HEAVY, "rich"})


@pytest.mark.parametrize("arguments", [("history",), ("history", "--format", "json"), ("show", "1")])
def test_looking_imports_nothing_heavy(world: World, arguments: tuple[str, ...]) -> None:
    world.write(shop())
    world.deploy("v1")
    assert imported(*arguments).isdisjoint(HEAVY)


def test_a_plan_without_a_difference_imports_no_deepdiff(world: World) -> None:
    world.write(shop())
    world.deploy("v1")
    found = imported("plan", "v1")
    assert "deepdiff" not in found
    assert "botocore" in found


def test_help_lists_all_commands(world: World) -> None:
    text = world.ok("--help").out
    listed = [line.split()[0] for line in text.partition("Commands:")[2].splitlines() if line.strip()]
    assert set(COMMANDS) <= set(listed)
    for command in COMMANDS:
        assert world.ok(command, "--help").out.startswith(f"Usage: ecsplan {command}")


def test_version(world: World) -> None:
    ran = world.ok("--version")
    assert ran.out.startswith("ecsplan, version ")


def test_a_deployment_as_a_process(world: World) -> None:
    """Results on stdout, progress on stderr, plain text, the exit code."""
    world.write(shop())
    with started("plan", "v1", "--detailed-exitcode") as process:
        code, out, err = process.ended()
    assert (code, err) == (2, "")
    assert "to register" in out
    with started("apply") as process:
        code, out, err = process.ended()
    assert (code, out) == (0, "Deployment 1 succeeded.\n")
    assert "registered web:1" in err
    assert "\033" not in out + err


def test_a_reader_who_has_gone(world: World) -> None:
    """`ecsplan history | head -1` is no reason for a traceback."""
    world.write(spec())
    for number in range(3):
        world.deploy(f"v{number}")
    command = [sys.executable, "-m", "ecsplan", "render", "v1"]
    ran = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert ran.stdout is not None
    assert ran.stderr is not None
    ran.stdout.close()
    err = ran.stderr.read()
    ran.stderr.close()
    ran.wait(timeout=PATIENCE)
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err


@pytest.mark.parametrize(("answer", "code", "revision"), [("y", 0, "web:1"), ("n", 1, "sandbox-placeholder:1")])
def test_a_question_on_a_terminal(world: World, answer: str, code: int, revision: str) -> None:
    """The plan is shown and a question asked; nothing is sent before the answer, and nothing at all after a no."""
    world.write(spec())
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ecsplan", "deploy", "v1"]
    asking = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment())
    os.close(theirs)
    said = b""
    while b"Apply this plan?" not in said:
        said += os.read(ours, 1024)
    assert world.sent() == []
    os.write(ours, f"{answer}\n".encode())
    with contextlib.suppress(OSError):  # the other end is closed when the process has ended
        while more := os.read(ours, 1024):
            said += more
    out, _ = asking.communicate(timeout=PATIENCE)
    os.close(ours)
    assert asking.returncode == code
    assert b"to register" in out
    assert world.on("web") == revision
    assert (b"Nothing was changed." in said) == (answer == "n")


def exported(lines: list[str]) -> dict[str, str]:
    pairs = [line.removeprefix("export ").partition("=") for line in lines if line.startswith("export ")]
    return {name: value.strip().strip("'\"") for name, _, value in pairs}


def test_sandbox(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prints the environment to use it, has what the spec names, serves a deployment, and ends with Ctrl-C."""
    world.write(shop(sns_notification_topic_arn=TOPIC), seed=False)
    with started("sandbox") as process:
        assert process.running.stdout is not None
        lines = [process.running.stdout.readline()]
        while lines[-1] and "Ctrl-C" not in lines[-1]:
            lines.append(process.running.stdout.readline())
        settings = exported(lines)
        assert set(settings) == {
            "AWS_ENDPOINT_URL",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_DEFAULT_REGION",
        }
        assert settings["AWS_ENDPOINT_URL"] != world.aws.url
        assert all(line.startswith(("export ", "#")) for line in lines)  # `eval "$(ecsplan sandbox …)"` reads it
        said = "".join(lines)
        for name in ("prod/web", "prod/admin", "nightly", "deploys"):
            assert name in said
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        # The sandbox is a process with the machine's clock, and throttles by it.
        world.ok("deploy", "v1", "--yes", "--no-wait", clock=SystemClock(threading.Event()))
        make: object = boto3.client
        ecs = make("ecs", endpoint_url=settings["AWS_ENDPOINT_URL"])  # type: ignore[operator]
        (web,) = ecs.describe_services(cluster="prod", services=["web"])["services"]
        ecs.close()
        assert web["taskDefinition"].endswith("/web:1")
        process.send(signal.SIGINT)
        code, _, err = process.ended()
    assert (code, err) == (0, "")
    assert not world.aws.requests


def test_sandbox_without_a_spec(world: World) -> None:
    with started("sandbox") as process:
        assert process.running.stdout is not None
        while "Ctrl-C" not in (line := process.running.stdout.readline()):
            assert line
        process.send(signal.SIGINT)
        assert process.ended()[0] == 0


def test_sandbox_on_a_port_that_is_taken(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = world.run("sandbox", "--port", str(port))
    assert ran.code in (1, 3)
    assert str(port) in ran.err
    assert ran.err.startswith("error: ")


def test_letters_that_the_terminal_does_not_have(world: World) -> None:
    made = shop()
    made["tasks"]["web"]["task_definition"]["containerDefinitions"][0]["environment"] = [
        {"name": "GREETING", "value": "\u4f60\u597d \u2026"}
    ]
    world.write(made)
    ran = subprocess.run(
        [sys.executable, "-m", "ecsplan", "deploy", "v1", "--yes"],
        env={**environment(), "PYTHONIOENCODING": "latin-1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, world.history()[-1]["outcome"]) == (0, "succeeded"), ran.stderr
    assert r"\u4f60\u597d \u2026" in ran.stdout


def test_a_disk_that_is_full_behind_stdout_changes_no_outcome(world: World) -> None:
    world.write(shop())
    world.ok("plan", "v1")
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "ecsplan", "apply"],
            env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (ran.returncode, world.history()[-1]["outcome"]) == (0, "succeeded")
    assert "nothing was changed" not in ran.stderr
    assert "Traceback" not in ran.stderr
