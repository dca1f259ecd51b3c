"""The commands that are compared, and what each needs in its environment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case

FLOOR = Path(__file__).with_name("floor.py")
PLAN, APPLY, DEPLOY = "ecsplan plan", "ecsplan apply --no-wait", "ecsplan deploy --no-wait"
FLOOR_PLAN, FLOOR_APPLY, FLOOR_DEPLOY = "floor: plan", "floor: apply", "floor: plan and apply at once"
ECS_TASK, ECS_DEPLOY, AWSCLI = "ecs-task deploy", "ecs-deploy", "AWS CLI"

# Those of a line run one after the other on the same state; each line begins with a fresh one.
CONCURRENT = ((PLAN, APPLY), (FLOOR_PLAN, FLOOR_APPLY), (DEPLOY,), (FLOOR_DEPLOY,))
OWN = tuple(tool for line in CONCURRENT for tool in line)
SLOW = (AWSCLI, ECS_DEPLOY)


@dataclass(frozen=True, kw_only=True)
class Tools:
    bins: Mapping[str, Path]

    def command(self, tool: str, case: Case, tag: str) -> list[str]:
        own = self.bins["ecsplan"]
        ecsplan, python = os.fspath(own / "ecsplan"), os.fspath(own / "python")
        floor = [python, os.fspath(FLOOR), str(case.services), str(case.rules), tag]
        return {
            PLAN: [ecsplan, "plan", tag],
            APPLY: [ecsplan, "apply", "--no-wait"],
            DEPLOY: [ecsplan, "deploy", tag, "--yes", "--no-wait"],
            FLOOR_PLAN: [*floor, "plan"],
            FLOOR_APPLY: [*floor, "apply"],
            FLOOR_DEPLOY: [*floor, "deploy"],
            ECS_TASK: [os.fspath(self.bins.get("ecs-task", Path()) / "python"), "ecs_task_deploy.py", "deploy", tag],
            ECS_DEPLOY: ["sh", "ecs_deploy.sh", tag],
            AWSCLI: ["sh", "awscli.sh", tag],
        }[tool]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Nothing of the caller's but where programs are; `aws` and `ecs` are those of their own environments."""
        own = [os.fspath(self.bins[name]) for name in ("awscli", "ecs-deploy") if name in self.bins]
        path = os.pathsep.join([*own, os.environ.get("PATH", os.defpath)])
        return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"} | dict(more)


def fresh(folder: Path) -> None:
    """No journal and no plan of an earlier run."""
    shutil.rmtree(folder / ".ecsplan", ignore_errors=True)
