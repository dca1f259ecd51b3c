"""Section 1.1 of the second table of facts: names, errors, tokens, lists and groups of EventBridge Scheduler."""

from __future__ import annotations

import pickle
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from ecsplan.sandbox import Sandbox
from ecsplan.sandbox.account import Account
from tests.sandbox.answers import misfits
from tests.sandbox.conftest import Client
from tests.sandbox.helpers import EPOCH, Clock, Doc, error_of
from tests.sandbox.test_scheduler import SCHEDULES, refused, schedule, shown, target

REGION: Final = "eu-west-1"
GROUPS: Final = "arn:aws:scheduler:eu-west-1:123456789012:schedule-group"


@pytest.fixture
def scheduler(client: Client) -> Any:
    """With a schedule ``nightly`` in the default group."""
    made = client("scheduler")
    made.create_schedule(**schedule())
    return made


def names(answer: Doc) -> list[str]:
    return [f"{one['GroupName']}/{one['Name']}" for one in answer["Schedules"]]


# --- errors ---


def test_a_name_that_is_taken(scheduler: Any) -> None:
    found = refused(scheduler.create_schedule, **schedule(Description="other"))
    assert found == (409, "ConflictException", "Schedule nightly already exists.")
    assert "Description" not in shown(scheduler)


def test_errors_have_classes(scheduler: Any) -> None:
    with pytest.raises(scheduler.exceptions.ConflictException):
        scheduler.create_schedule(**schedule())
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException) as caught:
        scheduler.get_schedule(Name="none")
    assert caught.value.response["Message"] == "Schedule none does not exist."


@pytest.mark.parametrize("operation", ["get_schedule", "delete_schedule", "update_schedule"])
def test_what_does_not_exist(scheduler: Any, operation: str) -> None:
    call = getattr(scheduler, operation)
    more = schedule() if operation == "update_schedule" else {}
    found = refused(call, **more | {"Name": "none"})
    assert found == (404, "ResourceNotFoundException", "Schedule none does not exist.")
    found = refused(call, **more | {"Name": "nightly", "GroupName": "g"})
    assert found == (404, "ResourceNotFoundException", "Schedule group g does not exist.")


def test_no_group_to_create_in_or_to_list(scheduler: Any) -> None:
    missing = (404, "ResourceNotFoundException", "Schedule group g does not exist.")
    assert refused(scheduler.create_schedule, **schedule(GroupName="g")) == missing
    assert refused(scheduler.list_schedules, GroupName="g") == missing
    assert refused(scheduler.get_schedule_group, Name="g") == missing
    assert refused(scheduler.delete_schedule_group, Name="g") == missing


def test_operations_that_are_not_simulated(scheduler: Any) -> None:
    found = refused(scheduler.list_tags_for_resource, ResourceArn=f"{GROUPS}/default")
    assert found[1:] == ("UnknownOperationException", "The sandbox does not simulate scheduler:ListTagsForResource.")


# --- tokens ---


def test_a_request_that_is_repeated_with_its_token_is_carried_out_once(scheduler: Any, clock: Clock) -> None:
    update = schedule(ClientToken="t-1", Description="first")
    answer = scheduler.update_schedule(**update)["ScheduleArn"]
    clock.tick(5)
    scheduler.update_schedule(**schedule(Description="second"))
    assert scheduler.update_schedule(**update)["ScheduleArn"] == answer
    assert shown(scheduler)["Description"] == "second"
    scheduler.update_schedule(**update | {"ClientToken": "t-2"})
    assert shown(scheduler)["Description"] == "first"


def test_creation_and_deletion_can_be_repeated_with_a_token(scheduler: Any) -> None:
    created = schedule(Name="other", ClientToken="t")
    assert scheduler.create_schedule(**created)["ScheduleArn"] == scheduler.create_schedule(**created)["ScheduleArn"]
    for _ in range(2):
        scheduler.delete_schedule(Name="other", ClientToken="t")
    assert refused(scheduler.delete_schedule, Name="other", ClientToken="u")[0] == 404


def test_a_token_is_no_member_of_the_schedule(scheduler: Any) -> None:
    scheduler.update_schedule(**schedule(ClientToken="t"))
    assert "ClientToken" not in shown(scheduler)


