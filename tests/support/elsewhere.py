"""What another AWS may answer: without some members, or by another clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ecsplan.core.model import Call
from ecsplan.sandbox.common import ACCOUNT
from tests.support.toml import Doc


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


#: What AWS may leave out of what it answers about a service.
LEFT_OUT = ("events", "failedTasks", "currentServiceDeployment", "rolloutState", "rolloutStateReason", "createdAt")


def leaving_out(*names: str) -> Callable[[bytes], bytes]:
    """The bodies of answers without these members anywhere, for `Aws.rewrites`."""
    edit, nothing = without(*names), Call(service="", operation="", params={})

    def rewrite(body: bytes) -> bytes:
        if not body.startswith(b"{"):
            return body
        answer = json.loads(body)
        edit(nothing, answer)
        return json.dumps(answer).encode()

    return rewrite


def of_account(number: str) -> Callable[[bytes], bytes]:
    """The bodies of answers as another account gives them."""
    return lambda body: body.replace(ACCOUNT.encode(), number.encode())
