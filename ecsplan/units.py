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


def _scaled(value: object, unit: str) -> str:
    if match := re.fullmatch(rf"\s*(\d*\.?\d+)\s*{unit}\s*", str(value), re.IGNORECASE):
        return str(round(float(match[1]) * 1024))
    return str(value).strip()
