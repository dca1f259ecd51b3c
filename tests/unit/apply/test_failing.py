"""What a failure in each phase leaves: what is undone, in which order, and how it is told."""

from __future__ import annotations

import pytest

from ecsplan.core import events
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Address
from ecsplan.journal import Began, Closed, Done, Failed, Outcome
from tests.unit.builders import plan, register, retire, run, targets, task_definition_arn, update, whole
from tests.unit.fakes import refusal
from tests.unit.rig import FOR_EVER, STAYS, Rig, exits, fails, rolls_out


@pytest.fixture
def rig() -> Rig:
    return Rig()


def failing_in(rig: Rig, phase: str) -> None:
    """Make the step of that phase fail, in `whole`'s plan."""
    match phase:
        case "register":
            rig.aws.fail("register_task_definition", refusal(message="the register was refused"))
        case "run":
            rig.aws.fail("run_task", refusal(message="the run was refused"))
        case "exit":
            rig.tasks[1] = exits(3)
        case "update":
            rig.aws.fail("update_service", refusal(message="the update was refused"))
        case "rollout":
            rig.rollouts["web", 1] = fails("tasks failed to start.")
        case "targets":
            rig.aws.fail("put_targets", refusal(message="the targets were refused"))


REASONS = {
    "register": "the register was refused",
    "run": "the run was refused",
    "exit": "run_task.web/migrate: container web ended with exit code 3: it ended",
    "update": "the update was refused",
    "rollout": "service.prod/web: the rollout failed: tasks failed to start; 0/1 running, 3 failed",
    "targets": "the targets were refused",
}
# What is sent after the failure, in order: each undo is named by what it acts on.
UNDOS = {
    "register": [],
    "run": ["deregister web:42"],
    "exit": ["deregister web:42"],
    "update": ["deregister web:42"],
    "rollout": ["service web -> web:41", "deregister web:42"],
    "targets": ["service web -> web:41", "deregister web:42"],
}


def undos(rig: Rig) -> list[str]:
    """The calls of undos as short text, in order."""
    said = []
    marks = [mark for mark in rig.trace if mark.startswith("undo began")]
    for call in rig.aws.sent[len(rig.aws.sent) - len(marks) :] if marks else []:
        match call.operation:
            case "deregister_task_definition":
                said.append(f"deregister {call.params['taskDefinition'].rpartition('/')[2]}")
            case "update_service":
                revision = call.params["taskDefinition"].rpartition("/")[2]
                said.append(f"service {call.params['service']} -> {revision}")
            case "put_targets":
                one = call.params["Targets"][0]["EcsParameters"]["TaskDefinitionArn"]
                said.append(f"targets {call.params['Rule']} -> {one.rpartition('/')[2]}")
    return said


@pytest.mark.parametrize("phase", REASONS)
def test_rollback_undoes_what_was_done_in_reverse(rig: Rig, phase: str) -> None:
    failing_in(rig, phase)
    result = rig.apply(plan(*whole()), on_failure="rollback")
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, REASONS[phase])
    assert undos(rig) == UNDOS[phase]
    assert rig.log.entries[-1] == Closed(
        at=rig.log.entries[-1].at,
        outcome=Outcome.PUT_BACK,
        reason=REASONS[phase],
        diagnoses=dict(result.diagnoses),
    )


@pytest.mark.parametrize("phase", REASONS)
def test_stop_leaves_it_where_it_is(rig: Rig, phase: str) -> None:
    failing_in(rig, phase)
    sent = {"register": 1, "run": 2, "exit": 2, "update": 3, "rollout": 3, "targets": 4}[phase]
    result = rig.apply(plan(*whole()), on_failure="stop")
    assert (result.outcome, result.reason) == (Outcome.STOPPED, REASONS[phase])
    assert len(rig.aws.sent) == sent
    assert not rig.happened(events.UndoStarted)


