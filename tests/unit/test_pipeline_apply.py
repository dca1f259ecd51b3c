"""Applying a plan: what it is refused for, what is journaled, and that secrets stay where they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from ecsplan import pipeline
from ecsplan.apply.deploy import Options
from ecsplan.core import events
from ecsplan.core.errors import EcsplanError, LockedError, StaleError, UnfinishedError
from ecsplan.core.model import Identity, Plan
from ecsplan.core.spec import Spec
from ecsplan.journal import Deployment, Failed, Journal, Outcome, open_store
from ecsplan.pipeline import Site
from ecsplan.plan import file as planfile
from ecsplan.plan.steps import plan_digest
from tests.support.paths import journal_file
from tests.unit.builders import AT, IDENTITY, ORIGIN, task_definition_arn
from tests.unit.failing_account import FailingAccount
from tests.unit.fakes import FakeClock, gateway_to, refusal

TEXT = """
app = "shop"
cluster = "prod"
sns_notification_topic_arn = "arn:aws:sns:eu-west-1:123456789012:deploys"
notification_method_blacklist_regex = "register_"
[tasks.web.task_definition]
family = "web"
[[tasks.web.task_definition.containerDefinitions]]
name = "web"
image = "web:{image_tag}"
memory = 128
environment = [{ name = "DB_PASSWORD", value = "hunter2hunter2" }]
[[tasks.web.update_services]]
service = "web"
"""
WEB = {"cluster": "prod", "service": "web"}


@pytest.fixture
def aws() -> FailingAccount:
    world = FailingAccount(FakeClock())
    world.add_service("web")
    return world


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "ecsplan.toml").write_text(TEXT)
    return pipeline.load(tmp_path / "ecsplan.toml")


@pytest.fixture
def site(aws: FailingAccount, tmp_path: Path) -> Iterator[Site]:
    with Site(
        app="shop", store=open_store(tmp_path / ".ecsplan"), gateway=gateway_to(aws), origin=ORIGIN, clock=aws.clock
    ) as made:
        yield made


@pytest.fixture
def made(site: Site, spec: Spec) -> Plan:
    return pipeline.make_plan(site, spec, "v42")


def newest(site: Site) -> Deployment:
    return site.journal(IDENTITY).deployments()[-1]


def refused(site: Site, made: Plan, kind: type[EcsplanError], aws: FailingAccount) -> str:
    """Why the plan is not applied; nothing is sent, and no deployment begins."""
    before, sent = site.journal(IDENTITY).numbers(), list(aws.sent)
    with pytest.raises(kind) as caught:
        pipeline.run_plan(site, made)
    assert caught.value.state == "Nothing was changed."
    assert aws.sent == sent
    assert site.journal(IDENTITY).numbers() == before
    return caught.value.message


def test_a_plan_is_carried_out_and_journaled(site: Site, made: Plan, aws: FailingAccount) -> None:
    seen: list[events.Event] = []
    result = pipeline.run_plan(site, made, emit=seen.append)
    assert result is not None
    assert (result.number, result.outcome) == (1, Outcome.SUCCEEDED)
    assert aws.service("web")["taskDefinition"] == task_definition_arn("web", 42)
    one = newest(site)
    assert (one.outcome, one.plan, one.opened.origin, one.opened.at) == (Outcome.SUCCEEDED, made, ORIGIN, AT)
    assert one.states() == {1: "done", 2: "done"}
    assert isinstance(seen[0], events.DeploymentStarted)


def test_a_plan_is_the_same_after_it_was_saved(site: Site, made: Plan) -> None:
    planfile.save_in_store(made, site.store)
    result = pipeline.run_plan(site, planfile.load_from_store(site.store, "shop")[1])
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED


def test_after_it_nothing_is_left_to_do(site: Site, spec: Spec, made: Plan) -> None:
    pipeline.run_plan(site, made)
    again = pipeline.make_plan(site, spec, "v42")
    assert again.changed is False
    assert pipeline.run_plan(site, again) is None
    assert site.journal(IDENTITY).numbers() == [1]


def test_options_reach_the_executor(site: Site, made: Plan, aws: FailingAccount) -> None:
    aws.fail("update_service", refusal())
    result = pipeline.run_plan(site, made, options=Options(on_failure="stop"))
    assert result is not None
    assert result.outcome is Outcome.STOPPED
    assert newest(site).outcome is Outcome.STOPPED


def test_a_failure_is_put_back_unless_said_otherwise(site: Site, made: Plan, aws: FailingAccount) -> None:
    aws.fail("update_service", refusal("ClientException", "no"))
    result = pipeline.run_plan(site, made)
    assert result is not None
    assert (result.outcome, result.reason) == (Outcome.PUT_BACK, "ecs:update_service: ClientException: no")
    assert aws.status("web", 42) == "INACTIVE"


# --- what it is refused for ---


def test_another_account_or_region(site: Site, made: Plan, aws: FailingAccount) -> None:
    elsewhere = msgspec.structs.replace(made, identity=Identity(account="999999999999", region="us-east-1"))
    assert refused(site, elsewhere, StaleError, aws) == (
        "the plan is for account 999999999999 in us-east-1, and this is account 123456789012 in eu-west-1"
    )


@pytest.mark.parametrize(
    ("move", "moved"),
    [
        (lambda aws: aws.update("web", taskDefinition=aws.add_revision("web", 40)), "service.prod/web"),
        (
            lambda aws: aws.ecs.call("DeleteService", {**WEB, "force": True}),
            "service.prod/web",
        ),
        (lambda aws: aws.update("web", healthCheckGracePeriodSeconds=7), "service.prod/web"),
        (lambda aws: aws.add_revision("web", 42), "task_definition.web"),
        (lambda aws: aws.ecs.region.services.clear(), "service.prod/web"),
    ],
)
def test_what_has_moved_since_is_named(
    site: Site, made: Plan, aws: FailingAccount, move: Callable[[FailingAccount], None], moved: str
) -> None:
    move(aws)
    assert f"since it was made, this has changed: {moved}" in refused(site, made, StaleError, aws)


def lose_its_task(aws: FailingAccount) -> None:
    """The service's task stops, and the next one takes its time."""
    (task,) = aws.ecs.call("ListTasks", {"cluster": "prod", "serviceName": "web"})["taskArns"]
    aws.outcomes.rollout_seconds = 60.0
    aws.ecs.call("StopTask", {"cluster": "prod", "task": task})
    aws.outcomes.rollout_seconds = 0.0
    assert (aws.service("web")["runningCount"], aws.service("web")["pendingCount"]) == (0, 1)


