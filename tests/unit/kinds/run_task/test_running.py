"""Tasks that have not stopped, found by the beginning of their mark; and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Action, Address, Doc, Irreversible, Phase, Step
from ecsplan.core.text import mark_of
from ecsplan.kinds.contract import Running, Tracked, Wanted
from ecsplan.kinds.run_task import KIND, stopping
from ecsplan.kinds.run_task.running import joined, running
from tests.unit.fakes_kinds import ECS, FakeAsk, call, delta_of, live_of, revision, step_of, track

ADDRESS = Address("run_task.web/migrate")
MARK = mark_of("shop", "", ADDRESS)
OVERRIDES = {"containerOverrides": [{"name": "web", "command": ["./manage.py", "migrate"]}]}


def wanted(**params: Any) -> Wanted:
    given = {"cluster": "prod", "taskDefinition": revision("web:2"), "overrides": OVERRIDES} | params
    return Wanted(address=ADDRESS, marks=(MARK,), params=given)


def task(name: str, **members: Any) -> Doc:
    """As DescribeTasks shows it: with a member for each container, also for those that nothing overrides."""
    listed = [*OVERRIDES["containerOverrides"], {"name": "agent"}]
    return {
        "taskArn": f"{ECS}task/prod/{name}",
        "startedBy": f"{MARK}{name}",
        "taskDefinitionArn": revision("web:2"),
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "createdAt": 1000.0,
        "overrides": {"containerOverrides": listed, "inferenceAcceleratorOverrides": []},
    } | members


def shown(*tasks: Doc) -> FakeAsk:
    """An account in which these tasks of the family are to run."""
    arns = [one["taskArn"] for one in tasks]
    ask = FakeAsk().on(listing(), {"taskArns": arns})
    return ask.on(call("describe_tasks", cluster="prod", tasks=arns), {"tasks": list(tasks)})


def listing(family: str = "web", cluster: str = "prod") -> Any:
    return call("list_tasks", cluster=cluster, family=family, desiredStatus="RUNNING")


def names(found: tuple[Running, ...]) -> list[str]:
    return [one.task.rpartition("/")[2] for one in found]


# --- which tasks are found ---


def test_by_the_beginning_of_the_mark_oldest_first() -> None:
    younger, older = task("a", createdAt=2000.0), task("b", startedBy=f"{MARK}another")
    found = running(shown(younger, older), [wanted()])
    assert names(found) == ["b", "a"]
    assert (found[0].address, found[0].revision, found[0].cluster, found[0].since) == (ADDRESS, "web:2", "prod", 1000.0)


@pytest.mark.parametrize(
    "members",
    [
        {"startedBy": "ecs-svc/123"},  # of a service
        {"startedBy": mark_of("blog", "", ADDRESS) + "1"},
        {"startedBy": mark_of("shop", "", "run_task.web/seed") + "1"},
        {"startedBy": ""},
        {"lastStatus": "STOPPED"},
        {"desiredStatus": "STOPPED"},  # it is being stopped
        {"taskArn": ""},
    ],
)
def test_what_is_not_found(members: Doc) -> None:
    ask = shown(task("a") | members) if members.get("taskArn", "x") else FakeAsk().on(listing(), {"taskArns": []})
    assert running(ask, [wanted()]) == ()


def test_one_request_for_each_cluster_and_family_and_none_where_nothing_runs() -> None:
    ask = FakeAsk().on(listing(), {"taskArns": []}).on(listing("job"), {"taskArns": []})
    other = Wanted(address=Address("run_task.job/clean"), marks=("x",), params={"cluster": "prod"})
    again = Wanted(address=Address("run_task.web/seed"), marks=("y",), params={"cluster": f"{ECS}cluster/prod"})
    assert running(ask, [wanted(), other, again]) == ()
    assert ask.calls == [listing(), listing("job")]


def test_a_hundred_are_described_at_once() -> None:
    tasks = [task(str(number)) for number in range(101)]
    arns = [one["taskArn"] for one in tasks]
    ask = FakeAsk().on(listing(), {"taskArns": arns})
    ask.on(call("describe_tasks", cluster="prod", tasks=arns[:100]), {"tasks": tasks[:100]})
    ask.on(call("describe_tasks", cluster="prod", tasks=arns[100:]), {"tasks": tasks[100:]})
    assert len(running(ask, [wanted()])) == 101
    assert len(ask.rounds) == 2


def test_what_aws_refuses_is_raised() -> None:
    with pytest.raises(AwsError):
        running(FakeAsk().refuse(listing(), "AccessDeniedException"), [wanted()])


def test_a_mark_that_the_spec_declares_counts_with_the_same_overrides_only() -> None:
    other = task("b", startedBy="ci", overrides={})
    found = running(shown(task("a", startedBy="ci"), other), [wanted(startedBy="ci")])
    assert names(found) == ["a"]


# --- is it the same? ---


@pytest.mark.parametrize(
    ("params", "same"),
    [
        ({}, True),
        ({"taskDefinition": revision("web:3")}, False),
        ({"overrides": {}}, False),
        ({"overrides": {"containerOverrides": [{"name": "web", "command": ["./manage.py", "flush"]}]}}, False),
        ({"overrides": OVERRIDES | {"cpu": "256"}}, False),
        ({"overrides": OVERRIDES | {"containerOverrides": [*OVERRIDES["containerOverrides"], {"name": "x"}]}}, True),
    ],
)
def test_the_same_has_the_same_revision_and_overrides(params: Doc, same: bool) -> None:
    (found,) = running(shown(task("a")), [wanted(**params)])
    assert found.same is same


def test_the_order_of_variables_and_the_type_of_numbers_make_no_difference() -> None:
    def of(variables: list[Doc], memory: object) -> Doc:
        return {"containerOverrides": [{"name": "web", "environment": variables, "memory": memory}]}

    one, two = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    (found,) = running(shown(task("a", overrides=of([one, two], 128))), [wanted(overrides=of([two, one], "128"))])
    assert found.same


# --- joined, or stopped ---


def found(name: str, mark: str = "m", *, same: bool = True) -> Running:
    return Running(
        address=ADDRESS,
        cluster="prod",
        task=f"{ECS}task/prod/{name}",
        mark=mark,
        revision="web:2",
        since=0.0,
        same=same,
    )


def runs(count: int) -> Step:
    asked = call("run_task", cluster="prod", taskDefinition=revision("web:2"), count=count)
    return step_of(ADDRESS, asked, action=Action.RUN, expect={"count": count})


def test_as_many_of_one_mark_as_the_step_would_start_are_joined() -> None:
    some = [found("a", "m1"), found("b", "m2"), found("c", "m2")]
    assert joined(runs(2), some) == {"tasks": f"{ECS}task/prod/b {ECS}task/prod/c", "joined": "m2"}
    assert joined(runs(1), some) == {"tasks": f"{ECS}task/prod/a", "joined": "m1"}
    assert joined(runs(3), some) is None
    assert joined(runs(1), [found("a", same=False)]) is None
    assert joined(runs(1), []) is None


def test_those_of_others_are_not_stopped_when_they_are_late() -> None:
    step = runs(1)
    one = Tracked(kind=KIND, step=step, call=step.call, outputs={"tasks": "a", "joined": "m"})
    assert track(KIND).stop(one, "late") == ()


def test_each_task_is_stopped_by_a_step_of_its_own() -> None:
    made = stopping([found("a"), found("b")], "web")
    (delta,) = [delta_of(made, live_of(ADDRESS))]
    first, second = KIND.change.steps(delta)
    assert (first.phase, first.action, first.note) == (Phase.STOP, Action.DELETE, "stop task a (web:2)")
    assert isinstance(first.undo, Irreversible)
    reason = "run_task.web/migrate is rolled back"
    assert second.call == call("stop_task", cluster="prod", task=f"{ECS}task/prod/b", reason=reason)


@pytest.mark.parametrize(("shown", "outputs"), [
    ([{"lastStatus": "RUNNING", "desiredStatus": "RUNNING"}], None),
    ([{"lastStatus": "RUNNING", "desiredStatus": "STOPPED"}], {"stopped": "a", "tasks": f"{ECS}task/prod/a"}),
    ([{"lastStatus": "STOPPED", "desiredStatus": "STOPPED"}], {"stopped": "a", "tasks": f"{ECS}task/prod/a"}),
    ([], {"stopped": "a", "tasks": f"{ECS}task/prod/a"}),
])  # fmt: skip
def test_a_stop_whose_answer_was_lost(shown: list[Doc], outputs: Doc | None) -> None:
    asked = call("stop_task", cluster="prod", task=f"{ECS}task/prod/a", reason="why")
    step = step_of(ADDRESS, asked, action=Action.DELETE)
    ask = FakeAsk().on(call("describe_tasks", cluster="prod", tasks=[f"{ECS}task/prod/a"]), {"tasks": shown})
    assert KIND.calls.recover(ask, step, asked) == outputs
    assert KIND.calls.accept(step, asked, {"task": {}}) == {"stopped": "a", "tasks": f"{ECS}task/prod/a"}
