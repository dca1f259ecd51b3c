"""The stream of events: docs/output.md names all of it, and what a program reads is what was told."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from ecsplan.core import events
from ecsplan.core.codec import from_data
from ecsplan.core.diagnosis import ContainerEnd, Diagnosis, LogTail, Pause, ServiceEvent, Status, StoppedTasks, Tally
from ecsplan.core.model import Action, Address, Phase, Step
from ecsplan.journal import Outcome
from ecsplan.render.json import INTERNAL, event_json, stream_head
from tests.support.paths import DOCS
from tests.unit.builders import register, update

PAGE = (DOCS / "output.md").read_text(encoding="utf-8")
WEB = Address("service.prod/web")
WHOLE = Diagnosis(
    reason="it crashed",
    failures=3,
    threshold=3,
    alarms=("web-5xx",),
    events=(ServiceEvent(text="unable to place", count=2, at="2026-01-01T00:00:00Z"),),
    tasks=(
        StoppedTasks(
            count=3,
            reason="Essential container in task exited",
            stop_code="EssentialContainerExited",
            containers=(ContainerEnd(name="web", exit_code=137, reason="OutOfMemoryError", meaning="out of memory"),),
            task="t",
        ),
    ),
    logs=(LogTail(container="web", task="t", group="/shop", stream="ecs/web/t", lines=("a", "b")),),
    unseen=("the alarms",),
)


def known(step: Step) -> Step:
    """Without references, which read `(known after apply)` in the stream."""
    return msgspec.structs.replace(step, call=msgspec.structs.replace(step.call, params={"family": "web"}), changes=())


STEP = msgspec.structs.replace(known(register()), undo=update().undo)
STORY: tuple[events.Event, ...] = (
    events.DeploymentStarted(
        number=7,
        app="shop",
        tag="v42",
        steps=1,
        planned=(
            events.Planned(index=1, phase=Phase.UPDATE, address=WEB, action=Action.UPDATE),
            events.Planned(index=2, phase=Phase.UPDATE, address=WEB, action=Action.UPDATE, made=True),
        ),
    ),
    events.StepStarted(step=STEP),
    events.StepDone(step=STEP, outputs={"arn": "x"}, undo=True),
    events.StepFailed(step=STEP, error="no"),
    events.Progressed(address=WEB, note="rolling out", done=False, ok=True, elapsed=0.5),
    events.Progressed(
        address=WEB,
        step=3,
        note="paused",
        done=False,
        ok=True,
        elapsed=1.0,
        verdict="paused",
        tally=Tally(running=1, desired=2, pending=1, failed=3),
        stage="BAKE_TIME",
        traffic=50.0,
        newest="has started",
        pause=Pause(deployment="d", hook="h", stage="s", expires="2026-01-01T00:00:00Z", action="ROLLBACK"),
    ),
    events.Logged(
        address=Address("run_task.web/migrate"),
        source="web/migrate",
        task="t",
        container="web",
        at="2026-01-01T00:00:00Z",
        text="Applying auth.0001 \N{SNOWMAN}\n",
    ),
    events.Diagnosed(address=WEB, diagnosis=WHOLE),
    events.Continued(address=WEB, hook="h", stage="POST_SCALE_UP"),
    events.Warned(message="mind"),
    events.Paced(call="ecs:update_service", per_second=5.0, waiting=40),
    events.UndoStarted(reason="no"),
    events.DeploymentEnded(number=7, outcome="put back", reason="no"),
)
TYPES = {str(one.__struct_config__.tag): one for one in events.Event.__subclasses__()}
MEMBERS = re.compile(r"`([a-z_]+)`")


def sections() -> dict[str, str]:
    """By event, what the page says of it."""
    _, *parts = re.split(r"^##+ ", PAGE, flags=re.MULTILINE)
    named = (part.partition("\n") for part in parts)
    return {name.strip("`"): text for name, _, text in named if name.startswith("`")}


def test_every_event_is_documented_and_no_other() -> None:
    assert set(sections()) == set(TYPES)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_member_of_an_event_is_documented(name: str) -> None:
    assert set(TYPES[name].__struct_fields__) - INTERNAL <= set(MEMBERS.findall(sections()[name]))


@pytest.mark.parametrize(("name", "inner"), [
    ("deployment_started", events.Planned), ("progressed", Tally), ("progressed", Pause), ("diagnosed", Diagnosis),
])  # fmt: skip
def test_so_are_those_within(name: str, inner: Any) -> None:
    assert set(inner.__struct_fields__) <= set(MEMBERS.findall(sections()[name]))


def test_so_is_every_word_that_stands_for_one_of_a_few() -> None:
    found = sections()
    assert [one.value for one in Status if f"`{one.value}`" not in found["progressed"]] == []
    outcomes = [one.value for one in Outcome if one is not Outcome.RUNNING]
    assert [one for one in outcomes if f"`{one}`" not in found["deployment_ended"]] == []
    assert [one.value for one in Phase if f"`{one.value}`" not in found["deployment_started"]] == []


def test_the_story_has_every_event() -> None:
    assert {type(event) for event in STORY} == set(TYPES.values())


@pytest.mark.parametrize("event", STORY, ids=lambda event: type(event).__name__)
def test_what_is_read_is_what_was_told(event: events.Event) -> None:
    text = event_json(event)
    assert "\n" not in text
    data = json.loads(text)
    assert from_data(data, TYPES[data["event"]]) == event


def test_the_first_line_is_the_version() -> None:
    assert stream_head() in PAGE
    assert json.loads(stream_head()) == {"format_version": "1.1", "event": "version"}
