"""Another AWS: the embedded one, whose answers lack members, come from another clock, or are refused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ecsplan.core.model import Call
from ecsplan.sandbox import Sandbox
from tests.support.direct import Direct, failure
from tests.support.toml import Doc


class Elsewhere(Direct):
    """`edited` gets a copy of each answer and changes it in place; `refused` maps operations to the codes of their
    refusals."""

    def __init__(
        self,
        aws: Sandbox,
        edited: Callable[[Call, Doc], None] = lambda _call, _answer: None,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(aws)
        self.edited, self.refused = edited, dict(refused or {})
        self.sent: list[str] = []

    def do(self, call: Call) -> Doc:
        if code := self.refused.get(call.operation):
            raise failure(call, code, "The operation is not known.", unclear=False)
        answer = copy.deepcopy(super().do(call))
        if not call.operation.startswith(("describe_", "list_", "get_")):
            self.sent.append(call.operation)
        self.edited(call, answer)
        return answer


def services(answer: Doc) -> Iterator[Doc]:
    """Those of DescribeServices and of UpdateService."""
    yield from answer.get("services", ())
    if "service" in answer:
        yield answer["service"]


def without(*names: str) -> Callable[[Call, Doc], None]:
    """None of these members anywhere."""

    def edit(value: Any) -> None:
        if isinstance(value, dict):
            for name in names:
                value.pop(name, None)
            value = list(value.values())
        for item in value if isinstance(value, list) else ():
            edit(item)

    return lambda _call, answer: edit(answer)


def shifted(seconds: float) -> Callable[[Call, Doc], None]:
    """Every time, by so much."""

    def edit(value: Any) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                if name.endswith(("At", "timestamp")) and isinstance(item, int | float):
                    value[name] = item + seconds * (1000 if name == "timestamp" else 1)
                edit(item)
        elif isinstance(value, list):
            for item in value:
                edit(item)

    return lambda _call, answer: edit(answer)
