"""Which log streams one-off tasks write to, as far as their task definition and a look at them tell."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from ecsplan.core.model import Action, Doc
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Stream, Tracked
from tests.unit.fakes_kinds import ECS, call, kind, step_of, track

KIND = kind("run_task")
ONE = "0123456789abcdef"
LOGS = {"web": ["/shop/web", "eu-west-1", "ecs"]}


def waiting(logs: Doc | None = None, **expect: Any) -> Tracked:
    given = {"count": 1, "essential": ["web"], "logs": LOGS if logs is None else logs} | expect
    step = step_of("run_task.web/migrate", call("run_task"), action=Action.RUN, expect=given)
    return Tracked(kind=kind_of(step.address), step=step, call=step.call, outputs={"tasks": f"{ECS}task/prod/{ONE}"})


def task(status: str = "RUNNING", *containers: Doc, **more: Any) -> Doc:
    return {"taskArn": f"{ECS}task/prod/{ONE}", "lastStatus": status, "containers": list(containers), **more}


def streams(one: Tracked, *tasks: Doc) -> tuple[Stream, ...]:
    return track(KIND).streams(one, [{"tasks": list(tasks)}])


def test_a_stream_is_named_after_prefix_container_and_task() -> None:
    assert streams(waiting(), task()) == (
        Stream(
            task=ONE,
            container="web",
            source="migrate",
            region="eu-west-1",
            group="/shop/web",
            name=f"ecs/web/{ONE}",
        ),
    )


def test_without_a_prefix_nobody_knows_its_name() -> None:
    (stream,) = streams(waiting({"web": ["/shop/web", "eu-west-1", ""]}), task())
    assert (stream.name, stream.container) == ("", "web")


def test_nothing_else_is_followed() -> None:
    assert streams(waiting({}), task()) == ()
    assert streams(waiting({"web": "/shop/web", "log": ["/shop"]}), task()) == ()
    plain = waiting()
    plain.step.expect.pop("logs")
    assert streams(plain, task()) == ()


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "ACTIVATING"])
def test_a_container_that_has_not_started_has_no_stream_yet(status: str) -> None:
    assert streams(waiting(), task(status)) == ()
    assert streams(waiting(), {"taskArn": "x"}, {"lastStatus": "RUNNING"}) == ()


def test_one_that_never_started_has_none() -> None:
    logs = {"web": ["/a", "", "ecs"], "proxy": ["/b", "", "ecs"]}
    ended = task("STOPPED", {"name": "web", "exitCode": 0}, {"name": "proxy", "reason": "CannotPullContainerError"})
    assert [stream.container for stream in streams(waiting(logs), ended)] == ["web"]


@pytest.mark.parametrize(
    ("times", "ended"),
    [
        ({"executionStoppedAt": 12.5, "stoppedAt": 40}, 12.5),
        ({"stoppedAt": datetime(2024, 1, 1, tzinfo=UTC)}, 1704067200.0),
        ({"stoppedAt": "soon"}, math.inf),
        ({}, math.inf),
    ],
)
def test_when_its_containers_have_ended(times: Doc, ended: float | None) -> None:
    (stream,) = streams(waiting(), task("STOPPED", {"name": "web", "exitCode": 1}, **times))
    assert stream.ended == ended
    (running,) = streams(waiting(), task())
    assert running.ended is None


@pytest.mark.parametrize(
    ("logs", "expect", "sources"),
    [
        ({"web": ["/a", "", "e"]}, {}, ["migrate"]),
        ({"web": ["/a", "", "e"], "log": ["/a", "", "e"]}, {}, ["migrate web", "migrate log"]),
        ({"web": ["/a", "", "e"]}, {"count": 2}, ["migrate 01234567"]),
        ({"web": ["/a", "", "e"]}, {"count": 1, "of": 11}, ["migrate 01234567"]),
        ({"web": ["/a", "", "e"], "log": ["/a", "", "e"]}, {"count": 2},
         ["migrate web 01234567", "migrate log 01234567"]),
    ],
)  # fmt: skip
def test_what_people_call_the_writer(logs: Doc, expect: Doc, sources: list[str]) -> None:
    """No more than tells one from the others."""
    assert [stream.source for stream in streams(waiting(logs, **expect), task())] == sources
