"""What shows a revision that is about to be deregistered."""

from __future__ import annotations

from ecsplan.plan.in_use import users
from tests.unit.builders import moved, plan, register, retire, task_definition_arn, update
from tests.unit.rig import Rig


def test_a_service_shows_the_revisions_of_all_its_deployments() -> None:
    """Also that which is draining, and not what nothing is on."""
    rig = Rig()
    made = plan(register(), update(), retire(), changes=(moved(),))
    rig.aws.seed(made)
    on = task_definition_arn("web", 41)
    assert users(rig.aws, made, {on, task_definition_arn("web", 30)}) == {on: "service.prod/web"}


def test_nothing_is_asked_of_what_is_not_in_a_cluster() -> None:
    rig = Rig()
    assert users(rig.aws, plan(register(), retire()), {task_definition_arn("web", 30)}) == {}
    assert [call for asked in rig.aws.asked for call in asked] == []
