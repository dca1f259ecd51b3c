"""CPU and memory of a task as ECS answers them, whatever way they were written (ECS API reference,
RegisterTaskDefinition)."""

from __future__ import annotations

import re


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
    # Digits that end: a float has no room for more than some hundred.
    if match := re.fullmatch(rf"\s*([0-9]{{0,9}}\.?[0-9]{{1,9}})\s*{unit}\s*", str(value), re.IGNORECASE):
        return str(round(float(match[1]) * 1024))
    return str(value).strip()
