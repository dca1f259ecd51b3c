"""The order of a deployment, what is journaled, and what later steps are given of earlier ones."""

from __future__ import annotations

import threading

import pytest

from ecsplan.apply.forward import CONCURRENT
from ecsplan.core import events
from ecsplan.core.model import Address, Call, Ref, Settings, Step
from ecsplan.journal import Began, Closed, Done, Outcome
from tests.unit.builders import (
    AT,
    plan,
    register,
    retire,
    reusing,
    run,
    targets,
    task_definition_arn,
    update,
    whole,
)
from tests.unit.rig import FOR_EVER, Rig, exits, rolls_out

NEW = task_definition_arn("web", 42)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_phases_follow_one_another_in_any_order_of_the_steps(rig: Rig) -> None:
    result = rig.apply(plan(*reversed(whole())))
    assert (result.outcome, result.reason, result.number) == (Outcome.SUCCEEDED, "", 7)
    assert rig.aws.operations == [
        "register_task_definition",
        "run_task",
        "update_service",
        "put_targets",
        "deregister_task_definition",
    ]


def test_every_call_stands_between_its_two_entries(rig: Rig) -> None:
    rig.apply(plan(*whole()))
    assert rig.trace == [
        "began 1", "register_task_definition", "done 1",
        "list_tasks", "describe_tasks", "began 2", "run_task", "done 2", "describe_tasks",
        "began 3", "update_service", "done 3", "describe_services",
        "began 4", "put_targets", "done 4",
        "began 5", "deregister_task_definition", "done 5",
        "closed succeeded",
    ]  # fmt: skip


def test_entries_carry_the_time_and_what_aws_answered(rig: Rig) -> None:
    rig.clock.time += 61.5
    rig.apply(plan(register()))
    assert rig.log.entries == [
        Began(at="2023-11-14T22:14:21.500Z", step=1),
        Done(at="2023-11-14T22:14:21.500Z", step=1, outputs={"arn": NEW}),
        Closed(at="2023-11-14T22:14:21.500Z", outcome=Outcome.SUCCEEDED),
    ]


def test_a_phase_is_finished_before_the_next_begins(rig: Rig) -> None:
    rig.tasks[1] = exits(0, after=0.5)
    rig.rollouts["web", 1] = rolls_out(after=0.5)
    rig.apply(plan(register(), run(), update(), targets()))
    after_run = rig.trace.index("run_task") + 2
    assert rig.trace[after_run : after_run + 3] == ["describe_tasks", "describe_tasks", "began 3"]
    after_update = rig.trace.index("describe_services")
    assert rig.trace[after_update : after_update + 3] == ["describe_services", "describe_services", "began 4"]


def test_one_off_tasks_run_in_file_order_each_waited_for(rig: Rig) -> None:
    rig.tasks[1] = exits(0, after=1.0)  # PROVISIONING at first, RUNNING after half a second
    rig.apply(plan(register(), run("first"), run("second"), run("third")))
    assert [params["startedBy"] for params in rig.aws.calls("run_task")] == ["first", "second", "third"]
    looks = ["describe_tasks"]
    assert rig.trace[3:] == [
        "list_tasks", "began 2", "run_task", "done 2", *looks * 3,
        "list_tasks", "began 3", "run_task", "done 3", *looks,
        "list_tasks", "began 4", "run_task", "done 4", *looks,
        "closed succeeded",
    ]  # fmt: skip


def test_one_off_tasks_of_several_families_run_in_turn_too(rig: Rig) -> None:
    rig.apply(plan(register("web"), register("worker"), run("a", family="web"), run("b", family="worker")))
    assert rig.trace[6:] == [
        "list_tasks", "began 3", "run_task", "done 3", "describe_tasks",
        "list_tasks", "began 4", "run_task", "done 4", "describe_tasks",
        "closed succeeded",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "operation"),
    [
        ((register("a"), register("b"), register("c")), "register_task_definition"),
        ((register(), update("a"), update("b"), update("c")), "update_service"),
        ((register(), targets("a"), targets("b"), targets("c")), "put_targets"),
    ],
)
def test_what_does_not_depend_on_each_other_is_sent_at_once(rig: Rig, steps: tuple[Step, ...], operation: str) -> None:
    """Each call waits for the two others: one after the other, none would ever be answered."""
    together = threading.Barrier(3, timeout=10)

    def meet(call: Call) -> None:
        if call.operation == operation:
            together.wait()

    rig.aws.on_call = meet
    assert rig.apply(plan(*steps)).outcome is Outcome.SUCCEEDED
    assert len(rig.aws.calls(operation)) == 3


