"""The stages in order: what is planned, and where; and the way back."""

from __future__ import annotations

import os
import pwd
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecsplan import pipeline
from ecsplan.core.clock import SystemClock
from ecsplan.core.errors import AwsError, EcsplanError, JournalError, PlanningError, SpecError, UsageError
from ecsplan.core.model import Identity
from ecsplan.core.spec import Spec
from ecsplan.journal import Damaged, Journal, Outcome, open_store
from ecsplan.site import Site, whoami
from tests.unit.builders import ACCOUNT, IDENTITY, ORIGIN, REGION, only_planned, plan, task_definition_arn, update
from tests.unit.failing_account import FailingAccount
from tests.unit.fakes import FakeClock, gateway_to, refusal
from tests.unit.rig import FOR_EVER

TEXT = """
app = "shop"
cluster = "prod"
[tasks.web.task_definition]
family = "web"
containerDefinitions = [{ name = "web", image = "web:{image_tag}", memory = 128 }]
[[tasks.web.update_services]]
service = "web"
[[tasks.web.events__put_targets]]
Rule = "nightly"
Targets = [{ Id = "report" }]
"""


@pytest.fixture
def aws() -> FailingAccount:
    """A world in which web:41 runs, with the image v41."""
    world = FailingAccount(FakeClock())
    world.add_service("web")
    world.add_rule("nightly", {"Id": "report", "EcsParameters": {"TaskDefinitionArn": task_definition_arn("web", 41)}})
    return world


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "ecsplan.toml").write_text(TEXT)
    return pipeline.load(tmp_path / "ecsplan.toml")


