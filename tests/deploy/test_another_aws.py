"""AWS as others may answer in its place: members are missing, operations are not known, its clock is another one.

However little is told, a rollout that ECS took back is never a success, and one that went to its end never a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecsplan import pipeline, rehearsal
from ecsplan.apply.deploy import Options, Result
from ecsplan.core.model import Call
from ecsplan.journal import Outcome
from tests.support import toml
from tests.support.aws import Aws, Fault, site
from tests.support.elsewhere import services, shifted, without
from tests.support.specs import BREAKER, spec, task
from tests.support.toml import Doc

Edit = Callable[[Call, Doc], None]
ROLLOUTS = ("describe_service_deployments", "list_service_deployments", "stop_service_deployment")
CURRENT, STATE, TIMES = "currentServiceDeployment", ("rolloutState", "rolloutStateReason"), ("createdAt", "startedAt")


def nothing(_call: Call, _answer: Doc) -> None:
    """As the embedded AWS answers."""


def unanswered(call: Call, answer: Doc) -> None:
    """An UpdateService that does not say which deployment it started."""
    if call.operation == "update_service":
        answer["service"].pop("deployments")


def back_to_the_same() -> Edit:
    """ECS goes back to the very deployment from before, shows no other, and says nothing of it."""
    ids: dict[str, str] = {}

    def edit(_call: Call, answer: Doc) -> None:
        for service in services(answer):
            service["deployments"] = [one for one in service["deployments"] if one["status"] == "PRIMARY"]
            service.pop("events", None)
            for primary in service["deployments"]:
                primary["id"] = ids.setdefault(primary["taskDefinition"], primary["id"])

    return edit


ANSWERS: dict[str, tuple[Callable[[], Edit], str]] = {
    "as they are": (lambda: nothing, ""),
    "no current service deployment": (lambda: without(CURRENT), ""),
    "nor times": (lambda: without(CURRENT, *TIMES), ""),
    "no service deployments": (lambda: nothing, "UnknownOperationException"),
    "not permitted": (lambda: without(CURRENT), "AccessDeniedException"),
    "no states": (lambda: without(*STATE), "404"),
    "no events": (lambda: without("events", "failedTasks"), ""),
    "little at all": (lambda: without("events", "failedTasks", CURRENT, *STATE, *TIMES), "InvalidAction"),
    "no deployments from an update": (lambda: unanswered, ""),
    "the same deployment again": (back_to_the_same, "InvalidAction"),
    "hours ahead": (lambda: shifted(7200), ""),
    "hours behind": (lambda: shifted(-7200), ""),
}
STRATEGIES = {"ROLLING": ("COMPLETED", "ROLLED_BACK"), "BLUE_GREEN": ("COMPLETED", "ROLLED_BACK", "NEVER")}
ENDS = {"COMPLETED": Outcome.SUCCEEDED, "ROLLED_BACK": Outcome.PUT_BACK, "NEVER": Outcome.UNFINISHED}


class There:
    """v1 is live at that AWS; from now on its answers are what they are there."""

    def __init__(self, root: Path, made: Doc, edited: Edit = nothing, refused: str = "") -> None:
        self.aws = Aws()
        self.aws.rollout_seconds = self.aws.task_seconds = 0.0
        file = root / "ecsplan.toml"
        file.write_text(toml.dumps(made), encoding="utf-8")
        self.spec = pipeline.load(file)
        rehearsal.seed(self.aws, self.spec)
        self.site = site(root, self.aws.in_process(), self.aws.clock)
        assert self.deployed("v1").outcome is Outcome.SUCCEEDED
        self.aws.rollout_seconds = 10.0
        unknown = Fault(operation="*", kind="error", code=refused, message="The operation is not known.")

        def fault(call: Call) -> Fault | None:
            return unknown if refused and call.operation in ROLLOUTS else None

        self.site = site(root, self.aws.in_process(fault=fault, edited=edited), self.aws.clock)

    def deployed(self, tag: str, **options: Any) -> Result:
        plan = pipeline.make_plan(self.site, self.spec, tag)
        result = pipeline.run_plan(self.site, plan, options=Options(**options))
        assert result is not None
        return result


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("answers", ANSWERS)
def test_how_a_rollout_ends_is_told_truly(tmp_path: Path, answers: str, strategy: str) -> None:
    made = spec(task())
    made["tasks"]["web"]["update_services"][0]["deploymentConfiguration"] = {"strategy": strategy, **BREAKER}
    edited, refused = ANSWERS[answers]
    for ends in STRATEGIES[strategy]:
        outcome = ENDS[ends]
        root = tmp_path / ends
        root.mkdir()
        there = There(root, made, edited(), refused)
        there.aws.rollout(ends, image="*:v2")
        result = there.deployed("v2", timeout=120)
        assert (ends, result.outcome) == (ends, outcome), result.reason
        assert there.aws.on("web") == ("web:1" if outcome is Outcome.PUT_BACK else "web:2")


def status(of: str, to: str) -> Edit:
    def edit(call: Call, answer: Doc) -> None:
        for one in answer.get("tasks", ()) if call.operation == "describe_tasks" else ():
            if one["lastStatus"] == of or (not of and one["lastStatus"] != "STOPPED"):
                one["lastStatus"] = to

    return edit


def not_yet() -> Edit:
    looks = iter(range(3))

    def edit(call: Call, answer: Doc) -> None:
        if call.operation == "describe_tasks" and next(looks, None) is not None:
            answer["failures"] = [{"arn": one["taskArn"], "reason": "MISSING"} for one in answer["tasks"]]
            answer["tasks"] = []

    return edit


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize(
    "edited",
    [
        not_yet(),
        status("STOPPED", "DELETED"),
        status("", "HIBERNATING"),
        without("stopCode", "stoppedReason", "stoppedAt", "executionStoppedAt", "createdAt"),
        shifted(7200),
        shifted(-7200),
    ],
    ids=["missing at first", "deleted", "an unknown status", "no reasons", "hours ahead", "hours behind"],
)
def test_how_a_one_off_task_ends_is_told_truly(tmp_path: Path, edited: Edit, code: int) -> None:
    there = There(tmp_path, spec(task(runs=("migrate",))), edited)
    there.aws.task_seconds = 2.0
    there.aws.task(exit_code=code)
    result = there.deployed("v2")
    assert result.outcome is (Outcome.PUT_BACK if code else Outcome.SUCCEEDED), result.reason


def test_a_task_without_exit_codes_has_failed(tmp_path: Path) -> None:
    there = There(tmp_path, spec(task(runs=("migrate",))), without("exitCode"))
    result = there.deployed("v2")
    assert result.outcome is Outcome.PUT_BACK
    assert "container web never started" in result.reason