def test_so_many_calls_are_under_way_and_no_more(rig: Rig) -> None:
    gate, lock, threads = threading.Barrier(CONCURRENT, timeout=10), threading.Lock(), set[str]()

    def meet(call: Call) -> None:
        if call.operation == "update_service":
            with lock:
                threads.add(threading.current_thread().name)
            gate.wait()  # so many at a time, or never

    rig.aws.on_call = meet
    rig.apply(plan(register(), *(update(f"s{n}") for n in range(2 * CONCURRENT))))
    assert len(threads) == CONCURRENT
    assert len(rig.aws.calls("update_service")) == 2 * CONCURRENT


def test_the_steps_of_one_address_keep_their_order(rig: Rig) -> None:
    first, second = targets("nightly", ids=["a"]), targets("nightly", ids=["b"])
    rig.apply(plan(register(), first, second, targets("hourly", ids=["c"])))
    sent = [params["Targets"][0]["Id"] for params in rig.aws.calls("put_targets") if params["Rule"] == "nightly"]
    assert sent == ["a", "b"]
    assert rig.trace.index("done 2") < rig.trace.index("began 3")


def test_all_services_are_looked_at_together(rig: Rig) -> None:
    rig.apply(plan(register(), *(update(f"s{n}") for n in range(12))))
    looks = [call for calls in rig.aws.asked for call in calls]
    assert sorted(len(call.params["services"]) for call in looks) == [2, 10]
    assert len(rig.aws.asked) == 1


# --- references ---


def test_references_are_filled_from_what_earlier_steps_answered(rig: Rig) -> None:
    rig.apply(plan(register(), run(), update(), targets()))
    assert rig.aws.calls("run_task")[0]["taskDefinition"] == NEW
    assert rig.aws.calls("update_service") == [{"cluster": "prod", "service": "web", "taskDefinition": NEW}]
    assert rig.aws.calls("put_targets")[0]["Targets"][0]["EcsParameters"] == {"TaskDefinitionArn": NEW}


def test_each_reference_is_filled_from_its_own_address(rig: Rig) -> None:
    rig.apply(plan(register("web"), register("worker"), update("a", family="worker"), update("b", family="web")))
    sent = {params["service"]: params["taskDefinition"] for params in rig.aws.calls("update_service")}
    assert sent == {"a": task_definition_arn("worker", 42), "b": NEW}


def test_the_plan_itself_is_not_edited(rig: Rig) -> None:
    made = plan(register(), run(), update())
    rig.apply(made)
    assert made == plan(register(), run(), update())
    assert isinstance(made.steps[2].call.params["taskDefinition"], Ref)


# --- the client token ---


def token_of(rig: Rig, n: int = 0) -> str:
    token = rig.aws.calls("run_task")[n]["clientToken"]
    assert isinstance(token, str)
    return token


def test_a_one_off_task_carries_a_token_that_aws_takes(rig: Rig) -> None:
    rig.apply(plan(register(), run()))
    assert 1 <= len(token_of(rig)) <= 64
    assert all(33 <= ord(letter) <= 126 for letter in token_of(rig))


def test_the_token_differs_by_step_and_by_deployment_and_by_plan() -> None:
    seen = set()
    twice, other = reusing(run("a"), run("a")), reusing(run("b"), run("a"))
    for number, made in ((7, twice), (8, twice), (7, other)):
        rig = Rig()
        rig.apply(made, number=number)
        seen |= {token_of(rig, 0), token_of(rig, 1)}
    assert len(seen) == 6


