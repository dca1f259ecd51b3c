"""Several folders deploy one app, and somebody by hand: a rollback that says that it is done has gone where it said,
and one that would take back what others did has refused, since nobody agrees here."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ecsplan import pipeline, rehearsal
from ecsplan.core.errors import EcsplanError, Exit
from ecsplan.core.spec import Spec
from ecsplan.journal import Outcome
from tests.support import toml
from tests.support.amounts import amount, figure
from tests.support.aws import Aws, site
from tests.support.clock import EPOCH
from tests.support.specs import shop

EXAMPLES = amount("FOLDERS", 30)
TAGS = ("v1", "v2", "v3", "v4")
SERVICES, RULE = ("web", "admin"), "nightly"
AWS = Aws()
Images: TypeAlias = dict[str, str]

folders = st.integers(0, 2)
acts = st.one_of(
    st.tuples(st.just("deploy"), folders, st.sampled_from(TAGS)),
    st.tuples(st.just("deploy"), folders, st.sampled_from(TAGS)),
    st.tuples(st.just("fails"), folders, st.sampled_from(TAGS)),
    st.tuples(st.just("back"), folders, st.just("")),
    st.tuples(st.just("to"), folders, st.sampled_from(["1", "2", "3", "4", "5", *TAGS])),
    st.tuples(st.just("by hand"), folders, st.sampled_from(SERVICES)),
)


@dataclass(kw_only=True)
class Folder:
    """A journal of its own, and what its deployments found and left."""

    root: Path
    found: dict[int, Images] = field(default_factory=dict)
    left: dict[int, Images] = field(default_factory=dict)
    put_back: set[int] = field(default_factory=set)

    def site(self) -> pipeline.Site:
        return site(self.root, AWS.in_process(), AWS.clock)

    def newest(self) -> int:
        return (self.site().journal(self.site().identity()).numbers() or [0])[-1]


def on() -> dict[str, str]:
    """By service and target, the revision that it is on."""
    return {name: AWS.on(name) for name in SERVICES} | AWS.pointing(RULE)


def images() -> Images:
    return {name: AWS.image(revision) for name, revision in on().items()}


def test_a_rollback_goes_where_it_says_or_refuses() -> None:
    ended: Counter[str] = Counter()

    @settings(
        deadline=None,
        max_examples=EXAMPLES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=(Phase.generate, Phase.shrink),
        derandomize=EXAMPLES <= 1000,
    )
    @given(st.lists(acts, min_size=4, max_size=12))
    def played(drawn: list[tuple[str, int, str]]) -> None:
        AWS.clock.time = EPOCH
        AWS.reset()
        AWS.rollout_seconds = AWS.task_seconds = 1.0
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / "ecsplan.toml"
            file.write_text(toml.dumps(shop()), encoding="utf-8")
            spec = pipeline.load(file)
            rehearsal.seed(AWS, spec)
            several = [Folder(root=Path(name) / str(number)) for number in range(3)]
            for what, number, more in drawn:
                ended[act(spec, several[number], what, more)] += 1
                statuses = AWS.statuses()
                assert all(statuses.get(revision, "ACTIVE") == "ACTIVE" for revision in on().values())

    played()
    figure("folders: " + ", ".join(f"{count} {what}" for what, count in sorted(ended.items())))
    assert {"deployed", "put back", "went back", "refused", "did not agree"} <= ended.keys()


def act(spec: Spec, folder: Folder, what: str, more: str) -> str:
    if what == "by hand":
        AWS.call("UpdateService", cluster="prod", service=more, taskDefinition=AWS.targets(RULE)["report"][
            "EcsParameters"]["TaskDefinitionArn"])  # fmt: skip
        AWS.clock.sleep(60)
        return what
    if what in ("deploy", "fails"):
        return deployed(spec, folder, more, "FAILED" if what == "fails" else "COMPLETED")
    return gone_back(spec, folder, more or None)


def deployed(spec: Spec, folder: Folder, tag: str, ends: str) -> str:
    found = images()
    AWS.rollout(ends, service="web", image=f"*:{tag}")
    result = pipeline.run_plan(folder.site(), pipeline.make_plan(folder.site(), spec, tag))
    AWS.rollout("COMPLETED")
    if result is None:
        return "no changes"
    folder.found[result.number] = found
    if result.outcome is Outcome.SUCCEEDED:
        folder.left[result.number] = images()
        assert set(images().values()) == {f"web:{tag}"}
        return "deployed"
    assert result.outcome is Outcome.PUT_BACK
    assert images() == found
    folder.put_back.add(result.number)
    return "put back"


def gone_back(spec: Spec, folder: Folder, to: str | None) -> str:
    before, newest = images(), folder.newest()
    try:
        plan = pipeline.undo(folder.site(), spec, to=to)
        pipeline.check_agreed(plan)
        result = pipeline.run_plan(folder.site(), plan)
    except EcsplanError as error:
        assert (images(), folder.newest()) == (before, newest)
        return {Exit.STALE: "did not agree", Exit.USAGE: "refused"}[error.exit_code]
    assert result is None or result.outcome is Outcome.SUCCEEDED
    where = plan.back_to
    if where == "0":
        first = min(folder.found.keys() - folder.put_back, default=0)
        assert images() == folder.found.get(first, before)
    elif where.startswith("before "):
        assert images() == folder.found[int(where.removeprefix("before "))]
    elif where.isdigit():
        assert images() == folder.left[int(where)]
    else:
        assert set(on().values()) == {where}
    if result is not None:
        folder.found[result.number] = before
    return "went back"
