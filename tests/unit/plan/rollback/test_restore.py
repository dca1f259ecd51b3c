"""The way back by the journal: what the later deployments touched, as it was before the first of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from ecsplan.core.model import Action, Address, Change, Doc, Notify, Plan, Ref, Rollback, Settings
from ecsplan.journal import Began, Deployment, Outcome
from ecsplan.kinds.contract import Resource
from ecsplan.plan.rollback import RollbackState, State, numbered_state, to_state
from tests.unit.builders import (
    AT,
    deployment,
    kept,
    moved,
    plan,
    register,
    revision,
    run,
    targets,
    task_definition_arn,
    update,
)

WEB, SERVICE = Address("task_definition.web"), Address("service.prod/web")


def arn(number: int, family: str = "web") -> str:
    return task_definition_arn(family, number)


def to(number: int, *, old: int, **more: object) -> Plan:
    """A plan that moves the service from revision `old` to `number`, and registers that."""
    changes = (registered(old), moved(old=old))
    return plan(register(), update(old=old), **{"tag": f"v{number}", "changes": changes, **more})


def registered(old: int, family: str = "web") -> Change:
    return Change(
        address=Address(f"task_definition.{family}"),
        task=family,
        action=Action.CREATE,
        before={"family": family, "image": f"{family}:v{old}"},
        after={"family": family},
        outputs={"arn": arn(old, family)},
    )


def one(number: int, made: Plan, **more: object) -> Deployment:
    """Deployment `number`, whose plan's first step registered revision 40 + `number`."""
    return deployment(number, made, outputs={1: {"arn": arn(40 + number)}}, **more)  # type: ignore[arg-type]


def to_deployment(deployments: Sequence[Deployment], number: int, *, keep: bool) -> RollbackState:
    """Back to what deployment `number` left."""
    return to_state(deployments, numbered_state(deployments, number), keep=keep)


def found(back: RollbackState) -> dict[str, Resource]:
    return {resource.address: resource for resource in back.resources}


# Three deployments: web:40 -> 41 -> 42 -> 43.
THREE = [one(n, to(40 + n, old=39 + n)) for n in (1, 2, 3)]


# --- what is put back ---


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_service_gets_the_revision_before_the_first(number: int) -> None:
    back = to_deployment(THREE, number, keep=False)
    resources = found(back)
    assert list(resources) == [WEB, SERVICE]
    assert resources[WEB].pinned == arn(40 + number)
    assert resources[SERVICE].doc == {"cluster": "prod", "service": "web", "taskDefinition": revision()}
    assert back.undoes == tuple(range(number + 1, 4))
    assert back.tag == (f"v{40 + number}" if number else "")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_revisions_that_they_made_are_to_go(number: int) -> None:
    made = tuple(arn(40 + n) for n in range(number + 1, 4))
    assert found(to_deployment(THREE, number, keep=False))[WEB].retire == made
    assert found(to_deployment(THREE, number, keep=True))[WEB].retire == ()


def test_back_to_the_newest_is_all_that_it_left() -> None:
    """Nothing is undone, and what others have moved since is found by the diff."""
    back = to_deployment(THREE, 3, keep=False)
    assert (back.tag, back.undoes, back.back_to) == ("v43", (), "3")
    assert found(back)[WEB].pinned == arn(43)
    assert found(back)[SERVICE].doc["taskDefinition"] == revision()


def test_the_journal_knows_a_revision_that_ecs_deleted() -> None:
    reused = plan(update(old=41), changes=(kept(number=40), moved(old=41)))
    back = to_deployment([THREE[0], deployment(2, reused)], 1, keep=False)
    assert (found(back)[WEB].pinned, found(back)[WEB].doc) == (arn(41), dict(register().call.params))
    assert found(to_deployment(THREE, 0, keep=False))[WEB].doc == {"family": "web", "image": "web:v40"}


def test_a_revision_unknown_to_the_journal_is_pinned() -> None:
    made = plan(update(old=30), changes=(kept(), moved(old=30)))
    assert found(to_deployment([deployment(1, made)], 0, keep=False))[WEB].doc == {}


