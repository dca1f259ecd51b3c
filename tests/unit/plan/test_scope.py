"""What a plan covers, and which specs it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ecsplan.core.errors import Exit
from ecsplan.core.model import Action, Change, Plan, Scope
from ecsplan.kinds.contract import Resource
from ecsplan.plan.compile import compile_spec
from ecsplan.plan.scope import clusters_of, clusters_touched, refusal
from ecsplan.spec.load import loads
from tests.support import toml
from tests.support.specs import spec, task
from tests.support.toml import Doc
from tests.unit.builders import plan

BARE = task(services=())
WEB = task()
MIGRATE = task(services=(), runs=("migrate",))
BOTH = task(rules=(("nightly", ("report",)),))
NIGHTLY = task(services=(), rules=(("nightly", ("report",)),))


def resources(made: Doc) -> tuple[Resource, ...]:
    return compile_spec(loads(toml.dumps(made), "shop.toml"), "v1")


def planned(made: Sequence[Resource], scope: Scope | None = None) -> Plan:
    """A plan that keeps these as they are; without a scope it is one of an older ecsplan."""
    changes = tuple(Change(address=r.address, task=r.task, action=Action.KEEP, after=r.doc) for r in made)
    return plan(changes=changes, **({"scope": scope} if scope else {}))


def test_clusters_are_those_of_services_and_one_off_tasks_by_name() -> None:
    services = [
        {"service": "web"},
        {"service": "api", "cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/edge"},
        {"service": "old", "cluster": "edge"},
    ]
    made = resources(spec(task(runs=("migrate",), update_services=services)))
    assert clusters_of(made) == ("edge", "prod")
    bare = {name: value for name, value in spec(WEB).items() if name != "cluster"}
    assert clusters_of(resources(bare)) == ("default",)
    assert clusters_of(resources(spec(NIGHTLY))) == ()


def test_the_clusters_of_an_older_plan_are_those_of_its_changes() -> None:
    made = resources(spec(WEB))
    assert clusters_touched(planned(made)) == ("prod",)
    assert clusters_touched(planned(made, Scope(clusters=("edge",)))) == ("edge",)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (spec(WEB), spec(WEB), False),
        (spec(WEB), spec(task(services=("web", "admin"))), False),
        (spec(WEB), spec(task(services=("admin",))), True),
        (spec(WEB), spec(WEB, cluster="other"), True),
        (spec(MIGRATE), spec(MIGRATE, cluster="other"), True),
        (spec(MIGRATE), spec(task(runs=("migrate",))), False),
        (spec(NIGHTLY), spec(NIGHTLY, cluster="other"), False),
        (spec(WEB), spec(NIGHTLY), True),
        (spec(BOTH), spec(NIGHTLY), False),
        (spec(BOTH), spec(BOTH, cluster="other"), True),
        (spec(BOTH), spec(MIGRATE), True),
        (spec(BARE), spec(BARE), False),
        (spec(BARE), spec(WEB), False),
        (spec(BARE), spec(task("api", services=())), True),
    ],
)
def test_two_specs_are_apart_where_they_have_nothing_but_families_or_rules_in_common(
    one: Doc, other: Doc, apart: bool
) -> None:
    for first, second in ((one, other), (other, one)):
        found = refusal("the plan", planned(resources(first)), "", "shop.toml", resources(second))
        assert (found is not None) is apart


def test_a_plan_of_nothing_is_refused_nowhere() -> None:
    assert refusal("the plan", plan(), "", "shop.toml", resources(spec(WEB))) is None


def test_the_refusal_names_both_files_and_what_to_do() -> None:
    made = planned(resources(spec(WEB)), Scope(spec="live.toml", clusters=("a", "b")))
    error = refusal("deployment 3", made, "../live.toml", "shop.toml", resources(spec(WEB, cluster="other")))
    assert error is not None
    assert error.exit_code is Exit.USAGE
    assert error.message == (
        "deployment 3 was made from ../live.toml and is for clusters a, b, and shop.toml has none of its addresses"
    )
    assert (error.state, error.hint) == (
        "Nothing was changed.",
        "Name its own spec with -f ../live.toml, or give each spec an `app` of its own, so that each has a journal.",
    )
