"""Which tests run a line: from one run of the suite under coverage, with a context for each test."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

from mutation.copies import pytest
from mutation.sites import PACKAGE, Site

RUN = """[run]
core = ctrace
relative_files = true
source = ecsplan
omit = ecsplan/sandbox/*
"""
NEAR = ("tests/unit/", "tests/cases/")
PROCESSES = ["tests/unit/cli", "tests/process"]  # coverage sees nothing of a process that a test starts


@dataclass(frozen=True, kw_only=True)
class Covering:
    """`seconds` of each test that passed; `lines` of the package, with the tests that run them."""

    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]

    def of(self, site: Site) -> tuple[list[str], list[str], list[str]]:
        """The tests that run it, in the order in which to try them: the unit tests of its own folder and a few more,
        the other unit tests, all others."""
        lines = self.lines.get(site.path, {})
        tests = {test for line in range(site.first, site.last + 1) for test in lines.get(line, ())}
        found = sorted(tests & self.seconds.keys(), key=lambda test: (self.seconds[test], test))
        room = "/".join(["tests/unit", *site.path.split("/")[1:-1][:1], ""])
        near = [test for test in found if test.startswith(NEAR)]
        own = [test for test in near if test.startswith(room)]
        first = own[:40] + [test for test in near if test not in own][:20]
        return (
            first,
            [test for test in near if test not in first],
            [test for test in found if not test.startswith(NEAR)],
        )


def covering(copy: Path, kept: Path, tests: Sequence[str]) -> Covering:
    """Measured in a copy of the tree, kept in a folder, and read from there the next time."""
    data, seconds = kept / "coverage", kept / "seconds.json"
    if not seconds.exists():
        (copy / ".coveragerc").write_text(RUN, encoding="utf-8")
        options = ["--numprocesses=2", "--dist=worksteal", f"--cov={PACKAGE}", "--cov-config=.coveragerc"]
        options += ["--cov-context=test", "--cov-report="]
        ran = pytest(copy, [*options, *tests], COVERAGE_FILE=str(data))
        if ran.failed or ran.code:
            print(ran.said[-4000:], file=sys.stderr)
        if not ran.seconds:
            raise SystemExit("the suite did not run")
        passed = {test: spent for test, spent in ran.seconds.items() if test not in ran.failed}
        seconds.write_text(json.dumps(passed), encoding="utf-8")
    return Covering(seconds=json.loads(seconds.read_text(encoding="utf-8")), lines=_lines(data))


def _lines(data: Path) -> dict[str, dict[int, list[str]]]:
    measured = CoverageData(basename=str(data))
    measured.read()
    return {
        path: {
            line: sorted({context.rpartition("|")[0] for context in contexts} - {""})
            for line, contexts in measured.contexts_by_lineno(path).items()
        }
        for path in measured.measured_files()
    }