@pytest.mark.parametrize("phase", REASONS)
def test_the_failed_step_is_journaled_and_told_with_its_reason(rig: Rig, phase: str) -> None:
    failing_in(rig, phase)
    rig.apply(plan(*whole()), on_failure="stop")
    (entry,) = rig.log.of(Failed)
    (event,) = rig.happened(events.StepFailed)
    step = {"register": 1, "run": 2, "exit": 2, "update": 3, "rollout": 3, "targets": 4}[phase]
    assert (entry.step, event.step.index) == (step, step)
    assert (entry.undo, entry.unclear, event.undo) == (False, False, False)
    assert (
        entry.error
        == event.error
        == REASONS[phase].removeprefix("run_task.web/migrate: ").removeprefix("service.prod/web: ")
    )


def test_undos_are_journaled_like_steps(rig: Rig) -> None:
    failing_in(rig, "targets")
    rig.apply(plan(register(), update(), targets()))
    assert rig.trace[rig.trace.index("failed 3") :] == [
        "failed 3",
        "describe_services", "undo began 2", "update_service", "undo done 2", "describe_services",
        "undo began 1", "deregister_task_definition", "undo done 1",
        "closed put back",
    ]  # fmt: skip
    (started,) = rig.happened(events.UndoStarted)
    assert started.reason == "the targets were refused"
    assert [event.step.index for event in rig.happened(events.StepDone) if event.undo] == [2, 1]


def test_steps_of_one_phase_are_undone_last_first(rig: Rig) -> None:
    rig.aws.fail("put_targets", refusal(), about="hourly")
    rig.apply(plan(register(), update("a"), update("b"), targets("nightly", ids=["x"]), targets("hourly")))
    assert undos(rig)[0] == "targets nightly -> web:41"
    assert sorted(undos(rig)[1:3]) == ["service a -> web:41", "service b -> web:41"]
    assert undos(rig)[3:] == ["deregister web:42"]
    done = [entry.step for entry in rig.log.of(Began) if not entry.undo and entry.step in (2, 3)]
    undone = [entry.step for entry in rig.log.of(Began) if entry.undo and entry.step in (2, 3)]
    assert undone == done[::-1]


def test_all_services_of_a_phase_end_before_one_failure_is_told(rig: Rig) -> None:
    rig.aws.fail("update_service", refusal(message="a said no"), about="'a'")
    result = rig.apply(plan(register(), update("a"), update("b"), update("c")))
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, "a said no")
    assert sorted(undos(rig)[:2]) == ["service b -> web:41", "service c -> web:41"]


def test_several_failures_at_once_are_all_told(rig: Rig) -> None:
    rig.aws.fail("update_service", AwsError("a said no", state="half", hint="look"), about="'a'")
    rig.aws.fail("update_service", refusal(message="b said no"), about="'b'")
    result = rig.apply(plan(register(), update("a"), update("b")))
    assert sorted(result.reason.split("; ")) == ["a said no", "b said no"]


def test_the_same_failure_of_several_steps_is_told_once(rig: Rig) -> None:
    rig.aws.fail("update_service", refusal(message="no permission"), times=3)
    assert rig.apply(plan(register(), update("a"), update("b"), update("c"))).reason == "no permission"


def test_several_rollouts_that_fail_are_all_told(rig: Rig) -> None:
    for name in "ab":
        rig.rollouts[name, 1] = fails(f"{name} crashed")
    result = rig.apply(plan(register(), update("a"), update("b")))
    assert result.reason == (
        "service.prod/a: the rollout failed: a crashed; 0/1 running, 3 failed; "
        "service.prod/b: the rollout failed: b crashed; 0/1 running, 3 failed"
    )
    assert [entry.step for entry in rig.log.of(Failed)] == [2, 3]


def test_why_a_rollout_failed_is_told_and_kept_without_secrets(rig: Rig) -> None:
    rig.hide("hunter2")
    rig.rollouts["web", 1] = fails("hunter2 is wrong.")
    result = rig.apply(plan(register(), update()))
    found = result.diagnoses[Address("service.prod/web")]
    assert found.reason == "(sensitive) is wrong"
    assert [event.diagnosis for event in rig.happened(events.Diagnosed)] == [found]
    assert [entry.diagnoses for entry in rig.log.of(Closed)] == [{"service.prod/web": found}]


