"""Changes to ordered, numbered steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from ecsplan.core.codec import from_data, to_data
from ecsplan.core.diagnosis import Status
from ecsplan.core.model import Address, Doc, Identity, Notify, Phase, Plan
from ecsplan.kinds.contract import Delta, Live, Unsettled
from ecsplan.plan.diff import diff
from ecsplan.plan.steps import cautions, plan_digest, plan_of
from tests.support.specs import definition, spec, task
from tests.unit.fakes_kinds import CLUSTER, candidate, compiled, delta_of, live_of, resource, revision

IDENTITY = Identity(account="123456789012", region="eu-west-1")


def arns(family: str, *numbers: int) -> list[str]:
    return [revision(f"{family}:{number}") for number in numbers]


def deltas(
    data: Doc,
    *,
    tag: str = "v2",
    active: Sequence[int] = (1,),
    in_use: int = 1,
    draining: Sequence[str] = (),
    unsettled: Unsettled | None = None,
) -> tuple[Delta, ...]:
    """The deltas of a spec whose families are live with tag v1, on the revision `in_use`."""
    was = {address: one.doc for address, one in compiled(data, "v1").items()}
    found: dict[Address, Live] = {}
    for address, one in compiled(data, tag).items():
        match address.kind:
            case "task_definition":
                family = address.name
                found[address] = live_of(
                    address,
                    candidate(was[address], arn=revision(f"{family}:{in_use}")),
                    facts={"family": family, "active": arns(family, *active), "pinned": ""},
                )
            case "service":
                doc = {"service": one.doc["service"], "taskDefinition": revision(f"{one.task}:{in_use}")}
                facts = {"status": "ACTIVE", "deployment": "ecs-svc/1"}
                found[address] = live_of(
                    address, candidate(doc, arn="x"), facts=facts, in_use=tuple(draining), unsettled=unsettled
                )
            case "event_targets":
                ecs = {"TaskDefinitionArn": revision(f"{one.task}:{in_use}")}
                targets = [{"Id": it["Id"], "Arn": CLUSTER, "EcsParameters": ecs} for it in one.doc["Targets"]]
                found[address] = live_of(address, candidate({"Rule": one.doc["Rule"], "Targets": targets}))
            case _:
                found[address] = live_of(address)
    return diff(list(compiled(data, tag).values()), found)


def planned(data: Doc, **more: Any) -> Plan:
    return plan_of(deltas(data, **more), app="shop", tag="v2", identity=IDENTITY, observed={})


def said(plan: Plan) -> list[str]:
    return [f"{step.index} {step.phase.value} {step.address.name} {step.note.partition(' ')[0]}" for step in plan.steps]


TWO = spec(
    task("web", services=("web", "admin"), runs=("b", "a"), rules=(("nightly", ("r",)),), active_task_count=1),
    task("log", services=("log",), runs=("m",)),
)


def test_phases_are_done_for_all_tasks() -> None:
    plan = planned(TWO)
    assert said(plan) == [
        "1 register web a",
        "2 register log a",
        "3 run web/b web:",
        "4 run web/a web:",
        "5 run log/m web:",
        "6 update prod/web ",
        "7 update prod/admin ",
        "8 update prod/log ",
        "9 targets nightly r",
        "10 deregister web web:1",
    ]
    assert plan.summary == {"register": 2, "run": 3, "update": 3, "targets": 1, "deregister": 1}
    assert plan.changed
    assert [change.address for change in plan.changes] == list(compiled(TWO, "v2"))


def test_steps_carry_what_their_change_is_about() -> None:
    plan = planned(TWO)
    register, *_, retire = plan.steps
    assert (register.task, register.kind, register.phase) == ("web", "task_definition", Phase.REGISTER)
    assert [field.path for field in register.changes] == ["containers.web.image"]
    assert register.expect == {"newest": 1}
    assert retire.changes == ()
    update = plan.steps[5]
    assert (update.kind, update.settings.wait, update.task) == ("service", True, "web")


def test_cleanup_alone_is_no_difference() -> None:
    plan = planned(TWO, tag="v1", active=(5, 4, 3, 2, 1))
    assert (plan.steps, plan.changed) == ((), False)
    assert set(plan.summary) == {"register", "run", "update", "targets", "deregister"}
    assert set(plan.summary.values()) == {0}
    assert len(plan.changes) == len(compiled(TWO))


@pytest.mark.parametrize(
    ("status", "counted", "cleans"), [(Status.UNDER_WAY, "wait", False), (Status.FAILED, "update", True)]
)
def test_a_plan_that_only_waits_cleans_nothing_up(status: Status, counted: str, cleans: bool) -> None:
    unsettled = Unsettled(status=status, note="is under way")
    plan = planned(spec(task("web", active_task_count=1)), tag="v1", active=(2, 1), in_use=2, unsettled=unsettled)
    assert (plan.changed, plan.only_waits) == (True, not cleans)
    assert [step.phase is Phase.RETIRE for step in plan.steps] == [False, *([True] if cleans else [])]
    assert (plan.summary[counted], plan.steps[0].note) == (1, "is under way")
    assert ("wait" in plan.summary) is not cleans
    assert not planned(spec(task("web"))).only_waits
    assert not planned(spec(task("web")), tag="v1").only_waits


@pytest.mark.parametrize(
    ("keep", "draining", "gone"),
    [
        (10, (), []),
        (3, (), ["web:1", "web:2", "web:3"]),
        (3, arns("web", 2), ["web:1", "web:3"]),
        (5, arns("web", 1), []),
        (1, (), ["web:1", "web:2", "web:3", "web:4", "web:5"]),
    ],
)
def test_old_revisions_that_nothing_uses_go(keep: int, draining: list[str], gone: list[str]) -> None:
    plan = planned(spec(task("web", active_task_count=keep)), active=(5, 4, 3, 2, 1), in_use=5, draining=draining)
    assert [step.note for step in plan.steps if step.phase is Phase.RETIRE] == gone


def test_a_revision_that_a_target_of_its_own_uses_stays() -> None:
    own = {"Id": "own", "EcsParameters": {"TaskDefinitionArn": revision("web:1")}}
    entries = [{"Rule": "nightly", "Targets": [{"Id": "r"}, own]}]
    data = spec(task("web", active_task_count=1, events__put_targets=entries))
    plan = planned(data, active=(3, 2, 1), in_use=3)
    assert [step.note for step in plan.steps if step.phase is Phase.RETIRE] == ["web:2", "web:3"]


def test_a_plan_holds_all_that_it_was_made_from() -> None:
    notify = {"web": Notify(topic_arn="arn:x")}
    plan = plan_of(
        deltas(spec(task("web"))),
        app="shop",
        tag="v2",
        identity=IDENTITY,
        observed={Address("b.x"): "2", Address("a.x"): "1"},
        base=4,
        warnings=["careful"],
        notify=notify,
        undoes=[3, 2],
    )
    assert list(plan.observed.items()) == [("a.x", "1"), ("b.x", "2")]
    assert (plan.base, plan.warnings, plan.notify, plan.undoes) == (4, ("careful",), notify, (3, 2))
    assert (plan.app, plan.tag, plan.identity, plan.format_version) == ("shop", "v2", IDENTITY, "1.1")


def test_the_digest_is_of_everything_but_itself() -> None:
    plan = planned(TWO)
    assert plan.digest == plan_digest(plan)
    assert plan_digest(msgspec.structs.replace(plan, digest="x")) == plan.digest
    assert plan_digest(from_data(msgspec.json.decode(msgspec.json.encode(to_data(plan))), Plan)) == plan.digest
    assert planned(TWO).digest == plan.digest
    for other in (
        msgspec.structs.replace(plan, tag="v3"),
        msgspec.structs.replace(plan, base=1),
        msgspec.structs.replace(plan, steps=plan.steps[:-1]),
    ):
        assert plan_digest(other) != plan.digest


def test_a_task_without_anything_but_its_definition() -> None:
    plan = planned(spec({"task_definition": definition("web")}))
    assert said(plan) == ["1 register web a"]


@pytest.mark.parametrize(
    ("live", "said"),
    [
        (live_of("service.prod/web", candidate({"service": "web"}), facts={"status": "ACTIVE"}, rolling=True),
         ["service.prod/web is still rolling out an earlier deployment"]),
        (live_of("service.prod/web", candidate({"service": "web"}), facts={"status": "ACTIVE"}), []),
        (live_of("task_definition.web", candidate({"family": "web"}, reusable=False, arn=revision("web:7"))),
         ["web:7, which is in use, is INACTIVE: ECS will not take it back if this deployment fails"]),
        (live_of("task_definition.web", candidate({"family": "web"}, arn=revision("web:7"))), []),
        (live_of("task_definition.web"), []),
    ],
)  # fmt: skip
def test_what_a_person_should_know_before_going_ahead(live: Live, said: list[str]) -> None:
    declared = resource(live.address, {"service": "web"} if "service" in live.address else {"family": "web"})
    assert list(cautions([delta_of(declared, live)])) == said


@pytest.mark.parametrize(("on", "said"), [("web:8", 0), ("web:7", 1)])
def test_a_revision_that_is_gone_back_to_is_in_use_only_where_something_runs_it(on: str, said: int) -> None:
    arn = revision("web:7")
    there = live_of("task_definition.web", candidate({"family": "web"}, reusable=False, arn=arn))
    web = live_of(
        "service.prod/web", candidate({"service": "web", "taskDefinition": revision(on)}), facts={"status": "ACTIVE"}
    )
    definition_ = msgspec.structs.replace(resource(there.address, {"family": "web"}), pinned=arn)
    both = [delta_of(definition_, there), delta_of(resource(web.address, {"service": "web"}), web)]
    assert sum("web:7, which is in use, is INACTIVE" in one for one in cautions(both)) == said