@pytest.fixture
def make_site(aws: FailingAccount, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(**more: object) -> Site:
        values = {
            "app": "shop",
            "store": open_store(tmp_path / ".ecsplan"),
            "origin": ORIGIN,
            "clock": aws.clock,
            **more,
        }
        sites.append(Site(gateway=gateway_to(aws), **values))  # type: ignore[arg-type]
        return sites[-1]

    yield make
    for site in sites:
        site.gateway.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


# --- planning ---


def test_a_plan_is_made_from_the_spec_and_what_is_live(site: Site, spec: Spec, aws: FailingAccount) -> None:
    made = pipeline.make_plan(site, spec, "v42")
    assert (made.app, made.tag, made.identity, made.base, made.changed) == ("shop", "v42", IDENTITY, 0, True)
    assert [step.address for step in made.steps] == ["task_definition.web", "service.prod/web", "event_targets.nightly"]
    assert sorted(made.observed) == ["event_targets.nightly", "service.prod/web", "task_definition.web"]
    assert aws.sent == []


def test_a_plan_of_what_runs_already_changes_nothing(site: Site, spec: Spec) -> None:
    made = pipeline.make_plan(site, spec, "v41")
    assert (made.changed, made.steps) == (False, ())
    assert "No changes" in pipeline.text(made)


def test_a_redeployment_updates_services_without_differences(site: Site, spec: Spec) -> None:
    (step,) = pipeline.make_plan(site, spec, "v41", redeploy=True).steps
    assert step.call.params["forceNewDeployment"] is True


def test_nothing_is_asked_twice(site: Site, spec: Spec, aws: FailingAccount) -> None:
    pipeline.make_plan(site, spec, "v42")
    asked = [str(call) + repr(call.params) for calls in aws.asked for call in calls]
    assert len(asked) == len(set(asked))


def test_a_rollout_that_is_still_going_is_a_warning(site: Site, spec: Spec, aws: FailingAccount) -> None:
    aws.outcomes.rollouts["web", 1] = FOR_EVER
    aws.update("web", forceNewDeployment=True)
    assert pipeline.make_plan(site, spec, "v42").warnings == (
        "service.prod/web is still rolling out an earlier deployment",
    )


def test_the_base_is_the_newest_deployment_of_the_journal(site: Site, spec: Spec) -> None:
    only_planned(site.journal(IDENTITY))
    assert pipeline.make_plan(site, spec, "v42").base == 1


def test_what_cannot_be_carried_out_is_told(site: Site, spec: Spec, aws: FailingAccount) -> None:
    aws.ecs.region.services.clear()
    aws.events.call("RemoveTargets", {"Rule": "nightly", "Ids": ["report"]})
    aws.events.call("DeleteRule", {"Name": "nightly"})
    with pytest.raises(PlanningError) as caught:
        pipeline.make_plan(site, spec, "v42")
    assert len(caught.value.faults) == 2
    assert caught.value.message.startswith("this cannot be planned in account 123456789012, region eu-west-1:\n")


def test_a_read_that_is_refused_is_told(site: Site, spec: Spec, aws: FailingAccount) -> None:
    aws.fail("describe_services", refusal("AccessDeniedException", "not authorized"))
    with pytest.raises(AwsError, match=r"^ecs:describe_services: AccessDeniedException: not authorized"):
        pipeline.make_plan(site, spec, "v42")


def test_another_account_is_refused(make_site: Callable[..., Site], spec: Spec) -> None:
    with pytest.raises(EcsplanError, match=f"of account {ACCOUNT}, and the spec is for account 999999999999") as caught:
        pipeline.make_plan(make_site(account="999999999999"), spec, "v42")
    assert caught.value.state == "Nothing was changed."
    assert pipeline.make_plan(make_site(account=ACCOUNT), spec, "v42").changed


def test_the_wrong_account_is_told_before_what_follows_from_it(
    make_site: Callable[..., Site], spec: Spec, aws: FailingAccount
) -> None:
    aws.fail("describe_services", refusal("AccessDeniedException", "not authorized"))
    with pytest.raises(EcsplanError, match="these credentials are of account"):
        pipeline.make_plan(make_site(account="999999999999"), spec, "v42")


def test_the_text_of_a_plan_is_masked(site: Site, tmp_path: Path) -> None:
    secret = 'environment = [{ name = "DB_PASSWORD", value = "hunter2hunter2" }], name = "web"'
    path = tmp_path / "secret.toml"
    path.write_text(TEXT.replace('name = "web", image', f"{secret}, image"))
    made = pipeline.make_plan(site, pipeline.load(path), "v42")
    assert "hunter2" in repr(made)
    assert "hunter2" not in pipeline.text(made)
    assert "containers.web.environment.DB_PASSWORD" in pipeline.text(made)


# --- the way back ---


def deploy(site: Site, spec: Spec, tag: str) -> None:
    result = pipeline.run_plan(site, pipeline.make_plan(site, spec, tag))
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED


def test_without_a_number_it_is_before_the_newest_deployment(site: Site, spec: Spec, aws: FailingAccount) -> None:
    deploy(site, spec, "v42")
    back = pipeline.undo(site)
    assert (back.undoes, back.tag) == ((1,), "")
    result = pipeline.run_plan(site, back)
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert aws.service("web")["taskDefinition"] == task_definition_arn("web", 41)
    assert aws.status("web", 42) == "INACTIVE"


def test_a_number_is_a_deployment_to_go_back_to(site: Site, spec: Spec) -> None:
    for tag in ("v42", "v43"):
        deploy(site, spec, tag)
    assert pipeline.undo(site, to="1").undoes == (2,)
    assert pipeline.undo(site, to="0", keep=True).undoes == (1, 2)
    assert pipeline.undo(site, to="2").changed is False


def test_a_revision_is_gone_to_by_ecs_own_history(site: Site, spec: Spec, aws: FailingAccount) -> None:
    deploy(site, spec, "v42")
    back = pipeline.undo(site, spec, to="web:41")
    assert (back.undoes, back.tag) == ((), "")
    assert back.warnings == ("by ECS's own history: web:42 -> web:41",)


def test_without_a_journal_it_goes_by_ecs_own_history(site: Site, spec: Spec, aws: FailingAccount) -> None:
    aws.add_revision("web", 40)
    back = pipeline.undo(site, spec)
    assert back.warnings == ("by ECS's own history: web:41 -> web:40",)
    assert "service.prod/web" in [step.address for step in back.steps]


def test_a_spec_of_which_only_the_top_was_read_is_read_whole(site: Site, spec: Spec, aws: FailingAccount) -> None:
    """The journal needs only the top; ECS's own history needs to know which services to move."""
    aws.add_revision("web", 40)
    top = pipeline.load(spec.file, tables=False)
    assert top.tasks == ()
    assert pipeline.undo(site, top, to="web:40").changed


def test_without_journal_and_spec_there_is_no_way_back(site: Site) -> None:
    with pytest.raises(UsageError, match="without a journal a rollback needs the spec") as caught:
        pipeline.undo(site)
    assert caught.value.hint == "Name it with -f FILE."
    with pytest.raises(UsageError, match="needs the spec"):
        pipeline.undo(site, to="web:41")


@pytest.mark.parametrize("to", ["", "-1", "v1/5", "web:", "web:x", "web:4 1", "²", "web:²"])
def test_where_to_go_back_to_is_checked_before_anything_is_asked(
    site: Site, spec: Spec, aws: FailingAccount, to: str
) -> None:
    with pytest.raises(UsageError, match="--to takes a deployment's number, a tag or FAMILY:REV, not"):
        pipeline.undo(site, spec, to=to)
    assert aws.asked == []


def test_a_deployment_that_there_is_not_is_named(site: Site, spec: Spec) -> None:
    deploy(site, spec, "v42")
    with pytest.raises(UsageError, match=r"there is no deployment 7 in the journal: it has 1 to 1"):
        pipeline.undo(site, to="7")


# --- where, and who ---


def test_an_app_is_needed() -> None:
    with pytest.raises(UsageError, match="neither a spec nor the name of an app was given"):
        pipeline.connect()


def test_a_name_that_is_no_folders_name_is_refused() -> None:
    with pytest.raises(UsageError, match="the name of the app"):
        pipeline.connect(app="../elsewhere")


def test_the_journal_is_beside_the_spec_unless_said_otherwise(spec: Spec, tmp_path: Path) -> None:
    assert pipeline.journal_root(spec, None) == tmp_path / ".ecsplan"
    assert pipeline.journal_root(None, None) == Path(".ecsplan")
    assert pipeline.journal_root(spec, "elsewhere") == Path("elsewhere")


def test_connecting_sends_nothing_and_takes_all_from_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "ecsplan.toml"
    path.write_text(f'region = "{REGION}"\naccount = "{ACCOUNT}"\n' + TEXT)
    with pipeline.connect(pipeline.load(path)) as site:
        assert (site.app, site.store.name, site.account) == ("shop", str(tmp_path / ".ecsplan"), ACCOUNT)
        assert site.store.plan_name("shop") == str(tmp_path / ".ecsplan" / "shop" / "plan.json")
        assert site.gateway._region == REGION
        assert isinstance(site.clock, SystemClock)
    with pipeline.connect(pipeline.load(path), app="other", region="us-east-1", clock=FakeClock()) as site:
        assert (site.app, site.gateway._region) == ("other", "us-east-1")
        assert isinstance(site.clock, FakeClock)


def test_a_site_is_closed_at_the_end(site: Site) -> None:
    with site as entered:
        assert entered is site
    client = site.gateway._clients["ecs", False]
    assert client.closed


def test_whoever_runs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/ecsplan", "deploy", "v42"])
    origin = whoami()
    assert (origin.user, origin.pid, origin.command) == ("ada", os.getpid(), "ecsplan deploy v42")
    assert origin.host


def test_a_user_without_a_name_goes_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_number: int) -> None:
        raise KeyError("no such user")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert whoami().user == str(os.getuid())