@pytest.mark.parametrize(
    "move",
    [
        lambda aws: aws.update("web", desiredCount=9),
        lambda aws: aws.ecs.region.services["prod", "web"].events.append({"message": "steady"}),
        lose_its_task,
    ],
)
def test_what_moves_by_itself_makes_no_plan_stale(
    site: Site, made: Plan, aws: FailingAccount, move: Callable[[FailingAccount], None]
) -> None:
    move(aws)
    assert pipeline.run_plan(site, made) is not None


def test_a_plan_that_observed_something_else(site: Site, made: Plan, aws: FailingAccount) -> None:
    less = msgspec.structs.replace(made, observed={})
    assert "service.prod/web, task_definition.web" in refused(site, less, StaleError, aws)


def test_a_plan_that_was_applied_already(site: Site, made: Plan, aws: FailingAccount) -> None:
    pipeline.run_plan(site, made)
    message = refused(site, made, StaleError, aws)
    assert message == "this plan was applied already: it was deployment 1, which ended succeeded"


def test_another_deployment_that_is_running(site: Site, made: Plan, aws: FailingAccount) -> None:
    with Journal(site.store, "shop", IDENTITY).locked(ORIGIN, AT):
        assert "another deployment of shop is running: ada@ci-7" in refused(site, made, LockedError, aws)
    assert pipeline.run_plan(site, made) is not None


