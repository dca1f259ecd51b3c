"""A plan file may hold anything; what the kinds would stumble over is refused by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ecsplan.core.model import Action, Address, Call, Change, JsonText, Plan, Ref, Step
from ecsplan.plan.file_checks import misshapen
from tests.unit.builders import moved, plan, register, run, targets, update

ARN = Ref(address=register().address, output="arn")


def with_call(step: Step, **params: Any) -> Plan:
    call = msgspec.structs.replace(step.call, params={**step.call.params, **params})
    return plan(msgspec.structs.replace(step, call=call))


def with_undo(step: Step, **params: Any) -> Plan:
    assert isinstance(step.undo, Call)
    undo = msgspec.structs.replace(step.undo, params={**step.undo.params, **params})
    return plan(msgspec.structs.replace(step, undo=undo))


def expecting(step: Step, **expect: Any) -> Plan:
    return plan(msgspec.structs.replace(step, expect={**step.expect, **expect}))


def after(doc: Any, change: Change | None = None, **members: Any) -> Plan:
    return plan(changes=(msgspec.structs.replace(change or moved(), after=doc, **members),))


RULE = Change(address=Address("event_targets.nightly"), task="web", action=Action.UPDATE)


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (with_call(update(), desiredCount="two"), "step 1: desiredCount is of another type"),
        (with_call(update(), desiredCount=True), "step 1: desiredCount is of another type"),
        (with_call(update(), enableExecuteCommand=1), "step 1: enableExecuteCommand is of another type"),
        (with_call(update(), networkConfiguration=[]), "step 1: networkConfiguration is of another type"),
        (with_call(update(), loadBalancers=[{"containerPort": "x"}]), "loadBalancers[].containerPort is of another"),
        (with_call(register(), containerDefinitions=ARN), "step 1: containerDefinitions is of another type"),
        (with_call(update(), desiredCount=JsonText(head="", ref=ARN, tail="")), "desiredCount is of another type"),
        (with_call(register(), containerDefinitions=[{"dockerLabels": {"a": 1}}]), "dockerLabels{} is of another type"),
        (with_undo(update(), service=[]), "step 1: service is of another type"),
        (expecting(run(), count="two"), "step 1: count is of another type"),
        (expecting(run(), count=True), "step 1: count is of another type"),
        (expecting(run(), essential=None), "step 1: essential is of another type"),
        (expecting(register(), newest="41"), "step 1: newest is of another type"),
        (expecting(update(), deployment=1), "step 1: deployment is of another type"),
        (after({"cluster": "prod"}), "service.prod/web: service is missing"),
        (after(None), "service.prod/web: service is missing"),
        (after({"Rule": "nightly", "Targets": [{"Id": "a"}, {"Arn": "b"}]}, RULE), "nightly: Targets[].Id is missing"),
        (after({"Rule": "nightly", "Targets": "a"}, RULE), "nightly: Targets[].Id is missing"),
        (after({"Rule": "nightly"}, RULE), "nightly: Targets[].Id is missing"),
        (after({"service": "web", "desiredCount": []}), "service.prod/web: desiredCount is of another type"),
    ],
)
def test_what_has_another_form_is_named(made: Plan, fault: str) -> None:
    assert fault in misshapen(made)


@pytest.mark.parametrize(
    "made",
    [
        plan(register(), run(), update(), targets()),
        with_call(update(), taskDefinition=ARN),
        with_call(update(), taskDefinition=JsonText(head="{", ref=ARN, tail="}")),
        with_call(update(), deploymentConfiguration={"linearConfiguration": {"stepPercent": 10}}),
        with_call(update(), somethingNewer={"any": [1, None]}),
        with_call(update(), desiredCount=None),
        after({"service": "web", "absent": 1}),
        after({"Rule": "nightly", "Targets": []}, RULE),
        after({"Rule": "nightly", "Targets": [{"Id": "a"}, {"Id": "b"}]}, RULE),
    ],
)
def test_what_ecsplan_makes_has_the_form(made: Plan) -> None:
    assert misshapen(made) == ""
