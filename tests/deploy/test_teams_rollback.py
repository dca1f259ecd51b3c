"""Going back where others deploy too: what a journal has missed, what it goes back to, and accounts that are others."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest

from tests.conftest import Golden
from tests.support.aws import Aws, Killed
from tests.support.laptops import Laptop, laptops
from tests.support.older import older
from tests.support.paths import SCREENS
from tests.support.pauses import Pausing, killed
from tests.support.screens import screen
from tests.support.specs import shop, spec, task
from tests.support.world import World

Two = tuple[Laptop, Laptop]
#: As the embedded AWS answers, and as one that shows neither rollout states nor service deployments.
AWS: dict[str, Callable[[Aws], None]] = {"as it is": lambda _aws: None, "older": older}


@pytest.fixture
def two(world: World) -> Two:
    """Ada has deployed v1 and v2, and Bob v3, of which Ada's journal knows nothing."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    ada.deploy("v1")
    ada.deploy("v2")
    bob.deploy("v3")
    world.forget()
    return ada, bob


def places(world: World) -> set[str]:
    """The images of all that runs, or would run."""
    on = [world.on("web"), world.on("admin"), *world.pointing("nightly").values()]
    return {world.image(revision) for revision in on}


# --- a journal that missed a deployment (teams 9.5) ---


@pytest.mark.parametrize("aws", AWS)
@pytest.mark.parametrize("to", [(), ("--to", "1"), ("--to", "2"), ("--to", "v1"), ("--to", "web:1")])
def test_what_others_have_deployed_since_is_not_taken_back_unasked(
    world: World, two: Two, to: tuple[str, ...], aws: str
) -> None:
    ada, _ = two
    AWS[aws](world.aws)
    ran = ada.run("rollback", *to, "--yes")
    assert (ran.code, ran.out, world.sent()) == (4, "", [])
    for address in ("service.prod/web", "service.prod/admin", "event_targets.nightly"):
        assert f"  {address}, since deployment 2:" in ran.err
    assert "taskDefinition  web:2 -> web:3" in ran.err
    assert places(world) == {"web:v3"}
    assert len(ada.history()) == 2


def test_the_refusal_on_screen(two: Two, golden: Golden) -> None:
    ada, _ = two
    golden(SCREENS / "rollback-moved.txt", screen(ada.run("rollback", "--yes")))


def test_the_plan_begins_with_what_others_have_changed(world: World, two: Two, golden: Golden) -> None:
    ada, _ = two
    golden(SCREENS / "rollback-moved-plan.txt", screen(ada.ok("rollback", "--to", "1", "--plan")))
    assert world.sent() == []


@pytest.mark.parametrize("aws", AWS)
@pytest.mark.parametrize("to", [(), ("--to", "1"), ("--to", "v1")])
def test_over_takes_all_of_it_back(world: World, two: Two, to: tuple[str, ...], aws: str) -> None:
    ada, _ = two
    AWS[aws](world.aws)
    ada.ok("rollback", *to, "--yes", "--over")
    assert places(world) == {"web:v1"}
    assert world.statuses()["web:3"] == "ACTIVE"  # Bob's journal knows of it, and this one does not


def test_over_to_the_newest_deployment_of_the_journal(world: World, two: Two) -> None:
    """Nothing of its own is undone, and all that it covered is put back."""
    ada, _ = two
    ada.ok("rollback", "--to", "2", "--yes", "--over")
    assert places(world) == {"web:v2"}
    assert (ada.history()[-1]["undoes"], ada.history()[-1]["back_to"]) == ([], "2")


def test_leave_leaves_out_exactly_what_others_have_changed(world: World, two: Two) -> None:
    ada, _ = two
    for name in ("admin",):
        world.ecs("UpdateService", cluster="prod", service=name, taskDefinition="web:2")
    targets = world.targets("nightly")
    for target in targets.values():
        target["EcsParameters"]["TaskDefinitionArn"] = target["EcsParameters"]["TaskDefinitionArn"][:-1] + "2"
    world.client("events").put_targets(Rule="nightly", Targets=list(targets.values()))
    ran = ada.ok("rollback", "--yes", "--leave")
    assert "! left as it is (--leave): service.prod/web\n" in ran.out
    assert (world.on("web"), world.on("admin")) == ("web:3", "web:1")
    assert world.pointing("nightly") == {"report": "web:1", "clean": "web:1"}


