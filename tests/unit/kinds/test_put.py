"""A kind that is one file: made by `put_kind`, found by that file alone, and gone through as others are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comparison import comparison_text

import ecsplan.kinds
from ecsplan.aws import pacing
from ecsplan.core.codec import to_data
from ecsplan.core.errors import PlanningError
from ecsplan.core.model import Action, Address, Call, Doc, Identity, Phase, Plan, Ref
from ecsplan.kinds import kind_of, kinds
from ecsplan.kinds.contract import Kind
from ecsplan.plan import file
from ecsplan.plan.compile import compile_spec, requests
from ecsplan.plan.diff import diff
from ecsplan.plan.read import read
from ecsplan.plan.steps import plan_of
from ecsplan.redact import mask_requests
from ecsplan.spec.load import loads
from tests.support.specs import spec, task
from tests.unit.fakes_kinds import FakeAsk, revision, spec_of
from tests.unit.spec_texts import HEAD, faults

KEY = "pipes__update_pipes"
PIPES = f"[[tasks.web.{KEY}]]\n"
ORDERS = Address("pipe.orders")
OLD = revision("web:41")
READ = Call(service="pipes", operation="describe_pipe", params={"Name": "orders"})
ECS = {"TaskDefinitionArn": OLD, "TaskCount": 1}
KEPT = {"Name": "orders", "RoleArn": "arn:role", "DesiredState": "STOPPED", "Description": "of the shop"}
LIVE = {**KEPT, "Arn": "arn:pipe", "CurrentState": "STOPPED", "TargetParameters": {"EcsTaskParameters": ECS}}


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Kind]:
    """The kind, whose file is all that is added to the package for the time of a test."""
    source = Path(__file__).with_name("pipe.py").read_text(encoding="utf-8")
    (tmp_path / "pipe.py").write_text(source, encoding="utf-8")
    forget()
    ecsplan.kinds.__path__.append(str(tmp_path))
    try:
        yield kind_of(ORDERS)
    finally:
        ecsplan.kinds.__path__.remove(str(tmp_path))
        sys.modules.pop("ecsplan.kinds.pipe", None)
        forget()


def forget() -> None:
    kinds.cache_clear()
    ecsplan.kinds._by_name.cache_clear()


def planned(answer: Doc | None, tag: str = "v42", **members: Any) -> Plan:
    """With the family at web:41, which is of the tag v42."""
    containers = [{"name": "web", "image": "web:v42", "memory": 128}]
    ask = FakeAsk().family("web", {"family": "web", "containerDefinitions": containers}, [41])
    ask = ask.refuse(READ, "NotFoundException") if answer is None else ask.on(READ, answer)
    declared = spec(task("web", services=()) | {KEY: [{"Name": "orders", **members}]})
    resources = compile_spec(spec_of(declared), tag)
    identity = Identity(account="123456789012", region="eu-west-1")
    return plan_of(list(diff(resources, read(ask, resources))), app="shop", tag=tag, identity=identity, observed={})


def test_without_its_file_there_is_no_such_kind() -> None:
    assert ORDERS.kind not in [kind.name for kind in kinds()]
    (fault,) = faults(HEAD + PIPES + 'Name = "orders"')
    assert fault.startswith(f"tasks.web.{KEY}: unknown key")


def test_its_table_is_a_key_of_the_spec(pipe: Kind) -> None:
    (web,) = loads(HEAD + PIPES + 'Name = "orders"\nwait = false\n', "ecsplan.toml").tasks
    (entry,) = web.entries["pipe"]
    assert (entry.params, entry.path, entry.settings.wait) == ({"Name": "orders"}, f"tasks.web.{KEY}[0]", False)
    assert faults(HEAD + PIPES.replace("pipes]", "pipe]") + 'Name = "x"') == [
        f'tasks.web.pipes__update_pipe: unknown key; did you mean "{KEY}"?'
    ]
    assert faults(HEAD + PIPES + 'Name = ""') == [f"tasks.web.{KEY}[0].Name: must not be empty"]


def test_its_requests_are_rendered_and_masked(pipe: Kind) -> None:
    declared = {"Name": "orders", "TargetParameters": {"InputTemplate": '{"PASSWORD": "hunter2"}'}}
    made = requests(spec_of(spec(task("web", services=()) | {KEY: [declared]})), "v42")
    assert list(made["web"])[-1] == KEY
    assert made["web"][KEY][0]["TargetParameters"]["EcsTaskParameters"] == {"TaskDefinitionArn": "(known after apply)"}
    assert "hunter2" in str(made)
    assert "hunter2" not in str(mask_requests(made))


def test_its_fields_are_in_the_document_of_comparisons_and_its_requests_are_paced(pipe: Kind) -> None:
    assert "## UpdatePipe\n" in comparison_text()
    rate = pacing.rate_of(READ)
    assert rate is not None
    assert (rate.burst, rate.per_second) == (10, 10)


def test_it_is_planned_written_and_read(pipe: Kind) -> None:
    plan = planned(LIVE, "v43", DesiredState="RUNNING")
    register, update = plan.steps
    assert (register.phase, update.phase, update.action) == (Phase.REGISTER, Phase.TARGETS, Action.UPDATE)
    ref = Ref(address=Address("task_definition.web"), output="arn")
    new = {"EcsTaskParameters": {**ECS, "TaskDefinitionArn": ref}}
    assert isinstance(update.call, Call)
    assert update.call.params == {**KEPT, "DesiredState": "RUNNING", "TargetParameters": new}
    assert isinstance(update.undo, Call)
    assert update.undo.params == {**KEPT, "TargetParameters": {"EcsTaskParameters": ECS}}
    assert file.decode(to_data(plan), "plan.json") == plan


def test_nothing_differs_after_it_was_put(pipe: Kind) -> None:
    assert not planned(LIVE).changed


def test_one_that_is_not_there_is_refused(pipe: Kind) -> None:
    with pytest.raises(PlanningError, match=r"pipe\.orders: there is no pipe orders"):
        planned(None)
