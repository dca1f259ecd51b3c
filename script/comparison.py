"""Makes docs/comparison.md: how each field that AWS takes is compared, by the rows of the kinds and botocore's models.

`pytest tests/unit/test_comparison.py --update-golden` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecsplan.aws.api import Field, walk
from ecsplan.kinds import kinds
from ecsplan.kinds.contract import Kind
from ecsplan.plan.explain import EXACTLY, deciding, why

HEAD = """# How each field is compared

Every field that the installed botocore knows of the requests whose effect ecsplan compares, and how it is
compared. Made from the rules and from botocore's models; a test fails when this file is out of date, and another when
a field that no rule names is not compared exactly.

Absent, `null`, `[]` and `{}` are equal. `*` stands for each item of a list, or each member of a map. What a spec does
not declare of a service, a target or a schedule is left alone; a task definition is replaced whole. `ecsplan plan TAG
--explain` shows for each field of a plan which of these rows compared it.
"""


def comparison_text() -> str:
    """The whole document, in Markdown."""
    sections = [_section(kind) for kind in kinds() if kind.compare is not None]
    return "\n".join([HEAD, *sections])


def _section(kind: Kind) -> str:
    request = kind.declare.table.request
    title = request.operation.title().replace("_", "")
    fields = [field for field in walk(request.service, request.operation) if not field.pattern.endswith("[]")]
    rows = [f"| `{place(field)}` | {treatment(field, kind)} |" for field in fields]
    extra = [f"| `{path}` | {why(path, kind.document.rules)[1]} |" for path in beyond(kind)]
    more = ["", "Not in that model, but in answers, or newer than it:", "", "| field | how |", "|---|---|", *extra]
    return "\n".join([f"## {title}", "", "| field | how |", "|---|---|", *rows, *(more if extra else []), ""])


def place(field: Field) -> str:
    """The path of a field as rules write it: `containerDefinitions.*.image`."""
    return field.pattern.replace("[]", ".*").replace("{}", ".*")


def treatment(field: Field, kind: Kind) -> str:
    """How a field is compared, in words."""
    path = place(field)
    rule, words = why(path, kind.document.rules)
    if rule == path:
        return words
    if rule:
        return f"as `{rule}`: {words}"
    if field.type == "structure":
        return "member by member"
    if field.type == "list":
        return f"{EXACTLY}, in order"
    return EXACTLY


def beyond(kind: Kind) -> Iterator[str]:
    """Places that rules name and the request's model does not have."""
    request = kind.declare.table.request
    known = {place(field) for field in walk(request.service, request.operation)}
    paths = dict.fromkeys(rule.path for rule in kind.document.rules)
    return (path for path in paths if path not in known and deciding(path, kind.document.rules)[1])
