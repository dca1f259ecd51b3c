"""How much of what is drawn or repeated: little in `make test`, much in `script/soak`."""

from __future__ import annotations

import os
import sys


def amount(name: str, usual: int) -> int:
    """`ECSPLAN_SOAK_NAME` from the environment, or the usual amount."""
    return int(os.environ.get(f"ECSPLAN_SOAK_{name}", usual))


def figure(text: str) -> None:
    """Say how much it was; `script/soak` shows it."""
    sys.stdout.write(f"\n{text}\n")
