"""One app deployed with several specs, from several folders, to several accounts: what a plan, a journal and a lock
belong to, and what is refused because it belongs to another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from ecsplan import pipeline, rehearsal
from tests.conftest import Golden
from tests.deploy.test_kept_files import KEPT, PLAN, stand
from tests.support import toml
from tests.support.aws import Killed
from tests.support.elsewhere import LEFT_OUT, leaving_out, of_account
from tests.support.paths import SCREENS
from tests.support.pauses import Pausing, killed
from tests.support.screens import screen
from tests.support.specs import spec, task
from tests.support.toml import Doc
from tests.support.world import ACCOUNT, World

OTHER = "210987654321"
HEAD = f"shop v2  account {ACCOUNT}, eu-west-1, cluster production\n"


@pytest.fixture(params=["as it is", "leaving members out"])
def world(world: World, request: pytest.FixtureRequest) -> World:
    """On the embedded AWS, and on one that leaves out what AWS may."""
    if request.param != "as it is":
        world.aws.rewrites = leaving_out(*LEFT_OUT)
    return world


def app(cluster: str, *, services: tuple[str, ...] = ("web",), **members: object) -> Doc:
    return spec(task(services=services), cluster=cluster, **members)


def write(world: World, name: str, made: Doc, *, seed: bool = True) -> Path:
    """A spec in the test's folder or below it, and what it needs in the account."""
    path = world.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(toml.dumps(made), encoding="utf-8")
    if seed:
        rehearsal.seed(world.aws, pipeline.load(path))
    return path


@pytest.fixture
def fresh(world: World) -> World:
    """`staging.toml` and `production.toml` of one app in one folder."""
    for name in ("staging", "production"):
        write(world, f"{name}.toml", app(name))
    return world


@pytest.fixture
def two(fresh: World) -> World:
    """Each was deployed with v1."""
    for name in ("staging", "production"):
        fresh.ok("deploy", "v1", "--yes", "-f", f"{name}.toml")
    fresh.forget()
    return fresh


def images(world: World) -> dict[str, str]:
    return {cluster: world.image(world.on("web", cluster)) for cluster in ("staging", "production")}


def refused(world: World, *arguments: str, names: str = "production.toml") -> str:
    """Exit 3, both files are named, and nothing is sent; the screen."""
    before = images(world)
    ran = world.run(*arguments)
    assert (ran.code, ran.out, world.sent()) == (3, "", []), ran.said
    assert names in ran.err
    assert "staging.toml" in ran.err
    assert images(world) == before
    return screen(ran)


# --- specs beside each other ---


def test_the_plan_of_another_spec_is_not_applied(fresh: World, golden: Golden) -> None:
    before = images(fresh)
    fresh.ok("-f", "production.toml", "plan", "v2")
    said = refused(fresh, "-f", "staging.toml", "apply", names="plan.production.toml.json")
    golden(SCREENS / "scope-no-plan.txt", said)
    assert fresh.ok("-f", "production.toml", "apply").err.startswith(HEAD)
    assert images(fresh) == before | {"production": "web:v2"}


def test_each_spec_has_a_saved_plan(two: World) -> None:
    two.ok("-f", "production.toml", "plan", "v2")
    two.ok("-f", "staging.toml", "plan", "v3")
    assert "cluster staging\n" in two.ok("-f", "staging.toml", "apply").err
    assert images(two) == {"staging": "web:v3", "production": "web:v1"}


def test_a_plan_that_is_named_is_not_applied_with_another_spec(two: World, golden: Golden) -> None:
    two.ok("plan", "v2", "-f", "production.toml", "--out", "v2.plan")
    golden(SCREENS / "scope-apply.txt", refused(two, "apply", "v2.plan", "-f", "staging.toml"))
    two.ok("apply", "v2.plan")
    assert images(two) == {"staging": "web:v1", "production": "web:v2"}