def test_the_oldest_value_of_each_field_wins() -> None:
    first = to(41, old=40, changes=(registered(40), moved(old=40, desiredCount=2)))
    second = to(42, old=41, changes=(registered(41), moved(old=41, desiredCount=5, enableECSManagedTags=False)))
    doc = found(to_deployment([one(1, first), one(2, second)], 0, keep=False))[SERVICE].doc
    assert doc == {
        "cluster": "prod",
        "service": "web",
        "taskDefinition": revision(),
        "desiredCount": 2,
        "enableECSManagedTags": False,
    }


def test_all_that_the_plan_covered_is_put_back_though_no_later_one_touched_it() -> None:
    """Others may have: never is only half of it put back."""
    other = plan(update("api"), changes=(kept(number=30), moved("api", old=29)))
    resources = found(to_deployment([deployment(1, other), *THREE[1:]], 1, keep=False))
    both = Address("task_definition.web:30"), Address("task_definition.web:41")
    assert [resources[address].pinned for address in both] == [arn(30), arn(41)]
    assert resources[Address("service.prod/api")].doc["taskDefinition"] == Ref(address=both[0], output="arn")
    assert resources[SERVICE].doc["taskDefinition"] == Ref(address=both[1], output="arn")


def test_what_is_unchanged_is_covered_too() -> None:
    still = Change(
        address=Address("service.prod/api"),
        task="web",
        action=Action.KEEP,
        after={"cluster": "prod", "service": "api", "desiredCount": 3, "taskDefinition": revision()},
    )
    first = one(1, to(41, old=40, changes=(registered(40), moved(old=40), still)))
    resources = found(to_deployment([first, THREE[1]], 1, keep=False))
    assert resources[still.address].doc == still.after


def test_what_it_declared_wins_over_what_a_later_one_found() -> None:
    """Changed by hand in between, and deployed over since."""
    declared = moved(old=40)
    declared = replace(declared, after={**(declared.after or {}), "desiredCount": 2})
    first = one(1, to(41, old=40, changes=(registered(40), declared)))
    second = one(2, to(42, old=41, changes=(registered(41), moved(old=41, desiredCount=7, enableECSManagedTags=False))))
    doc = found(to_deployment([first, second], 1, keep=False))[SERVICE].doc
    assert (doc["desiredCount"], doc["enableECSManagedTags"]) == (2, False)


def test_what_a_deployment_found_is_no_more_than_what_it_changed() -> None:
    """Others had deployed in between: what the journal's earlier deployment left plays no part."""
    second = one(2, to(45, old=44))
    back = to_state([THREE[0], second], State(number=2, found=True), keep=False)
    assert (found(back)[WEB].pinned, back.tag, back.undoes, back.back_to) == (arn(44), "", (2,), "before 2")
    (note,) = back.notes
    assert note.startswith("deployment 2 found what another journal")


def test_a_revision_that_was_registered_again_stands_for_the_first() -> None:
    """Deployment 3 went back to web:41, which was INACTIVE by then, and registered web:44."""
    pinned = replace(registered(42), pinned=arn(41))
    back = plan(
        register(),
        update(old=42),
        changes=(pinned, moved(old=42)),
        undoes=(2,),
        tag="v41",
        rollback=Rollback(back_to="1"),
    )
    again = deployment(3, back, outputs={1: {"arn": arn(44)}})
    fourth = deployment(4, to(45, old=44), outputs={1: {"arn": arn(45)}})
    web = found(to_deployment([*THREE[:2], again, fourth], 1, keep=False))[WEB]
    assert (web.pinned, web.retire) == (arn(44), (arn(42), arn(45)))


def test_what_is_to_be_left_is_only_read() -> None:
    back = to_state(THREE, State(number=1), keep=False, leave=frozenset({SERVICE}))
    assert found(back)[SERVICE].doc == {"cluster": "prod", "service": "web"}
    assert (found(back)[WEB].pinned, found(back)[WEB].retire) == ("", (arn(42), arn(43)))
    assert back.notes == ("left as it is (--leave): service.prod/web",)