def test_leave_where_others_have_changed_all_of_it(world: World, two: Two) -> None:
    ada, _ = two
    ran = ada.ok("rollback", "--yes", "--leave", "--keep")
    assert ran.out.count("left as it is (--leave)") == 3
    assert "No changes. There is nothing to put back." in ran.out
    assert world.sent() == []
    assert places(world) == {"web:v3"}


def test_over_and_leave_exclude_each_other(world: World, two: Two) -> None:
    ada, _ = two
    ran = ada.run("rollback", "--yes", "--leave", "--over")
    assert (ran.code, world.asked()) == (3, [])
    assert "give one of them" in ran.err


def test_only_some_services_were_moved_by_hand(world: World) -> None:
    """`--to 1` is whole: what the console has moved since then too, where somebody agrees to that."""
    (ada,) = laptops(world, shop(), "ada")
    ada.deploy("v1")
    (other,) = world.register()
    world.ecs("UpdateService", cluster="prod", service="admin", taskDefinition=other)
    ran = ada.run("rollback", "--to", "1", "--yes")
    assert ran.code == 4
    assert "service.prod/admin, since deployment 1:" in ran.err
    assert "service.prod/web" not in ran.err
    ada.ok("rollback", "--to", "1", "--yes", "--over")
    assert places(world) == {"web:v1"}


def test_a_deployment_of_others_in_between_is_what_is_gone_back_to(world: World, golden: Golden) -> None:
    """Ada v1, Bob v2, Ada v3: before v3 was v2, which Ada's journal has seen when it deployed over it."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    ada.deploy("v1")
    bob.deploy("v2")
    ada.deploy("v3")
    ran = ada.ok("rollback", "--yes")
    assert places(world) == {"web:v2"}
    golden(SCREENS / "rollback-found.txt", screen(ran))
    ada.ok("rollback", "--yes")
    assert places(world) == {"web:v1"}


def test_a_failed_deployment_over_that_of_others_hides_nothing(world: World, two: Two) -> None:
    ada, _ = two
    world.aws.task(exit_code=1)
    assert ada.run("deploy", "v4", "--yes").code == 6
    ran = ada.run("rollback", "--yes")
    assert ran.code == 4
    assert "service.prod/web, since deployment 2:" in ran.err
    assert places(world) == {"web:v3"}


@pytest.mark.parametrize("aws", AWS)
def test_what_ecs_itself_took_back_was_not_moved_by_others(world: World, aws: str) -> None:
    """Nobody waited for the rollout of v2, and ECS went back to v1 by itself."""
    (ada,) = laptops(world, spec(), "ada")
    world.aws.rollout("COMPLETED")
    ada.deploy("v0")
    ada.deploy("v1")
    world.aws.rollout("ROLLED_BACK", image="*:v2")
    ada.deploy("v2", "--no-wait")
    assert world.image(world.on("web")) == "web:v1"
    AWS[aws](world.aws)
    ada.ok("rollback", "--to", "v0", "--yes")
    assert world.image(world.on("web")) == "web:v0"


# --- twice (9.9) ---


@pytest.mark.parametrize("aws", AWS)
def test_two_rollbacks_go_two_back(world: World, golden: Golden, aws: str) -> None:
    (ada,) = laptops(world, shop(), "ada")
    for tag in ("v1", "v2", "v3"):
        ada.deploy(tag)
    AWS[aws](world.aws)
    ada.ok("rollback", "--yes")
    assert places(world) == {"web:v2"}
    ran = ada.ok("rollback", "--yes")
    assert places(world) == {"web:v1"}
    if aws == "as it is":
        golden(SCREENS / "rollback-twice.txt", screen(ran))
    assert [one.get("back_to", "") for one in ada.history()] == ["", "", "", "2", "1"]
    ada.ok("rollback", "--to", "v3", "--yes")
    assert places(world) == {"web:v3"}
    ada.ok("rollback", "--yes")
    assert places(world) == {"web:v2"}


def test_back_to_before_all_and_no_further(world: World) -> None:
    (ada,) = laptops(world, shop(), "ada")
    ada.deploy("v1")
    ada.ok("rollback", "--yes")
    world.forget()
    ran = ada.run("rollback", "--yes")
    assert (ran.code, world.sent()) == (3, [])
    assert "there is nothing to roll back" in ran.err
    assert "ecsplan rollback --to 1" in ran.err


def test_nothing_to_do_says_what_is_live(world: World, golden: Golden) -> None:
    (ada,) = laptops(world, shop(), "ada")
    ada.deploy("v1")
    golden(SCREENS / "rollback-nothing.txt", screen(ada.ok("rollback", "--to", "1", "--yes")))
    assert len(ada.history()) == 1


# --- by a plan ---


def test_a_rollback_plan_is_a_plan(world: World, two: Two) -> None:
    """Saved, shown as JSON, applied as it was shown, and not applied twice."""
    ada, _ = two
    shown = ada.ok("rollback", "--to", "1", "--plan", "--format", "json").data
    found = shown["rollback"]
    assert (found["back_to"], shown["undoes"], found["doubts"]) == ("1", [2], [])
    assert [one["address"] for one in found["moved"]] == [
        "service.prod/web", "service.prod/admin", "event_targets.nightly",
    ]  # fmt: skip
    assert found["moved"][0]["deployment"] == 2
    ran = ada.ok("rollback", "--to", "1", "--out", "back.json")
    assert ran.out.endswith("\nSaved. To apply it: ecsplan apply back.json\n")
    assert json.loads((ada.folder / "back.json").read_text())["digest"] == shown["digest"]
    assert (world.sent(), len(ada.history())) == ([], 2)
    ada.ok("apply", "back.json")
    assert places(world) == {"web:v1"}
    assert ada.run("apply", "back.json").code == 4


def test_a_rollback_plan_is_stale_as_any_other(world: World, two: Two) -> None:
    ada, bob = two
    ada.ok("rollback", "--to", "1", "--out", "back.json")
    bob.deploy("v4")
    world.forget()
    ran = ada.run("apply", "back.json")
    assert (ran.code, world.sent()) == (4, [])
    assert "the plan is stale" in ran.err


def test_json_is_only_shown(two: Two) -> None:
    ada, _ = two
    ran = ada.run("rollback", "--yes", "--format", "json")
    assert ran.code == 3
    assert "--format json shows a plan: add --plan or --out FILE" in ran.err


# --- without a journal (9.7) ---


def ran_and_registered(world: World) -> Two:
    """web:1 and web:4 have run; web:2 and web:3 were registered in between and never ran."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    ada.deploy("v1")
    world.register(times=2)
    ada.deploy("v2")
    assert world.on("web") == "web:4"
    world.forget()
    return ada, bob


