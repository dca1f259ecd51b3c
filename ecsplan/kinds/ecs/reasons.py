"""What ECS's reasons mean, and what to do about them: a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, kw_only=True)
class Reason:
    """The meaning of a text in which the pattern is found. `advice` is a sentence, or ""."""

    pattern: str
    meaning: str
    advice: str = ""


NETWORK = "Check subnets, security groups, and the way out: a NAT gateway, VPC endpoints or a public address."
CAPACITY = "Add capacity to the cluster, or ask for less CPU, memory or ports."

# The first match wins. ECS's error names are those of "Stopped tasks error messages" and of "Service event messages" in
# its developer guide; the rest of a text comes from the container runtime or the registry, in many forms.
TABLE = (
    Reason(pattern="OutOfMemory", meaning="out of memory", advice="Raise its memory, or find out what uses it."),
    Reason(
        pattern="CannotPull.*(toomanyrequests|rate limit)",
        meaning="the image cannot be pulled: the registry's rate limit is reached",
        advice="Pull it through a cache of your own, or sign in to the registry with repositoryCredentials.",
    ),
    Reason(
        pattern="CannotPull.*(denied|unauthorized|not authorized|no basic auth|forbidden)",
        meaning="pulling the image is not allowed, or it does not exist",
        advice="Check its name and tag, and what the execution role (or repositoryCredentials) may read.",
    ),
    Reason(
        pattern="CannotPull.*(time ?out|timed out|dial tcp|no such host|deadline|connection)",
        meaning="the image cannot be pulled: the registry cannot be reached",
        advice=NETWORK,
    ),
    Reason(
        pattern="CannotPull.*no space left",
        meaning="the image does not fit on the disk",
        advice="Make it smaller, or give the task or its instance more storage.",
    ),
    Reason(
        pattern="CannotPull.*(not found|manifest unknown|does not exist|not exist)",
        meaning="the image cannot be pulled: it does not exist",
        advice="Check its name and tag, and that it was pushed.",
    ),
    Reason(
        pattern="CannotPull",
        meaning="the image cannot be pulled",
        advice="Check that its tag was pushed, and that the execution role and the network let the task pull it.",
    ),
    Reason(
        pattern="ResourceInitializationError.*(secret|ssm|asm|registry auth)",
        meaning="its secrets, or the registry's credentials, cannot be read",
        advice="Check the ARNs in secrets, what the execution role may read, and the way to Secrets Manager and SSM.",
    ),
    Reason(
        pattern="ResourceInitializationError.*(efs|mount|volume)",
        meaning="its file system cannot be mounted",
        advice="Check the file system's id, its mount targets, their security groups, and the task role.",
    ),
    Reason(
        pattern="ResourceInitializationError.*log",
        meaning="its log group cannot be used",
        advice="Check that the log group exists and that the execution role may write to it.",
    ),
    Reason(pattern="ResourceInitializationError", meaning="the task could not be prepared", advice=NETWORK),
    Reason(
        pattern="Cannot(Start|Create)Container.*(executable file not found|no such file)",
        meaning="the command is not in the image",
        advice="Check command and entryPoint, and the image.",
    ),
    Reason(pattern="Cannot(Start|Create)Container|ContainerRuntime", meaning="the container cannot be started"),
    Reason(
        pattern="failed container health checks",
        meaning="the container's own health check failed",
        advice="Try the health check's command in the container; one that starts slowly needs a startPeriod.",
    ),
    Reason(
        pattern=r"failed ELB health checks|unhealthy in \(target-group",
        meaning="the load balancer's health check failed",
        advice="Check its path and port, the security groups, and healthCheckGracePeriodSeconds.",
    ),
    Reason(pattern="SpotInterruption", meaning="its Spot capacity was taken back", advice="Deploy again."),
    Reason(pattern="TerminationNotice", meaning="its instance was taken away", advice="Deploy again."),
    Reason(pattern="UserInitiated", meaning="a user stopped it"),
    Reason(
        pattern="Capacity is unavailable",
        meaning="no capacity: AWS has none of it at this time",
        advice="Try again later, or spread it over more Availability Zones.",
    ),
    Reason(
        pattern="unable to place a task because no container instance|insufficient (memory|cpu)|RESOURCE:",
        meaning="no capacity: no instance has room for a task",
        advice=CAPACITY,
    ),
    Reason(
        pattern="limit on the number of",
        meaning="a limit of the account is reached",
        advice="Stop what is not needed, or ask AWS for a higher quota.",
    ),
    Reason(pattern="unable to place a task", meaning="no place was found for a task", advice=CAPACITY),
    Reason(pattern="unable to assume", meaning="ECS may not assume a role", advice="Check the role's trust policy."),
    Reason(
        pattern=r"\bexit code 137\b",
        meaning="killed: it did not stop when it was asked to, or used more memory than there was",
    ),
    Reason(pattern=r"\bexit code 139\b", meaning="it crashed: a segmentation fault"),
    Reason(pattern=r"\bexit code 134\b", meaning="it crashed: it aborted itself"),
    Reason(
        pattern=r"\bexit code 127\b",
        meaning="the command is not in the image",
        advice="Check command and entryPoint, and the image.",
    ),
    Reason(
        pattern=r"\bexit code 126\b",
        meaning="the command cannot be executed",
        advice="Check that the file is executable and made for this CPU architecture.",
    ),
    Reason(pattern=r"\bexit code 143\b", meaning="it was asked to stop (SIGTERM)"),
)


def reason_for(*texts: str) -> Reason | None:
    """The row that matches one of these texts."""
    return next((row for row in TABLE if any(_compiled(row.pattern).search(text) for text in texts)), None)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)
