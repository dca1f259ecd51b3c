"""A plugin of pytest: how long each test took and which failed, as JSON in the file that `MUTATION_OUTCOMES` names."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

SECONDS: defaultdict[str, float] = defaultdict(float)
FAILED: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    SECONDS[report.nodeid] += report.duration
    if report.failed:
        FAILED.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        outcomes = {"seconds": SECONDS, "failed": FAILED}
        Path(os.environ["MUTATION_OUTCOMES"]).write_text(json.dumps(outcomes), encoding="utf-8")
