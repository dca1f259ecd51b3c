"""The UpdateService that makes a service what is declared, and the one that undoes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecsplan.core.documents import overlay, without_none
from ecsplan.core.model import Action, Address, Call, Doc, Phase
from ecsplan.core.normalize import Normalized, normal
from ecsplan.kinds.contract import Delta, StepDraft
from ecsplan.kinds.ecs.request_fields import map_fields
from ecsplan.kinds.ecs.required_fields import missing
from ecsplan.kinds.service.fit import conflicts
from ecsplan.kinds.service.revert import stopped_by
from ecsplan.kinds.service.rules import KEPT, OFF, RULES, D

# Sent as live values with the declared ones over them.
WHOLE = KEPT | {"volumeConfigurations"}

# Refused on Fargate even where they are empty, so that [] is sent only where there is something to take away.
NOT_ON_FARGATE = ("placementConstraints", "placementStrategy")


def map_members() -> frozenset[str]:
    """Members of the request whose names are the user's own."""
    return map_fields("ecs", "update_service")


def steps(delta: Delta) -> tuple[StepDraft, ...]:
    """One UpdateService with everything that is declared; of a block whose omitted members AWS would reset, those that
    are not declared are sent as they are live."""
    found = delta.candidate
    assert found is not None
    restore = delta.change.before or {}
    params = _params(delta)
    undo = {
        f: overlay(found.doc.get(f, {}), value, map_members()) if f in KEPT else value for f, value in restore.items()
    }
    undo = _complete(without_none(undo))
    if delta.resource.settings.force:
        params["forceNewDeployment"] = True
    stops = stopped_by(delta)
    if delta.resource.optional and not delta.change.fields and not stops:
        return ()  # what was redeployed and has ended: nothing differs
    expect: Doc = {
        "deployment": delta.live.facts.get("deployment", ""),
        "previous": found.doc.get("taskDefinition", ""),
    }
    if rollout := delta.live.facts.get("rollout"):
        expect["rollout"] = rollout
    return (
        StepDraft(
            phase=Phase.UPDATE,
            action=Action.UPDATE,
            call=Call(service="ecs", operation="update_service", params=params),
            undo=Call(service="ecs", operation="update_service", params=undo),
            changes=delta.change.fields,
            settings=delta.resource.settings,
            note="ECS takes back the rollout that is under way" if stops else delta.change.note,
            expect=expect | ({"stops": stops} if stops else {}),
        ),
    )


def _params(delta: Delta) -> Doc:
    live = delta.candidate.doc if delta.candidate else {}
    params = {
        field: send_whole(field, value, delta.merged)
        for field, value in delta.declared.items()
        if value or live.get(field) or field not in NOT_ON_FARGATE
    }
    if live.get("schedulingStrategy") == "DAEMON":
        params.pop("desiredCount", None)
    return _complete(params)


def send_whole(field: str, declared: Any, wanted: Normalized) -> Any:
    """The declared value as it stands, unless leaving out the rest of its block would change something. How to deploy
    is sent whole in any case: of that block ECS resets some members that are left out, and keeps others."""
    if field not in WHOLE or field not in wanted.doc:
        return without_none(declared)
    whole = field == D or normal({field: declared}, RULES).get(field) != wanted.normal.get(field)
    return without_none(wanted.doc[field] if whole else declared)


def _complete(params: Doc) -> Doc:
    """With the members that a declared block lacks, and older services too, and that are to be sent."""
    if D not in params:
        return params
    blocks = {name: OFF[name] | block for name, block in params[D].items() if name in OFF}
    return {**params, D: {**params[D], **blocks}}


def refused(delta: Delta, others: Mapping[Address, Delta]) -> tuple[str, ...]:
    """What ECS would not take: what does not go together, and what is not there."""
    params = {field: value for field, value in _params(delta).items() if field != "taskDefinition"}
    return (*conflicts(delta, others), *missing("ecs", "update_service", params, delta))
