"""Services: what is declared, how they are read, and the one call that moves each."""

from __future__ import annotations

from typing import Any

import pytest

from ecsplan.core.documents import refs_in
from ecsplan.core.errors import AwsError, PlanningError, RefusedError
from ecsplan.core.model import Action, Call, Doc, Ref, Settings
from ecsplan.core.normalize import normal
from ecsplan.kinds.contract import Live
from ecsplan.kinds.service import with_resets
from tests.support.specs import spec, task
from tests.unit.fakes_kinds import (
    ECS,
    FakeAsk,
    before,
    call,
    candidate,
    compare,
    compiled,
    delta_of,
    identity_of,
    kind,
    live_of,
    resource,
    revision,
    revision_only,
    step_of,
)

KIND = kind("service")
FACTS: Doc = {"status": "ACTIVE", "deployment": "ecs-svc/1"}
WEB, NEW = "service.prod/web", revision("web:42")
NAMES: Doc = {"cluster": "prod", "service": "web"}


def described(name: str = "web", *deployments: Doc, **fields: Any) -> Doc:
    """A service as DescribeServices answers it."""
    first = {"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED", "taskDefinition": revision("web:41")}
    return {
        "serviceArn": f"{ECS}service/prod/{name}",
        "serviceName": name,
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": 2,
        "taskDefinition": revision("web:41"),
        "deployments": list(deployments) or [first],
        "events": [{"message": "steady"}],
    } | fields


def ask_for(*names: str, cluster: str | None = "prod") -> Call:
    where = {"cluster": cluster} if cluster else {}
    return call("describe_services", **where, services=list(names))


def read(answer: Doc, declared: Doc | None = None) -> Live:
    reader = FakeAsk().on(ask_for("web"), answer)
    (live,) = compare(KIND).read(reader, [resource(WEB, NAMES | (declared or {}))])
    return live


# --- what is declared ---


def test_what_is_declared_goes_through_and_refers_to_the_revision() -> None:
    entry = {"service": "web", "desiredCount": 0, "deploymentConfiguration": {"maximumPercent": 150}}
    found = compiled(spec(task("web", services=(), update_services=[entry | {"timeout": "5m", "wait": False}])))
    (web,) = [one for one in found.values() if one.address.kind == "service"]
    arn = Ref(address=next(one for one in found if one.kind == "task_definition"), output="arn")
    assert web.address == WEB
    assert web.doc == entry | {"cluster": "prod", "taskDefinition": arn}
    assert web.settings == Settings(timeout=300, wait=False)
    assert web.task == "web"


@pytest.mark.parametrize(
    ("entry", "redeploy", "force"),
    [({}, False, False), ({"forceNewDeployment": True}, False, True), ({}, True, True)],
)
def test_force_is_an_action_and_redeploy_makes_one_of_it(entry: Doc, redeploy: bool, force: bool) -> None:
    data = spec(task("web", services=(), update_services=[{"service": "web"} | entry]))
    web = next(one for one in compiled(data, redeploy=redeploy).values() if one.address == WEB)
    assert (web.settings.force, web.settings.redeploy) == (force, redeploy)
    assert "forceNewDeployment" not in web.doc


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"service": "web", "cluster": "blue"}, "service.blue/web"),
        ({"service": f"{ECS}service/blue/web", "cluster": f"{ECS}cluster/blue"}, "service.blue/web"),
        ({"service": "web", "cluster": "default"}, "service.default/web"),
    ],
)
def test_an_address_is_by_names(params: Doc, expected: str) -> None:
    assert expected in compiled(spec(task("web", services=(), update_services=[params])))


def test_without_a_cluster_it_is_the_default_one() -> None:
    data = spec(task("web"))
    del data["cluster"]
    assert "service.default/web" in compiled(data)


# --- reading ---


def test_ten_services_of_a_cluster_per_request_and_all_requests_at_once() -> None:
    names = [f"s{i}" for i in range(12)]
    declared = [resource(f"service.prod/{name}", {"cluster": "prod", "service": name}) for name in names]
    declared.insert(5, resource("service.default/a", {"service": "a"}))
    reader = (
        FakeAsk()
        .on(ask_for(*names[:10]), {"services": [described(name) for name in reversed(names[:10])]})
        .on(ask_for(*names[10:]), {"services": [described(name) for name in names[10:]]})
        .on(ask_for("a", cluster=None), {"services": [described("a")]})
    )
    lives = compare(KIND).read(reader, declared)
    assert [live.address for live in lives] == [one.address for one in declared]
    assert [live.candidates[0].outputs["arn"].rpartition("/")[2] for live in lives] == [
        one.doc["service"] for one in declared
    ]
    assert [len(asked) for asked in reader.rounds] == [3]


