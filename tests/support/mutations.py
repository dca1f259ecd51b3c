"""Inputs that nobody meant: bytes, texts and data changed at random, the same for the same number."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

Data = Any

BYTES = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x80\xae",
    b"'''", b'"""', b"=", b"[[", b"]]", b"{", b"}", b'"', b"#", b".", b",", b"\\ud800", b"\\u0000",
    b"nan", b"inf", b"1e999", b"9" * 400, b"[" * 3000, b'{"a":' * 3000, b"a." * 3000,
)  # fmt: skip
TEXTS = (
    "", " ", "\x00", "a" * 300, "../../etc", "/", ".", "..", "{image_tag}", "{", "$(x)", "é", "\ud800", "\u202e",
    "a\nb", "-x", "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:1", "$ref", "ECSPLAN", "%s", "9" * 50,
    "task_definition.", "service.", "run_task.x/y", "nothing.web", "ecs:delete_cluster", "(((", "a{99999999}",
)  # fmt: skip
SCALARS: tuple[Data, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**400, -(2**70), 0.5, -0.0, 1e308, float("inf"), float("nan"),
    [], {}, [[]], [None], {"": ""}, {"$ref": "output"}, {"$ref": "output", "address": "a.b", "output": "arn"},
    {"$ref": "output", "address": "no address", "output": "arn"}, {"$ref": 1},
)  # fmt: skip


def nested(depth: int, kind: int = 0) -> Data:
    value: Data = "deep"
    for _ in range(depth):
        value = [value] if kind else {"a": value}
    return value


def any_value(chance: random.Random) -> Data:
    pick = chance.random()
    if pick < 0.45:
        return copy.deepcopy(chance.choice(SCALARS))
    if pick < 0.9:
        return chance.choice(TEXTS)
    return nested(chance.choice((3, 10, 60, 120)), chance.randrange(2))


def places(data: Data) -> list[tuple[Any, Any]]:
    """Every container in the data with each of its keys or indices."""
    found: list[tuple[Any, Any]] = []
    stack = [data]
    while stack:
        here = stack.pop()
        keys = list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        for key in keys:
            found.append((here, key))
            stack.append(here[key])
    return found


def _replace(data: Data, chance: random.Random) -> None:
    where, key = chance.choice(places(data))
    where[key] = any_value(chance)


def _remove(data: Data, chance: random.Random) -> None:
    where, key = chance.choice(places(data))
    del where[key]


def _swap(data: Data, chance: random.Random) -> None:
    (one, a), (other, b) = chance.choice(places(data)), chance.choice(places(data))
    taken = copy.deepcopy(one[a])
    one[a] = copy.deepcopy(other[b])
    other[b] = taken


def _twice(data: Data, chance: random.Random) -> None:
    where, key = chance.choice(places(data))
    if isinstance(where, list):
        where.insert(key, copy.deepcopy(where[key]))
    else:
        where[chance.choice((*TEXTS, f"{key}s", str(key).upper()))] = copy.deepcopy(where[key])


def _wrap(data: Data, chance: random.Random) -> None:
    where, key = chance.choice(places(data))
    where[key] = chance.choice(([where[key]], {str(key): where[key]}, str(where[key])[:100]))


CHANGES: tuple[Callable[[Data, random.Random], None], ...] = (_replace, _replace, _remove, _swap, _twice, _wrap)


def changed(data: Data, chance: random.Random) -> Data:
    """A copy with one to three changes."""
    made = copy.deepcopy(data)
    for _ in range(chance.randint(1, 3)):
        if places(made):
            chance.choice(CHANGES)(made, chance)
    return made


def torn(text: bytes, chance: random.Random) -> bytes:
    """Bytes with one to three of them changed, cut, doubled or put in."""
    made = bytearray(text)
    for _ in range(chance.randint(1, 3)):
        at, end = sorted((chance.randint(0, len(made)), chance.randint(0, len(made))))
        match chance.randrange(6):
            case 0:
                del made[at : min(end, at + 40)]
            case 1:
                del made[at:]
            case 2:
                made[at:at] = chance.choice(BYTES)
            case 3:
                made[at:at] = made[at : min(end, at + 200)]
            case 4 if made:
                made[at % len(made)] = chance.randrange(256)
            case _:
                made[at : at + 1] = chance.choice(BYTES)
    return bytes(made)


def lines_changed(text: bytes, chance: random.Random) -> bytes:
    """Lines swapped, doubled, dropped, or without their end."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.randint(1, 3)):
        if not lines:
            break
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                lines[at], lines[other] = lines[other], lines[at]
            case 1:
                lines.insert(other, lines[at])
            case 2:
                del lines[at]
            case _:
                lines[-1] = lines[-1][: chance.randrange(len(lines[-1]) + 1)]
    return b"".join(lines)
