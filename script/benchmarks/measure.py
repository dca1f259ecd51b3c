"""One run of a command: how long it took, what it used, and what the embedded AWS saw of it."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Run:
    """Seconds of the clock and of the processors (user and system, with all child processes), and MiB at the peak."""

    wall: float
    cpu: float
    memory: float
    requests: int = 0
    round_trips: int = 0


@dataclass(frozen=True, kw_only=True)
class Row:
    """The medians of a command's runs in one setting."""

    setting: str
    case: str
    latency: float
    tool: str
    runs: int
    wall: float
    cpu: float
    memory: float
    requests: int
    round_trips: int
    walls: tuple[float, ...]
    cpus: tuple[float, ...]

    def data(self) -> dict[str, object]:
        return asdict(self)


def timed(command: list[str], folder: Path, environment: Mapping[str, str]) -> Run:
    """Runs it; raises RuntimeError with what it said where it fails."""
    with (folder / "said").open("w+b") as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command)} failed with {process.returncode}:\n{text}")
    return Run(wall=wall, cpu=used.ru_utime + used.ru_stime, memory=used.ru_maxrss / 1024)


def row(runs: Iterable[Run], *, setting: str, case: str, latency: float, tool: str, round_trips: int | None) -> Row:
    every = list(runs)
    return Row(
        setting=setting,
        case=case,
        latency=latency,
        tool=tool,
        runs=len(every),
        wall=statistics.median(run.wall for run in every),
        cpu=statistics.median(run.cpu for run in every),
        memory=statistics.median(run.memory for run in every),
        requests=round(statistics.median(run.requests for run in every)),
        round_trips=min(run.round_trips for run in every) if round_trips is None else round_trips,
        walls=tuple(round(run.wall, 4) for run in every),
        cpus=tuple(round(run.cpu, 4) for run in every),
    )