def test_a_deployment_that_was_left_part_way(site: Site, spec: Spec, made: Plan, aws: FailingAccount) -> None:
    aws.fail("update_service", refusal("ClientException", "no"))
    pipeline.run_plan(site, made, options=Options(on_failure="stop"))
    again = pipeline.make_plan(site, spec, "v43")
    assert refused(site, again, UnfinishedError, aws) == (
        "deployment 1 is unfinished: ecs:update_service: ClientException: no"
    )
    assert "is unfinished" in refused(site, made, UnfinishedError, aws)
    with pytest.raises(UnfinishedError, match="is unfinished"):
        pipeline.check_free(site, again)
    pipeline.check_free(site, pipeline.undo(site))


def test_nobody_is_asked_while_another_deployment_runs(site: Site, made: Plan) -> None:
    pipeline.check_free(site, made)
    with Journal(site.store, "shop", IDENTITY).locked(ORIGIN, AT), pytest.raises(LockedError, match="is running"):
        pipeline.check_free(site, made)


def test_a_rollback_of_it_is_not_refused_and_settles_it(
    site: Site, spec: Spec, made: Plan, aws: FailingAccount
) -> None:
    aws.fail("update_service", refusal("ClientException", "no"))
    pipeline.run_plan(site, made, options=Options(on_failure="stop"))
    result = pipeline.run_plan(site, pipeline.undo(site))
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert pipeline.run_plan(site, pipeline.make_plan(site, spec, "v43")) is not None


def test_a_rollback_that_finds_all_in_place_settles_it_too(
    site: Site, spec: Spec, made: Plan, aws: FailingAccount
) -> None:
    """The step was refused, so nothing has to be put back; and yet the journal has to say that it is over."""
    aws.fail("register_task_definition", refusal("ClientException", "no"))
    pipeline.run_plan(site, made, options=Options(on_failure="stop"))
    back = pipeline.undo(site)
    assert back.changed is False
    result = pipeline.run_plan(site, back)
    assert result is not None
    assert result.outcome is Outcome.SUCCEEDED
    assert pipeline.run_plan(site, pipeline.make_plan(site, spec, "v43")) is not None


def test_the_wrong_account_of_the_spec(site: Site, made: Plan, aws: FailingAccount) -> None:
    with Site(
        app="shop", store=site.store, gateway=gateway_to(aws), origin=ORIGIN, clock=aws.clock, account="999999999999"
    ) as other:
        assert "the spec is for account 999999999999" in refused(other, made, EcsplanError, aws)


def test_the_lock_is_let_go_whatever_happens(site: Site, made: Plan, aws: FailingAccount) -> None:
    def surprise(_call: object) -> None:
        raise KeyError("a fault of ours")

    aws.on_call = surprise
    with pytest.raises(KeyError):
        pipeline.run_plan(site, made)
    with site.journal(IDENTITY).locked(ORIGIN, AT):
        assert newest(site).outcome is Outcome.UNFINISHED


# --- going on ---


def test_without_an_unfinished_deployment_nothing_is_resumed(site: Site, made: Plan) -> None:
    assert pipeline.resume(site) is None
    pipeline.run_plan(site, made)
    assert pipeline.resume(site) is None


def test_a_deployment_goes_on_in_its_own_file(site: Site, spec: Spec, made: Plan, aws: FailingAccount) -> None:
    aws.fail("update_service", refusal("ClientException", "no"))
    pipeline.run_plan(site, made, options=Options(on_failure="stop"))
    seen: list[events.Event] = []
    result = pipeline.resume(site, emit=seen.append)
    assert result is not None
    assert (result.number, result.outcome) == (1, Outcome.SUCCEEDED)
    assert site.journal(IDENTITY).numbers() == [1]
    assert (newest(site).outcome, newest(site).states()) == (Outcome.SUCCEEDED, {1: "done", 2: "done"})
    assert len(aws.calls("register_task_definition")) == 1
    assert isinstance(seen[-1], events.DeploymentEnded)


