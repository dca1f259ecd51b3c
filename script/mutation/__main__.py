"""`script/mutants`: see the package."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from mutation.copies import Ran, copied, pytest, state, write
from mutation.covering import PROCESSES, Covering, covering
from mutation.sites import PACKAGE, Site, drawn

ROOT = Path(__file__).parents[2]
SORTS = ("comparison", "and/or", "not", "return")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`by` is the test that failed, or why none could; empty for a survivor of `tests` tests."""

    by: str
    tests: int
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="script/mutants",
        description="Turn a comparison round, put `and` for `or` (and `or` for `and`), drop a `not`, return None: one "
        "random fault at a time, in a copy of the tree, outside sandbox and render. Shows what no test notices.",
    )
    parser.add_argument("--number", type=int, default=200, help="mutants (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=11, help="which mutants are drawn (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="mutants at a time (default: %(default)s)")
    parser.add_argument(
        "--again", nargs="*", metavar="TEST", help="try the survivors again, with these tests first (new ones, say)"
    )
    parser.add_argument(
        "--tests", nargs="*", default=["tests", "--ignore=tests/sandbox"], help="the suite, as arguments to pytest"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and then by tests' processes
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [copied(ROOT, Path(folder) / str(number)) for number in range(given.processes)]
        kept = ROOT / ".mutants" / state(copies[0])
        kept.mkdir(parents=True, exist_ok=True)
        tests = covering(copies[0], kept, given.tests)
        results = Results(kept / f"results-{given.seed}.json")
        mutants = drawn(copies[0], given.number, given.seed)
        again = given.again is not None
        try_all(
            copies, [site for site in mutants if results.open(site, again=again)], results, tests, given.again or ()
        )
        false = unreliable(copies[0], {by for site in mutants if (by := results[site].by) and not by.startswith("(")})
        return summary(copies[0], mutants, results, false)


class Results:
    """Verdicts by the name of the mutant, written after each."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, threading.Lock()
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.found = {name: Verdict(**verdict) for name, verdict in found.items()}

    def __getitem__(self, site: Site) -> Verdict:
        return self.found[site.name]

    def open(self, site: Site, *, again: bool) -> bool:
        return site.name not in self.found or (again and not self[site].by)

    def add(self, site: Site, verdict: Verdict) -> None:
        with self.lock:
            self.found[site.name] = verdict
            found = {name: vars(verdict) for name, verdict in self.found.items()}
            self.path.write_text(json.dumps(found, indent=1), encoding="utf-8")
            said = f"killed by {verdict.by}" if verdict.by else f"SURVIVED {verdict.tests} tests"
            print(f"{len(found):4} {verdict.seconds:6.1f} s  {site.name}: {said}", flush=True)


def try_all(
    copies: Sequence[Path], mutants: Sequence[Site], results: Results, tests: Covering, more: Sequence[str]
) -> None:
    """One at a time in each copy."""
    idle: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        idle.put(copy)

    def tried(site: Site) -> None:
        copy = idle.get()
        try:
            results.add(site, trial(copy, site, tests, more))
        finally:
            idle.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        try:
            list(pool.map(tried, mutants))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def trial(copy: Path, site: Site, tests: Covering, more: Sequence[str]) -> Verdict:
    """A few unit tests, then the others, then the rest of the suite, as far as they run its lines; at last, for what
    only processes run, the tests that start some."""
    began, tried = time.monotonic(), 0
    text = (copy / site.path).read_text(encoding="utf-8")
    stages = [stage for stage in (list(more), *tests.of(site)) if stage]
    if not stages or site.path.startswith(f"{PACKAGE}/cli/"):
        stages.append(PROCESSES)
    write(copy, site.path, site.mutated(text))
    try:
        for stage in stages:
            tried += len(stage)
            chosen = copy / ".chosen"
            chosen.write_text("\n".join(stage), encoding="utf-8")
            timeout = 90 + 5 * sum(tests.seconds.get(test, 60.0) for test in stage)
            if by := killer(pytest(copy, ["-x", "@.chosen"], timeout=timeout)):
                break
    finally:
        write(copy, site.path, text)
    return Verdict(by=by, tests=tried, seconds=round(time.monotonic() - began, 1))


def killer(ran: Ran) -> str:
    """Empty if all tests passed."""
    if ran.code == 0:
        return ""
    if ran.code is None:
        return "(it did not end)"
    return ran.failed[0] if ran.failed else f"(pytest ended with {ran.code}: {ran.said.strip().splitlines()[-1:]})"


def unreliable(copy: Path, killers: set[str]) -> Sequence[str]:
    """The tests that fail without a mutant: what they killed is not known to be dead."""
    (copy / ".chosen").write_text("\n".join(sorted(killers)), encoding="utf-8")
    return pytest(copy, ["@.chosen"]).failed if killers else ()


def summary(copy: Path, mutants: Sequence[Site], results: Results, false: Sequence[str]) -> int:
    survivors = [site for site in mutants if not results[site].by]
    for site in survivors:
        text = (copy / site.path).read_text(encoding="utf-8")
        print(f"\n{site.name}: survived {results[site].tests} tests\n{site.diff(text)}")
    for test in false:
        print(f"\n{test} fails without a mutant, too: {[site.name for site in mutants if results[site].by == test]}")
    drawn_, survived = Counter(site.sort for site in mutants), Counter(site.sort for site in survivors)
    print()
    for sort in SORTS:
        print(f"{sort:12} {drawn_[sort] - survived[sort]:4} of {drawn_[sort]:4} killed")
    killed = len(mutants) - len(survivors)
    unending = sum(results[site].by.startswith("(") for site in mutants)
    print(f"{'all':12} {killed:4} of {len(mutants):4} killed, {killed / len(mutants):.1%}", end="; ")
    print(f"{unending} of them not by a failed test; {sum(results[site].seconds for site in mutants):.0f} s")
    return 1 if false else 0


if __name__ == "__main__":
    sys.exit(main())