def test_without_a_journal_it_goes_to_what_ran(world: World, golden: Golden) -> None:
    _, bob = ran_and_registered(world)
    ran = bob.ok("rollback", "--yes")
    assert places(world) == {"web:v1"}
    golden(SCREENS / "rollback-without-journal.txt", screen(ran))


@pytest.mark.parametrize("other", [(), ("--journal", "other")])
def test_without_a_journal_twice_is_two_back(world: World, other: tuple[str, ...]) -> None:
    """On the same machine, whose journal then has the first rollback alone, and on a third one."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    for tag in ("v1", "v2", "v3"):
        ada.deploy(tag)
    bob.ok("rollback", "--yes")
    bob.ok("rollback", "--yes", *other)
    assert places(world) == {"web:v1"}


def test_without_a_journal_where_ecs_knows_no_service_deployments(world: World) -> None:
    _, bob = ran_and_registered(world)
    older(world.aws)
    ran = bob.run("rollback", "--yes")
    assert (ran.code, world.sent()) == (4, [])
    assert "whether web:3 ever ran is not known" in ran.err
    bob.ok("rollback", "--to", "web:1", "--yes")
    assert places(world) == {"web:v1"}


@pytest.mark.parametrize("operation", ["ListServiceDeployments", "DescribeServiceRevisions"])
def test_where_ecs_does_not_say_what_ran_it_is_not_gone_to_unasked(world: World, operation: str) -> None:
    _, bob = ran_and_registered(world)
    world.aws.fault(operation, "error", code="AccessDeniedException", message="Not allowed.", times=99)
    ran = bob.run("rollback", "--yes")
    assert (ran.code, ran.out, world.sent()) == (4, "", [])
    assert "whether web:3 ever ran is not known" in ran.err
    assert "Not allowed." in ran.err
    shown = bob.ok("rollback", "--plan").out
    assert "! whether web:3 ever ran is not known" in shown
    bob.ok("rollback", "--yes", "--over")
    assert world.on("web") == "web:3"


def test_the_doubt_on_screen(world: World, golden: Golden) -> None:
    _, bob = ran_and_registered(world)
    world.aws.fault("ListServiceDeployments", "error", code="AccessDeniedException", message="Not allowed.", times=99)
    golden(SCREENS / "rollback-doubt.txt", screen(bob.run("rollback", "--yes")))


def test_a_family_that_no_service_runs_is_a_doubt(world: World) -> None:
    job = task("job", services=(), rules=(("nightly", ("report",)),))
    ada, bob = laptops(world, spec(job), "ada", "bob")
    ada.deploy("v1")
    ada.deploy("v2")
    ran = bob.run("rollback", "--yes")
    assert ran.code == 4
    assert "no service runs this family" in ran.err


# --- another account (9.16) ---


def in_another_account(one: Laptop) -> None:
    """Its journal is of an account other than that of the credentials by now."""
    journals = one.folder / ".ecsplan" / "shop"
    (journals / "123456789012-eu-west-1").rename(journals / "222222222222-eu-west-1")


@pytest.mark.parametrize("aws", AWS)
def test_in_another_account_nothing_is_moved_by_ecs_history(world: World, two: Two, golden: Golden, aws: str) -> None:
    ada, _ = two
    AWS[aws](world.aws)
    in_another_account(ada)
    ran = ada.run("rollback", "--yes")
    assert (ran.code, world.sent()) == (3, [])
    assert places(world) == {"web:v3"}
    golden(SCREENS / "rollback-another-account.txt", screen(ran))
    assert ada.run("rollback", "--to", "1", "--yes").code == 3
    ada.ok("rollback", "--to", "web:2", "--yes")
    assert places(world) == {"web:v2"}


# --- what others had begun, and a deployment only waited for ---


def begun_by_another(world: World) -> Two:
    """Ada's v1 runs, and her process was killed while v2 rolled out."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    ada.deploy("v1")
    world.aws.rollout_seconds = 60.0
    with contextlib.chdir(ada.folder), pytest.raises(Killed):
        world.run("deploy", "v2", "--yes", clock=Pausing(world.clock, killed, at=3))
    return ada, bob


