"""What others have changed since the journal's newest deployment, as far as a rollback would change it too."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ecsplan.core.model import Address, Doc, Moved
from ecsplan.journal import Deployment, Outcome
from ecsplan.plan.diff import diff
from ecsplan.plan.rollback import by_others, moved_since
from tests.unit.builders import CLUSTER, ROLE, deployment, kept, moved, plan, register, targets, update
from tests.unit.fakes_kinds import FakeAsk, call, candidate, live_of, resource
from tests.unit.plan.rollback.test_restore import THREE, arn, one, registered, to

SERVICE, RULE = Address("service.prod/web"), Address("event_targets.nightly")


def found(deployments: list[Deployment], live: Doc, wanted: Doc) -> tuple[Moved, ...]:
    """What is moved, if a rollback to `wanted` finds the service like this."""
    names = {"cluster": "prod", "service": "web"}
    declared = resource(SERVICE, names | wanted, optional=True)
    lives = {SERVICE: live_of(SERVICE, candidate(names | live), facts={"status": "ACTIVE"})}
    return moved_since(deployments, diff([declared], lives), lives)


def on(number: int, **more: object) -> Doc:
    return {"taskDefinition": arn(number), **more}


def test_as_it_was_left_it_is_not_moved() -> None:
    assert found(THREE, on(43), on(41)) == ()


def test_on_another_revision_it_is_moved() -> None:
    (only,) = found(THREE, on(50), on(41))
    assert (only.address, only.deployment) == (SERVICE, 3)
    assert [(field.path, field.before, field.after) for field in only.fields] == [("taskDefinition", arn(43), arn(50))]


def test_where_it_is_to_go_it_takes_nothing_back() -> None:
    assert found(THREE, on(41), on(41)) == ()


def test_fields_that_no_deployment_declared_are_not_compared() -> None:
    assert found(THREE, on(43, desiredCount=7), on(41, desiredCount=2)) == ()


def declaring(number: int, **fields: object) -> Deployment:
    change = moved(old=39 + number)
    change = replace(change, after={**(change.after or {}), **fields})
    return one(number, to(40 + number, old=39 + number, changes=(registered(39 + number), change)))


def test_declared_fields_are_compared_if_the_rollback_changes_them() -> None:
    deployments = [declaring(1, desiredCount=2)]
    (only,) = found(deployments, on(41, desiredCount=7), on(40, desiredCount=1))
    assert [(field.path, field.before, field.after) for field in only.fields] == [("desiredCount", 2, 7)]
    assert found(deployments, on(41, desiredCount=7), on(40)) == ()


def test_the_newest_deployment_of_an_address_decides() -> None:
    other = deployment(4, plan(update("api", old=41), changes=(kept(number=44), moved("api"))))
    assert found([*THREE, other], on(43), on(41)) == ()
    assert found([*THREE, other], on(44), on(41))[0].deployment == 3


def test_one_that_was_put_back_left_what_was_there() -> None:
    put_back = one(4, to(44, old=50), outcome=Outcome.PUT_BACK)
    assert found([*THREE, put_back], on(43), on(41)) == ()
    assert found([*THREE, put_back], on(50), on(41))[0].deployment == 3


@pytest.mark.parametrize("outcome", [Outcome.STOPPED, Outcome.INTERRUPTED, None])
@pytest.mark.parametrize(("number", "moved_"), [(43, False), (44, False), (50, True)])
def test_one_that_was_left_part_way_left_either(outcome: Outcome | None, number: int, moved_: bool) -> None:
    partly = one(4, to(44, old=43), outcome=outcome)
    assert bool(found([*THREE, partly], on(number), on(41))) is moved_


def test_what_was_not_begun_is_as_before() -> None:
    partly = one(4, to(44, old=43), begun=[1], outcome=Outcome.STOPPED)
    assert found([*THREE, partly], on(43), on(41)) == ()
    assert found([*THREE, partly], on(44), on(41))[0].deployment == 3


def test_what_no_deployment_knows_is_not_compared() -> None:
    assert found([], on(50), on(41)) == ()


# --- targets: some may be as they were left, and others not ---


def pointing(**numbers: int) -> Doc:
    return {
        "Rule": "nightly",
        "Targets": [
            {"Id": name, "Arn": CLUSTER, "RoleArn": ROLE, "EcsParameters": {"TaskDefinitionArn": arn(number)}}
            for name, number in numbers.items()
        ],
    }


def pointed(number: int, before: Doc, after: Doc, **more: object) -> Deployment:
    change = replace(moved(old=40), address=RULE, before=before, after=after)
    return one(number, plan(register(), targets(), changes=(registered(40), change)), **more)


def moved_targets(deployments: list[Deployment], live: Doc, wanted: Doc) -> list[str]:
    declared = resource(RULE, wanted, optional=True)
    lives = {RULE: live_of(RULE, candidate(live))}
    return [field.path for m in moved_since(deployments, diff([declared], lives), lives) for field in m.fields]


def test_of_a_rule_only_the_targets_that_were_moved_are_named() -> None:
    left = pointed(1, pointing(a=40, b=40), pointing(a=41, b=41))
    paths = moved_targets([left], pointing(a=41, b=50), pointing(a=40, b=40))
    assert paths == ["targets.b.EcsParameters.TaskDefinitionArn"]


def test_a_rule_that_was_left_half_way_is_not_moved() -> None:
    partly = pointed(1, pointing(a=40, b=40), pointing(a=41, b=41), outcome=Outcome.STOPPED)
    assert moved_targets([partly], pointing(a=41, b=40), pointing(a=40, b=40)) == []
    assert moved_targets([partly], pointing(a=41, b=50), pointing(a=40, b=40)) == [
        "targets.b.EcsParameters.TaskDefinitionArn"
    ]


# --- what AWS itself has taken back ---


@pytest.mark.parametrize(
    ("newest", "by_aws"),
    [
        ({"status": "ROLLBACK_SUCCESSFUL", "on": 43}, True),
        ({"status": "ROLLBACK_IN_PROGRESS", "on": 43}, True),
        ({"status": "ROLLBACK_SUCCESSFUL", "on": 50}, False),  # what others deployed, after the journal's
        ({"status": "SUCCESSFUL", "on": 42}, False),
        (None, False),
    ],
)
def test_what_aws_took_back_was_not_moved_by_others(newest: Doc | None, by_aws: bool) -> None:
    listed = [{"targetServiceRevisionArn": "r", "status": newest["status"], "createdAt": 1.0}] if newest else []
    reader = FakeAsk().on(
        call("list_service_deployments", cluster="prod", service="web"), {"serviceDeployments": listed}
    )
    if newest:
        revision = {"serviceRevisionArn": "r", "taskDefinition": arn(newest["on"])}
        reader.on(call("describe_service_revisions", serviceRevisionArns=["r"]), {"serviceRevisions": [revision]})
    names = {"cluster": "prod", "service": "web"}
    declared = resource(SERVICE, names | on(41), optional=True)
    lives = {SERVICE: live_of(SERVICE, candidate(names | on(42)), facts={"status": "ACTIVE"})}
    deltas = diff([declared], lives)
    all_ = moved_since(THREE, deltas, lives)
    assert len(all_) == 1
    assert by_others(reader, all_, deltas) == (() if by_aws else all_)


def test_where_nothing_was_moved_nothing_is_asked() -> None:
    reader = FakeAsk()
    assert by_others(reader, (), ()) == ()
    assert reader.calls == []


def test_kinds_of_which_aws_remembers_nothing_are_not_asked() -> None:
    only = Moved(address=RULE, deployment=1, fields=())
    declared = resource(RULE, pointing(a=40), optional=True)
    deltas = diff([declared], {RULE: live_of(RULE, candidate(pointing(a=50)))})
    assert by_others(FakeAsk(), (only,), deltas) == (only,)
