"""Wherever a command is cut off, what finishes it ends where an undisturbed run ends.

For each example and each request of a deployment, a change, a rollback, and the putting back of a failed deployment:
the process is killed, or the connection breaks, before the request is carried out and after it; then `resume`, or,
where nothing had begun yet, the command again. What that does is a function of the account and the journal; so of the
points that leave the same of both, which all are tried, one is finished.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Result
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc, Identity, Plan
from ecsplan.core.spec import Spec
from ecsplan.journal import Deployment, Journal, Outcome, open_store, unfinished
from tests.faults.conftest import Points
from tests.support.amounts import played
from tests.support.aws import ACCOUNT, REGION, TROUBLES, Aws, Fault, InProcess, Killed, Point, site
from tests.support.paths import EXAMPLES

NAMES = ("web", "django", "ec2-bridge")
GONE = {"failed": "put back", "undone": "put back"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
ROUNDS = 4  # commands until a story has to be over


def nothing(_aws: Aws) -> None:
    """All goes well."""


def failing_rollout(aws: Aws) -> None:
    aws.rollout("FAILED", image="*:v2")


def rolled_back(aws: Aws) -> None:
    aws.rollout("ROLLED_BACK", image="*:v2")


def failing_beside_another(aws: Aws) -> None:
    aws.rollout("NEVER", service="shop-worker", image="*:v2")
    aws.rollout("FAILED", service="shop-web", image="*:v2", seconds=20.0)


def failing_first_rollout(aws: Aws) -> None:
    aws.rollout("FAILED", image="*:v1")


def failing_task(aws: Aws) -> None:
    aws.task(exit_code=1, image="*:v2")


def endless_task(aws: Aws) -> None:
    """So that one which nobody stops can be told."""
    aws.task(stays="RUNNING", image="*:v2")


def no_fault(_call: Call) -> Fault | None:
    """Every request is answered."""
    return None


def refused(asks: Callable[[Call], bool]) -> Callable[[Call], Fault | None]:
    """What is not permitted."""
    denied = Fault(operation="*", kind="error", code="AccessDeniedException", message="not allowed")
    return lambda call: denied if asks(call) else None


def no_place_for_the_last_of_v2(call: Call) -> Fault | None:
    """One of the last tasks of v2 is not placed."""
    if call.operation == "run_task" and call.params["count"] == 2 and "shop-web:2" in str(call.params):
        return Fault(operation="RunTask", kind="failures", code="RESOURCE:CPU")
    return None


def targets_of_v2(call: Call) -> bool:
    return call.operation == "put_targets" and "shop-web:2" in str(call.params)


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is done to an account that deployed the tags of `before`; `tag` "" is a rollback. `count` is how many tasks
    a migration has."""

    name: str
    before: tuple[str, ...]
    tag: str
    ends: Outcome = Outcome.SUCCEEDED
    outcomes: Callable[[Aws], None] = nothing
    fault: Callable[[Call], Fault | None] = no_fault
    count: int = 1
    examples: tuple[str, ...] = NAMES


STORIES = (
    Story(name="first", before=(), tag="v1"),
    Story(name="change", before=("v1",), tag="v2"),
    Story(name="rollback", before=("v1", "v2"), tag=""),
    Story(name="rollback of the first", before=("v1",), tag=""),
    Story(name="failed rollout", before=("v1",), tag="v2", ends=Outcome.PUT_BACK, outcomes=failing_rollout),
    Story(name="failed first rollout", before=(), tag="v1", ends=Outcome.PUT_BACK, outcomes=failing_first_rollout),
    Story(name="rolled back by ECS", before=("v1",), tag="v2", ends=Outcome.PUT_BACK, outcomes=rolled_back,
          examples=("django",)),
    Story(name="failed beside another", before=("v1",), tag="v2", ends=Outcome.PUT_BACK,
          outcomes=failing_beside_another, examples=("django",)),
    Story(name="failed migration", before=("v1",), tag="v2", ends=Outcome.PUT_BACK, outcomes=failing_task,
          examples=("django",)),
    Story(name="many tasks", before=(), tag="v1", count=12, examples=("django",)),
    Story(name="no place for some", before=("v1",), tag="v2", count=12, ends=Outcome.PUT_BACK, outcomes=endless_task,
          fault=no_place_for_the_last_of_v2, examples=("django",)),
    Story(name="refused targets", before=("v1",), tag="v2", ends=Outcome.PUT_BACK, fault=refused(targets_of_v2),
          examples=("django",)),
)  # fmt: skip
CASES = [pytest.param(story, example, id=f"{story.name}-{example}") for story in STORIES for example in story.examples]


