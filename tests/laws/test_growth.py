"""Twice the spec, at most 2.1 times the work and the memory: lines of ecsplan's own code that are run, bytes kept."""

from __future__ import annotations

import sys
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import ecsplan
from ecsplan import pipeline, rehearsal
from ecsplan.apply.deploy import Options
from ecsplan.core.model import Plan
from ecsplan.core.spec import Spec
from tests.support import toml
from tests.support.aws import Aws, site
from tests.support.specs import spec, task
from tests.support.toml import Doc

PACKAGE = f"{Path(ecsplan.__file__).parent}/"
LIMIT = 2.1
NOWAIT = Options(wait=False)


class Lines:
    """Counts the lines of ecsplan (not of the embedded AWS) that are run in all threads."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Lines:
        threading.settrace(self._called)
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        name = frame.f_code.co_filename
        return self._line if name.startswith(PACKAGE) and f"{PACKAGE}sandbox" not in name else None

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            with self._lock:
                self.count += 1
        return self._line


@dataclass(frozen=True, kw_only=True)
class Work:
    """Lines run by each stage, and bytes kept by the plan."""

    lines: dict[str, int]
    plan: int


def worked(folder: Path, document: Doc) -> Work:
    """A first deployment, then the one that is counted: a new tag for everything."""
    file = folder / "ecsplan.toml"
    file.write_text(toml.dumps(document), encoding="utf-8")
    aws = Aws()
    rehearsal.seed(aws, pipeline.load(file))
    place = site(folder / ".ecsplan", aws.in_process(), aws.clock)
    pipeline.run_plan(place, pipeline.make_plan(place, pipeline.load(file), "v1"), options=NOWAIT)
    lines: dict[str, int] = {}

    def counted(stage: str, do: Callable[[], Any]) -> Any:
        with Lines() as counting:
            result = do()
        lines[stage] = counting.count
        return result

    loaded: Spec = counted("load", lambda: pipeline.load(file))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    made: Plan = pipeline.make_plan(place, loaded, "v2")
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    counted("plan", lambda: pipeline.make_plan(place, loaded, "v2"))
    counted("text", lambda: pipeline.text(made))
    counted("apply", lambda: pipeline.run_plan(place, made, options=NOWAIT))
    return Work(lines=lines, plan=kept)


def families(count: int) -> Doc:
    return spec(
        *(task(f"f{n}", services=[f"f{n}-{s}" for s in range(3)], rules=[(f"r{n}", ("x",))]) for n in range(count))
    )


def services(count: int) -> Doc:
    return spec(task(services=[f"web-{n}" for n in range(count)], rules=[(f"r{n}", ("x",)) for n in range(count // 4)]))


@pytest.mark.parametrize(("made", "count"), [(families, 5), (services, 16)], ids=["families", "services"])
def test_twice_the_spec_is_twice_the_work(tmp_path: Path, made: Callable[[int], Doc], count: int) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    worked(tmp_path / "one", made(2))  # what is imported, read and remembered once
    (tmp_path / "once").mkdir()
    small = worked(tmp_path / "once", made(count))
    large = worked(tmp_path / "two", made(2 * count))
    for stage, lines in small.lines.items():
        assert large.lines[stage] <= LIMIT * lines, stage
        assert large.lines[stage] > lines, stage
    assert large.plan <= LIMIT * small.plan
