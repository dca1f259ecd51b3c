"""Facts about a deployment that every output format shows."""

from __future__ import annotations

from ecsplan.core.model import Phase
from ecsplan.journal.entries import Deployment, Outcome


def when(deployment: Deployment) -> str:
    """The time it began, UTC, to the second."""
    return deployment.opened.at.partition(".")[0].replace("T", " ").rstrip("Z") + "Z"


def who(deployment: Deployment) -> str:
    return f"{deployment.opened.origin.user}@{deployment.opened.origin.host}"


def revisions(deployment: Deployment) -> dict[str, str]:
    """By family, the revision that the deployment put in use: `{"web": "web:41"}`; empty where it was put back."""
    found: dict[str, str] = {}
    if deployment.outcome is Outcome.PUT_BACK:
        return found
    outputs = deployment.outputs()
    for change in deployment.plan.changes:
        if (
            "arn" in change.outputs
            and change.address.kind == "task_definition"
            and change.action.value == "keep"
            and (change.after or change.pinned)
        ):
            _add(found, change.outputs["arn"])
    for step in deployment.plan.steps:
        if step.phase is Phase.REGISTER and step.index in outputs:
            _add(found, outputs[step.index].get("arn", ""))
    return found


def _add(found: dict[str, str], arn: str) -> None:
    name = arn.rpartition("/")[2]
    found[name.rpartition(":")[0]] = name
