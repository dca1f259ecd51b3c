"""Specs, plan files and journals that nobody meant: success or a known error, in no time, and nothing written
elsewhere.

An input is made from its number alone. One that fails is named by it; once it is mended, it is kept as a file in
`once_failed/KIND/`, which is played each time.
"""

from __future__ import annotations

import json
import random
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ecsplan import pipeline, rehearsal
from ecsplan.core.codec import digest_of, to_json
from ecsplan.core.errors import EcsplanError, Exit
from ecsplan.core.model import Plan
from ecsplan.journal import Damaged
from ecsplan.plan import file as planfile
from ecsplan.plan.compile import compile_spec, requests, tag_warnings
from ecsplan.redact import mask_plan, mask_requests
from ecsplan.render.json import dumps, history_json, plan_json
from ecsplan.render.text import history_text, plan_text
from tests.support import toml
from tests.support.amounts import amount
from tests.support.aws import Aws, site
from tests.support.clock import EPOCH
from tests.support.mutations import changed, lines_changed, torn
from tests.support.paths import EXAMPLES, journal_file
from tests.support.specs import TOPIC, shop

INPUTS = amount("INPUTS", 2000)
SHARES = {"spec": 0.6, "plan": 0.2, "journal": 0.2}
PARTS = 5  # of each kind, so that several processes share it; not one of the numbers that inputs are made by
PATIENCE = 20  # seconds for one input; only one that hangs takes them
ONCE_FAILED = Path(__file__).parent / "once_failed"
SPECS = sorted(EXAMPLES.glob("*/ecsplan.toml"))


def numbers(kind: str, part: int) -> range:
    return range(part, int(INPUTS * SHARES[kind]), PARTS)


@contextmanager
def in_time() -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def known(act: Callable[[], object]) -> bool:
    """Did it end well? A known error has a text, an exit code, and can be printed; anything else is raised."""
    said = None
    try:
        act()
    except EcsplanError as error:
        said = error
    if said is not None:
        assert said.message
        assert said.exit_code in tuple(Exit)
        str(said).encode("utf-8", "backslashreplace")
    return said is None


class Fuzz:
    """An AWS with two deployments, the folder that they were made from, and everything that is in it."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws()
        self.folder = folder
        self.root = folder / "work" / ".ecsplan"
        self.file = folder / "work" / "ecsplan.toml"
        self.file.parent.mkdir()
        self.texts = [path.read_bytes() for path in SPECS] + [toml.dumps(shop()).encode()]
        self.file.write_bytes(self.texts[-1])
        self.spec = pipeline.load(self.file)
        self.outside = self.listed()
        self.journal = self.site().journal(self.site().identity())
        self.afresh()
        made = pipeline.make_plan(self.site(), self.spec, "v3")
        self.plan = json.loads(to_json(made))  # steps and changes as lists, which are gone through

    def afresh(self) -> None:
        """As it was: the second deployment is the newest. The same bytes each time, since the clock begins anew."""
        self.aws.clock.time = EPOCH
        self.aws.reset()
        self.aws.rollout_seconds = self.aws.task_seconds = 0.0
        rehearsal.seed(self.aws, self.spec)
        for path in sorted(self.root.rglob("*.jsonl")):
            path.unlink()
        for tag in ("v1", "v2"):
            pipeline.run_plan(self.site(), pipeline.make_plan(self.site(), self.spec, tag))
        self.aws.clear_requests()
        self.first, self.second = (journal_file(self.journal, number).read_bytes() for number in (1, 2))

    def back(self) -> None:
        """As it was, which takes longer where something was sent."""
        if self.aws.sent():
            self.afresh()
            return
        for number in self.journal.numbers()[2:]:
            journal_file(self.journal, number).unlink()
        journal_file(self.journal, 2).write_bytes(self.second)

    def site(self) -> pipeline.Site:
        return site(self.root, self.aws.in_process(), self.aws.clock)

    def listed(self) -> list[str]:
        """What there is outside of the journal's folder."""
        return sorted(str(p) for p in self.folder.rglob("*") if self.root not in p.parents and p != self.root)

    # --- each kind of input ---

    def play(self, kind: str, content: bytes) -> bool:
        with in_time():
            ended: bool = getattr(self, f"play_{kind}")(content)
        return ended

    def play_spec(self, content: bytes) -> bool:
        self.file.write_bytes(content)

        def act() -> None:
            spec = pipeline.load(self.file)
            compile_spec(spec, "v3")
            tag_warnings(spec, "v3")
            dumps(mask_requests(requests(spec, "v3"))).encode("utf-8", "backslashreplace")

        return known(act)

    def play_plan(self, content: bytes) -> bool:
        path = self.root / "shop" / "plan.json"
        path.write_bytes(content)
        made: list[Plan] = []
        if not known(lambda: made.append(planfile.load(path))):
            return False
        masked = mask_plan(made[0])
        plan_text(masked).encode("utf-8", "backslashreplace")
        plan_json(masked).encode("utf-8", "backslashreplace")
        ended = known(lambda: pipeline.run_plan(self.site(), made[0]))
        self.back()
        return ended

    def play_journal(self, content: bytes) -> bool:
        journal_file(self.journal, 2).write_bytes(content)
        shown = pipeline.history(self.journal)
        history_text(shown).encode("utf-8", "backslashreplace")
        history_json("shop", shown).encode("utf-8", "backslashreplace")
        damaged = any(isinstance(one, Damaged) for one in shown) and b"\n" in content
        ended = not damaged
        for act in (
            lambda: pipeline.show(self.journal, 2),
            lambda: pipeline.undo(self.site(), self.spec),
            lambda: pipeline.undo(self.site(), self.spec, to="1"),
            lambda: pipeline.make_plan(self.site(), self.spec, "v3"),
        ):
            ended &= known(act)
        first, second = (journal_file(self.journal, number) for number in (1, 2))
        assert (first.read_bytes(), second.read_bytes()) == (self.first, content)
        if not damaged:
            known(lambda: pipeline.resume(self.site()))
            known(lambda: pipeline.run_plan(self.site(), pipeline.make_plan(self.site(), self.spec, "v3")))
            assert first.read_bytes() == self.first
        else:  # what is damaged is not written to
            assert not known(lambda: pipeline.resume(self.site()))
            assert second.read_bytes() == content
        self.back()
        return ended


