"""Values as people read them: revisions as `web:41`, secrets and unknown values as such. And JSON that is a text inside
a document: one form of it, and the place of a member in it."""

from __future__ import annotations

import hashlib
import json
import re
from json.decoder import JSONDecoder
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


# --- JSON inside a document ---

_LEVELS = 200
_SPACE = " \t\n\r"
_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical_json(value: Any) -> Any:
    """JSON text in one form, since white space and the order of keys mean nothing. Other text as it is."""
    try:
        return json_text(json.loads(value))
    except (TypeError, ValueError, RecursionError):
        return value


def json_text(data: Any) -> str:
    """JSON data as text with sorted keys. Half a surrogate pair, which no UTF-8 can hold, makes it ASCII."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text if is_utf8(text) else json.dumps(data, sort_keys=True, separators=(",", ":"))


def is_utf8(text: str) -> bool:
    """Can it be written as UTF-8?"""
    return not _SURROGATE.search(text)


def is_json(text: str) -> bool:
    """Is it JSON, to the letter? Python also reads NaN and Infinity, which JSON has not."""
    try:
        json.loads(text, parse_int=str, parse_constant=_refused)
    except (ValueError, RecursionError):
        return False
    return True


def json_object(text: object) -> dict[str, Any] | None:
    """The object that a text of JSON is; None for everything else, and for one with more than 200 levels, which not
    everything here could walk."""
    try:
        data = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and _is_shallow(data) else None


def _is_shallow(data: Any) -> bool:
    level = [data]
    for _ in range(_LEVELS):
        below = [value.values() if isinstance(value, dict) else value for value in level]
        level = [item for items in below for item in items if isinstance(item, dict | list)]
        if not level:
            return True
    return False


def member_span(text: str, name: str) -> tuple[int, int] | None:
    """Start and end of the value of a member of the JSON object in `text`, which is one (`json_object`). None without
    such a member; of two with one name the last counts, as for every reader of JSON."""
    found = _member(text, name)
    return None if found is None else found[1:]


def without_member(text: str, name: str) -> str:
    """The JSON object in `text` without its member of this name, whose other characters stay."""
    while (found := _member(text, name)) is not None:
        head, tail = text[: found[0]], text[_after_space(text, found[2]) :]
        first = tail[0] == ","  # or the last one, whose comma stands before it
        text = head + tail[1:].removeprefix(" ") if first else head.rstrip(_SPACE).removesuffix(",") + tail
    return text


def _member(text: str, name: str) -> tuple[int, int, int] | None:
    """Where the member begins, and start and end of its value."""
    decoder, found, at = JSONDecoder(), None, _after_space(text, 0) + 1
    while text[at := _after_space(text, at)] != "}":
        begin = at
        key, at = decoder.raw_decode(text, at)
        start = _after_space(text, _after_space(text, at) + 1)
        _, at = decoder.raw_decode(text, start)
        if key == name:
            found = begin, start, at
        at = _after_space(text, at)
        at += text[at] == ","
    return found


def _after_space(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _refused(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")