def test_deployments_that_the_journal_lacks_are_named() -> None:
    assert to_deployment(THREE, 0, keep=False).notes == ()
    (note,) = to_deployment([THREE[0], THREE[2]], 0, keep=False).notes
    assert note.startswith("the journal lacks deployment 2: ")
    assert to_deployment(THREE[1:], 2, keep=False).notes == ()


def test_services_on_two_revisions_get_two_pins() -> None:
    made = plan(register(), update("a"), update("b"), changes=(registered(40), moved("a", old=40), moved("b", old=39)))
    resources = found(to_deployment([one(1, made)], 0, keep=False))
    first, second = Address("task_definition.web:39"), Address("task_definition.web:40")
    assert [resources[address].pinned for address in (first, second)] == [arn(39), arn(40)]
    assert resources[Address("service.prod/a")].doc["taskDefinition"] == Ref(address=second, output="arn")
    assert resources[Address("service.prod/b")].doc["taskDefinition"] == Ref(address=first, output="arn")
    assert sorted(old for one in (first, second) for old in resources[one].retire) == [arn(41)]


def test_a_revision_used_by_nothing_before_is_retired() -> None:
    """The service's count was changed and a revision registered: there is none to go back to."""
    change = Change(
        address=SERVICE,
        task="web",
        action=Action.UPDATE,
        before={"cluster": "prod", "service": "web", "desiredCount": 1},
        after={"cluster": "prod", "service": "web", "desiredCount": 2},
    )
    made = plan(register(), update(), changes=(registered(40), change))
    resources = found(to_deployment([one(1, made)], 0, keep=False))
    assert (resources[WEB].pinned, resources[WEB].retire, resources[WEB].doc) == ("", (arn(41),), {})
    assert found(to_deployment([one(1, made)], 0, keep=True)).keys() == {SERVICE}


def test_families_are_kept_apart() -> None:
    made = plan(
        register("web"), register("job"), update("web"), update("job", family="job"),
        changes=(registered(40), registered(7, "job"), moved(old=40), moved("job", family="job", old=7)),
    )  # fmt: skip
    both = deployment(1, made, outputs={1: {"arn": arn(41)}, 2: {"arn": arn(8, "job")}})
    resources = found(to_deployment([both], 0, keep=False))
    job = Address("task_definition.job")
    assert (resources[WEB].pinned, resources[WEB].retire) == (arn(40), (arn(41),))
    assert (resources[job].pinned, resources[job].retire) == (arn(7, "job"), (arn(8, "job"),))
    assert resources[Address("service.prod/job")].doc["taskDefinition"] == revision("job")
    assert (resources[WEB].task, resources[job].task) == ("web", "job")


def test_one_off_tasks_are_not_run_in_a_rollback() -> None:
    ran = Change(address=Address("run_task.web/migrate"), task="web", action=Action.RUN, after={}, before={"a": 1})
    made = to(41, old=40, changes=(registered(40), ran, moved(old=40)))
    assert {address.kind for address in map(Address, found(to_deployment([one(1, made)], 0, keep=False)))} == {
        "task_definition",
        "service",
    }
    assert plan(run()).steps[0].address == ran.address


def test_targets_that_were_made_are_to_be_absent_again() -> None:
    before: Doc = {"Rule": "nightly", "Targets": [], "absent": ["report"]}
    change = Change(
        address=Address("event_targets.nightly"),
        task="web",
        action=Action.UPDATE,
        before=before,
        after={"Rule": "nightly"},
    )
    made = plan(register(), targets(), changes=(registered(40), change))
    resources = found(to_deployment([one(1, made)], 0, keep=False))
    assert resources[Address("event_targets.nightly")].doc == before


