"""Why a one-off task has failed: exit codes, reasons in words, and the last log lines."""

from __future__ import annotations

import pytest

from ecsplan.core.diagnosis import ContainerEnd, Diagnosis, Status
from ecsplan.core.model import Doc
from ecsplan.kinds.contract import Progress
from tests.unit.fakes_diagnosis import FakeAws, broken, container, definition, denied, one_off, task
from tests.unit.fakes_kinds import kind, track

FAILED = Progress(done=True, ok=False, note="container web ended with exit code 1")
LATE = Progress(done=True, ok=False, note="not finished after 60 s", stated=Status.TIMED_OUT)


def found(aws: FakeAws, *ids: str, progress: Progress = FAILED) -> Diagnosis:
    diagnosis = track(kind("run_task")).diagnose(aws, one_off(*ids or ("a",)), progress)
    assert diagnosis is not None
    assert len(aws.rounds) <= 2
    return diagnosis


def test_how_it_ended() -> None:
    ends = [{"name": "proxy", "exitCode": 0}, {"name": "web", "exitCode": 1}]
    both = definition(container("proxy", essential=False), container("web"))
    diagnosis = found(broken(task("a", *ends), describe_task_definition=both))
    assert diagnosis.reason == FAILED.note
    assert diagnosis.meaning == "container web ended with exit code 1"
    assert diagnosis.tasks[0].containers == (
        ContainerEnd(name="web", exit_code=1),
        ContainerEnd(name="proxy", exit_code=0, essential=False),
    )
    assert [(log.container, log.stream) for log in diagnosis.logs] == [("web", "web/web/a")]


@pytest.mark.parametrize(("end", "members", "meaning"), [
    ({"name": "web", "exitCode": 143}, {"stopCode": "SpotInterruption"}, "its Spot capacity was taken back"),
    ({"name": "web", "reason": "CannotPullContainerError: manifest unknown"}, {},
     "container web: the image cannot be pulled: it does not exist"),
])  # fmt: skip
def test_an_exit_code_that_is_no_cause_is_left_out(end: Doc, members: Doc, meaning: str) -> None:
    """That of a container that was only asked to stop, and that of one that never started."""
    assert found(broken(task("a", end, **members))).meaning == meaning


def test_several_tasks_that_end_in_two_ways() -> None:
    """Those that did well are not told of."""
    killed = {"name": "web", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}
    aws = broken(task("a"), task("b"), task("c", killed, seconds=30), task("d", {"name": "web", "exitCode": 0}))
    diagnosis = found(aws, "a", "b", "c", "d")
    assert [(one.count, one.meaning) for one in diagnosis.tasks] == [(1, "out of memory"), (2, "")]
    assert diagnosis.meaning == "container web: out of memory (exit code 137)"
    assert diagnosis.advice == "Raise its memory, or find out what uses it."


def test_many_tasks_are_asked_for_a_hundred_at_a_time() -> None:
    aws = broken(task("t1"))
    found(aws, *(f"t{n}" for n in range(150)))
    assert aws.rounds[0] == ["describe_task_definition", "describe_tasks", "describe_tasks"]


@pytest.mark.parametrize(("state", "meaning"), [
    ("RUNNING", "it was still running"),
    ("PROVISIONING", "it never ran: PROVISIONING"),
])  # fmt: skip
def test_what_is_late(state: str, meaning: str) -> None:
    going: Doc = task("a", lastStatus=state, stopCode=None, stoppedReason=None)
    diagnosis = found(broken(going), progress=LATE)
    assert (diagnosis.reason, diagnosis.meaning) == (LATE.note, meaning)
    assert [log.lines for log in diagnosis.logs] == [("starting", "no database")] * (state == "RUNNING")


def test_what_is_refused_is_told() -> None:
    assert found(broken(task("a"), describe_tasks=denied())).unseen == (
        "its tasks: the role in use needs permission for ecs:DescribeTasks",
    )
    diagnosis = found(broken(task("a"), describe_task_definition=denied()))
    assert diagnosis.tasks
    assert diagnosis.unseen == ("the task definition: the role in use needs permission for ecs:DescribeTaskDefinition",)


def test_without_tasks_there_is_nothing_to_look_up() -> None:
    aws = broken()
    assert track(kind("run_task")).diagnose(aws, one_off(), FAILED) == Diagnosis(reason=FAILED.note)
    assert aws.rounds == []