def test_what_is_read_is_what_an_update_could_send() -> None:
    primary = {
        "id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "taskDefinition": NEW,
        "serviceConnectConfiguration": {"enabled": True}, "volumeConfigurations": [{"name": "a"}],
    }  # fmt: skip
    old = {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": revision("web:41")}
    answered = described("web", old, primary, taskDefinition=NEW, enableExecuteCommand=True)
    live = read({"services": [answered]})
    (found,) = live.candidates
    assert found.doc == NAMES | {
        "desiredCount": 2,
        "taskDefinition": NEW,
        "enableExecuteCommand": True,
        "serviceConnectConfiguration": {"enabled": True},
        "volumeConfigurations": [{"name": "a"}],
    }
    assert live.facts == {
        "status": "ACTIVE",
        "controller": "ECS",
        "deployment": "ecs-svc/2",
        "described": answered,
    }
    assert (live.rolling, live.in_use) == (True, (revision("web:41"),))


def test_what_moves_by_itself_is_not_observed() -> None:
    before = read({"services": [described()]})
    moved = described(desiredCount=5, runningCount=3, events=[], createdAt=1)
    assert read({"services": [moved]}).observed == before.observed
    assert read({"services": [moved]}, {"desiredCount": 2}).observed != before.observed
    assert read({"services": [described(taskDefinition=NEW)]}).observed != before.observed
    assert read({"services": [described(status="DRAINING")]}).observed != before.observed


def test_a_service_that_is_not_there() -> None:
    missing = read({"services": [], "failures": [{"reason": "MISSING"}]})
    assert (missing.candidates, missing.facts, missing.observed) == ((), {"status": "MISSING"}, "missing")


def test_a_cluster_that_is_not_there_has_no_services_and_another_refusal_is_raised() -> None:
    web = resource(WEB, NAMES)
    (live,) = compare(KIND).read(FakeAsk().refuse(ask_for("web"), "ClusterNotFoundException"), [web])
    assert live.observed == "missing"
    (fault,) = KIND.change.blockers(web, live)
    assert fault.startswith("service.prod/web: there is no cluster prod; clusters are created elsewhere")
    with pytest.raises(AwsError, match=r"^not you$"):
        compare(KIND).read(FakeAsk().refuse(ask_for("web"), "AccessDeniedException", "not you"), [web])


def test_a_service_between_deployments_has_no_primary() -> None:
    live = read({"services": [described("web", {"id": "ecs-svc/1", "status": "ACTIVE"})]})
    assert (live.facts["deployment"], live.rolling, live.in_use) == ("", False, ())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"services": [described()]}, None),
        ({"services": [described(deploymentController={"type": "ECS"})]}, None),
        ({"services": []}, "service.prod/web: there is no service web in cluster prod; services are created elsewhere"),
        ({"services": [described(status="INACTIVE")]}, "service.prod/web: service web in cluster prod is INACTIVE"),
        (
            {"services": [described(deploymentController={"type": "CODE_DEPLOY"})]},
            "service.prod/web: service web in cluster prod is deployed by CODE_DEPLOY, not by ECS itself",
        ),
    ],
)
def test_what_cannot_be_planned(answer: Doc, said: str | None) -> None:
    faults = KIND.change.blockers(resource(WEB, NAMES), read(answer))
    assert [fault[: len(said or "")] for fault in faults] == ([said] if said else [])


# --- changing ---


