"""One-off tasks: run on the new revision, and judged by the exit codes of essential containers."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.diagnosis import Status, Tally
from ecsplan.core.errors import RefusedError
from ecsplan.core.model import Action, Address, Doc, Irreversible, Phase, Ref, Settings
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Poll, Progress, Tracked
from tests.support.specs import container, definition, migration, spec, task
from tests.unit.fakes_kinds import (
    ECS,
    FakeAsk,
    call,
    compiled,
    delta_of,
    kind,
    live_of,
    resource,
    step_of,
    track,
)

KIND = kind("run_task")
MIGRATE = "run_task.web/migrate"
RUN = call("run_task", cluster="prod", taskDefinition="web:42")


# --- what is declared ---


def test_each_entry_goes_through_in_file_order_with_the_revision() -> None:
    entries = [migration("z", timeout="5m", when="always", wait=False, count=2), migration("a"), {"cluster": "batch"}]
    found = compiled(spec(task("web", services=(), run_tasks=entries)))
    runs = [one for one in found.values() if one.address.kind == "run_task"]
    arn = Ref(address=Address("task_definition.web"), output="arn")
    assert [one.address.name for one in runs] == ["web/z", "web/a", "web/task-3"]
    assert runs[0].doc == {
        "cluster": "prod",
        "count": 2,
        "taskDefinition": arn,
        "overrides": {"containerOverrides": [{"name": "web", "command": ["./manage.py", "z"]}]},
    }
    assert runs[0].settings == Settings(timeout=300, when="always", wait=False)
    assert runs[2].doc == {"cluster": "batch", "taskDefinition": arn}


def test_what_is_empty_is_not_sent() -> None:
    entry = {"name": "migrate", "tags": [], "placementStrategy": [], "enableExecuteCommand": False, "group": ""}
    sent = compiled(spec(task("web", services=(), run_tasks=[entry])))[Address(MIGRATE)].doc
    assert set(sent) == {"cluster", "taskDefinition", "enableExecuteCommand", "group"}


def test_numbers_in_variables_become_text() -> None:
    variables = [{"name": name, "value": value} for name, value in [("A", 1), ("B", True), ("C", False), ("D", 0.5)]]
    overrides = {"containerOverrides": [{"name": "web", "environment": variables}]}
    found = compiled(spec(task("web", services=(), run_tasks=[{"name": "migrate", "overrides": overrides}])))
    sent = found[Address(MIGRATE)].doc["overrides"]["containerOverrides"][0]["environment"]
    assert [variable["value"] for variable in sent] == ["1", "true", "false", "0.5"]


def test_which_containers_count_is_known_from_the_task_definition() -> None:
    containers = [container("web"), container("log", essential=False), container("proxy", essential=True)]
    data = spec({"task_definition": definition("web", *containers), "run_tasks": [migration()]})
    assert compiled(data)[Address(MIGRATE)].facts == {"essential": ["web", "proxy"]}


def test_where_containers_log_to_is_known_from_the_task_definition() -> None:
    """It is all that is kept of it, because plan and journal hold it for every step."""
    web = container("web", logConfiguration=awslogs("/web", "eu-west-1", "ecs"))
    bare = container("bare", logConfiguration=awslogs("/bare", "us-east-1"))
    other = container("other", logConfiguration={"logDriver": "json-file"})
    data = spec({"task_definition": definition("web", web, bare, other, container("x")), "run_tasks": [migration()]})
    assert compiled(data)[Address(MIGRATE)].facts["logs"] == {
        "web": ["/web", "eu-west-1", "ecs"],
        "bare": ["/bare", "us-east-1", ""],
    }


def awslogs(group: str, region: str = "", prefix: str = "") -> Doc:
    options = {"awslogs-group": group, "awslogs-region": region, "awslogs-stream-prefix": prefix}
    return {"logDriver": "awslogs", "options": {key: value for key, value in options.items() if value}}


# --- the step ---


def test_one_call_that_cannot_be_undone() -> None:
    run = compiled(spec(task("web", services=(), runs=("migrate",))))[Address(MIGRATE)]
    (draft,) = KIND.change.steps(_delta(run.doc, run.settings, run.facts))
    assert (draft.phase, draft.action, draft.call) == (Phase.RUN, Action.RUN, call("run_task", **run.doc))
    assert isinstance(draft.undo, Irreversible)
    assert draft.expect == {"count": 1, "essential": ["web"]}
    assert draft.note == "web: ./manage.py migrate"


@pytest.mark.parametrize(
    ("count", "counts", "notes"),
    [
        (10, [10], [""]),
        (11, [10, 1], ["tasks 1 to 10 of 11", "task 11 of 11"]),
        (25, [10, 10, 5], ["tasks 1 to 10 of 25", "tasks 11 to 20 of 25", "tasks 21 to 25 of 25"]),
        (30, [10, 10, 10], ["tasks 1 to 10 of 30", "tasks 11 to 20 of 30", "tasks 21 to 30 of 30"]),
    ],
)
def test_more_tasks_than_one_request_can_start_are_several_steps(
    count: int, counts: list[int], notes: list[str]
) -> None:
    facts = {"essential": ["web"], "logs": {"web": ["/web", "", "ecs"]}}
    drafts = KIND.change.steps(_delta({"count": count, "cluster": "prod"}, facts=facts))
    assert [draft.call.params for draft in drafts] == [{"count": some, "cluster": "prod"} for some in counts]
    assert [draft.note for draft in drafts] == [
        "; ".join(filter(None, ("the containers' own commands", note))) for note in notes
    ]
    firsts = [{"first": 10 * n + 1, "of": count} if len(counts) > 1 else {} for n in range(len(counts))]
    assert [draft.expect for draft in drafts] == [
        {"count": some, **first, **facts} for some, first in zip(counts, firsts, strict=True)
    ]
    assert {(draft.phase, draft.action) for draft in drafts} == {(Phase.RUN, Action.RUN)}


def _delta(doc: Doc, settings: Settings = Settings(when="always"), facts: Doc | None = None) -> Any:  # noqa: B008
    always = Settings(when="always", timeout=settings.timeout)
    return delta_of(resource(MIGRATE, doc, settings=always, facts=facts or {}), live_of(MIGRATE))


@pytest.mark.parametrize(
    ("overrides", "note"),
    [
        ([], "the containers' own commands"),
        ([{"name": "web"}], "the containers' own commands"),
        ([{"name": "web", "command": ["a", "b"]}, {"name": "x", "cpu": 1}, {"command": ["c"]}], "web: a b; ?: c"),
    ],
)
def test_the_note_says_what_will_run(overrides: list[Doc], note: str) -> None:
    (draft,) = KIND.change.steps(_delta({"overrides": {"containerOverrides": overrides}, "count": 3}))
    assert (draft.note, draft.expect) == (note, {"count": 3})


def test_nothing_is_read_for_what_has_no_state() -> None:
    reader = FakeAsk()
    assert KIND.compare is None
    assert KIND.calls.recover(reader, step_of(MIGRATE, RUN, action=Action.RUN), RUN) is None
    assert reader.rounds == []
    assert KIND.calls.token == "clientToken"


# --- what was answered ---


def started(*numbers: int) -> list[Doc]:
    return [{"taskArn": f"{ECS}task/prod/{number}"} for number in numbers]


def test_the_tasks_are_passed_on() -> None:
    step = step_of(MIGRATE, RUN, action=Action.RUN, expect={"count": 2})
    assert KIND.calls.accept(step, RUN, {"tasks": started(1, 2), "failures": []}) == {
        "tasks": f"{ECS}task/prod/1 {ECS}task/prod/2"
    }


@pytest.mark.parametrize(
    ("answer", "message", "outputs"),
    [
        ({}, "0 of 2 tasks could be placed: AWS gave no reason", {}),
        ({"failures": [{"reason": "RESOURCE:MEMORY"}, {"reason": "AGENT", "detail": "gone"}]},
         "0 of 2 tasks could be placed: not enough free memory on any container instance (RESOURCE:MEMORY); "
         "the ECS agent of the container instance is not connected (AGENT): gone", {}),
        ({"failures": [{"reason": "RESOURCE:CPU"}, {"reason": "RESOURCE:CPU"}]},
         "0 of 2 tasks could be placed: not enough free CPU on any container instance (RESOURCE:CPU)", {}),
        ({"tasks": started(7), "failures": [{}]}, "1 of 2 tasks could be placed: unknown reason",
         {"tasks": f"{ECS}task/prod/7"}),
        ({"tasks": started(7), "failures": None}, "1 of 2 tasks could be placed: AWS gave no reason",
         {"tasks": f"{ECS}task/prod/7"}),
        ({"tasks": started(7, 8), "failures": [{"reason": "Capacity is unavailable at this time."}]},
         "2 of 2 tasks could be placed: Capacity is unavailable at this time.",
         {"tasks": f"{ECS}task/prod/7 {ECS}task/prod/8"}),
    ],
)  # fmt: skip
def test_fewer_tasks_than_asked_for_is_a_failure(answer: Doc, message: str, outputs: Doc) -> None:
    """What did start is told, so that it can be stopped."""
    step = step_of(MIGRATE, RUN, action=Action.RUN, expect={"count": 2})
    with pytest.raises(RefusedError) as caught:
        KIND.calls.accept(step, RUN, answer)
    assert (caught.value.message, caught.value.outputs) == (f"{MIGRATE}: {message}", outputs)


# --- waiting ---


def waiting(count: int = 1, essential: tuple[str, ...] = ("web",), **params: Any) -> Tracked:
    step = step_of(MIGRATE, RUN, action=Action.RUN, expect={"count": count, "essential": list(essential)})
    arns = " ".join(one["taskArn"] for one in started(*range(count)))
    return Tracked(kind=kind_of(step.address), step=step, call=call("run_task", **params), outputs={"tasks": arns})


def test_a_hundred_tasks_per_look() -> None:
    assert track(KIND).polls is not None
    arns = [one["taskArn"] for one in started(*range(101))]
    assert track(KIND).polls([waiting(101, cluster="prod"), waiting()]) == (
        Poll(call=call("describe_tasks", cluster="prod", tasks=arns[:100]), steps=(1,)),
        Poll(call=call("describe_tasks", cluster="prod", tasks=arns[100:]), steps=(1,)),
        Poll(call=call("describe_tasks", tasks=arns[:1]), steps=(1,)),
    )


def stopped(*containers: Doc, **fields: Any) -> Doc:
    return {"lastStatus": "STOPPED", "containers": list(containers)} | fields


WEB: Doc = {"name": "web", "exitCode": 0}
WHY = {"stoppedReason": "Essential container in task exited."}


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([{"lastStatus": "PENDING"}], Progress(done=False, note="pending", tally=Tally(desired=1, pending=1))),
        ([{}], Progress(done=False, note="unknown", tally=Tally(desired=1))),
        ([], Progress(done=False, note="waiting for ECS to show the task", tally=Tally(desired=1))),
    ],
)  # fmt: skip
def test_what_has_not_stopped_is_under_way(tasks: list[Doc], expected: Progress) -> None:
    assert track(KIND).judge(waiting(), [{"tasks": tasks}]) == expected


@pytest.mark.parametrize("tasks", [[stopped(WEB)], [stopped(WEB, {"name": "log", "exitCode": 137})],
                                   [stopped({"name": "log"}, WEB, stopCode="EssentialContainerExited")]])  # fmt: skip
def test_only_the_exit_codes_of_essential_containers_count(tasks: list[Doc]) -> None:
    assert track(KIND).judge(waiting(), [{"tasks": tasks}]) == Progress(
        done=True, note="exit code 0", tally=Tally(desired=1), stated=Status.SUCCEEDED
    )


@pytest.mark.parametrize(("code", "ok"), [(0, True), (1, False)])
def test_a_task_that_is_deleted_has_stopped(code: int, ok: bool) -> None:
    task = stopped(WEB | {"exitCode": code}) | {"lastStatus": "DELETED"}
    seen = track(KIND).judge(waiting(), [{"tasks": [task]}])
    assert (seen.done, seen.ok) == (True, ok)


def test_overrides_that_change_nothing_are_no_reason() -> None:
    """ECS lists every container there."""
    task = stopped(WEB) | {"overrides": {"containerOverrides": [{"name": "web"}], "inferenceAcceleratorOverrides": []}}
    assert track(KIND).judge(waiting(), [{"tasks": [task]}]).ok


@pytest.mark.parametrize(
    ("task", "note"),
    [
        (stopped({"name": "web", "exitCode": 1}, **WHY),
         "container web ended with exit code 1: Essential container in task exited"),
        (stopped({"name": "web", "exitCode": 137, "reason": "OutOfMemoryError"}, **WHY),
         "container web ended with exit code 137: OutOfMemoryError"),
        (stopped({"name": "web"}, stoppedReason="CannotPullContainerError"),
         "container web never started: CannotPullContainerError"),
        (stopped({"name": "web", "reason": "no such image"}, **WHY),
         "container web never started: no such image"),
        (stopped({"name": "log", "exitCode": 0}, stopCode="TaskFailedToStart"),
         "no essential container was seen: TaskFailedToStart"),
        (stopped(), "no essential container was seen: ECS gave no reason"),
        (stopped({"name": "web", "exitCode": 143}, stopCode="UserInitiated", stoppedReason="Lunch."),
         "a user stopped it: Lunch"),
        (stopped(WEB, stopCode="UserInitiated"), "a user stopped it: UserInitiated"),
        (stopped(WEB, stopCode="SpotInterruption", stoppedReason="Your Spot Task was interrupted."),
         "its Spot capacity was taken back: Your Spot Task was interrupted"),
        (stopped({"name": "web"}, stopCode="TerminationNotice", stoppedReason="Host EC2 terminated."),
         "its instance was taken away: Host EC2 terminated"),
    ],
)  # fmt: skip
def test_why_a_task_has_failed(task: Doc, note: str) -> None:
    """One that was cut short has failed even where its program has ended with 0."""
    assert track(KIND).judge(waiting(), [{"tasks": [task]}]) == Progress(
        done=True, ok=False, note=note, tally=Tally(desired=1, failed=1)
    )


def test_an_essential_container_that_is_missing_from_the_answer_is_no_success() -> None:
    pair = waiting(1, ("web", "proxy"))
    shown = track(KIND).judge(pair, [{"tasks": [stopped(WEB, **WHY)]}])
    assert (shown.done, shown.ok, shown.note) == (
        True, False, "container proxy was not seen: Essential container in task exited",
    )  # fmt: skip


def test_every_task_and_every_essential_container_counts() -> None:
    pair = waiting(2, ("web", "proxy"))
    proxy, broken = {"name": "proxy", "exitCode": 0}, {"name": "proxy", "exitCode": 3}
    one, two = {"tasks": [stopped(WEB, proxy)]}, {"tasks": [stopped(WEB, broken, **WHY)]}
    assert track(KIND).judge(pair, [one, one]) == Progress(
        done=True, note="2 tasks, each with exit code 0", tally=Tally(desired=2), stated=Status.SUCCEEDED
    )
    assert not track(KIND).judge(pair, [one]).done
    why = "container proxy ended with exit code 3: Essential container in task exited"
    assert track(KIND).judge(pair, [one, two]).note == f"1 of 2 tasks: {why}"
    assert track(KIND).judge(pair, [two, two]).note == f"2 of 2 tasks: {why}"
    running = {"tasks": [{"lastStatus": "RUNNING"}]}
    assert track(KIND).judge(pair, [two, running]) == Progress(
        done=False, note="1 running, 1 stopped", tally=Tally(running=1, desired=2, failed=1)
    )


def test_some_of_the_tasks_of_an_address_say_which_they_are() -> None:
    one = waiting()
    one.step.expect.update(count=1, first=11, of=11)
    assert track(KIND).judge(one, [{"tasks": [stopped(WEB)]}]).note == "task 11 of 11: exit code 0"
    one.step.expect.update(count=10, first=11, of=25)
    assert track(KIND).judge(one, [{"tasks": [stopped(WEB)]}]).note == "tasks 11 to 20 of 25: exit code 0"


def test_a_task_without_an_arn_was_not_started() -> None:
    step = step_of(MIGRATE, RUN, action=Action.RUN)
    with pytest.raises(RefusedError, match="0 of 1 tasks could be placed"):
        KIND.calls.accept(step, RUN, {"tasks": [{"lastStatus": "PROVISIONING"}]})


def test_what_is_late_is_stopped() -> None:
    late = waiting(2, cluster="prod")
    first, second = late.outputs["tasks"].split()
    reason = "it did not end in time"
    assert track(KIND).stop(late, reason) == (
        call("stop_task", cluster="prod", task=first, reason=reason),
        call("stop_task", cluster="prod", task=second, reason=reason),
    )
    assert len(track(KIND).stop(late, "x" * 300)[0].params["reason"]) == 255
    assert track(KIND).stop(waiting(), reason)[0].params == {"task": first, "reason": reason}
    stop = track(KIND).stop(late, reason)[0]
    assert KIND.calls.accept(step_of(MIGRATE, RUN, action=Action.RUN), stop, {"task": {}}) == {"stopped": "0"}


# --- was it started, although nobody saw the answer? ---


def _marked(**more: Any) -> Any:
    params = {"cluster": "prod", "taskDefinition": f"{ECS}task-definition/web:42", "startedBy": "ecsplan-1"}
    return call("run_task", **params, **more)


def _listing(status: str, **more: Any) -> Any:
    return call("list_tasks", cluster="prod", family="web", desiredStatus=status, **more)


def _described(*numbers: int) -> Any:
    return call("describe_tasks", cluster="prod", tasks=[one["taskArn"] for one in started(*numbers)])


def _arns(*numbers: int) -> list[str]:
    return [one["taskArn"] for one in started(*numbers)]


def test_tasks_are_found_by_their_mark_running_or_stopped_on_any_page() -> None:
    reader = FakeAsk().on(_listing("RUNNING"), {"taskArns": _arns(1), "nextToken": "2"})
    reader.on(_listing("RUNNING", nextToken="2"), {"taskArns": _arns(2), "nextToken": "2"})
    reader.on(_listing("STOPPED"), {"taskArns": _arns(3)})
    marks = ["ecsplan-2", "ecsplan-1", None]
    tasks = [one | ({"startedBy": mark} if mark else {}) for one, mark in zip(started(1, 2, 3), marks, strict=True)]
    reader.on(_described(1, 2, 3), {"tasks": tasks})
    step = step_of(MIGRATE, RUN, action=Action.RUN, expect={"count": 1})
    assert KIND.calls.recover(reader, step, _marked()) == {"tasks": _arns(2)[0]}
    assert all(page[0].operation == "list_tasks" for page in reader.rounds[:2])


def test_without_tasks_of_the_family_nothing_is_described() -> None:
    reader = FakeAsk().on(_listing("RUNNING"), {"taskArns": []}).on(_listing("STOPPED"), {})
    assert KIND.calls.recover(reader, step_of(MIGRATE, RUN, action=Action.RUN), _marked()) is None
    assert len(reader.rounds) == 1


def test_fewer_tasks_than_asked_for_are_asked_for_again() -> None:
    """The answer to the same token is the tasks that there are, with the reason for the others."""
    reader = FakeAsk().on(_listing("RUNNING"), {"taskArns": _arns(1)}).on(_listing("STOPPED"), {})
    reader.on(_described(1), {"tasks": [started(1)[0] | {"startedBy": "ecsplan-1"}]})
    step = step_of(MIGRATE, RUN, action=Action.RUN, expect={"count": 2})
    assert KIND.calls.recover(reader, step, _marked(count=2)) is None


def test_a_mark_that_the_spec_declares_is_not_looked_for() -> None:
    reader = FakeAsk()
    assert KIND.calls.recover(reader, step_of(MIGRATE, _marked(), action=Action.RUN), _marked()) is None
    assert reader.rounds == []