def test_a_refusal_is_not_remembered(scheduler: Any) -> None:
    sent = schedule(GroupName="g", ClientToken="t")
    assert refused(scheduler.create_schedule, **sent)[0] == 404
    scheduler.create_schedule_group(Name="g")
    assert scheduler.create_schedule(**sent)["ScheduleArn"] == f"{SCHEDULES}/g/nightly"


def test_boto3_repeats_a_lost_creation(scheduler: Any, client: Client, aws: Sandbox) -> None:
    """botocore makes the token and keeps it, so that the second request does not find the name taken."""
    aws.clear_requests()
    aws.fault("CreateSchedule", "drop_after")
    client("scheduler", attempts=2).create_schedule(**schedule(Name="other"))
    tokens = [request.params["ClientToken"] for request in aws.requests]
    assert (len(tokens), len(set(tokens))) == (2, 1)
    assert [request.status for request in aws.requests] == [0, 200]


# --- lists and groups ---


def test_lists(scheduler: Any) -> None:
    for group in ("g", "e"):
        scheduler.create_schedule_group(Name=group)
    for name, group, state in (("n1", "g", "ENABLED"), ("n2", "g", "DISABLED"), ("m", "e", "ENABLED")):
        scheduler.create_schedule(**schedule(Name=name, GroupName=group, State=state))
    listed = scheduler.list_schedules()
    assert names(listed) == ["default/nightly", "e/m", "g/n1", "g/n2"]
    assert names(scheduler.list_schedules(GroupName="g")) == ["g/n1", "g/n2"]
    assert names(scheduler.list_schedules(NamePrefix="n", State="ENABLED")) == ["default/nightly", "g/n1"]
    brief = listed["Schedules"][2]
    assert brief == {
        "Arn": f"{SCHEDULES}/g/n1", "Name": "n1", "GroupName": "g", "State": "ENABLED",
        "CreationDate": brief["CreationDate"], "LastModificationDate": brief["CreationDate"],
        "Target": {"Arn": target()["Arn"]},
    }  # fmt: skip


def test_pages(scheduler: Any, client: Client) -> None:
    for number in range(4):
        scheduler.create_schedule(**schedule(Name=f"s{number}"))
    pages = list(scheduler.get_paginator("list_schedules").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Schedules"]) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in names(page)] == [
        "default/nightly", *(f"default/s{number}" for number in range(4)),
    ]  # fmt: skip
    unchecked = client("scheduler", parameter_validation=False)
    for wrong in ({"MaxResults": 101}, {"MaxResults": 0}, {"NextToken": "x"}):
        assert refused(unchecked.list_schedules, **wrong)[:2] == (400, "ValidationException")
    assert refused(unchecked.list_schedules, MaxResults="two")[:2] == (400, "SerializationException")


def test_groups(scheduler: Any, clock: Clock) -> None:
    assert scheduler.create_schedule_group(Name="g")["ScheduleGroupArn"] == f"{GROUPS}/g"
    found = scheduler.get_schedule_group(Name="g")
    assert (found["Arn"], found["Name"], found["State"]) == (f"{GROUPS}/g", "g", "ACTIVE")
    assert found["CreationDate"].timestamp() == found["LastModificationDate"].timestamp() == EPOCH
    groups = scheduler.list_schedule_groups()["ScheduleGroups"]
    assert [group["Name"] for group in groups] == ["default", "g"]
    assert [group["Name"] for group in scheduler.list_schedule_groups(NamePrefix="g")["ScheduleGroups"]] == ["g"]
    taken = refused(scheduler.create_schedule_group, Name="g")
    assert taken == (409, "ConflictException", "Schedule group g already exists.")


def test_a_group_goes_with_its_schedules(scheduler: Any) -> None:
    scheduler.create_schedule_group(Name="g")
    scheduler.create_schedule(**schedule(GroupName="g"))
    assert shown(scheduler, GroupName="g")["Arn"] == f"{SCHEDULES}/g/nightly"
    scheduler.delete_schedule_group(Name="g")
    assert refused(scheduler.get_schedule, Name="nightly", GroupName="g")[0] == 404
    assert names(scheduler.list_schedules()) == ["default/nightly"]
    assert refused(scheduler.delete_schedule_group, Name="default")[:2] == (400, "ValidationException")
    assert shown(scheduler)["GroupName"] == "default"