class Stage:
    """An example's account and journal, in a folder of their own."""

    def __init__(self, spec: Spec, story: Story, aws: Aws, folder: Path) -> None:
        self.spec, self.story, self.aws, self.folder = spec, story, aws, folder

    def journal(self) -> Journal:
        return Journal(open_store(self.folder), self.spec.app, Identity(account=ACCOUNT, region=REGION))

    def site(self, wire: InProcess) -> pipeline.Site:
        return site(self.folder, wire, self.aws.clock, self.spec.app)

    def wire(self, point: Point | None = None, trouble: str = "") -> InProcess:
        return self.aws.in_process(fault=self.story.fault, kill_at=point, trouble=trouble)

    def plan(self, wire: InProcess, tag: str) -> Plan:
        with self.site(wire) as site:
            return pipeline.make_plan(site, self.spec, tag) if tag else pipeline.undo(site, self.spec)

    def apply(self, wire: InProcess, plan: Plan) -> Result | None:
        with self.site(wire) as site:
            return pipeline.run_plan(site, plan)

    def go_on(self) -> Result | None:
        """What a person does after a command that was cut off: `resume`, or the command again."""
        if unfinished(self.journal().deployments()) is None:
            return self.apply(self.wire(), self.plan(self.wire(), self.story.tag))
        with self.site(self.wire()) as site:
            return pipeline.resume(site)

    def copied(self, folder: Path) -> Stage:
        if self.folder.exists():
            shutil.copytree(self.folder, folder)
        return Stage(self.spec, self.story, self.aws.copied(), folder)

    def told(self) -> list[Doc]:
        """The journal, without times and what AWS numbers anew in each run."""
        return [told(deployment) for deployment in self.journal().deployments()]

    def left(self) -> tuple[bytes, str]:
        """All that a command finds: the account, and the journal to the letter; both but for the times, which are
        seconds apart, and after which nothing is under way any more."""
        lines = b"".join(file.read_bytes() for file in sorted(self.folder.rglob("*.jsonl")))
        return self.aws.content(), TIME.sub("", lines.decode())

    def check_rollouts(self) -> None:
        """A deployment that succeeded knows which deployments of its services it made."""
        last = self.journal().deployments()[-1]
        for step in last.plan.steps:
            if step.kind == "service" and last.outcome is Outcome.SUCCEEDED:
                cluster, name = step.address.name.split("/")
                assert last.outputs()[step.index] == {"deployment": self.aws.primary(cluster, name)}


def told(deployment: Deployment) -> Doc:
    """Of what was put back it makes no difference whether it had been carried out, or refused in the first place."""
    states, outputs = deployment.states(), deployment.outputs()
    return {
        "number": deployment.number,
        "tag": deployment.plan.tag,
        "undoes": deployment.plan.undoes,
        "outcome": deployment.outcome,
        "steps": [
            (
                step.address,
                step.action,
                GONE.get(states[step.index], states[step.index]),
                outputs.get(step.index, {}).get("arn"),
            )
            for step in deployment.plan.steps
        ],
    }


def staged(story: Story, example: str, folder: Path) -> Stage:
    """The account as it is before the story, and its journal."""
    spec = pipeline.load(EXAMPLES / example / "ecsplan.toml")
    for entry in [entry for task in spec.tasks for entry in task.entries["run_task"] if story.count > 1]:
        entry.params["count"] = story.count
    aws = Aws()
    aws.seed_with(spec)
    stage = Stage(spec, story, aws, folder)
    for tag in story.before:
        result = stage.apply(aws.in_process(), stage.plan(aws.in_process(), tag))
        assert result is not None
        assert result.outcome is Outcome.SUCCEEDED
    story.outcomes(aws)
    return stage