def test_a_target_that_the_first_created_is_removed() -> None:
    def of(n: int, before: Doc) -> Deployment:
        change = Change(
            address=Address("event_targets.nightly"), task="web", action=Action.UPDATE, before=before, after={}
        )
        return one(n, plan(register(), targets(), changes=(registered(40), change)))

    first = of(1, {"Rule": "nightly", "Targets": [], "absent": ["report"]})
    second = of(2, {"Rule": "nightly", "Targets": [{"Id": "report", "EcsParameters": {"TaskDefinitionArn": arn(41)}}]})
    resources = found(to_deployment([first, second], 0, keep=False))
    doc = resources[Address("event_targets.nightly")].doc
    assert doc == {"Rule": "nightly", "Targets": [], "absent": ["report"]}


def test_settings_for_waiting_are_kept() -> None:
    settings = Settings(wait=False, timeout=60, force=True, redeploy=True, when="always")
    change = Change(
        address=SERVICE, task="web", action=Action.UPDATE, before=moved().before, after={}, settings=settings
    )
    made = to(41, old=40, changes=(registered(40), change))
    assert found(to_deployment([one(1, made)], 0, keep=False))[SERVICE].settings == Settings(wait=False, timeout=60)


def test_what_is_referred_to_comes_first() -> None:
    kinds = [Address(address).kind for address in found(to_deployment(THREE, 0, keep=False))]
    assert kinds == ["task_definition", "service"]


def test_deleted_resources_are_left_out() -> None:
    resources = found(to_deployment(THREE, 0, keep=False))
    assert [resources[address].optional for address in (WEB, SERVICE)] == [False, True]


# --- what was only begun, or looked at ---


def test_an_unresolved_step_counts_as_begun() -> None:
    made = to(41, old=40)
    cut = deployment(1, made, begun=[1], outputs={1: {"arn": arn(41)}}, outcome=None)
    opened = Deployment(opened=cut.opened, entries=(*cut.entries, Began(at=AT, step=2)))
    resources = found(to_deployment([opened], 0, keep=False))
    assert (resources[WEB].pinned, resources[WEB].retire) == (arn(40), (arn(41),))
    assert SERVICE in resources


def test_what_was_never_begun_is_read_only() -> None:
    """So that no revision that it uses is deregistered."""
    made = to(41, old=40)
    cut = deployment(1, made, begun=[1], outputs={1: {"arn": arn(41)}}, outcome=Outcome.STOPPED)
    resources = found(to_deployment([cut], 0, keep=False))
    assert resources[SERVICE].doc == {"cluster": "prod", "service": "web"}
    assert (resources[WEB].pinned, resources[WEB].retire) == ("", (arn(41),))


def test_a_service_that_was_left_alone_is_a_bystander() -> None:
    left = Change(
        address=Address("service.prod/api"),
        task="web",
        action=Action.KEEP,
        after={"cluster": "prod", "service": "api", "desiredCount": 3},
    )
    made = to(41, old=40, changes=(registered(40), moved(old=40), left))
    resources = found(to_deployment([one(1, made)], 0, keep=False))
    assert resources[left.address].doc == {"cluster": "prod", "service": "api"}


def test_rollback_skips_deployments_that_were_put_back() -> None:
    nothing = deployment(2, to(42, old=41), begun=[], outcome=Outcome.INTERRUPTED)
    assert to_deployment([THREE[0], nothing, THREE[2]], 1, keep=False).undoes == (3,)


# --- notices and tags ---


def test_notifications_are_those_of_the_newest_deployment() -> None:
    topic = {"web": Notify(topic_arn="arn:aws:sns:eu-west-1:123456789012:new")}
    newest = one(2, to(42, old=41, notify=topic))
    assert to_deployment([THREE[0], newest], 1, keep=False).notify == topic


def test_the_tag_is_the_one_that_runs_there() -> None:
    """Deployment 2 failed and was put back, so that what ran after it is what deployment 1 left."""
    put_back = one(2, to(42, old=41), outcome=Outcome.PUT_BACK)
    assert to_deployment([THREE[0], put_back, one(3, to(43, old=41))], 2, keep=False).tag == "v41"


def test_before_all_of_an_empty_journal_is_nothing() -> None:
    assert to_deployment([], 0, keep=False) == RollbackState(resources=(), tag="", back_to="0")