def test_regions(scheduler: Any, client: Client) -> None:
    assert client("scheduler", "us-east-1").list_schedules()["Schedules"] == []
    assert names(scheduler.list_schedules()) == ["default/nightly"]


# --- throttling, faults, copies ---


def test_rates(scheduler: Any, aws: Sandbox, clock: Clock) -> None:
    aws.rates = True

    def asked(times: int) -> list[str]:
        found = []
        for _ in range(times):
            try:
                scheduler.get_schedule(Name="nightly")
                found.append("")
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                found.append(" ".join((str(status), *error_of(error))))
        return found

    assert asked(251) == [""] * 250 + ["429 ThrottlingException Rate exceeded"]
    clock.tick(0.004)
    assert asked(2) == ["", "429 ThrottlingException Rate exceeded"]


def test_an_ordered_throttle_has_the_status_of_the_service(scheduler: Any, ecs: Any, aws: Sandbox) -> None:
    aws.fault("*", "throttle", times=2)
    for call, status in ((scheduler.list_schedules, 429), (ecs.list_clusters, 400)):
        assert refused(call) == (status, "ThrottlingException", "Rate exceeded")
    aws.fault("GetSchedule", "throttle", status=400)
    assert refused(scheduler.get_schedule, Name="nightly")[0] == 400


def test_boto3_survives_throttling(scheduler: Any, client: Client, aws: Sandbox) -> None:
    aws.clear_requests()
    aws.fault("UpdateSchedule", "throttle")
    client("scheduler", attempts=2).update_schedule(**schedule(State="DISABLED"))
    assert [(request.operation, request.status) for request in aws.requests] == [
        ("UpdateSchedule", 429), ("UpdateSchedule", 200),
    ]  # fmt: skip


def test_faults(scheduler: Any, aws: Sandbox) -> None:
    aws.fault("UpdateSchedule", "error", code="ConflictException", message="Later.", status=409)
    assert refused(scheduler.update_schedule, **schedule(State="DISABLED")) == (409, "ConflictException", "Later.")
    assert shown(scheduler)["State"] == "ENABLED"
    aws.fault("UpdateSchedule", "drop_after", match={"Name": "nightly"})
    with pytest.raises(ConnectionClosedError):
        scheduler.update_schedule(**schedule(State="DISABLED"))
    assert shown(scheduler)["State"] == "DISABLED"


def test_a_copy_of_an_account(clock: Clock) -> None:
    account = Account(Clock())
    account.further("scheduler", REGION).call("CreateSchedule", schedule(ClientToken="t"))
    copied: Account = pickle.loads(pickle.dumps(account))
    copied.clock.tick(60)  # type: ignore[attr-defined]
    other = copied.further("scheduler", REGION)
    other.call("UpdateSchedule", schedule(State="DISABLED"))
    other.call("CreateSchedule", schedule(ClientToken="t"))  # known to the copy too
    mine, its = (one.further("scheduler", REGION).call("GetSchedule", {"Name": "nightly"}) for one in (account, copied))
    assert (mine["State"], its["State"]) == ("ENABLED", "DISABLED")
    assert its["LastModificationDate"] - mine["LastModificationDate"] == 60


def test_answers_on_the_wire_fit_the_model(clock: Clock) -> None:
    scheduler = Account(clock).further("scheduler", REGION)
    calls: list[tuple[str, Doc]] = [
        ("CreateScheduleGroup", {"Name": "g", "Tags": [{"Key": "k", "Value": "v"}]}), ("CreateSchedule", schedule()),
        ("GetSchedule", {"Name": "nightly"}), ("ListSchedules", {}), ("GetScheduleGroup", {"Name": "g"}),
        ("ListScheduleGroups", {}), ("UpdateSchedule", schedule()), ("DeleteSchedule", {"Name": "nightly"}),
        ("DeleteScheduleGroup", {"Name": "g"}),
    ]  # fmt: skip
    for operation, params in calls:
        assert misfits(operation, scheduler.call(operation, params), "scheduler") == []