def finished(stage: Stage, expected: tuple[Doc, list[Doc]]) -> str:
    """Whatever it takes until the story is over; how each command ended, if that is not what is expected."""
    said = []
    for _ in range(ROUNDS):
        result = stage.go_on()
        said.append(f"{result.outcome.value}: {result.reason}" if result else "nothing")
        if result is None or result.outcome.ended:
            break
    found = (stage.aws.state(), stage.told())
    if found != expected:
        return f"then: {said}\n  {differences(found, expected)}"
    stage.check_rollouts()
    return ""


def tried(points: Sequence[Point]) -> Iterator[Point]:
    """Every request; of more than three alike, such as the stops of ten tasks, the first and the last."""
    alike = Counter(point.request for point in points)
    return (point for point in points if alike[point.request] <= 3 or point.number in (1, alike[point.request]))


def troubles(point: Point) -> tuple[str, ...]:
    """Of a request that only reads, before and after are the same."""
    if point.reads:
        return ("killed before", "lost before")
    return tuple(trouble for trouble in TROUBLES if trouble != "repeated" or point.repeatable)


@pytest.mark.parametrize(("story", "example"), CASES)
def test_a_plan_that_is_cut_off_has_changed_nothing(story: Story, example: str, tmp_path: Path, points: Points) -> None:
    """So the command again is the same as if it had never been cut off."""
    stage = staged(story, example, tmp_path / "journal")
    state, journal, wire = stage.aws.state(), stage.told(), stage.wire()
    stage.plan(wire, story.tag)
    for point in wire.points:
        assert point.reads
        for trouble in troubles(point):
            points.count()
            with pytest.raises((Killed, AwsError)):
                stage.plan(stage.wire(point, trouble), story.tag)
            assert (stage.aws.state(), stage.told()) == (state, journal)


@pytest.mark.parametrize(("story", "example"), CASES)
def test_whatever_is_cut_off_ends_where_an_undisturbed_run_ends(
    story: Story, example: str, tmp_path: Path, points: Points, resumed: Points
) -> None:
    base = staged(story, example, tmp_path / "base").copied(tmp_path / "settled")
    plan = base.plan(base.wire(), story.tag)
    before = (base.aws.state(), base.told())

    undisturbed = base.copied(tmp_path / "undisturbed")
    wire = undisturbed.wire()
    result = undisturbed.apply(wire, plan)
    assert result is not None
    assert result.outcome is story.ends, result.reason
    expected = (undisturbed.aws.state(), undisturbed.told())
    undisturbed.check_rollouts()

    wrong: list[str] = []
    ended: dict[tuple[bytes, str], str] = {}
    for point, trouble in played([(one, trouble) for one in tried(wire.points) for trouble in troubles(one)]):
        stage = base.copied(tmp_path / str(points.count()))
        wire = stage.wire(point, trouble)
        said = []
        try:
            result = stage.apply(wire, plan)
        except Killed:
            said.append("killed")
        except AwsError as error:
            said.append(error.message)
        else:
            assert result is not None
            said.append(f"{result.outcome.value}: {result.reason}")
        assert wire.met, f"there was no {point}"
        found = (stage.aws.state(), stage.told())
        if found == before:
            continue  # of which the command again makes what is expected
        if found == expected:
            stage.check_rollouts()
            continue
        if (left := stage.left()) not in ended:
            ended[left] = finished(stage, expected)
            resumed.count()
        if ended[left]:
            wrong.append(f"{trouble} {point}\n  said: {said}\n  {ended[left]}")
    assert not wrong, f"{len(wrong)} of {points.tried} points end elsewhere:\n" + "\n".join(wrong)


def differences(one: Any, other: Any, path: str = "") -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(one.keys() | other.keys(), key=str)
        return "".join(
            differences(one.get(n), other.get(n), f"{path}.{n}") for n in names if one.get(n) != other.get(n)
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return "".join(
            differences(a, b, f"{path}[{i}]") for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b
        )
    return f"{path}: {one!r} instead of {other!r}; "
