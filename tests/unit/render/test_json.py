"""Plans, deployments and events for programs: the keys are a contract."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ecsplan.core import events
from ecsplan.core.model import Address, FieldChange
from ecsplan.journal import Damaged, Outcome
from ecsplan.redact import mask_plan
from ecsplan.render.json import INTERNAL, deployment_json, dumps, event_json, history_json, plan_json, stream_head
from tests.unit.builders import deployment, kept, moved, plan, register, run, task_definition_arn, update, whole

MADE = plan(*whole(), changes=(kept(), moved()), warnings=("mind",))
WEB = Address("service.prod/web")
CONTRACT = ["format_version", "app", "tag", "identity", "changed", "steps", "summary", "warnings", "digest"]


def read(text: str) -> Any:
    return json.loads(text)


# --- a plan ---


def test_a_plan_has_the_keys_of_the_contract() -> None:
    found = read(plan_json(MADE))
    assert [key for key in found if key in CONTRACT] == CONTRACT
    assert set(found) - set(CONTRACT) == {"spec", "clusters", "undoes", "observed"}
    assert (found["format_version"], found["app"], found["tag"], found["changed"]) == ("1.1", "shop", "v42", True)
    assert found["identity"] == {"account": "123456789012", "region": "eu-west-1"}
    assert found["summary"] == {"register": 1, "run": 1, "update": 1, "targets": 1, "deregister": 1}
    assert found["warnings"] == ["mind"]
    assert found["digest"] == MADE.digest


def test_a_step_has_the_keys_of_the_contract() -> None:
    step = read(plan_json(MADE))["steps"][2]
    contract = ["index", "phase", "kind", "address", "action", "changes", "call", "undo"]
    assert [key for key in step if key in contract] == contract
    assert [step[key] for key in contract[:5]] == [3, "update", "service", "service.prod/web", "update"]
    old = task_definition_arn("web", 41)
    assert step["changes"] == [{"path": "taskDefinition", "before": old, "after": "(known after apply)"}]
    params = {"cluster": "prod", "service": "web"}
    call = {"service": "ecs", "operation": "update_service"}
    assert step["call"] == {"type": "call", **call, "params": {**params, "taskDefinition": "(known after apply)"}}
    assert step["undo"] == {"type": "call", **call, "params": {**params, "taskDefinition": old}}


def test_a_step_that_cannot_be_undone_says_why() -> None:
    assert read(plan_json(MADE))["steps"][1]["undo"] == {"type": "irreversible", "reason": "it ran"}


@pytest.mark.parametrize(
    ("number", "phase", "action"),
    [(0, "register", "create"), (1, "run", "run"), (2, "update", "update"), (3, "targets", "update"),
     (4, "deregister", "delete")],
)  # fmt: skip
def test_phases_and_actions_are_words(number: int, phase: str, action: str) -> None:
    step = read(plan_json(MADE))["steps"][number]
    assert (step["phase"], step["action"]) == (phase, action)


def test_a_plan_without_changes_has_the_same_keys() -> None:
    found = read(plan_json(plan()))
    assert found.keys() == read(plan_json(MADE)).keys()
    assert (found["changed"], found["steps"]) == (False, [])
    assert set(found["summary"].values()) == {0}


def test_what_only_looks_like_a_reference_is_left() -> None:
    value = {"$ref": "output", "address": "x"}
    step = register(labels=value)
    assert read(plan_json(plan(step)))["steps"][0]["call"]["params"]["labels"] == value


def test_two_runs_print_the_same_bytes() -> None:
    assert plan_json(MADE) == plan_json(plan(*whole(), changes=(kept(), moved()), warnings=("mind",)))


def test_secrets_do_not_reach_it() -> None:
    secret = FieldChange(path="containers.web.environment.DB_PASSWORD", after="hunter2hunter2")
    container = {"name": "web", "environment": [{"name": "DB_PASSWORD", "value": "hunter2hunter2"}]}
    step = msgspec.structs.replace(register(containerDefinitions=[container]), changes=(secret,))
    made = mask_plan(plan(step))
    assert "hunter2" not in plan_json(made)
    assert "(sensitive)" in plan_json(made)


# --- the journal ---


def test_a_deployment_of_the_history() -> None:
    made = plan(register(), update(), undoes=(3,))
    one = deployment(4, made, begun=[1], outputs={1: {"arn": task_definition_arn("web", 42)}}, outcome=Outcome.STOPPED,
                     reason="no")  # fmt: skip
    assert read(history_json("shop", [one])) == {
        "format_version": "1.1",
        "app": "shop",
        "deployments": [
            {
                "number": 4,
                "when": "2023-11-14T22:13:20Z",
                "who": "ada@ci-7",
                "tag": "v42",
                "revisions": {"web": "web:42"},
                "outcome": "stopped",
                "reason": "no",
                "undoes": [3],
                "identity": {"account": "123456789012", "region": "eu-west-1"},
                "steps": [
                    {
                        "index": 1,
                        "phase": "register",
                        "address": "task_definition.web",
                        "action": "create",
                        "state": "done",
                    },
                    {
                        "index": 2,
                        "phase": "update",
                        "address": "service.prod/web",
                        "action": "update",
                        "state": "planned",
                    },
                ],
            }
        ],
    }


def test_a_damaged_deployment_takes_its_place() -> None:
    found = read(history_json("shop", [deployment(1, plan()), Damaged(number=2, error="line 3 is damaged")]))
    assert found["deployments"][1] == {"number": 2, "error": "line 3 is damaged"}
    assert read(history_json("shop", []))["deployments"] == []


def test_one_deployment_comes_with_its_plan() -> None:
    one = deployment(4, MADE)
    found = read(deployment_json(one))
    assert found["plan"] == read(plan_json(MADE))
    (short,) = read(history_json("shop", [one]))["deployments"]
    assert {key: found[key] for key in short} == short
    assert (found["format_version"], found["app"]) == ("1.1", "shop")


# --- events ---


def test_the_stream_says_its_version_first() -> None:
    assert read(stream_head()) == {"format_version": "1.1", "event": "version"}


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (events.DeploymentStarted(number=1, app="shop", tag="v42", steps=2), "deployment_started"),
        (events.StepStarted(step=update()), "step_started"),
        (events.StepDone(step=update(), outputs={"a": "b"}), "step_done"),
        (events.StepFailed(step=update(), error="no\nreally"), "step_failed"),
        (events.Progressed(address=WEB, note="x", done=False, ok=True, elapsed=1.5), "progressed"),
        (events.Warned(message="mind"), "warned"),
        (events.UndoStarted(reason="no"), "undo_started"),
        (events.DeploymentEnded(number=1, outcome="succeeded", reason=""), "deployment_ended"),
    ],
)  # fmt: skip
def test_an_event_is_one_line(event: events.Event, name: str) -> None:
    text = event_json(event)
    assert "\n" not in text
    assert read(text)["event"] == name
    assert set(read(text)) - {"event"} == set(event.__struct_fields__) - INTERNAL


def test_what_is_not_known_yet_reads_so_in_events() -> None:
    step = read(event_json(events.StepStarted(step=run())))["step"]
    assert step["call"]["params"]["taskDefinition"] == "(known after apply)"


def test_texts_are_indented_for_people_unless_they_are_lines() -> None:
    assert dumps({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'
    assert dumps({"a": [1]}, indent=0) == '{"a":[1]}'
