"""The sandbox's own requests under ``/_sandbox/``, for those who run it in another process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from .exchange import Answer, Incoming

if TYPE_CHECKING:
    from .server import Sandbox

Doc = dict[str, Any]
SETTINGS: Final = (
    "latency", "rollout_seconds", "task_seconds", "minute_seconds", "stop_seconds", "container_instances",
    "rates",
)  # fmt: skip
_TEXTS: Final = (
    "operation", "kind", "code", "message", "ends", "service", "image", "reason", "family", "command", "stopped_reason",
    "failure", "stays", "unplaced", "name", "stage", "answer", "target",
)  # fmt: skip
_NUMBERS: Final = (
    "seconds", "latency", "rollout_seconds", "task_seconds", "minute_seconds", "stop_seconds", "log_delay",
)  # fmt: skip
_INTEGERS: Final = (
    "times", "skip", "status", "exit_code", "container_instances", "count", "failures", "log_line_count",
)  # fmt: skip


class Control:
    """Each of these requests is the method of the sandbox of that name; its JSON object holds the arguments."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def respond(self, incoming: Incoming) -> Answer:
        """200 and a JSON document, or 400 (404 for an unknown path) and ``{"error": ...}``, on one line."""
        key = f"{incoming.method} {incoming.path.partition('?')[0].removeprefix('/_sandbox')}"
        action = self._actions().get(key)
        if action is None:
            return _json(404, {"error": f"unknown request {key}: there is {', '.join(self._actions())}"})
        try:
            return _json(200, action(_arguments(incoming.body)))
        except (ValueError, TypeError) as error:
            return _json(400, {"error": str(error)})

    def _actions(self) -> dict[str, Callable[[Doc], object]]:
        aws = self._sandbox
        return {
            "POST /reset": lambda given: _call(aws.reset, given),
            "POST /fault": lambda given: _call(aws.fault, given),
            "POST /rollout": lambda given: _call(aws.rollout, given),
            "POST /task": lambda given: _call(aws.task, given),
            "POST /alarm": lambda given: _call(aws.alarm, given),
            "POST /hook": lambda given: _call(aws.hook, given),
            "POST /settings": self._settings,
            "POST /release": lambda given: _call(aws.release, given),
            "GET /requests": lambda given: {"requests": [asdict(request) for request in aws.requests]},
            "DELETE /requests": lambda given: _call(aws.clear_requests, given),
        }

    def _settings(self, given: Doc) -> Doc:
        """Sets what is given, all of it or nothing, and answers what holds then."""
        for name in given:
            if name not in SETTINGS:
                raise ValueError(f"unknown setting {name!r}: there is {', '.join(SETTINGS)}")
        if None in given.values():
            raise ValueError("a setting must have a value, not null")
        _typed(given)
        for name, value in given.items():
            setattr(self._sandbox, name, value)
        return {name: getattr(self._sandbox, name) for name in SETTINGS}


def _call(method: Callable[..., None], given: Doc) -> Doc:
    known = signature(method).parameters
    for name in given:
        if name not in known:
            raise ValueError(f"unknown argument {name!r}: there is {', '.join(known) or 'none'}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given:
            raise ValueError(f"missing argument {name!r}")
    _typed(given)
    method(**{name: value for name, value in given.items() if value is not None})
    return {"ok": True}


def _typed(given: Doc) -> None:
    """Raise ValueError for an argument of another JSON type than its name stands for; null is none given."""
    for name, value in given.items():
        wanted = _wanted(name, value)
        if value is not None and wanted:
            raise ValueError(f"{name} must be {wanted}, not {json.dumps(value)}")


def _wanted(name: str, value: object) -> str:
    """What the argument must be, in words; "" when it is that."""
    if name in _TEXTS:
        fits, words = isinstance(value, str), "a text"
    elif name in _NUMBERS:
        fits, words = _is_number(value), "a number, 0 or more"
    elif name in _INTEGERS:
        fits, words = _is_integer(value), "a whole number, 0 or more"
    elif name in ("started", "drop", "rates"):
        fits, words = isinstance(value, bool), "true or false"
    elif name == "log_lines":
        fits = isinstance(value, list) and all(_is_line(line) for line in value)
        words = "a list of texts, or of pairs of seconds and a text"
    elif name == "exit_codes":
        fits = isinstance(value, dict) and all(_is_integer(code) for code in value.values())
        words = "an object of whole numbers"
    else:
        fits, words = isinstance(value, dict), "an object"
    return "" if fits else words


def _is_line(value: object) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and _is_number(value[0]) and isinstance(value[1], str)
    return isinstance(value, str) or pair


def _is_number(value: object) -> bool:
    return _is_integer(value) or (isinstance(value, float) and value >= 0)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _arguments(body: bytes) -> Doc:
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    return given


def _json(status: int, document: object) -> Answer:
    body = json.dumps(document, default=str).encode() + b"\n"
    return Answer(status=status, body=body, headers=(("Content-Type", "application/json"),))
