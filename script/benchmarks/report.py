"""The results as a document and as data; nothing is measured here."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks import fleet, tools
from benchmarks.measure import Row
from benchmarks.run import CONNECTION, LARGE, MAIN, PROBE, Results

FORMAT = "1.0"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A ratio of two things measured in the same run, and what it may be at most."""

    what: str
    ratio: float
    at_most: float

    @property
    def referenced_values(self) -> bool:
        return self.ratio <= self.at_most


def limits(results: Results) -> list[Limit]:
    plan, apply = results.get(tools.PLAN), results.get(tools.APPLY)
    floor_plan, floor_apply = results.get(tools.FLOOR_PLAN), results.get(tools.FLOOR_APPLY)
    ecs_task = results.get(tools.ECS_TASK).wall
    secure = [results.get(tool, setting="https").wall for tool in (tools.PLAN, tools.APPLY, tools.ECS_TASK)]
    start = {name: statistics.median(walls) for name, walls in results.starts.items()}
    where = f"{LARGE.services} services, {LARGE.rules} rules, {MAIN * 1000:.0f} ms"
    found = [
        (f"`plan` of {where}: wall time, to the floor's plan", plan.wall / floor_plan.wall, 1.3),
        ("… to ecs-task's deploy of the same", plan.wall / ecs_task, 0.2),
        ("`plan` and `apply --no-wait` together, to ecs-task's deploy", (plan.wall + apply.wall) / ecs_task, 0.35),
        ("… processor time, to the floor's", (plan.cpu + apply.cpu) / (floor_plan.cpu + floor_apply.cpu), 1.5),
        (
            "`deploy --no-wait`, one process: processor time, to the floor's in one process",
            results.get(tools.DEPLOY).cpu / results.get(tools.FLOOR_DEPLOY).cpu,
            1.5,
        ),
        (
            f"`plan` and `apply` over https, {CONNECTION * 1000:.0f} ms per new connection, to ecs-task's deploy",
            (secure[0] + secure[1]) / secure[2],
            0.2,
        ),
        ("`ecsplan --help`, to `python -c pass`", start["ecsplan --help"] / start["python -c pass"], 6.0),
        *_fleet_limits(results.fleets),
    ]
    return [Limit(what=what, ratio=ratio, at_most=at_most) for what, ratio, at_most in found]


def _fleet_limits(fleets: Sequence[fleet.Run]) -> list[tuple[str, float, float]]:
    if not fleets:
        return []
    small, large = fleets[0], fleets[-1]
    times = large.families / small.families
    return [
        (f"`plan` of {large.families} families: wall time, to what AWS's rates allow", large.ratio, 1.3),
        ("… peak memory, to 200 MB", large.memory / 200, 1.0),
        ("… answers that were throttled", float(large.throttled), 0.0),
        (f"… processor time, to that of {small.families} families", large.cpu / small.cpu, times * 1.1),
        (f"… peak memory, to that of {small.families} families", large.memory / small.memory, times * 1.1),
    ]


def data(results: Results, facts: Mapping[str, str]) -> dict[str, object]:
    return {
        "format_version": FORMAT,
        "measured_on": dict(facts),
        "limits": [{"what": one.what, "ratio": round(one.ratio, 3), "at_most": one.at_most} for one in limits(results)],
        "rows": [one.data() for one in results.rows],
        "fleets": [asdict(one) for one in results.fleets],
        "start_up_seconds": {name: [round(wall, 4) for wall in walls] for name, walls in results.starts.items()},
        "without": {
            name: [{"wall": round(run.wall, 4), "cpu": round(run.cpu, 4)} for run in runs]
            for name, runs in results.without.items()
        },
        "embedded_aws_cpu_per_request": round(results.per_request, 5),
    }


