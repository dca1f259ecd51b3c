"""A simulated account is data: a pickled copy of it, at any moment, continues on its own and in the same way."""

from __future__ import annotations

import json
import pickle
from typing import Any, Final

import pytest

from ecsplan.sandbox.account import Account
from ecsplan.sandbox.ecs.outcomes import AlarmRule, HookRule, RolloutRule, TaskRule
from ecsplan.sandbox.logs import LogLine
from tests.sandbox.helpers import BREAKER, EPOCH, Clock, Doc, container, task_definition

END: Final = 180  # seconds after the beginning; everything has ended by then
REGION: Final = "eu-west-1"
SERVICES: Final = ["baking", "paused", "asking", "alarmed", "failing", "back", "endless", "late", "stopping", "timed"]
LAMBDA: Final[Doc] = {
    "targetType": "AWS_LAMBDA",
    "hookTargetArn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
    "roleArn": "arn:aws:iam::123456789012:role/r",
    "lifecycleStages": ["POST_SCALE_UP", "POST_PRODUCTION_TRAFFIC_SHIFT"],
}


def pause(minutes: int, action: str) -> Doc:
    return {
        "targetType": "PAUSE",
        "lifecycleStages": ["PRE_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": action},
    }


CONFIGURATIONS: Final[dict[str, Doc]] = {
    "baking": {"strategy": "LINEAR", "bakeTimeInMinutes": 1},
    "paused": {"strategy": "BLUE_GREEN", "lifecycleHooks": [pause(60, "ROLLBACK")]},
    "asking": {"strategy": "CANARY", "lifecycleHooks": [LAMBDA, pause(60, "CONTINUE")]},
    "alarmed": {"alarms": {"alarmNames": ["a"], "enable": True, "rollback": True}, "bakeTimeInMinutes": 2},
    "timed": {"lifecycleHooks": [pause(1, "CONTINUE"), LAMBDA]},
}
LOGS: Final[Doc] = {"awslogs-group": "web", "awslogs-region": REGION}


def call(account: Account, operation: str, **params: Any) -> Doc:
    """As JSON there and back, so that no answer changes later."""
    answer: Doc = json.loads(json.dumps(account.ecs(REGION).call(operation, params)))
    return answer


@pytest.fixture
def account() -> Account:
    """An account in which ten services are about to be rolled out, each in another way."""
    account = Account(Clock())
    account.outcomes.minute_seconds = 10.0
    account.outcomes.stop_seconds = 9.0
    logging = {"logDriver": "awslogs", "options": LOGS}
    call(account, "CreateCluster")
    call(account, "RegisterTaskDefinition", **task_definition("web", container(logConfiguration=logging)))
    for name in SERVICES:
        call(account, "CreateService", serviceName=name, taskDefinition="web", desiredCount=2)
    account.clock.tick(1000.0)  # type: ignore[attr-defined]
    account.outcomes.rollout_seconds = 20.0
    for ends, name in (("FAILED", "failing"), ("ROLLED_BACK", "back"), ("NEVER", "endless")):
        account.outcomes.add_rollout(RolloutRule(ends=ends, service=name))
    account.outcomes.add_rollout(RolloutRule(ends="COMPLETED", service="late", failures=3))
    account.outcomes.add_hook(HookRule(seconds=6.0))
    account.outcomes.add_hook(HookRule(seconds=6.0, service="timed", answer="FAILED"))
    account.outcomes.add_alarm(AlarmRule(name="a", seconds=30.0, service="alarmed"))
    lines = tuple(LogLine(text=f"line {number}") for number in range(20))
    account.outcomes.add_task(TaskRule(seconds=40.0, exit_code=1, log_lines=lines, log_delay=2.0))
    return account


def begin(account: Account) -> None:
    for name in SERVICES:
        configuration = BREAKER | CONFIGURATIONS.get(name, {})
        call(account, "UpdateService", service=name, forceNewDeployment=True, deploymentConfiguration=configuration)
    call(account, "RunTask", taskDefinition="web", count=3, clientToken="once")


