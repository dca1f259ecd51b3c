"""A deployment that is paused at a hook: wherever `continue`, or the rollback of it, is cut off, it ends all the same.

As in the kill matrix: at each request of the command that writes, and at the look at what it writes to, the process is
killed or the connection breaks, and then somebody goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Result
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Doc, Identity
from ecsplan.core.spec import Spec
from ecsplan.journal import Journal, Outcome, open_store, unfinished
from tests.faults.conftest import Points
from tests.faults.test_kill_matrix import ROUNDS, differences, told, troubles
from tests.support import specs, toml
from tests.support.amounts import played
from tests.support.aws import ACCOUNT, REGION, Aws, InProcess, Killed, site

LOOK = "ecs:describe_service_deployments"
HOOK = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}


class Stage:
    """An account and a journal in which deployment 1 waits at a hook. What is under way cannot be copied, so each
    stage is made anew."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.spec, self.aws, self.folder = spec, Aws(), folder
        self.aws.seed_with(spec)
        with self.site(self.aws.in_process()) as here:
            result = pipeline.run_plan(here, pipeline.make_plan(here, spec, "v1"))
        assert result is not None
        assert result.outcome is Outcome.UNFINISHED

    def site(self, wire: InProcess) -> pipeline.Site:
        return site(self.folder, wire, self.aws.clock, self.spec.app)

    def elsewhere(self) -> None:
        """From now on on a machine whose journal does not know the deployment."""
        self.folder = self.folder / "elsewhere"

    def journal(self) -> Journal:
        return Journal(open_store(self.folder), self.spec.app, Identity(account=ACCOUNT, region=REGION))

    def found(self) -> tuple[Doc, list[Doc]]:
        return self.aws.state(), [told(deployment) for deployment in self.journal().deployments()]


def go_on(stage: Stage, wire: InProcess) -> Result | None:
    with stage.site(wire) as here:
        return pipeline.go_on(here)


def go_on_elsewhere(stage: Stage, wire: InProcess) -> Result | None:
    """`continue --yes` on another machine."""
    if stage.folder.name != "elsewhere":
        stage.elsewhere()
    with stage.site(wire) as here:
        if (result := pipeline.go_on(here)) is not None:
            return result
        found = pipeline.under_way(here, stage.spec)
        return pipeline.run_plan(here, found.plan, onwards=bool(found.paused)) if found.plan is not None else None


def go_back(stage: Stage, wire: InProcess) -> Result | None:
    """`rollback`; and where that had begun, `resume`."""
    left = unfinished(stage.journal().deployments())
    with stage.site(wire) as here:
        if left is not None and left.number > 1:
            return pipeline.resume(here)
        return pipeline.run_plan(here, pipeline.undo(here, stage.spec))


@pytest.mark.parametrize("work", [go_on, go_on_elsewhere, go_back])
def test_wherever_it_is_cut_off(
    work: Callable[[Stage, InProcess], Result | None], tmp_path: Path, points: Points
) -> None:
    made = specs.spec(specs.task(services=("web", "admin")))
    made["tasks"]["web"]["update_services"][0]["deploymentConfiguration"] = {
        "strategy": "BLUE_GREEN",
        "lifecycleHooks": [HOOK],
    }
    file = tmp_path / "ecsplan.toml"
    file.write_text(toml.dumps(made), encoding="utf-8")
    spec = pipeline.load(file)
    undisturbed = Stage(spec, tmp_path / "undisturbed")
    wire = undisturbed.aws.in_process()
    result = work(undisturbed, wire)
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED, result.reason
    expected = undisturbed.found()

    wrong = []
    chosen = [one for one in wire.points if not one.reads or (one.operation == LOOK and one.number == 1)]
    for point, trouble in played([(one, trouble) for one in chosen for trouble in troubles(one)]):
        cut = Stage(spec, tmp_path / str(points.count()))
        said = []
        ways = (cut.aws.in_process(kill_at=point, trouble=trouble), *(cut.aws.in_process() for _ in range(ROUNDS)))
        for wire in ways:
            try:
                result = work(cut, wire)
            except (Killed, AwsError) as error:
                said.append(repr(error))
                continue
            said.append(f"{result.outcome.value}: {result.reason}" if result else "nothing")
            if result is None or result.outcome.ended:
                break
        if (found := cut.found()) != expected:
            wrong.append(f"{trouble} {point}\n  said: {said}\n  {differences(found, expected)}")
    assert not wrong, f"{len(wrong)} of {points.tried} points end elsewhere:\n" + "\n".join(wrong)