def test_a_torn_line_is_taken_off_before_a_deployment_goes_on(site: Site, made: Plan, aws: FailingAccount) -> None:
    aws.fail("update_service", refusal("ClientException", "no"))
    pipeline.run_plan(site, made, options=Options(on_failure="stop"))
    with journal_file(site.journal(IDENTITY), 1).open("ab") as file:
        file.write(b'{"entry":"beg')
    assert pipeline.resume(site) is not None
    assert newest(site).outcome is Outcome.SUCCEEDED


def test_a_deployment_that_runs_is_not_resumed(site: Site, made: Plan, aws: FailingAccount) -> None:
    with Journal(site.store, "shop", IDENTITY).locked(ORIGIN, AT), pytest.raises(LockedError):
        pipeline.resume(site)
    assert aws.sent == []


def test_options_reach_a_resumed_deployment(site: Site, made: Plan, aws: FailingAccount) -> None:
    aws.fail("update_service", refusal("ClientException", "no"), times=2)
    pipeline.run_plan(site, made, options=Options(on_failure="stop"))
    result = pipeline.resume(site, options=Options(on_failure="rollback"))
    assert result is not None
    assert result.outcome is Outcome.PUT_BACK


# --- secrets, and who is told ---


def test_secrets_that_aws_repeats_are_cleaned_everywhere(site: Site, made: Plan, aws: FailingAccount) -> None:
    aws.fail("update_service", refusal("ClientException", "hunter2hunter2 is too short"))
    seen: list[events.Event] = []
    result = pipeline.run_plan(site, made, emit=seen.append)
    assert result is not None
    assert result.reason == "ecs:update_service: ClientException: (sensitive) is too short"
    assert "hunter2" not in repr(seen)
    assert [entry.error for entry in newest(site).entries if isinstance(entry, Failed)] == [result.reason]
    lines = journal_file(site.journal(IDENTITY), 1).read_text().splitlines()
    assert "hunter2" in lines[0]  # the plan, to be put back
    assert "hunter2" not in "".join(lines[1:])


def test_secrets_in_warnings_are_cleaned_too(site: Site, made: Plan, aws: FailingAccount) -> None:
    aws.fail("publish", refusal("InvalidParameter", "hunter2hunter2"))
    seen: list[events.Event] = []
    pipeline.run_plan(site, made, emit=seen.append)
    (warning,) = [event for event in seen if isinstance(event, events.Warned)]
    assert warning.message == "could not publish ecs:update_service to SNS: sns:publish: InvalidParameter: (sensitive)"


def test_the_topic_is_told_of_what_it_wants_to_know(site: Site, made: Plan, aws: FailingAccount) -> None:
    pipeline.run_plan(site, made)
    published, ending = aws.calls("publish")
    message = json.loads(published["Message"])
    assert published["TargetArn"] == "arn:aws:sns:eu-west-1:123456789012:deploys"
    assert (message["client"], message["method"]) == ("ecs", "update_service")
    assert message["input"]["taskDefinition"] == task_definition_arn("web", 42)
    assert ending["TargetArn"] == published["TargetArn"]
    assert json.loads(ending["Message"])["event"] == "deployment"


def test_a_plan_with_a_digest_of_its_own_is_no_copy(site: Site, made: Plan, aws: FailingAccount) -> None:
    """What was applied is told by the digest, not by the tag."""
    pipeline.run_plan(site, made)
    other = msgspec.structs.replace(made, warnings=("another",), digest="")
    other = msgspec.structs.replace(other, digest=plan_digest(other))
    assert "the plan is stale" in refused(site, other, StaleError, aws)
