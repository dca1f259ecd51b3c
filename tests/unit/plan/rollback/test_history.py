"""The way back without a journal: by the rollouts that ECS remembers, and by revision numbers where it does not."""

from __future__ import annotations

import pytest

from ecsplan.core.errors import UsageError
from ecsplan.core.model import Address, Settings
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Candidate, Live, Past, Ran, Resource
from ecsplan.plan.rollback import RollbackState, to_revision
from tests.unit.builders import revision, task_definition_arn


def arn(number: int, family: str = "web") -> str:
    return task_definition_arn(family, number)


def family(name: str = "web") -> Resource:
    doc = {"family": name, "containerDefinitions": []}
    return Resource(
        kind=kind_of(Address(f"task_definition.{name}")),
        address=Address(f"task_definition.{name}"),
        task=name,
        doc=doc,
        keep=10,
    )


def service(name: str, of: str = "web", settings: Settings = Settings()) -> Resource:  # noqa: B008
    doc = {"cluster": "prod", "service": name, "taskDefinition": revision(of), "desiredCount": 3}
    return Resource(
        kind=kind_of(Address(f"service.prod/{name}")),
        address=Address(f"service.prod/{name}"),
        task=of,
        doc=doc,
        settings=settings,
    )


def run() -> Resource:
    doc = {"taskDefinition": revision()}
    return Resource(
        kind=kind_of(Address("run_task.web/migrate")), address=Address("run_task.web/migrate"), task="web", doc=doc
    )


def live(name: str = "web", in_use: int | None = 42, active: tuple[int, ...] = (42, 41, 40)) -> Live:
    candidates = (Candidate(doc={}, outputs={"arn": arn(in_use, name)}),) if in_use is not None else ()
    facts = {"family": name, "active": [arn(number, name) for number in active]}
    return Live(address=Address(f"task_definition.{name}"), candidates=candidates, facts=facts)


def test_the_default_is_the_active_revision_before() -> None:
    back = to_revision([family(), service("web")], {family().address: live()}, None, keep=False)
    definition, web = back.resources
    assert (definition.pinned, definition.retire, definition.doc, definition.keep) == (arn(41), (arn(42),), {}, None)
    assert web.doc == {"cluster": "prod", "service": "web", "taskDefinition": revision()}
    assert (back.tag, back.undoes) == ("", ())
    assert back.notes == ("by ECS's own history: web:42 -> web:41",)


def test_revisions_that_are_not_active_are_passed_over() -> None:
    lives = {family().address: live(in_use=42, active=(50, 42, 38, 7))}
    assert to_revision([family()], lives, None, keep=False).resources[0].pinned == arn(38)


def test_numbers_are_compared_as_numbers() -> None:
    lives = {family().address: live(in_use=100, active=(100, 99, 9))}
    assert to_revision([family()], lives, None, keep=False).resources[0].pinned == arn(99)


def test_a_named_revision_is_gone_to_even_forward() -> None:
    lives = {family().address: live(in_use=40)}
    (definition,) = to_revision([family()], lives, "web:42", keep=False).resources
    assert (definition.pinned, definition.retire) == ("web:42", ())


def test_what_is_gone_back_from_is_kept_if_asked() -> None:
    lives = {family().address: live()}
    assert to_revision([family()], lives, "web:40", keep=True).resources[0].retire == ()
    assert to_revision([family()], lives, "web:40", keep=False).resources[0].retire == (arn(42),)


def test_a_named_revision_moves_only_its_own_family() -> None:
    declared = [family("web"), family("job"), service("web"), service("job", "job")]
    lives = {family(name).address: live(name) for name in ("web", "job")}
    addresses = [resource.address for resource in to_revision(declared, lives, "job:41", keep=False).resources]
    assert addresses == ["task_definition.job", "service.prod/job"]


def test_without_a_name_every_family_moves() -> None:
    declared = [family("web"), service("web"), family("job"), service("job", "job")]
    lives = {family("web").address: live("web"), family("job").address: live("job", 8, (8, 7))}
    back = to_revision(declared, lives, None, keep=False)
    assert [resource.address for resource in back.resources] == [
        "task_definition.web",
        "task_definition.job",
        "service.prod/web",
        "service.prod/job",
    ]
    assert back.notes == ("by ECS's own history: web:42 -> web:41", "by ECS's own history: job:8 -> job:7")


def test_resources_not_on_the_revision_stay() -> None:
    fixed = Resource(
        kind=kind_of(Address("service.prod/fixed")),
        address=Address("service.prod/fixed"),
        task="web",
        doc={"service": "fixed"},
    )
    targets = Resource(
        kind=kind_of(Address("event_targets.nightly")),
        address=Address("event_targets.nightly"),
        task="web",
        doc={
            "Rule": "nightly",
            "State": "x",
            "Targets": [
                {"Id": "a", "Input": "{}", "EcsParameters": {"TaskDefinitionArn": revision(), "TaskCount": 2}},
                {"Id": "b", "EcsParameters": {"TaskDefinitionArn": arn(1, "other")}},
            ],
        },
    )
    back = to_revision([family(), run(), service("web"), fixed, targets], {family().address: live()}, None, keep=False)
    assert [resource.address for resource in back.resources] == [
        "task_definition.web",
        "service.prod/web",
        "event_targets.nightly",
    ]
    assert back.resources[2].doc == {
        "Rule": "nightly",
        "Targets": [{"Id": "a", "EcsParameters": {"TaskDefinitionArn": revision()}}],
    }