def test_a_secret_that_only_the_live_revision_holds_is_not_told(rig: Rig) -> None:
    """As where a deployment goes back to a revision that it only names."""
    rig.rollouts["web", 1] = fails("swordfish is wrong.")
    one = {"name": "web", "environment": [{"name": "DB_PASSWORD", "value": "swordfish"}]}
    rig.aws.answers["describe_task_definition"] = {"taskDefinition": {"containerDefinitions": [one]}}
    result = rig.apply(plan(register(), update()))
    assert result.diagnoses[Address("service.prod/web")].reason == "(sensitive) is wrong"


def test_a_surprise_during_a_diagnosis_does_not_stop_the_undos(rig: Rig) -> None:
    rig.rollouts["web", 1] = fails("it crashed")
    rig.aws.answers["describe_task_definition"] = {"taskDefinition": 42}
    result = rig.apply(plan(register(), update()))
    assert (result.outcome, result.diagnoses) == (Outcome.PUT_BACK, {})
    (warning,) = rig.happened(events.Warned)
    assert warning.message.startswith("could not look up why service.prod/web has failed: ")


def test_the_state_and_hint_of_the_failure_are_in_the_result(rig: Rig) -> None:
    error = AwsError("no", code="AccessDeniedException", state="Nothing was made.", hint="Ask for permission.")
    rig.aws.fail("update_service", error)
    result = rig.apply(plan(register(), update()))
    assert (result.state, result.hint) == ("Nothing was made.", "Ask for permission.")


def test_what_a_task_did_stays_done_and_is_told(rig: Rig) -> None:
    failing_in(rig, "update")
    assert rig.apply(plan(*whole())).state == "One-off tasks are not undone: run_task.web/migrate."


def test_what_was_done_and_is_under_way_is_told(rig: Rig) -> None:
    failing_in(rig, "update")
    assert rig.apply(plan(*whole()), on_failure="stop").state == (
        "Done: task_definition.web, run_task.web/migrate. Failed: service.prod/web."
    )
    late = Rig()
    late.rollouts["web", 1] = FOR_EVER
    assert late.apply(plan(register(), update()), timeout=60).state == (
        "Done: task_definition.web. Still under way: service.prod/web."
    )
    nothing = Rig()
    failing_in(nothing, "register")
    assert nothing.apply(plan(*whole()), on_failure="stop").state == (
        "Failed: task_definition.web. Nothing was changed."
    )


def test_a_second_migration_is_not_run_after_a_first_that_failed(rig: Rig) -> None:
    rig.tasks[1] = exits(1)
    rig.apply(plan(register(), run("first"), run("second"), update()))
    assert [params["startedBy"] for params in rig.aws.calls("run_task")] == ["first"]
    assert rig.aws.calls("update_service") == []


