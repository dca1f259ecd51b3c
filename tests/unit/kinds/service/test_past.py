"""What ECS remembers of the rollouts of services: answer by answer."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Doc
from ecsplan.kinds.contract import Past, Ran, Resource
from ecsplan.kinds.service.past import past
from tests.unit.fakes_kinds import FakeAsk, call, resource, revision


def service(name: str = "web") -> Resource:
    return resource(f"service.prod/{name}", {"cluster": "prod", "service": name})


def brief(number: int, status: str = "SUCCESSFUL", **more: Any) -> Doc:
    return {"targetServiceRevisionArn": f"r/{number}", "status": status, "createdAt": float(number), **more}


def listing(name: str = "web") -> Any:
    return call("list_service_deployments", cluster="prod", service=name)


def describing(*numbers: int) -> Any:
    return call("describe_service_revisions", serviceRevisionArns=sorted(f"r/{number}" for number in numbers))


def revisions(*numbers: int) -> Doc:
    found = [{"serviceRevisionArn": f"r/{n}", "taskDefinition": revision(f"web:{n}")} for n in numbers]
    return {"serviceRevisions": found}


def ran(number: int, **more: Any) -> Ran:
    return Ran(revision=revision(f"web:{number}"), began=float(number), **more)


def test_the_newest_and_those_that_have_ended_newest_first() -> None:
    listed = [brief(5, "IN_PROGRESS"), brief(4, "STOPPED"), brief(3), brief(2, "ROLLBACK_FAILED"), brief(1)]
    reader = (
        FakeAsk().on(listing(), {"serviceDeployments": listed}).on(describing(*range(1, 6)), revisions(*range(1, 6)))
    )
    (only,) = past(reader, [service()])
    assert only.rollouts == (ran(5), ran(4, failed=True), ran(3, well=True), ran(2, failed=True), ran(1, well=True))
    assert [number for number in range(7) if only.never_well(revision(f"web:{number}"))] == [2, 4]
    assert only.refused == ""


def test_the_order_is_that_of_their_times() -> None:
    reader = FakeAsk().on(listing(), {"serviceDeployments": [brief(1), brief(3), brief(2)]})
    reader.on(describing(1, 2, 3), revisions(1, 2, 3))
    assert [one.began for one in past(reader, [service()])[0].rollouts] == [3.0, 2.0, 1.0]


@pytest.mark.parametrize("status", ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"])
def test_what_ecs_takes_back(status: str) -> None:
    reader = FakeAsk().on(listing(), {"serviceDeployments": [brief(1, status)]}).on(describing(1), revisions(1))
    assert past(reader, [service()])[0].rollouts == (ran(1, taken_back=True),)


def test_all_services_in_two_rounds() -> None:
    reader = FakeAsk().on(listing("a"), {"serviceDeployments": [brief(1)]})
    reader.on(listing("b"), {"serviceDeployments": [brief(1), brief(2)]}).on(describing(1, 2), revisions(1, 2))
    found = past(reader, [service("a"), service("b")])
    assert [len(one.rollouts) for one in found] == [1, 2]
    assert [len(asked) for asked in reader.rounds] == [2, 1]


def test_twenty_revisions_are_described_at_a_time_and_no_more_than_needed() -> None:
    listed = [brief(number) for number in range(130, 100, -1)]
    reader = FakeAsk().on(listing(), {"serviceDeployments": listed})
    wanted = range(130, 110, -1)
    reader.on(describing(*wanted), revisions(*wanted))
    assert len(past(reader, [service()])[0].rollouts) == 20


def test_a_refusal_is_no_error() -> None:
    reader = FakeAsk().on(listing(), AwsError("Not allowed.", code="AccessDeniedException"))
    assert past(reader, [service()]) == (Past(address=service().address, refused="Not allowed."),)
    reader = FakeAsk().on(listing(), {"serviceDeployments": [brief(1)]}).refuse(describing(1), "AccessDenied", "No.")
    (only,) = past(reader, [service()])
    assert (only.rollouts, only.refused) == ((Ran(revision="", began=1.0, well=True),), "No.")


@pytest.mark.parametrize("answer", [{}, {"serviceDeployments": []}, {"serviceDeployments": [{"status": "SUCCESSFUL"}]}])
def test_nothing_is_remembered(answer: Doc) -> None:
    assert past(FakeAsk().on(listing(), answer), [service()]) == (Past(address=service().address),)


def test_members_that_aws_leaves_out() -> None:
    listed = [{"targetServiceRevisionArn": "r/1"}]
    reader = FakeAsk().on(listing(), {"serviceDeployments": listed}).on(describing(1), {"failures": []})
    assert past(reader, [service()])[0].rollouts == (Ran(revision=""),)