def test_settings_for_waiting_are_kept() -> None:
    settings = Settings(wait=False, timeout=60, force=True, redeploy=True)
    back = to_revision([family(), service("web", settings=settings)], {family().address: live()}, None, keep=False)
    assert back.resources[1].settings == Settings(wait=False, timeout=60)


def test_without_an_older_revision_one_has_to_be_named() -> None:
    lives = {family().address: live(in_use=40, active=(42, 41, 40))}
    with pytest.raises(UsageError, match=r"no ACTIVE revision before web:40 to go back to") as caught:
        to_revision([family()], lives, None, keep=False)
    assert caught.value.hint == "Name one with --to FAMILY:REV."


def test_a_family_without_revisions_is_a_usage_error() -> None:
    lives = {family().address: live(in_use=None, active=())}
    with pytest.raises(UsageError, match="no ACTIVE revision before the first to go back to"):
        to_revision([family()], lives, None, keep=False)


def test_a_family_without_revisions_goes_to_a_named_one() -> None:
    lives = {family().address: live(in_use=None, active=())}
    back = to_revision([family()], lives, "web:3", keep=False)
    assert back.resources[0].pinned == "web:3"
    assert back.notes == ("by ECS's own history: nothing -> web:3",)


@pytest.mark.parametrize("wanted", ["job:3", ":3"])
def test_an_unknown_family_is_a_usage_error(wanted: str) -> None:
    with pytest.raises(UsageError, match=rf"^{wanted}: no task of the spec has the family"):
        to_revision([family()], {family().address: live()}, wanted, keep=False)


# --- the order in which revisions ran ---


def past(name: str, *numbers: int, refused: str = "", began: float = 0.0) -> Past:
    """The rollouts of a service, oldest first; one to a revision below zero has failed."""
    rollouts = [Ran(revision=arn(abs(number)), began=began + at, well=number > 0) for at, number in enumerate(numbers)]
    return Past(address=Address(f"service.prod/{name}"), rollouts=tuple(reversed(rollouts)), refused=refused)


def gone_back(*pasts: Past, in_use: int = 42, active: tuple[int, ...] = tuple(range(50, 30, -1))) -> RollbackState:
    declared = [family(), *(service(one.address.rpartition("/")[2]) for one in pasts)]
    lives = {family().address: live(in_use=in_use, active=active)}
    return to_revision(declared, lives, None, keep=False, pasts={one.address: one for one in pasts})


@pytest.mark.parametrize(
    ("numbers", "to"),
    [
        ((38, 42), 38),
        ((45, 42), 45),  # the order decides, and no number
        ((38, -40, 42), 38),  # 40 never ran
        ((38, 42, -43, 42), 38),  # 43 failed, and 42 was deployed again
        ((36, 38, 40, 38, 42), 38),  # 40 was gone back from
        ((36, 38, 40, 42, 40, 42), 40),
        ((38, 40, -42), 40),  # what is in use has not come to its end
        ((38, 38, 42, 42), 38),
    ],
)
def test_the_order_of_successful_rollouts_decides(numbers: tuple[int, ...], to: int) -> None:
    back = gone_back(past("web", *numbers))
    assert (back.resources[0].pinned, back.resources[0].retire) == (arn(to), (arn(42),))
    assert (back.back_to, back.doubts) == (f"web:{to}", ())


def test_two_services_have_one_order() -> None:
    back = gone_back(past("web", 36, 40, 42), past("admin", 38, 42, began=0.5))
    assert back.resources[0].pinned == arn(40)


def test_what_ran_and_is_not_active_is_passed_over() -> None:
    back = gone_back(past("web", 36, 40, 42), active=(42, 36))
    assert (back.resources[0].pinned, back.doubts) == (arn(36), ())


def test_rollouts_of_other_families_do_not_count() -> None:
    rollouts = (Ran(revision=arn(42), began=2.0, well=True), Ran(revision=arn(7, "job"), began=1.0, well=True))
    back = gone_back(Past(address=Address("service.prod/web"), rollouts=rollouts))
    assert back.resources[0].pinned == arn(41)
    assert len(back.doubts) == 1


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ((past("web", refused="Not allowed."),), "Not allowed."),
        ((past("web", 42),), "ECS remembers no successful rollout of an ACTIVE revision before web:42"),
        ((past("web", -41, 42),), "ECS remembers no successful rollout of an ACTIVE revision before web:42"),
        ((past("web", 40, 42, 40, 42),), ""),
        ((), "no service runs this family, and of other uses ECS keeps no record"),
    ],
)
def test_the_number_decides_only_with_a_doubt(known: tuple[Past, ...], why: str) -> None:
    back = gone_back(*known)
    if not why:
        assert (back.resources[0].pinned, back.doubts) == (arn(40), ())
        return
    assert back.resources[0].pinned == arn(41)
    assert back.doubts == (f"whether web:41 ever ran is not known: {why}",)


def test_what_one_service_shows_is_enough() -> None:
    back = gone_back(past("web", refused="Not allowed."), past("admin", 40, 42))
    assert (back.resources[0].pinned, back.doubts) == (arn(40), ())


def test_a_named_revision_is_no_doubt() -> None:
    lives = {family().address: live()}
    back = to_revision([family(), service("web")], lives, "web:40", keep=False)
    assert (back.back_to, back.doubts) == ("web:40", ())


def test_what_is_to_be_left_is_only_read() -> None:
    left = frozenset({Address("service.prod/web")})
    back = to_revision(
        [family(), service("web"), service("admin")], {family().address: live()}, "web:41", keep=False, leave=left
    )
    assert [one.doc.get("taskDefinition") for one in back.resources[1:]] == [None, revision()]
    assert back.notes[-1] == "left as it is (--leave): service.prod/web"
