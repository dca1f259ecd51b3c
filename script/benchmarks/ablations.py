"""What each means gains: the same plan with one of them switched off. Programs for `python -c`, given the arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

AS_IT_IS = "from ecsplan.__main__ import main; main()"


@dataclass(frozen=True, kw_only=True)
class Without:
    """One means less."""

    means: str
    program: str
    environment: Mapping[str, str]


def ablations(empty: Path) -> tuple[Without, ...]:
    """`empty` is a folder without models: naming one makes botocore use a loader of its own."""
    return (
        Without(means="(as it is)", program=AS_IT_IS, environment={}),
        Without(means="deepdiff only where lists differ", program=f"import deepdiff; {AS_IT_IS}", environment={}),
        Without(
            means="one loader for the checks and the clients, which looks through no folders",
            program=AS_IT_IS,
            environment={"AWS_DATA_PATH": os.fspath(empty)},
        ),
        Without(
            means="garbage collection every 50,000 objects instead of 700",
            program="from ecsplan.cli import main; main()",
            environment={},
        ),
        Without(
            means="leaving through `os._exit` after flushing",
            program=f"import os, sys; os._exit = sys.exit; {AS_IT_IS}",
            environment={},
        ),
        Without(
            means="25 threads instead of 8",
            program=f"import ecsplan.aws; ecsplan.aws.THREADS = 8; {AS_IT_IS}",
            environment={},
        ),
    )