def test_the_token_differs_where_a_journal_begins_anew() -> None:
    """The same plan, again the first deployment: on a fresh machine, for example."""
    first, again = Rig(), Rig()
    first.apply(reusing(run()), number=1)
    again.apply(reusing(run()), number=1, at="2023-11-14T22:13:20.001Z")
    assert token_of(first) != token_of(again)


def test_the_token_is_the_same_for_one_step_of_one_deployment() -> None:
    first, again = Rig(), Rig()
    first.apply(reusing(run()))
    again.apply(reusing(run()))
    assert token_of(first) == token_of(again)


def test_other_calls_carry_no_token(rig: Rig) -> None:
    rig.apply(plan(register(), update(), targets(), retire()))
    assert [call.params.get("clientToken") for call in rig.aws.sent] == [None] * 4


# --- whether to wait ---


def test_without_waiting_only_tasks_are_awaited(rig: Rig) -> None:
    rig.rollouts["web", 1] = FOR_EVER
    rig.tasks[1] = exits(0, after=0.5)
    assert rig.apply(plan(register(), run(), update(), targets()), wait=False).outcome is Outcome.SUCCEEDED
    asked = [call.operation for calls in rig.aws.asked for call in calls]
    assert asked == ["list_tasks", *["describe_tasks"] * 3]


def test_the_spec_can_say_that_a_step_is_not_waited_for(rig: Rig) -> None:
    loose = Settings(wait=False)
    assert rig.apply(plan(register(), run(settings=loose), update(settings=loose))).outcome is Outcome.SUCCEEDED
    assert [call.operation for calls in rig.aws.asked for call in calls] == ["list_tasks", "describe_tasks"]


# --- what is told ---


def test_events_tell_each_step_and_the_end(rig: Rig) -> None:
    rig.apply(plan(register(), update()))
    assert [type(event).__name__ for event in rig.said] == [
        "DeploymentStarted", "StepStarted", "StepDone", "StepStarted", "StepDone", "Progressed", "DeploymentEnded",
    ]  # fmt: skip
    started = rig.said[0]
    assert isinstance(started, events.DeploymentStarted)
    assert (started.number, started.app, started.tag, started.steps) == (7, "shop", "v42", 2)
    assert [(one.index, one.address, one.made) for one in started.planned] == [
        (1, "task_definition.web", False),
        (2, "service.prod/web", False),
    ]
    assert [event.outputs for event in rig.happened(events.StepDone)] == [
        {"arn": NEW},
        {"deployment": rig.aws.primary("web")},
    ]


def test_events_never_hold_a_secret(rig: Rig) -> None:
    variable = {"name": "DB_PASSWORD", "value": "hunter2hunter2"}
    secret = {"name": "web", "image": "web:v42", "memory": 128, "environment": [variable]}
    rig.apply(plan(register(containerDefinitions=[secret]), update()))
    assert "hunter2hunter2" in repr(rig.aws.sent)
    assert "hunter2hunter2" not in repr(rig.said)


def test_every_call_that_was_carried_out_is_told_with_its_answer(rig: Rig) -> None:
    rig.apply(plan(register(), update(), targets()))
    assert [(step.index, call.operation) for step, call, _ in rig.told] == [
        (1, "register_task_definition"),
        (2, "update_service"),
        (3, "put_targets"),
    ]
    assert rig.told[0][2]["taskDefinition"]["taskDefinitionArn"] == NEW
    assert rig.told[1][1].params["taskDefinition"] == NEW


def test_a_plan_without_steps_succeeds_and_sends_nothing(rig: Rig) -> None:
    assert rig.apply(plan()).outcome is Outcome.SUCCEEDED
    assert rig.log.entries == [Closed(at=AT, outcome=Outcome.SUCCEEDED)]
    assert rig.aws.sent == []


def test_addresses_in_events_are_those_of_the_plan(rig: Rig) -> None:
    rig.apply(plan(register(), update()))
    assert [event.address for event in rig.happened(events.Progressed)] == [Address("service.prod/web")]
