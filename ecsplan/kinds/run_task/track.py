"""How one-off tasks end: the requests that show it, and what their answers mean."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ecsplan.core.diagnosis import Status, Tally
from ecsplan.core.model import Call, Doc, Step, Value
from ecsplan.kinds.contract import Poll, Progress, Tracked
from ecsplan.kinds.ecs.calls import in_cluster
from ecsplan.kinds.ecs.stopped_tasks import has_stopped

BATCH = 100  # tasks per DescribeTasks (ECS API reference)

# Exit codes of a task that was cut short mean nothing: many programs end with 0 on SIGTERM.
CUT_SHORT = {
    "UserInitiated": "a user stopped it",
    "SpotInterruption": "its Spot capacity was taken back",
    "TerminationNotice": "its instance was taken away",
    "ServiceSchedulerInitiated": "ECS stopped it",
}


class Stopping(Value, frozen=True, kw_only=True):
    """A task of an earlier deployment that is to be stopped: its ARN and cluster, and its revision, for people."""

    task: str
    cluster: str
    revision: str


class Expect(Value, frozen=True, kw_only=True):
    """How many tasks a step starts, which ones of how many, the containers that are judged, and where they log to."""

    count: int = 1
    first: int = 1
    of: int = 0
    """0 where it starts all of them"""
    essential: tuple[str, ...] = ()
    logs: Mapping[str, Any] = msgspec.field(default_factory=dict)
    stops: tuple[Stopping, ...] = ()
    """the tasks that are to be stopped, instead of running any"""


def expected(step: Step) -> Expect:
    return msgspec.convert(step.expect, Expect)


def polls(tracked: Sequence[Tracked]) -> tuple[Poll, ...]:
    looks = []
    for one in tracked:
        arns = one.outputs["tasks"].split()
        cluster = one.call.params.get("cluster")
        for i in range(0, len(arns), BATCH):
            params = in_cluster(cluster, {"tasks": arns[i : i + BATCH]})
            call = Call(service="ecs", operation="describe_tasks", params=params)
            looks.append(Poll(call=call, steps=(one.step.index,)))
    return tuple(looks)


def which(expect: Expect) -> str:
    """The tasks of an address that a step starts: `tasks 11 to 20 of 25`; "" if it starts all of them."""
    first, last, of = expect.first, expect.first + expect.count - 1, expect.of
    if not of:
        return ""
    return f"tasks {first} to {last} of {of}" if last > first else f"task {first} of {of}"


def judge(tracked: Tracked, answers: Sequence[Doc]) -> Progress:
    """Done when every task has stopped; ok if every essential container ended with exit code 0."""
    if tracked.step.call.operation == "stop_task":
        return _stop_progress(answers)
    found, part = _progress(tracked, answers), which(expected(tracked.step))
    return dataclasses.replace(found, note=f"{part}: {found.note}") if part else found


def _progress(tracked: Tracked, answers: Sequence[Doc]) -> Progress:
    tasks = [task for data in answers for task in data.get("tasks", ())]
    wanted = len(tracked.outputs["tasks"].split())
    if not wanted:
        return Progress(done=True, note="assumed done")
    if len(tasks) < wanted:
        if tracked.old:
            return Progress(done=True, ok=False, unknown=True, note="ECS no longer shows the task, nor how it ended")
        # A stopped task is described for an hour, so a missing one is one that ECS does not show yet.
        return Progress(done=False, note="waiting for ECS to show the task", tally=Tally(desired=wanted))
    essential = expected(tracked.step).essential
    states = Counter(str(task.get("lastStatus", "UNKNOWN")) for task in tasks)
    stopped = [task for task in tasks if has_stopped(task)]
    problems = Counter(why for task in stopped if (why := problem(task, essential)))
    tally = Tally(
        running=states["RUNNING"],
        desired=wanted,
        pending=sum(states[state] for state in ("PROVISIONING", "PENDING", "ACTIVATING")),
        failed=problems.total(),
    )
    if len(stopped) < len(tasks):
        return Progress(done=False, note=_states(states), tally=tally)
    if problems:
        said = [f"{count} of {wanted} tasks: {why}" if wanted > 1 else why for why, count in problems.items()]
        return Progress(done=True, ok=False, note="; ".join(said), tally=tally)
    note = f"{wanted} tasks, each with exit code 0" if wanted > 1 else "exit code 0"
    return Progress(done=True, note=note, tally=tally, stated=Status.SUCCEEDED)


def _stop_progress(answers: Sequence[Doc]) -> Progress:
    """A task that is to stop. One that ECS no longer shows has stopped long ago."""
    going = [task for data in answers for task in data.get("tasks", ()) if not has_stopped(task)]
    if going:
        return Progress(done=False, note="stopping")
    return Progress(done=True, note="stopped", stated=Status.SUCCEEDED)


def _states(states: Counter[str]) -> str:
    """`running`, or `1 pending, 2 running` if there are several tasks."""
    if states.total() == 1:
        return next(iter(states)).lower()
    return ", ".join(f"{count} {state.lower()}" for state, count in sorted(states.items()))


def problem(task: Doc, essential: Sequence[str]) -> str:
    """Why a stopped task has failed; "" if it has not."""
    why = str(task.get("stoppedReason") or task.get("stopCode") or "ECS gave no reason").rstrip(".")
    if cut := CUT_SHORT.get(str(task.get("stopCode"))):
        return f"{cut}: {why}"
    containers = {container.get("name"): container for container in task.get("containers", ())}
    if containers.keys().isdisjoint(essential):
        return f"no essential container was seen: {why}"
    for name in essential:
        if name not in containers:
            return f"container {name} was not seen: {why}"
        code, detail = containers[name].get("exitCode"), containers[name].get("reason")
        if code is None:
            return f"container {name} never started: {detail or why}"
        if code != 0:
            return f"container {name} ended with exit code {code}: {detail or why}"
    return ""
