"""docs/permissions.md names what ecsplan sends, and nothing else."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

from botocore import xform_name

from ecsplan.kinds import kinds
from tests.support.paths import ROOT

NEEDS_NONE = {"sts:get_caller_identity"}
OF_AWS_ITSELF = {"iam:pass_role"}  # checked by AWS when something with a role is registered, run or set


def sent() -> Iterator[str]:
    """What kinds name, and every `Call(service=…, operation=…)` that the code outside of the embedded AWS makes."""
    for kind in kinds():
        yield from kind.change.writes
        yield from kind.compare.reads if kind.compare else ()
    for path in (ROOT / "ecsplan").rglob("*.py"):
        if "sandbox" not in path.relative_to(ROOT).parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Call":
                    given = {one.arg: one.value for one in node.keywords}
                    match given["service"], given["operation"]:
                        case ast.Constant(value=str(service)), ast.Constant(value=str(operation)):
                            yield f"{service}:{operation}"


def allowed() -> Iterator[str]:
    text = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")
    block = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert block
    for statement in json.loads(block[1])["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            service, _, operation = action.partition(":")
            yield f"{service}:{xform_name(operation)}"


def test_the_policy_allows_what_is_sent_and_nothing_else() -> None:
    assert set(allowed()) == (set(sent()) - NEEDS_NONE) | OF_AWS_ITSELF


def test_no_permission_is_named_twice() -> None:
    assert len(list(allowed())) == len(set(allowed()))


def test_the_explanations_name_no_permission_that_the_policy_lacks() -> None:
    text = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")
    named = {f"{service}:{xform_name(name)}" for service, name in re.findall(r"\b([a-z]+):([A-Z]\w+)", text)}
    assert named - set(allowed()) == {"ecs:tag_resource", "sts:assume_role", "sts:get_caller_identity"}
