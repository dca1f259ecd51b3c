"""A value as text: revisions as `web:41`, secrets and unknown values as such."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from ecsplan.core.model import UNKNOWN, Ref

SENSITIVE, CHANGED = "(sensitive)", "(sensitive, changed)"
_REVISION = re.compile(r"arn:[^:]+:ecs:[^:]*:\d*:task-definition/(\S+)")


def short_arn(arn: object) -> str:
    """The last part of an ARN, as people say it: `web:41`, a cluster's or service's name."""
    return str(arn).rpartition("/")[2]


def mark_of(app: str, env: str, address: str) -> str:
    """The beginning of the mark of everything that runs at this address of an app in an environment, whatever machine
    has started it: 21 characters, behind which 15 follow that only one step of one deployment has."""
    return f"ecsplan-{hashlib.sha256(json.dumps([app, env, address]).encode()).hexdigest()[:12]}-"


def value_text(value: Any) -> str:
    """A value for people: text in quotes, revisions as `web:41`, references as `(known after apply)`."""
    if isinstance(value, Ref):
        return UNKNOWN
    if value in (SENSITIVE, CHANGED, UNKNOWN):
        return str(value)
    if isinstance(value, str) and (match := _REVISION.fullmatch(value)):
        return match[1]
    # Sorted, so that two values never differ in the order of their members only.
    return json.dumps(
        value,
        ensure_ascii=False,
        sort_keys=True,
        default=lambda other: UNKNOWN if isinstance(other, Ref) else str(other),
    )