def text(results: Results, facts: Mapping[str, str], *, command: str) -> str:
    parts = [
        INTRODUCTION.format(command=command),
        _table(("measured on", ""), facts.items()),
        "## What is promised\n",
        _table(
            ("ratio", "measured", "at most", ""),
            [
                (one.what, f"{one.ratio:.2f}", f"{one.at_most:g}", "" if one.referenced_values else "**not held**")
                for one in limits(results)
            ],
        ),
        "## Deployments\n",
        DEPLOYMENTS.format(probe=f"{PROBE * 1000:.0f}"),
        *_deployments(results.rows),
        AWS.format(milliseconds=f"{results.per_request * 1000:.1f}"),
        *(["## Fleets\n", FLEET, _table(fleet.HEADS, map(fleet.cells, results.fleets))] if results.fleets else []),
        "## Starting\n",
        _starting(results.starts),
        "## What each means gains\n",
        WITHOUT,
        _without(results),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _deployments(rows: Sequence[Row]) -> Iterable[str]:
    settings = dict.fromkeys((one.setting, one.latency, one.case) for one in rows)
    for setting, latency, case in sorted(settings, key=lambda it: (it[0], -it[1], _order(it[2]))):
        found = [one for one in rows if (one.setting, one.latency, one.case) == (setting, latency, case)]
        services, rules = case[1:].split(" R")
        title = f"{services} services, {rules} rules, {latency * 1000:.0f} ms"
        if setting == "https":
            title += f", https with {CONNECTION * 1000:.0f} ms per new connection"
        yield f"### {title}\n"
        yield _table(
            ("", "wall s", "CPU s", "peak MiB", "requests", "round trips", "runs"),
            [
                (
                    one.tool,
                    f"{one.wall:.2f}",
                    f"{one.cpu:.2f}",
                    f"{one.memory:.0f}",
                    one.requests,
                    one.round_trips,
                    one.runs,
                )
                for one in found
            ],
        )


def _order(case: str) -> tuple[int, int]:
    services, rules = case[1:].split(" R")
    return -int(services), -int(rules)


def _starting(starts: Mapping[str, Sequence[float]]) -> str:
    least = statistics.median(starts["python -c pass"])
    medians = {name: statistics.median(walls) for name, walls in starts.items()}
    return _table(
        ("", "wall ms", "times `python -c pass`"),
        [(f"`{name}`", f"{wall * 1000:.0f}", f"{wall / least:.1f}") for name, wall in medians.items()],
    )


def _without(results: Results) -> str:
    medians = {
        name: (statistics.median(run.wall for run in runs), statistics.median(run.cpu for run in runs))
        for name, runs in results.without.items()
    }
    wall, cpu = next(iter(medians.values()))
    return _table(
        ("without", "wall ms", "more", "CPU ms", "more"),
        [
            (name, f"{w * 1000:.0f}", f"{(w - wall) * 1000:+.0f}", f"{c * 1000:.0f}", f"{(c - cpu) * 1000:+.0f}")
            for name, (w, c) in medians.items()
        ],
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


INTRODUCTION = """\
# How fast, beside what people use today

Written by `{command}`, with every run in [benchmarks.json](benchmarks.json) beside it; `script/bench --quick` gives
a first idea in two minutes and writes nothing. Numbers are medians. What counts are the ratios between what was
measured in the same run: seconds mean nothing on another machine, or on this one while it does something else.

Everything is sent to the embedded AWS (docs/sandbox.md), a process of its own on the same machine, which answers
each request after so many milliseconds and is put back to the same state before every run. Each tool has a virtual
environment of its own, made by the command, and is used as its documentation shows.
"""

DEPLOYMENTS = """\
One family, so many services in one cluster, so many rules with a target each: a new tag for all of them, without
waiting for the rollouts.

- **ecsplan plan** and **apply --no-wait** run one after the other; apply looks at everything again before it
  changes anything. **deploy --no-wait** is both in one process.
- **floor: plan** and **floor: apply** are a script of boto3 alone (script/benchmarks/floor.py) that sends the same
  requests as concurrently as can be, and looks at nothing that it is answered; **at once** is both in one process,
  looking once.
- **ecs-task deploy** is ecs-task 0.3.1, one request after the other, looking at nothing before.
- **ecs-deploy** is a run of `ecs deploy` per service and of `ecs cron` per rule, which is what it has commands for.
- **AWS CLI** is the requests of ecs-task in a loop of the shell. These two start a process per call, so their
  largest case is measured at one latency and once.

CPU is user and system time of the command with all its child processes; the peak is that of its largest process.
Round trips are the longest chain of requests each of which began after the one before had ended, by the embedded
AWS's own log. For what asks concurrently they are taken, where a table of the main latency has them, from a run
with {probe} ms per request: at less, the time that it takes to make a client counts as waiting.
"""

AWS = """\
The embedded AWS itself takes {milliseconds} ms of processor time for a request, which is the same for all.
"""

FLEET = """\
`ecsplan plan` of a new tag for one spec with so many families and rules and five times as many services in ten
clusters, with AWS's request rates enforced (`script/fleet`, which also carries it out). The bound is the larger of
two round trips and what the slowest token bucket allows; asking is the time from the first request to the last answer.
"""

WITHOUT = """\
`ecsplan plan` of the largest case with one means switched off. All are documented ones:
`Session.register_component`, `gc`, `os._exit`. Further: a command's modules are imported when it runs, boto3, deepdiff,
rich and filelock when they are needed; connections are kept; clients are made one after the other, because several
threads make them slower; rows of the tables of normalisation that do not apply are passed over.
"""