def test_a_rollback_takes_back_what_was_waited_for_too(world: World) -> None:
    """Bob's v2 waits for both services and sets the targets: all three go back to what ECS had before."""
    _, bob = begun_by_another(world)
    bob.deploy("v2")
    assert places(world) == {"web:v2"}
    bob.ok("rollback", "--yes")
    assert places(world) == {"web:v1"}
    assert bob.history()[-1]["undoes"] == [1]


def test_by_a_number_it_is_refused_and_never_half(world: World) -> None:
    _, bob = begun_by_another(world)
    bob.deploy("v2")
    world.forget()
    ran = bob.run("rollback", "--to", "0", "--yes")
    assert (ran.code, world.sent()) == (3, [])
    assert "what was before in service.prod/web, service.prod/admin is not in the journal" in ran.err
    assert "To go to what ECS had before: ecsplan rollback" in ran.err


def test_it_is_no_success_while_the_release_rolls_out(world: World) -> None:
    """The time was over for both of them: back goes what still rolls out."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    ada.deploy("v1")
    world.aws.rollout_seconds = 600.0
    assert ada.run("deploy", "v2", "--yes", "--timeout", "10s").code == 8
    assert bob.run("deploy", "v2", "--yes", "--timeout", "10s").code == 8
    bob.ok("rollback", "--yes")
    assert places(world) == {"web:v1"}


def test_the_way_back_that_a_failure_names_is_one(world: World) -> None:
    """Nothing of v2 was Bob's: it had failed when his deployment began, and failed again."""
    ada, bob = laptops(world, spec(), "ada", "bob")
    ada.deploy("v1")
    world.aws.rollout("FAILED", service="web", image="*:v2")
    ada.deploy("v2", "--no-wait")
    ran = bob.run("deploy", "v2", "--yes")
    assert ran.code == 7
    assert "go back with `ecsplan rollback`" in ran.err
    bob.ok("rollback", "--yes")
    assert world.image(world.on("web")) == "web:v1"


