"""Looking again before a phase: what has moved is left to others, and what is not declared is sent as it is by now."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ecsplan.apply.deploy import Next, Options, Result, apply
from ecsplan.apply.look import FRESH, MAX_LOOKS
from ecsplan.core import events
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Plan
from ecsplan.journal import Began, Deployment, Done, Failed, Opened, Outcome
from tests.unit.builders import AT, ORIGIN, moved, plan, register, run, task_definition_arn, update
from tests.unit.fakes import lost, refusal, throttled
from tests.unit.rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


def migrating(**more: Any) -> Plan:
    """A migration, then one service."""
    return plan(register(), run(), update(), changes=(moved(),), **more)


def looks(rig: Rig) -> int:
    """How often services were read between the migration and the first update."""
    trace = rig.trace[rig.trace.index("run_task") :] if "run_task" in rig.trace else rig.trace
    end = trace.index("update_service") if "update_service" in trace else len(trace)
    return trace[:end].count("describe_services")


def during_the_migration(rig: Rig, **update: Any) -> None:
    """Someone updates the service."""

    def on_call(call: Call) -> None:
        if call.operation == "run_task":
            rig.aws.update("web", **update)

    rig.aws.on_call = on_call


def began(rig: Rig, step: int) -> Began:
    (found,) = [entry for entry in rig.log.entries if isinstance(entry, Began) and entry.step == step]
    return found


def test_one_look_after_the_migration(rig: Rig) -> None:
    made = migrating()
    result = rig.apply(made)
    assert (result.outcome, looks(rig)) == (Outcome.SUCCEEDED, 1)
    remade = began(rig, 3).remade  # the account shows a service deployment, of which the plan does not know
    assert remade
    assert (remade.call, remade.undo) == (made.steps[2].call, made.steps[2].undo)


@pytest.mark.parametrize(("age", "expected"), [(0.0, 0), (FRESH - 0.1, 0), (FRESH, 1), (-1.0, 1)])
def test_what_was_just_read_is_not_read_again(rig: Rig, age: float, expected: int) -> None:
    """By a clock that may have been set back, too."""
    made = plan(register(), update(), changes=(moved(),))
    rig.aws.seed(made)
    result = apply(made, 7, rig.ports, Options(), key="7", looked=rig.clock.now() - age)
    assert (result.outcome, looks(rig)) == (Outcome.SUCCEEDED, expected)


def test_what_ran_makes_it_old(rig: Rig) -> None:
    made = migrating()
    rig.aws.seed(made)
    apply(made, 7, rig.ports, Options(), key="7", looked=rig.clock.now())
    assert looks(rig) == 1


@pytest.mark.parametrize("policy", ["rollback", "stop"])
def test_what_was_deployed_meanwhile_is_superseded(rig: Rig, policy: str) -> None:
    during_the_migration(rig, forceNewDeployment=True)
    result = rig.apply(migrating(), on_failure=policy)
    assert result.outcome is Outcome.SUPERSEDED
    assert result.reason == (
        "service.prod/web was changed by another deployment, and is left as it is\n"
        "  service.prod/web: another deployment of it has begun"
    )
    assert [call.operation for call in rig.aws.sent] == ["register_task_definition", "run_task"]
    (failed,) = [entry for entry in rig.log.entries if isinstance(entry, Failed)]
    assert (failed.step, failed.superseded) == (3, True)


def test_a_service_that_is_gone_is_superseded_after_several_looks(rig: Rig) -> None:
    rig.aws.on_call = lambda call: rig.aws.answers.update(describe_services={"services": []})
    result = rig.apply(migrating())
    assert result.outcome is Outcome.SUPERSEDED
    assert "service.prod/web: it is missing now" in result.reason
    assert looks(rig) == MAX_LOOKS


def cut_off(made: Plan, *entries: Began | Done | Failed) -> Deployment:
    return Deployment(opened=Opened(number=7, at=AT, origin=ORIGIN, plan=made), entries=entries)


def test_what_was_superseded_before_the_process_died_stays_so(rig: Rig) -> None:
    made = migrating()
    left = cut_off(
        made,
        Began(at=AT, step=1),
        Done(at=AT, step=1, outputs={"arn": task_definition_arn("web", 42)}),
        Failed(at=AT, step=3, error="it was changed", superseded=True),
    )
    result = rig.resume(left)
    assert (result.outcome, result.reason, rig.aws.sent) == (Outcome.SUPERSEDED, "it was changed; service.prod/web was "
        "changed by another deployment; left as it is", [])  # fmt: skip


def test_what_is_not_declared_is_sent_and_put_back_as_it_is_by_now(rig: Rig) -> None:
    """The block is sent whole, also members that others have set since."""
    change = moved()
    after = {**(change.after or {}), "deploymentConfiguration": {"maximumPercent": 150}}
    made = plan(register(), run(), update(), changes=(replace(change, after=after),))
    during_the_migration(rig, deploymentConfiguration={"maximumPercent": 150, "minimumHealthyPercent": 60})
    result = rig.apply(made)
    assert result.outcome is Outcome.SUCCEEDED, result.reason
    (sent,) = [call for call in rig.aws.sent if call.operation == "update_service"]
    assert sent.params["deploymentConfiguration"]["minimumHealthyPercent"] == 60
    remade = began(rig, 3).remade
    assert remade
    assert remade.call.params["deploymentConfiguration"]["minimumHealthyPercent"] == 60


@pytest.mark.parametrize("error", [lost(), throttled(), refusal()])
def test_a_look_without_an_answer_is_made_again(rig: Rig, error: AwsError) -> None:
    rig.aws.fail("describe_services", error, times=MAX_LOOKS - 1)
    result = rig.apply(migrating())
    assert (result.outcome, looks(rig)) == (Outcome.SUCCEEDED, MAX_LOOKS)
    warned = [event.message for event in rig.happened(events.Warned)]
    assert len(warned) == MAX_LOOKS - 1
    assert warned[0].startswith("could not look again at what is about to be changed: ")


@pytest.mark.parametrize(("error", "times"), [(lost(), MAX_LOOKS), (refusal("AccessDeniedException"), 1)])
def test_without_a_look_nothing_is_sent_and_nothing_goes_back(rig: Rig, error: AwsError, times: int) -> None:
    rig.aws.fail("describe_services", error, times=times)
    result: Result = rig.apply(migrating())
    assert result.outcome is Outcome.STOPPED
    assert result.next >= {Next.RESUME, Next.ROLLBACK, Next.ABANDON}
    assert [call.operation for call in rig.aws.sent] == ["register_task_definition", "run_task"]
    assert looks(rig) == times