def moved(declared: Doc, live: Doc, **settings: Any) -> tuple[Doc, Doc]:
    """What the step of a change sends, and what its undo sends, without the names."""
    wanted = resource(WEB, NAMES | declared, settings=Settings(**settings))
    found = live_of(WEB, candidate(NAMES | live, arn="x"), facts=FACTS)
    delta = delta_of(wanted, found)
    (draft,) = KIND.change.steps(delta)
    assert (draft.call.operation, draft.action) == ("update_service", Action.UPDATE)
    assert isinstance(draft.undo, Call)
    assert draft.undo.operation == "update_service"
    assert draft.changes == delta.change.fields
    assert draft.settings == wanted.settings
    for sent in (draft.call, draft.undo):
        assert {field: sent.params[field] for field in NAMES} == NAMES
    return revert_rest(draft.call.params), revert_rest(draft.undo.params)


def revert_rest(params: Doc) -> Doc:
    return {field: value for field, value in params.items() if field not in NAMES}


ALL_OFF = {"alarmNames": [], "enable": False, "rollback": False}
THRESHOLD = {"type": "COUNT", "value": 5}
BREAKER = {"enable": True, "rollback": True, "resetOnHealthyTask": True, "thresholdConfiguration": THRESHOLD}


@pytest.mark.parametrize(
    ("declared", "live", "sent", "undone"),
    [
        ({"taskDefinition": NEW, "desiredCount": 2}, {"taskDefinition": "web:41", "desiredCount": 2},
         {"taskDefinition": NEW, "desiredCount": 2}, {"taskDefinition": "web:41"}),
        ({"healthCheckGracePeriodSeconds": 5}, {}, {"healthCheckGracePeriodSeconds": 5},
         {"healthCheckGracePeriodSeconds": 0}),
        ({"propagateTags": "SERVICE"}, {}, {"propagateTags": "SERVICE"}, {"propagateTags": "NONE"}),
        ({"platformVersion": "1.4.0"}, {}, {"platformVersion": "1.4.0"}, {"platformVersion": "LATEST"}),
        ({"loadBalancers": [{"targetGroupArn": "a"}]}, {}, {"loadBalancers": [{"targetGroupArn": "a"}]},
         {"loadBalancers": []}),
        ({"placementStrategy": []}, {"placementStrategy": [{"type": "random"}]}, {"placementStrategy": []},
         {"placementStrategy": [{"type": "random"}]}),
        ({"serviceConnectConfiguration": {"enabled": True}}, {}, {"serviceConnectConfiguration": {"enabled": True}},
         {"serviceConnectConfiguration": {"enabled": False}}),
        ({"availabilityZoneRebalancing": "ENABLED"}, {}, {"availabilityZoneRebalancing": "ENABLED"},
         {"availabilityZoneRebalancing": "DISABLED"}),
        ({"networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": "ENABLED"}}},
         {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"], "securityGroups": ["s"]}}},
         {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"], "securityGroups": ["s"],
                                                           "assignPublicIp": "ENABLED"}}},
         {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"], "securityGroups": ["s"],
                                                           "assignPublicIp": "DISABLED"}}}),
        ({"deploymentConfiguration": {"deploymentCircuitBreaker": {"thresholdConfiguration": {"value": 9}}}},
         {"deploymentConfiguration": {"maximumPercent": 150, "deploymentCircuitBreaker": BREAKER}},
         {"deploymentConfiguration": {"maximumPercent": 150, "deploymentCircuitBreaker":
                                      BREAKER | {"thresholdConfiguration": THRESHOLD | {"value": 9}}}},
         {"deploymentConfiguration": {"maximumPercent": 150, "deploymentCircuitBreaker": BREAKER}}),
        ({"deploymentConfiguration": {"alarms": {"alarmNames": ["a"], "enable": True}}},
         {"deploymentConfiguration": {"maximumPercent": 150}},
         {"deploymentConfiguration": {"maximumPercent": 150,
                                      "alarms": {"alarmNames": ["a"], "enable": True, "rollback": False}}},
         {"deploymentConfiguration": {"maximumPercent": 150, "alarms": ALL_OFF}}),
    ],
)  # fmt: skip
def test_one_call_with_what_is_declared_and_the_undo_beside_it(
    declared: Doc, live: Doc, sent: Doc, undone: Doc
) -> None:
    assert moved(declared, live) == (sent, undone)


