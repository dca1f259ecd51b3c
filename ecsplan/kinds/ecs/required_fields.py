"""Whether a request that is sent as live values with the declared ones over them has all that AWS demands of it."""

from __future__ import annotations

from ecsplan.aws.api import check
from ecsplan.core.checks import MISSING, Request, dotted
from ecsplan.core.model import Doc
from ecsplan.kinds.contract import Delta


def missing(service: str, operation: str, params: Doc, delta: Delta) -> tuple[str, ...]:
    """A sentence on each member that neither the spec nor what is live has, and without which botocore would refuse
    the call when it is too late."""
    problems = check(Request(service=service, operation=operation), params)
    return tuple(
        f"{delta.change.address}: {dotted(problem.path)} is required, and neither the spec nor what is live has it"
        for problem in problems
        if problem.message == MISSING
    )