def test_the_machines_clock() -> None:
    stop = threading.Event()
    clock = SystemClock(stop)
    assert abs(clock.now() - time.time()) < 5
    assert 0 <= clock.random() < 1
    stop.set()
    clock.sleep(3600)  # returns at once


def test_a_spec_that_is_wrong_or_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        pipeline.load(tmp_path / "nowhere.toml")
    (tmp_path / "bad.toml").write_text("app = 1")
    with pytest.raises(SpecError):
        pipeline.load(str(tmp_path / "bad.toml"))


# --- looking at the journal ---


def journals(root: Path, *places: tuple[str, str]) -> None:
    for account, region in places:
        journal = Journal(open_store(root), "shop", Identity(account=account, region=region))
        only_planned(journal, plan(update()))


def test_the_journals_of_an_app_are_found_by_account_and_region(tmp_path: Path) -> None:
    journals(tmp_path, (ACCOUNT, REGION), (ACCOUNT, "us-east-1"), ("999999999999", REGION))
    (tmp_path / "shop" / "plan.json").write_text("{}")
    (tmp_path / "shop" / "odd").mkdir()
    names = [str(journal.identity) for journal in pipeline.journals(tmp_path, "shop")]
    assert names == [f"{ACCOUNT}-{REGION}", f"{ACCOUNT}-us-east-1", f"999999999999-{REGION}"]
    assert len(pipeline.journals(tmp_path, "shop", account=ACCOUNT)) == 2
    assert len(pipeline.journals(tmp_path, "shop", region=REGION)) == 2
    assert len(pipeline.journals(tmp_path, "shop", account=ACCOUNT, region=REGION)) == 1
    assert pipeline.journals(tmp_path, "blog") == []


def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file where a folder should be")
    with pytest.raises(JournalError, match="shop cannot be read: Not a directory"):
        pipeline.journals(tmp_path, "shop")


def test_the_history_and_one_deployment(tmp_path: Path) -> None:
    journals(tmp_path, (ACCOUNT, REGION), (ACCOUNT, REGION))
    (journal,) = pipeline.journals(tmp_path, "shop")
    first, second = pipeline.history(journal)
    assert not isinstance(first, Damaged)
    assert not isinstance(second, Damaged)
    assert [first.number, second.number] == [1, 2]
    assert pipeline.show(journal, 2) == second
    with pytest.raises(UsageError, match=r"there is no deployment 3 in "):
        pipeline.show(journal, 3)