def test_a_deployment_of_another_spec_is_not_rolled_back(two: World, golden: Golden) -> None:
    golden(SCREENS / "scope-rollback.txt", refused(two, "-f", "staging.toml", "rollback", "--to", "2", "--yes"))
    two.ok("-f", "production.toml", "rollback", "--yes")
    assert images(two)["staging"] == "web:v1"


@pytest.mark.parametrize("to", [(), ("--to", "0")])
def test_the_first_deployment_of_a_spec_is_undone_alone(two: World, to: tuple[str, ...]) -> None:
    """The newest deployment in the journal is another spec's, and stays as it is."""
    two.ok("-f", "staging.toml", "rollback", *to, "--yes")
    assert (images(two)["production"], images(two)["staging"] == "web:v1") == ("web:v1", False)


def test_a_spec_goes_back_along_its_own_deployments(two: World) -> None:
    """Deployments of two specs take turns; each has its own way back, also twice, and by the tag."""
    for tag in ("v2", "v3"):
        for name in ("staging", "production"):
            two.ok("-f", f"{name}.toml", "deploy", tag, "--yes")
    two.forget()
    refused(two, "-f", "staging.toml", "rollback", "--to", "4", "--yes")
    assert "to what deployment 3 left" in two.ok("-f", "staging.toml", "rollback", "--plan").out
    two.ok("-f", "staging.toml", "rollback", "--yes")
    assert images(two) == {"staging": "web:v2", "production": "web:v3"}
    two.ok("-f", "production.toml", "rollback", "--to", "2", "--yes")
    two.ok("-f", "staging.toml", "rollback", "--yes")
    assert images(two) == {"staging": "web:v1", "production": "web:v1"}
    two.ok("-f", "staging.toml", "rollback", "--to", "v3", "--yes")
    assert images(two) == {"staging": "web:v3", "production": "web:v1"}


def test_a_rollback_of_one_spec_leaves_what_was_changed_by_hand_in_another(two: World) -> None:
    for name in ("production", "staging"):
        two.ok("-f", f"{name}.toml", "deploy", "v2", "--yes")
    two.ecs("UpdateService", cluster="production", service="web", taskDefinition="web:1")
    two.clock.sleep(60)
    two.ok("-f", "staging.toml", "rollback", "--yes", "--over")
    assert images(two) == {"staging": "web:v1", "production": "web:v1"}


def test_a_revision_that_another_spec_uses_is_not_deregistered(two: World) -> None:
    """The two share a family, and with it the revision of v2."""
    for name in ("production", "staging"):
        two.ok("-f", f"{name}.toml", "deploy", "v2", "--yes")
    revision = two.on("web", "staging")
    assert two.on("web", "production") == revision
    two.ok("-f", "production.toml", "rollback", "--yes")
    assert (two.on("web", "staging"), two.statuses()[revision]) == (revision, "ACTIVE")


