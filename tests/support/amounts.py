"""How much of what is drawn or repeated: little in `make test`, much in `script/soak`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Read before a test takes everything of ecsplan's out of the environment.
FIGURES = os.environ.get("ECSPLAN_SOAK_FIGURES")


def amount(name: str, usual: int) -> int:
    """`ECSPLAN_SOAK_NAME` from the environment, or the usual amount."""
    return int(os.environ.get(f"ECSPLAN_SOAK_{name}", usual))


def at_length() -> bool:
    """Is everything to be played, and not only what fits into `make test`?"""
    return amount("WHOLE", 0) > 0


def played(points: Sequence[T]) -> Sequence[T]:
    """All points at length, every second one in `make test`."""
    return points if at_length() else points[::2]


def figure(text: str) -> None:
    """Say how much it was: on stdout, and in the file `ECSPLAN_SOAK_FIGURES`, which `script/soak` shows."""
    sys.stdout.write(f"\n{text}\n")
    if FIGURES:
        with Path(FIGURES).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