def test_what_was_left_alone_is_not_gone_back_to(world: World) -> None:
    """`--leave` of everything goes nowhere: the next rollback has the same place to go to."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    ada.deploy("v0")
    ada.deploy("v1")
    bob.deploy("v2")
    ada.ok("rollback", "--yes", "--leave", "--keep")
    assert "to what deployment 1 left" in ada.ok("rollback", "--plan").out


# --- releases that are known to be bad ---


def test_what_others_left_failed_is_no_state_to_go_back_to(world: World) -> None:
    ada, bob = laptops(world, shop(), "ada", "bob")
    ada.deploy("v1")
    world.aws.rollout("FAILED", service="web", image="*:v2")
    assert bob.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    ada.deploy("v3")
    ran = ada.ok("rollback", "--yes")
    assert "passed over: what deployment 2 left or found, since web:2 failed in service.prod/web" in ran.said.replace(
        "\n  ", " "
    )
    assert world.image(world.on("web")) == "web:v1"


def test_one_that_did_not_wait_and_failed_is_no_state_to_go_back_to(world: World) -> None:
    (ada,) = laptops(world, spec(), "ada")
    ada.deploy("v1")
    world.aws.rollout("FAILED", service="web", image="*:v2")
    ada.deploy("v2", "--no-wait")
    ada.deploy("v3")
    ada.ok("rollback", "--yes")
    assert world.image(world.on("web")) == "web:v1"


def test_without_a_journal_a_revision_that_failed_for_one_service_is_not_gone_to(world: World) -> None:
    ada, bob = laptops(world, shop(), "ada", "bob")
    ada.deploy("v1")
    world.aws.rollout("FAILED", service="web", image="*:v2")
    assert ada.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    ada.deploy("v3", "--replace")
    bob.ok("rollback", "--yes")
    assert places(world) == {"web:v1"}


# --- what others have gone back to already ---


def test_a_rollback_that_others_have_made_already_is_a_step_back(world: World) -> None:
    """Bob has gone from v2 to v1: Ada's rollback goes on from there."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    for tag in ("v0", "v1", "v2"):
        ada.deploy(tag)
    bob.ok("rollback", "--yes")
    assert places(world) == {"web:v1"}
    ran = ada.ok("rollback", "--yes")
    assert "! passed over: what deployment 2 left, since live is that already" in ran.out
    assert places(world) == {"web:v0"}


def test_a_rollback_of_rollbacks_alone_goes_on_back(world: World) -> None:
    """Bob's journal holds nothing but rollbacks: twice is two back there too."""
    ada, bob = laptops(world, shop(), "ada", "bob")
    for tag in ("v0", "v1", "v2"):
        ada.deploy(tag)
    bob.ok("rollback", "--yes")
    bob.ok("rollback", "--yes")
    assert places(world) == {"web:v0"}


def test_what_ecs_has_taken_back_already_is_not_gone_further_back_from(world: World) -> None:
    (ada,) = laptops(world, spec(), "ada")
    world.aws.rollout("COMPLETED")
    ada.deploy("v0")
    ada.deploy("v1")
    world.aws.rollout("ROLLED_BACK", image="*:v2")
    ada.deploy("v2", "--no-wait")
    ada.ok("rollback", "--yes", "--keep")
    assert world.image(world.on("web")) == "web:v1"


# --- what cannot be put back ---


@pytest.mark.parametrize("to", [(), ("--to", "1")])
def test_where_a_service_was_deleted_nothing_goes_back_by_halves(world: World, to: tuple[str, ...]) -> None:
    (ada,) = laptops(world, shop(), "ada")
    ada.deploy("v1")
    ada.deploy("v2")
    world.ecs("UpdateService", cluster="prod", service="admin", desiredCount=0)
    world.ecs("DeleteService", cluster="prod", service="admin", force=True)
    world.forget()
    ran = ada.run("rollback", *to, "--yes")
    assert (ran.code, world.sent()) == (4, [])
    assert "  service.prod/admin, since deployment 2: it is gone, or cannot be changed now" in ran.err
    assert "To put back all the rest: ecsplan rollback --to 1 --over" in ran.err
    assert world.on("web") == "web:2"


@pytest.mark.parametrize("how", ["--over", "--leave"])
def test_the_rest_goes_back_where_that_is_asked_for(world: World, how: str) -> None:
    (ada,) = laptops(world, shop(), "ada")
    ada.deploy("v1")
    ada.deploy("v2")
    world.ecs("UpdateService", cluster="prod", service="admin", desiredCount=0)
    world.ecs("DeleteService", cluster="prod", service="admin", force=True)
    ran = ada.ok("rollback", "--to", "1", "--yes", how)
    assert "service.prod/admin" in ran.out
    assert {world.on("web"), *world.pointing("nightly").values()} == {"web:1"}