@pytest.mark.parametrize(
    ("declared", "live", "lacks"),
    [
        ({"networkConfiguration": {"awsvpcConfiguration": {"assignPublicIp": "ENABLED"}}}, {},
         "networkConfiguration.awsvpcConfiguration.subnets"),
        ({"serviceConnectConfiguration": {"namespace": "shop"}}, {}, "serviceConnectConfiguration.enabled"),
        ({"deploymentConfiguration": {"deploymentCircuitBreaker": {"thresholdConfiguration": {"value": 9}}}},
         {"deploymentConfiguration": {"maximumPercent": 200}},
         "deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration.type"),
    ],
)  # fmt: skip
def test_what_neither_the_spec_nor_the_service_has_is_refused(declared: Doc, live: Doc, lacks: str) -> None:
    with pytest.raises(PlanningError, match=f"{lacks} is required, and neither the spec nor the live resource has it"):
        moved(declared, live)


@pytest.mark.parametrize("live", [{}, {"deploymentConfiguration": {"maximumPercent": 200}}])
@pytest.mark.parametrize("declared", [{"enable": True}, {"rollback": True}])
def test_a_circuit_breaker_is_sent_whole(declared: Doc, live: Doc) -> None:
    """botocore demands both members, whatever older services answer."""
    sent, undone = moved({"deploymentConfiguration": {"deploymentCircuitBreaker": declared}}, live)
    off = {"enable": False, "rollback": False}
    assert sent["deploymentConfiguration"]["deploymentCircuitBreaker"] == off | declared
    assert undone["deploymentConfiguration"]["deploymentCircuitBreaker"] == off


def test_the_count_of_a_daemon_is_not_sent() -> None:
    live = {"schedulingStrategy": "DAEMON", "desiredCount": 3, "enableExecuteCommand": False}
    sent, undone = moved({"desiredCount": 1, "enableExecuteCommand": True}, live)
    assert (sent, undone) == ({"enableExecuteCommand": True}, {"enableExecuteCommand": False})


@pytest.mark.parametrize("member", ["placementConstraints", "placementStrategy"])
def test_an_empty_placement_is_sent_only_where_there_is_one_to_take_away(member: str) -> None:
    """Fargate refuses even an empty one."""
    declared: Doc = NAMES | {"desiredCount": 3, member: []}
    one, two = {"desiredCount": 2, member: []}, {"desiredCount": 2, member: [{"type": "random"}]}
    for live, sent in ((one, NAMES | {"desiredCount": 3}), (two, declared)):
        (draft,) = KIND.change.steps(
            delta_of(resource(WEB, declared), live_of(WEB, candidate(NAMES | live), facts=FACTS))
        )
        assert draft.call.params == sent


def test_forcing_is_said_in_the_call_only() -> None:
    sent, undone = moved({"taskDefinition": NEW}, {"taskDefinition": "web:41"}, force=True)
    assert sent == {"taskDefinition": NEW, "forceNewDeployment": True}
    assert undone == {"taskDefinition": "web:41"}


def test_a_redeployment_changes_nothing_but_is_sent() -> None:
    sent, undone = moved({"taskDefinition": NEW}, {"taskDefinition": NEW}, force=True, redeploy=True)
    assert sent == {"taskDefinition": NEW, "forceNewDeployment": True}
    assert undone == {}


@pytest.mark.parametrize(("rolling", "stops"), [(True, ["ecs-svc/1"]), (False, [])])
def test_a_redeployment_is_taken_back_only_while_it_rolls_out(rolling: bool, stops: list[str]) -> None:
    """On the same revision there is nothing else to go back to."""
    doc, made = NAMES | {"taskDefinition": NEW}, {"deployment": "ecs-svc/1", "previous": NEW}
    delta = delta_of(
        resource(WEB, doc, optional=True, settings=Settings(force=True), facts={"made": made}),
        live_of(WEB, candidate(doc), facts=FACTS, rolling=rolling),
    )
    assert [draft.expect.get("stops") for draft in KIND.change.steps(delta)] == stops


def test_a_member_that_was_absent_is_never_sent_as_null() -> None:
    """As in the document of a rollback, to before something was declared that AWS cannot reset."""
    linear = {"strategy": "ROLLING", "linearConfiguration": None}
    sent, undone = moved(
        {"deploymentConfiguration": linear},
        {"deploymentConfiguration": {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 5.0}}},
    )
    assert sent["deploymentConfiguration"].get("linearConfiguration", "left out") == "left out"
    assert sent["deploymentConfiguration"]["strategy"] == "ROLLING"
    assert undone["deploymentConfiguration"]["linearConfiguration"] == {"stepPercent": 5.0}


