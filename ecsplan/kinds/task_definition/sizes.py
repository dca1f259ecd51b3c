"""CPU and memory of a task as ECS answers them, and the sizes that Fargate has (ECS API reference,
RegisterTaskDefinition)."""

from __future__ import annotations

import re
from collections.abc import Iterable

# By CPU units: the sizes of memory in MiB.
FARGATE: dict[int, range] = {
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
SMALLEST = (512, 1024, 2048)  # MiB, for 256 CPU units


def cpu_units(value: object) -> str:
    """`"1 vCPU"` as CPU units (`"1024"`); a number as text; anything else as it is."""
    return _scaled(value, "vcpu")


def mebibytes(value: object) -> str:
    """`"0.5 GB"` as MiB (`"512"`); a number as text; anything else as it is."""
    return _scaled(value, "gb")


def whole(text: str) -> int | None:
    """A number of up to nine digits; None for anything else, which is no size of a task or port."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _scaled(value: object, unit: str) -> str:
    # Limited digits: a float holds no more than some hundred.
    if match := re.fullmatch(rf"\s*([0-9]{{0,9}}\.?[0-9]{{1,9}})\s*{unit}\s*", str(value), re.IGNORECASE):
        return str(round(float(match[1]) * 1024))
    return str(value).strip()


def no_such_size(cpu: object, memory: object) -> str:
    """Why Fargate has no task of this size; "" if it has."""
    units, size = whole(cpu_units(cpu)), whole(mebibytes(memory))
    if units is None or size is None:
        return f"Fargate has no size of cpu {cpu_units(cpu)} and memory {mebibytes(memory)}"
    sizes = SMALLEST if units == 256 else FARGATE.get(units, ())
    if size in sizes:
        return ""
    if not sizes:
        return f"Fargate has no cpu of {units} units; it has 256, {_listed(FARGATE)}"
    steps = f"{sizes[0]} to {sizes[-1]} in steps of {sizes.step}" if isinstance(sizes, range) else _listed(sizes)
    return f"Fargate has no memory of {size} MiB for {units} CPU units; it has {steps}"


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