def test_tasks_that_found_no_place_are_a_failure(rig: Rig) -> None:
    rig.aws.answers["run_task"] = {"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]}
    result = rig.apply(plan(register(), run(), update()))
    assert result.outcome is Outcome.PUT_BACK
    assert result.reason == (
        "run_task.web/migrate: 0 of 1 tasks could be placed: not enough free memory on any container instance "
        "(RESOURCE:MEMORY)"
    )
    assert "One-off tasks are not undone" not in result.state
    assert len(rig.aws.calls("run_task")) == 1


def test_the_way_back_is_waited_for_even_when_rollouts_are_not(rig: Rig) -> None:
    failing_in(rig, "targets")
    rig.rollouts["web", 2] = rolls_out(after=1.0)
    rig.apply(plan(register(), update(), targets()), wait=False)
    after = rig.trace[rig.trace.index("undo done 2") :]
    assert after[:5] == ["undo done 2", *["describe_services"] * 3, "undo began 1"]


# --- too late ---


@pytest.mark.parametrize("policy", ["rollback", "stop"])
def test_a_rollout_that_takes_too_long_is_not_put_back(rig: Rig, policy: str) -> None:
    rig.rollouts["web", 1] = FOR_EVER
    result = rig.apply(plan(register(), update(), targets()), on_failure=policy, timeout=60)
    assert result.outcome is Outcome.UNFINISHED
    assert result.reason.startswith("service.prod/web: not finished after 60 s")
    assert result.hint == "ECS continues the rollout."
    assert rig.aws.operations == ["register_task_definition", "update_service"]
    assert rig.log.of(Failed) == []


def test_a_task_that_takes_too_long_has_failed(rig: Rig) -> None:
    rig.tasks[1] = STAYS
    result = rig.apply(plan(register(), run(), update()), timeout=60)
    assert result.outcome is Outcome.PUT_BACK
    assert result.reason.startswith("run_task.web/migrate: not finished after 60 s")
    assert rig.aws.operations == ["register_task_definition", "run_task", "stop_task", "deregister_task_definition"]
    (stopped_task,) = rig.aws.calls("stop_task")
    assert (stopped_task["cluster"], [stopped_task["task"]]) == ("prod", rig.aws.tasks)
    assert stopped_task["reason"] == "run_task.web/migrate did not end in time"


def test_a_late_task_that_cannot_be_stopped_is_a_warning(rig: Rig) -> None:
    rig.tasks[1] = STAYS
    rig.aws.fail("stop_task", refusal(message="no permission"))
    rig.hide("permission")
    result = rig.apply(plan(register(), run(), update()), timeout=60)
    assert result.outcome is Outcome.PUT_BACK
    assert [event.message for event in rig.happened(events.Warned)] == [
        "run_task.web/migrate may still be running: no (sensitive)"
    ]


# --- somebody else ---


def test_what_somebody_else_has_changed_is_left_to_them(rig: Rig) -> None:
    theirs = rig.aws.add_revision("web", 99)

    def move(_calls: object) -> None:
        rig.aws.update("web", taskDefinition=theirs)

    rig.rollouts["web", 1] = FOR_EVER
    rig.aws.on_ask = move
    result = rig.apply(plan(register(), update()))
    assert result.outcome is Outcome.SUPERSEDED
    assert result.reason == (
        f"service.prod/web: superseded: another deployment put the service on web:99 ({rig.aws.primary('web')})"
    )
    assert result.state == "Left to the other deployment: service.prod/web. Left as it is: task_definition.web."
    assert result.next == frozenset()
    assert len(rig.aws.calls("update_service")) == 1


# --- putting back fails too ---


def test_an_undo_that_is_refused_stops_it_with_both_reasons(rig: Rig) -> None:
    failing_in(rig, "targets")
    rig.aws.fail("update_service", refusal(message="the way back was refused"), at=2)
    result = rig.apply(plan(register(), update(), targets()))
    assert result.outcome is Outcome.STOPPED
    assert result.reason == ("the targets were refused; and putting things back failed: the way back was refused")
    failed = rig.log.of(Failed)
    assert [(entry.step, entry.undo) for entry in failed] == [(3, False), (2, True)]
    assert rig.aws.calls("deregister_task_definition") == []


def test_a_rollout_back_that_fails_stops_it_with_both_reasons(rig: Rig) -> None:
    failing_in(rig, "targets")
    rig.rollouts["web", 2] = fails("no capacity")
    result = rig.apply(plan(register(), update(), targets()))
    assert result.outcome is Outcome.STOPPED
    assert result.reason == (
        "the targets were refused; and putting things back failed: "
        "service.prod/web: the rollout failed: no capacity; 0/1 running, 3 failed"
    )
    assert (rig.log.of(Failed)[-1].step, rig.log.of(Failed)[-1].undo) == (2, True)
    assert rig.aws.calls("deregister_task_definition") == []


def test_a_rollout_back_that_takes_too_long_stops_it(rig: Rig) -> None:
    failing_in(rig, "targets")
    rig.rollouts["web", 2] = FOR_EVER
    result = rig.apply(plan(register(), update(), targets()), timeout=60)
    assert result.outcome is Outcome.STOPPED
    assert result.reason.startswith(
        "the targets were refused; and putting things back failed: service.prod/web: not finished after 60 s"
    )


def test_what_cannot_be_put_back_hinders_nothing_else(rig: Rig) -> None:
    failing_in(rig, "targets")
    rig.aws.fail("update_service", refusal(message="the way back was refused"), about="web:41", at=2)
    result = rig.apply(plan(register(), update("a"), update("b"), update("c"), targets()))
    assert result.outcome is Outcome.STOPPED
    undone = rig.aws.calls("update_service")[3:]
    assert sorted(params["service"] for params in undone) == ["a", "b", "c"]
    assert len([entry for entry in rig.log.of(Done) if entry.undo]) == 2


def test_all_that_could_not_be_put_back_is_told(rig: Rig) -> None:
    failing_in(rig, "targets")
    rig.aws.fail("update_service", refusal(message="a stays"), about="'a'", at=2)
    rig.rollouts["b", 2] = fails("b crashed")
    result = rig.apply(plan(register(), update("a"), update("b"), targets()))
    assert result.reason == (
        "the targets were refused; and putting things back failed: "
        "a stays; service.prod/b: the rollout failed: b crashed; 0/1 running, 3 failed"
    )


# --- cleaning up ---


def test_a_revision_that_may_still_run_is_not_cleaned_up(rig: Rig) -> None:
    """Nobody waited for the service to leave it."""
    result = rig.apply(plan(register(), update(old=41), retire(number=41), retire(number=30)), wait=False)
    assert result.outcome is Outcome.SUCCEEDED
    assert rig.aws.calls("deregister_task_definition") == [{"taskDefinition": task_definition_arn("web", 30)}]
    (warning,) = rig.happened(events.Warned)
    assert warning.message == "kept web:41: it may still be in use (its rollout was not awaited)"


def test_a_revision_that_was_left_is_cleaned_up(rig: Rig) -> None:
    rig.apply(plan(register(), update(old=41), retire(number=41)))
    assert rig.aws.calls("deregister_task_definition") == [{"taskDefinition": task_definition_arn("web", 41)}]


def test_a_clean_up_that_fails_is_a_warning(rig: Rig) -> None:
    rig.aws.fail("deregister_task_definition", refusal(message="not now"))
    result = rig.apply(plan(register(), retire(number=30), retire(number=31)))
    assert result.outcome is Outcome.SUCCEEDED
    (warning,) = rig.happened(events.Warned)
    assert warning.message == "web:30 was not deregistered: not now"
    assert [entry.step for entry in rig.log.of(Done)] == [1, 3]
    assert [entry.step for entry in rig.log.of(Failed)] == [2]


def test_a_clean_up_whose_answer_makes_no_sense_is_a_warning_too(rig: Rig) -> None:
    rig.aws.answers["deregister_task_definition"] = {}
    assert rig.apply(plan(retire())).outcome is Outcome.SUCCEEDED
    assert "was answered without the revision's ARN" in rig.happened(events.Warned)[0].message


def test_revisions_are_cleaned_up_one_after_the_other(rig: Rig) -> None:
    rig.apply(plan(retire(number=30), retire(number=31), retire("worker", number=3)))
    assert rig.trace == [
        mark for n in (1, 2, 3) for mark in (f"began {n}", "deregister_task_definition", f"done {n}")
    ] + ["closed succeeded"]


# --- secrets, and surprises ---


def test_secrets_are_cleaned_from_what_aws_said(rig: Rig) -> None:
    rig.hide("hunter2")
    rig.aws.fail("update_service", AwsError("hunter2 is too short", state="hunter2 was read"))
    result = rig.apply(plan(register(), update()))
    assert (result.reason, result.state) == ("(sensitive) is too short", "(sensitive) was read")
    assert "hunter2" not in repr(rig.log.entries)


def test_a_surprise_is_not_taken_for_a_failure(rig: Rig) -> None:
    def surprise(_call: object) -> None:
        raise KeyError("a fault of ours")

    rig.aws.on_call = surprise
    with pytest.raises(KeyError, match="a fault of ours"):
        rig.apply(plan(register(), register("worker")))
    assert not rig.log.of(Closed)
