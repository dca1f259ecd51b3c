"""Plans and deployments for programs: versioned JSON. Minor versions add; readers ignore what they do not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ecsplan.core import events
from ecsplan.core.codec import to_data, to_json
from ecsplan.core.model import FORMAT_VERSION, UNKNOWN, Plan
from ecsplan.journal import Damaged, Deployment
from ecsplan.plan.explain import Explanation
from ecsplan.plan.scope import clusters_touched

PLAN_KEYS = (
    "format_version",
    "app",
    "tag",
    "identity",
    "spec",
    "clusters",
    "changed",
    "steps",
    "summary",
    "warnings",
    "undoes",
    "replaces",
    "rollback",
    "observed",
    "digest",
)
INTERNAL = frozenset({"summary"})  # members of events that only the formats for people need


def plan_json(plan: Plan, explanations: Sequence[Explanation] | None = None) -> str:
    """The masked plan; what is not known yet reads `(known after apply)`. With explanations it has one key more."""
    explained = {} if explanations is None else {"explanations": [_explanation(one) for one in explanations]}
    return dumps(_plan(plan) | explained)


def _plan(plan: Plan) -> dict[str, Any]:
    data = to_data(plan) | {"spec": plan.spec, "clusters": clusters_touched(plan)}
    return {key: _known(data[key]) for key in PLAN_KEYS if key in data}


def _explanation(one: Explanation) -> dict[str, Any]:
    return {
        "address": one.address,
        "path": one.field.path,
        "verdict": one.verdict.value,
        "before": _known(to_data(one.field.before)),
        "after": _known(to_data(one.field.after)),
        "rule": one.rule or None,
        "reason": one.reason,
    }


def history_json(app: str, found: Sequence[Deployment | Damaged]) -> str:
    deployments = [
        {"number": one.number, "error": one.error} if isinstance(one, Damaged) else _deployment(one) for one in found
    ]
    return dumps({"format_version": FORMAT_VERSION, "app": app, "deployments": deployments})


def deployment_json(deployment: Deployment) -> str:
    """One deployment with the whole masked plan, and with why what has failed did so."""
    return dumps(
        {
            "format_version": FORMAT_VERSION,
            "app": deployment.plan.app,
            **_deployment(deployment),
            "diagnoses": to_data(deployment.diagnoses),
            "plan": _plan(deployment.plan),
        }
    )


def event_json(event: events.Event) -> str:
    """One line of an event stream. What only renderers need is left out."""
    data = {key: value for key, value in to_data(event).items() if key not in INTERNAL}
    return dumps(_known(data), indent=0)


def stream_head() -> str:
    """The first line of an event stream."""
    return dumps({"format_version": FORMAT_VERSION, "event": "version"}, indent=0)


def dumps(data: Any, *, indent: int = 2) -> str:
    text = to_json(data)
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()


def _deployment(deployment: Deployment) -> dict[str, Any]:
    states = deployment.states()
    return {
        "number": deployment.number,
        "when": deployment.started.replace(" ", "T"),
        "who": deployment.user,
        "tag": deployment.plan.tag,
        "revisions": deployment.revisions(),
        "outcome": deployment.outcome.value,
        "reason": deployment.reason,
        **({"ended_by": to_data(deployment.ended_by)} if deployment.ended_by else {}),
        "undoes": list(deployment.plan.undoes),
        **({"back_to": deployment.plan.back_to} if deployment.plan.back_to else {}),
        "identity": to_data(deployment.plan.identity),
        "steps": [
            {
                "index": step.index,
                "phase": step.phase.value,
                "address": step.address,
                "action": step.action.value,
                "state": states[step.index],
            }
            for step in deployment.plan.steps
        ],
    }


def _known(data: Any) -> Any:
    """Plain data in which every reference reads `(known after apply)`."""
    if isinstance(data, dict):
        if data.get("$ref") == "output" and data.keys() == {"$ref", "address", "output"}:
            return UNKNOWN
        return {k: _known(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_known(item) for item in data]
    return data
