"""What EventBridge makes of a target between PutTargets and ListTargetsByRule, a row each.

Sources: the EventBridge API reference and botocore's service model; answers recorded from real accounts; the public
Terraform AWS provider.
"""

from __future__ import annotations

from ecsplan.core.normalize import Canon, Default, Drop, Keyed, Rule
from ecsplan.core.text import canonical_json
from ecsplan.kinds.ecs.target_rules import ecs_parameters

E = "Targets.*.EcsParameters"


RULES: tuple[Rule, ...] = (
    Drop(path="Rule", reason="names the rule, no part of its state"),
    Drop(path="EventBusName", reason="names the rule, no part of its state"),
    Drop(path="absent", reason="what a rollback removes, no part of the state"),
    Canon(path="Targets.*.Input", to=canonical_json, reason="JSON as text, answered verbatim"),
    Default(path=f"{E}.TaskCount", value=1, reason="filled in"),
    Drop(path=f"{E}.PropagateTags", when=lambda value: value == "", reason='"" must be omitted'),
    *ecs_parameters(E),
    Keyed(path=f"{E}.Tags", by=("Key",), value="Value", reason="tags by key"),
    Keyed(path="Targets", by=("Id",), label="targets", reason="answered in another order"),
)