@pytest.fixture
def fuzz(tmp_path: Path) -> Fuzz:
    return Fuzz(tmp_path)


def input_of(fuzz: Fuzz, kind: str, number: int) -> bytes:
    chance = random.Random(f"{kind} {number}")
    match kind:
        case "spec":
            text = chance.choice(fuzz.texts)
            if number % 2:
                return torn(text, chance)
            data = changed(shop(sns_notification_topic_arn=TOPIC), chance)
            return toml.dumps(data).encode("utf-8", "surrogatepass") if isinstance(data, dict) else b""
        case "plan":
            if number % 4 == 0:
                return torn(json.dumps(fuzz.plan).encode(), chance)
            data = changed(fuzz.plan, chance)
            if isinstance(data, dict) and number % 4 != 1:  # as somebody who knows how it is made
                try:
                    data["digest"] = digest_of({name: value for name, value in data.items() if name != "digest"})
                except (ValueError, OverflowError, RecursionError, TypeError, msgspec.MsgspecError):
                    data.pop("digest", None)
            return json.dumps(data).encode()
        case _:
            begun = fuzz.second.splitlines(keepends=True)
            text = b"".join(begun[: chance.randint(1, len(begun))])  # as far as it came
            if number % 3 == 0:
                return torn(text, chance)
            if number % 3 == 1:
                return lines_changed(text, chance)
            lines: list[Any] = [json.loads(line) for line in text.splitlines()]
            lines = changed(lines, chance)
            return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", SHARES)
def test_inputs_that_nobody_meant(
    fuzz: Fuzz,
    kind: str,
    part: int,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Callable[[str, object], None],
) -> None:
    failed, well = [], 0
    kept = tmp_path_factory.mktemp("failed")
    for number in numbers(kind, part):
        content = input_of(fuzz, kind, number)
        try:
            well += fuzz.play(kind, content)
        except Exception as error:
            (kept / f"{kind}-{number}").write_bytes(content)
            last = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}: {str(error)[:200]}"
            failed.append(f"{kind} {number}: {what}")
            fuzz.afresh()
    record_property(f"fuzzing: {kind} inputs", len(numbers(kind, part)))
    record_property(f"fuzzing: {kind} inputs that ended well", well)
    record_property(f"fuzzing: {kind} inputs that failed", len(failed))
    assert not failed, f"{len(failed)} inputs, which are in {kept}:\n" + "\n".join(failed[:20])
    assert fuzz.listed() == fuzz.outside
    assert 0 < well < len(numbers(kind, part))


@pytest.mark.parametrize(
    "path", [path for path in sorted(ONCE_FAILED.glob("*/*")) if path.is_file()], ids=lambda path: path.name
)
def test_what_once_failed(fuzz: Fuzz, path: Path) -> None:
    fuzz.play(path.parent.name, path.read_bytes())
    assert fuzz.listed() == fuzz.outside


def test_a_plan_of_the_mutants_own_making_is_read(fuzz: Fuzz) -> None:
    """So that the inputs above are refused for what is wrong with them."""
    assert fuzz.play("plan", json.dumps(fuzz.plan).encode())
    assert fuzz.play("journal", fuzz.second)
    assert isinstance(fuzz.plan["steps"], list)