@pytest.mark.parametrize(
    "command", [("abandon", "--yes"), ("abandon", "3", "--yes"), ("deploy", "v4", "--yes", "--replace")]
)
def test_a_deployment_of_another_spec_is_not_ended(two: World, command: tuple[str, ...]) -> None:
    two.aws.fault("UpdateService", "error", code="InvalidParameterException", message="No.")
    assert two.run("-f", "production.toml", "deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    two.forget()
    history = two.ok("history", "--format", "json").out
    refused(two, "-f", "staging.toml", *command)
    assert two.ok("history", "--format", "json").out == history
    two.ok("-f", "production.toml", "abandon", "--yes")
    assert "no deployment is unfinished" in two.ok("-f", "staging.toml", "abandon", "--yes").out


def test_a_plan_that_ends_a_deployment_of_another_spec_is_not_applied(two: World) -> None:
    """One that was made without a spec at hand, or by an ecsplan that did not look: it says so in `replaces`."""
    two.aws.fault("UpdateService", "error", code="InvalidParameterException", message="No.")
    assert two.run("-f", "production.toml", "deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    with pipeline.connect(pipeline.load("staging.toml"), clock=two.clock) as site:
        made = pipeline.make_plan(site, pipeline.load("staging.toml"), "v2")
        with pytest.raises(pipeline.EcsplanError, match=r"deployment 3 was made from production\.toml"):
            pipeline.run_plan(site, msgspec.structs.replace(made, replaces=(3,)))


def test_a_deployment_of_another_spec_is_not_gone_on_with(two: World, golden: Golden) -> None:
    two.aws.fault("UpdateService", "error", code="InvalidParameterException", message="No.")
    assert two.run("-f", "production.toml", "deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    two.forget()
    golden(SCREENS / "scope-resume.txt", refused(two, "-f", "staging.toml", "resume"))
    ran = two.run("-f", "staging.toml", "deploy", "v2", "--yes")
    assert (ran.code, two.sent()) == (3, [])
    golden(SCREENS / "scope-deploy.txt", screen(ran))
    refused(two, "-f", "staging.toml", "continue")
    refused(two, "-f", "staging.toml", "rollback", "--yes")
    assert images(two) == {"staging": "web:v1", "production": "web:v1"}
    two.ok("-f", "production.toml", "rollback", "--yes")
    two.ok("-f", "staging.toml", "deploy", "v2", "--yes")


def test_the_specs_of_two_folders_beside_one_journal(world: World) -> None:
    for name in ("staging", "production"):
        write(world, f"{name}/ecsplan.toml", app(name))
        world.ok("deploy", "v1", "--yes", "-f", f"{name}/ecsplan.toml", "--journal", "shared")
    world.forget()
    ran = world.run("rollback", "--to", "2", "--yes", "-f", "staging/ecsplan.toml", "--journal", "shared")
    assert (ran.code, world.sent()) == (3, [])
    assert "deployment 2 was made from production/ecsplan.toml and is for cluster production" in ran.err
    assert "staging/ecsplan.toml has none of its addresses" in ran.err
    world.ok("plan", "v2", "-f", "production/ecsplan.toml", "--journal", "shared")
    world.forget()
    assert world.run("apply", "-f", "staging/ecsplan.toml", "--journal", "shared").code == 4  # its own, of v1
    assert world.sent() == []
    world.ok("apply", "-f", "production/ecsplan.toml", "--journal", "shared")
    assert images(world) == {"staging": "web:v1", "production": "web:v2"}


def test_one_off_tasks_alone_are_told_apart_by_their_cluster(world: World) -> None:
    for name in ("staging", "production"):
        write(world, f"{name}.toml", spec(task(services=(), runs=("migrate",)), cluster=name))
        world.ok("deploy", "v1", "--yes", "-f", f"{name}.toml")
    assert world.run("plan", "v2", "-f", "production.toml", "--out", "v2.plan").code == 0
    ran = world.run("apply", "v2.plan", "-f", "staging.toml")
    assert ran.code == 3
    assert "the plan v2.plan was made from production.toml and is for cluster production" in ran.err


def test_a_spec_whose_services_were_renamed_is_still_the_same(world: World) -> None:
    write(world, "ecsplan.toml", app("prod"))
    world.deploy("v1")
    world.aws.fault("UpdateService", "error", code="InvalidParameterException", message="No.")
    assert world.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    write(world, "ecsplan.toml", app("prod", services=("other",)), seed=False)
    world.ok("rollback", "--yes")
    assert (world.image(world.on("web")), world.active()) == ("web:v1", ["web:1"])


def test_a_spec_may_be_given_another_name(world: World) -> None:
    write(world, "ecsplan.toml", app("prod"))
    world.deploy("v1")
    world.deploy("v2")
    world.file.rename(world.folder / "shop.toml")
    world.ok("rollback", "--yes", "-f", "shop.toml")
    assert world.image(world.on("web")) == "web:v1"


def test_without_a_spec_the_only_saved_plan_is_applied(fresh: World) -> None:
    fresh.ok("-f", "production.toml", "plan", "v2")
    assert fresh.ok("apply").err.startswith(HEAD)
    fresh.ok("-f", "staging.toml", "plan", "v2")
    fresh.ok("-f", "production.toml", "plan", "v3")
    fresh.forget()
    ran = fresh.run("apply")
    assert (ran.code, fresh.sent()) == (3, [])
    assert "plan.production.toml.json, " in ran.err
    assert "Name the spec of one with -f FILE" in ran.err


# --- journals and plans of an older ecsplan, which do not say which spec they are of ---


def test_a_journal_of_an_older_ecsplan_is_refused_by_its_addresses(world: World) -> None:
    stand(world, "first", "succeeded")
    write(world, "staging.toml", app("staging"))
    world.forget()
    ran = world.run("-f", "staging.toml", "rollback", "--yes")
    assert (ran.code, world.sent()) == (3, [])
    assert "deployment 2 does not say from which spec it was made and is for cluster prod" in ran.err
    shutil.copy("ecsplan.toml", "shop.toml")
    world.ok("-f", "shop.toml", "rollback", "--yes")


def test_the_saved_plan_of_an_older_ecsplan_is_any_specs(world: World) -> None:
    stand(world, "first")
    shutil.copy("ecsplan.toml", "shop.toml")
    write(world, "staging.toml", app("staging"))
    shutil.copy(PLAN, ".ecsplan/shop/plan.json")
    world.forget()
    ran = world.run("-f", "staging.toml", "apply")
    assert (ran.code, world.sent()) == (3, [])
    assert "does not say from which spec it was made" in ran.err
    ran = world.ok("-f", "shop.toml", "apply")
    assert ran.err.startswith(f"shop v2  account {ACCOUNT}, eu-west-1, cluster prod\n")
    assert (KEPT / "v2.plan").read_bytes() == Path(".ecsplan/shop/plan.json").read_bytes()


# --- every screen begins with where it acts ---


def test_every_screen_that_changes_something_says_where(world: World) -> None:
    write(world, "ecsplan.toml", app("production"))
    assert world.ok("deploy", "v2", "--yes").out.startswith(HEAD)
    world.ok("plan", "v3")
    head = HEAD.replace("v2", "v3")
    assert world.ok("apply").err.startswith(head)
    world.aws.fault("UpdateService", "error", code="InvalidParameterException", message="No.")
    assert world.run("deploy", "v4", "--yes", "--on-failure", "stop").code == 7
    assert world.run("resume").err.startswith(HEAD.replace("v2", "v4"))
    assert world.ok("rollback", "--to", "1", "--yes").out.startswith(HEAD)


def test_a_stream_stays_json_and_says_where(world: World) -> None:
    write(world, "ecsplan.toml", app("production"))
    planned = world.plan("v2")
    assert (planned["spec"], planned["clusters"]) == ("ecsplan.toml", ["production"])
    ran = world.ok("apply", "--format", "jsonl")
    _, started, *_ = [json.loads(line) for line in ran.out.splitlines()]
    assert started["event"] == "deployment_started"
    assert started["identity"] == {"account": ACCOUNT, "region": "eu-west-1"}
    assert started["clusters"] == ["production"]


def test_many_clusters_fit_a_line(world: World) -> None:
    tasks = [task(f"t{n}", services=()) for n in range(12)]
    for number, one in enumerate(tasks):
        one["update_services"] = [{"service": "web", "cluster": f"cluster-{number:02}"}]
    write(world, "ecsplan.toml", spec(*tasks))
    first = world.ok("deploy", "v1", "--yes").out.splitlines()[0]
    assert first.endswith(", clusters cluster-00 and 11 more")
    assert len(first) <= 80


def test_a_rollback_that_stops_a_task_names_the_cluster_of_that(world: World) -> None:
    write(world, "ecsplan.toml", spec(task(services=("web",), runs=("migrate",)), cluster="production"))
    world.deploy("v1")
    world.aws.task_seconds = 300.0
    with pytest.raises(Killed):
        world.run("deploy", "v2", "--yes", clock=Pausing(world.clock, killed, at=3))
    ran = world.ok("rollback", "--plan")
    assert "stop" in ran.out
    assert ran.out.splitlines()[0].endswith(", cluster production")


def test_a_stale_rollback_is_planned_again_to_the_same_place(world: World) -> None:
    """Also where it named none: another deployment has come since."""
    write(world, "ecsplan.toml", app("prod"))
    for tag in ("v1", "v2", "v3"):
        world.deploy(tag)
    for name, to in (("1", ("--to", "1")), ("2", ()), ("web:1", ("--to", "web:1"))):
        world.ok("rollback", *to, "--out", f"{name}.plan")
    world.deploy("v4")
    world.forget()
    for name in ("1", "2", "web:1"):
        ran = world.run("apply", f"{name}.plan")
        assert (ran.code, world.sent()) == (4, [])
        assert f"ecsplan rollback --to {name}\n" in ran.err


# --- another account, another region ---


def test_what_was_deployed_to_another_account_is_not_rolled_back_here(world: World, golden: Golden) -> None:
    write(world, "ecsplan.toml", app("prod"))
    world.deploy("v1")
    world.deploy("v2")
    rewrites = world.aws.rewrites
    world.aws.rewrites = lambda body: of_account(OTHER)(rewrites(body))
    world.forget()
    ran = world.run("rollback", "--yes")
    assert (ran.code, ran.out, world.sent()) == (3, "", [])
    golden(SCREENS / "scope-account.txt", screen(ran))
    assert world.run("rollback", "--to", "1", "--yes").code == 3
    assert world.image(world.on("web")) == "web:v2"
    assert "web:2 -> web:1" in world.ok("rollback", "--to", "web:1", "--plan").out


@pytest.mark.parametrize("command", [("resume",), ("continue",), ("abandon", "--yes")])
def test_where_the_open_deployment_is(world: World, command: tuple[str, ...], golden: Golden) -> None:
    write(world, "ecsplan.toml", app("prod"))
    world.deploy("v1")
    world.aws.fault("UpdateService", "error", code="InvalidParameterException", message="No.")
    assert world.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    world.forget()
    ran = world.run(*command, "--region", "us-east-1")
    assert (ran.code, ran.out, world.sent()) == (3, "", [])
    golden(SCREENS / "scope-elsewhere.txt", screen(ran))
    assert "deployment 2" in world.ok("show", "2").out


@pytest.mark.parametrize("command", [("resume",), ("continue",), ("abandon", "--yes")])
def test_a_look_in_another_account_leaves_no_journal_there(world: World, command: tuple[str, ...]) -> None:
    """`show` could not know which of two is meant."""
    write(world, "ecsplan.toml", app("prod"))
    world.deploy("v1")
    here = world.aws.rewrites
    world.aws.rewrites = lambda body: of_account(OTHER)(here(body))
    world.ok(*command)
    place = world.folder / ".ecsplan" / "shop"
    assert not (place / f"{OTHER}-eu-west-1").exists()
    (place / f"{OTHER}-eu-west-1").mkdir()  # as a plan that was refused there leaves it
    world.aws.rewrites = here
    assert "deployment 1" in world.ok("show", "1").out


def test_where_something_was_deployed_too_nothing_is_refused(world: World) -> None:
    write(world, "ecsplan.toml", app("prod"))
    world.deploy("v1")
    world.deploy("v2")
    place = world.folder / ".ecsplan" / "shop"
    shutil.copytree(place / f"{ACCOUNT}-eu-west-1", place / f"{OTHER}-eu-west-1")
    world.ok("rollback", "--yes")
    assert world.image(world.on("web")) == "web:v1"
