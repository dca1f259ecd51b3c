"""An AWS that shows less than the newest one: neither rollout states nor service deployments."""

from __future__ import annotations

from tests.support.aws import Aws
from tests.support.elsewhere import leaving_out

STATES = ("rolloutState", "rolloutStateReason")  # as AWS leaves them out behind a Classic Load Balancer
LITTLE = (*STATES, "events", "failedTasks", "createdAt")
ROLLOUTS = ("DescribeServiceDeployments", "ListServiceDeployments", "StopServiceDeployment")


def older(aws: Aws, *names: str) -> None:
    """From now on an AWS without these members (by default, the states), which knows no service deployments."""
    aws.rewrites = leaving_out(*(names or STATES), "currentServiceDeployment")
    for operation in ROLLOUTS:
        aws.fault(
            operation, "error", code="UnknownOperationException", message="The operation is not known.", times=999
        )