def test_a_rollback_takes_away_what_a_volume_did_not_have() -> None:
    def volume(**fields: Any) -> Doc:
        return NAMES | {"volumeConfigurations": [{"name": "a", "managedEBSVolume": {"roleArn": "r"} | fields}]}

    live, change = volume(encrypted=True), volume(iops=4000)
    after = compare(KIND).merge(live, change)
    assert after == volume(encrypted=True, iops=4000)
    back = before(KIND, live, after, change)
    assert normal(compare(KIND).merge(after, back), KIND.document.rules) == normal(live, KIND.document.rules)


def test_a_volume_is_sent_with_what_it_has_and_nobody_declared() -> None:
    """Left out, AWS would choose again."""

    def volumes(**fields: Any) -> Doc:
        return {"volumeConfigurations": [{"name": "a", "managedEBSVolume": {"roleArn": "r", "sizeInGiB": 1} | fields}]}

    fast = volumes(iops=5000, encrypted=True)
    sent, _ = moved(volumes() | {"taskDefinition": NEW}, fast | {"taskDefinition": "web:41"})
    assert sent == fast | {"taskDefinition": NEW}


def test_what_cannot_be_reset_is_left_out() -> None:
    assert with_resets({"availabilityZoneRebalancing": None, "propagateTags": None, "desiredCount": 0}) == {
        "propagateTags": "NONE",
        "desiredCount": 0,
    }


def test_the_step_knows_what_was_there_before() -> None:
    live = live_of(WEB, candidate(NAMES | {"taskDefinition": "web:41"}), facts=FACTS)
    (draft,) = KIND.change.steps(delta_of(resource(WEB, NAMES | {"taskDefinition": NEW}), live))
    assert draft.expect == {"deployment": "ecs-svc/1", "previous": "web:41"}


def test_only_names_and_only_the_revision() -> None:
    found = compiled(spec(task("web", services=(), update_services=[{"service": "web", "desiredCount": 1}])))
    web = next(one for one in found.values() if one.address == WEB)
    assert identity_of(KIND)(web.doc) == NAMES
    assert revision_only(KIND)(web.doc, frozenset()) == NAMES | {"taskDefinition": next(refs_in(web.doc))}


# --- what was answered ---


def test_an_update_is_accepted_by_its_deployment() -> None:
    step = step_of(WEB, call("update_service", **NAMES), action=Action.UPDATE)
    primary = {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": NEW}
    answer = {"service": described("web", {"id": "ecs-svc/1", "status": "ACTIVE"}, primary)}
    assert KIND.calls.accept(step, step.call, answer) == {"deployment": "ecs-svc/2"}
    for wanted in (NEW, "web:42"):
        assert KIND.calls.accept(step, call("update_service", taskDefinition=wanted), answer) == {
            "deployment": "ecs-svc/2"
        }


def test_an_answer_that_is_older_than_the_update_names_no_deployment() -> None:
    step = step_of(WEB, call("update_service", **NAMES, taskDefinition=NEW), action=Action.UPDATE)
    assert KIND.calls.accept(step, step.call, {"service": described()}) == {"deployment": ""}


def test_a_call_concerns_its_service() -> None:
    assert KIND.change.subject(call("update_service", **NAMES)) == "prod/web"
    assert KIND.change.subject(call("update_service", service=f"{ECS}service/prod/web")) == "default/web"


@pytest.mark.parametrize("answer", [{}, {"service": described("web", {"id": "x", "status": "ACTIVE"})}])
def test_an_answer_without_a_deployment(answer: Doc) -> None:
    """A new revision tells which one it is. Without one, nothing would tell it from the one from before."""
    moved = call("update_service", **NAMES, taskDefinition=NEW)
    step = step_of(WEB, moved, action=Action.UPDATE, expect={"previous": f"{NEW}1"})
    assert KIND.calls.accept(step, moved, answer) == {"deployment": ""}
    for same in (call("update_service", **NAMES), moved):
        step = step_of(WEB, same, action=Action.UPDATE, expect={"previous": NEW})
        with pytest.raises(
            RefusedError, match=r"^service\.prod/web: ecs:update_service was answered without a PRIMARY"
        ):
            KIND.calls.accept(step, same, answer)