def act(account: Account, after: float) -> None:
    """What is done some seconds after the beginning: a hook is continued, a rollout stopped, a task run again."""
    if after == 24.0:
        (paused, *_) = rollouts(account, "paused")
        hook = paused["lifecycleHookDetails"][-1]["hookId"]
        call(account, "ContinueServiceDeployment", serviceDeploymentArn=paused["serviceDeploymentArn"], hookId=hook)
    if after == 12.0:
        (stopping, *_) = rollouts(account, "stopping")
        call(account, "StopServiceDeployment", serviceDeploymentArn=stopping["serviceDeploymentArn"])
    if after == 40.0:
        call(account, "RunTask", taskDefinition="web", count=3, clientToken="once")
        call(account, "UpdateService", service="endless", forceNewDeployment=True)


def rollouts(account: Account, *services: str) -> list[Doc]:
    """The newest service deployment of each."""
    listed = (call(account, "ListServiceDeployments", service=name)["serviceDeployments"] for name in services)
    arns = [found[0]["serviceDeploymentArn"] for found in listed]
    described: list[Doc] = call(account, "DescribeServiceDeployments", serviceDeploymentArns=arns)["serviceDeployments"]
    return described


def shown(account: Account) -> Doc:
    """What can be seen of the account now."""
    lists = (call(account, "ListTasks", desiredStatus=status)["taskArns"] for status in ("RUNNING", "STOPPED"))
    tasks = [arn for found in lists for arn in found]
    logs = account.logs.call(REGION, "FilterLogEvents", {"logGroupName": "web"}, account.clock.now())
    return {
        "services": call(account, "DescribeServices", services=SERVICES)["services"],
        "rollouts": rollouts(account, *SERVICES),
        "tasks": call(account, "DescribeTasks", tasks=tasks[:100])["tasks"],
        "logs": [event["message"] for event in logs["events"]],
    }


def played(account: Account, start: float, end: float) -> list[Doc]:
    """The account from one second after the beginning to another, in steps of four seconds."""
    found = []
    for number in range(int(start), int(end), 4):
        account.clock.time = EPOCH + 1000.0 + number  # type: ignore[attr-defined]
        act(account, float(number))
        found.append(shown(account))
    return found


def copied(account: Account) -> Account:
    found: Account = pickle.loads(pickle.dumps(account))
    return found


@pytest.mark.parametrize("moment", [4, 16, 28, 44, 84])
def test_both_go_on_independently_and_in_the_same_way(account: Account, moment: int) -> None:
    begin(account)
    expected = played(copied(account), 0, END)
    assert played(account, 0, moment) == expected[: moment // 4]

    first, second = copied(account), copied(account)
    assert played(first, moment, END) == expected[moment // 4 :]
    assert shown(second) == shown(account) == expected[moment // 4 - 1]  # what the first copy did is not seen in them
    assert played(second, moment, END) == expected[moment // 4 :]


def test_everything_that_takes_time_is_under_way_in_between(account: Account) -> None:
    """So the test above copies accounts in the middle of each of these."""
    begin(account)
    seen = played(account, 0, END)
    found = [rollout for one in seen for rollout in one["rollouts"]]
    assert {rollout["status"] for rollout in found} == {
        "PENDING", "IN_PROGRESS", "SUCCESSFUL", "STOPPED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_SUCCESSFUL",
    }  # fmt: skip
    stages = {rollout["lifecycleStage"] for rollout in found}
    assert {"SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"} <= stages
    hooks = {hook["status"] for rollout in found for hook in rollout.get("lifecycleHookDetails", ())}
    assert hooks == {"AWAITING_ACTION", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT"}
    assert {task["lastStatus"] for one in seen for task in one["tasks"]} >= {"PENDING", "RUNNING", "STOPPED"}
    assert 0 < len(seen[5]["logs"]) < len(seen[-1]["logs"])


def test_a_copy_has_its_own_outcomes_clock_and_rules(account: Account) -> None:
    account.further("events", REGION).call("PutRule", {"Name": "nightly", "ScheduleExpression": "rate(1 day)"})
    other = copied(account)
    other.outcomes.task_seconds = 99.0
    other.clock.tick()  # type: ignore[attr-defined]
    other.further("events", REGION).call("DeleteRule", {"Name": "nightly"})
    assert account.outcomes.task_seconds == 1.0
    assert account.clock.now() == EPOCH + 1000.0
    assert [rule["Name"] for rule in account.further("events", REGION).call("ListRules", {})["Rules"]] == ["nightly"]
