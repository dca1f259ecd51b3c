"""Why a plan shows a difference, or none: the row that compared a field, and its reason."""

from __future__ import annotations

import json

import pytest

from ecsplan.core.model import Doc, FieldChange
from ecsplan.core.normalize import Canon, Default, Drop, Keep, Keyed, Rule, Secret, Unordered
from ecsplan.plan.explain import CHOSEN, NEW, NO_ROW, UNDECLARED, Explanation, Verdict, deciding, explain, why
from ecsplan.render.explain import NOTHING, explained_text
from tests.unit.fakes_kinds import candidate, delta_of, live_of, resource, revision

TEMPLATE: Doc = {"InputTemplate": '{"environment":[{"name":"DB_PASSWORD","value":"hunter26"}],"at":<time>}'}
INPUT = '{"password":"hunter25","command":["x","--password","hunter27"]}'
ON: Doc = {"TaskDefinitionArn": "web:41"}
TARGET: Doc = {"Id": "a", "Input": INPUT, "InputTransformer": TEMPLATE, "EcsParameters": ON}
SERVICE, TASK, RULE = "service.prod/web", "task_definition.web", "event_targets.nightly"


def found(address: str, live: Doc | None, declared: Doc, **facts: object) -> dict[str, Explanation]:
    """The explanations of one address, by path."""
    candidates = () if live is None else (candidate(live, arn=revision("web:41")),)
    delta = delta_of(resource(address, declared), live_of(address, *candidates, facts={"status": "ACTIVE", **facts}))
    explanations = explain([delta])
    assert [one.address for one in explanations] == [address] * len(explanations)
    return {one.field.path: one for one in explanations}


def definition(**container: object) -> Doc:
    return {"family": "web", "containerDefinitions": [{"name": "web", "image": "web:1", **container}]}


def service(**fields: object) -> Doc:
    return {"cluster": "prod", "service": "web", **fields}


# --- verdicts ---


def test_without_a_rule_values_are_compared_exactly() -> None:
    one = found(TASK, definition(), definition(image="web:2"))["containers.web.image"]
    assert (one.verdict, one.rule, one.reason) == (Verdict.DIFFERS, "", NO_ROW)
    assert one.field == FieldChange(path="containers.web.image", before="web:1", after="web:2")


def test_a_difference_names_the_row_that_compared_it() -> None:
    one = found(TASK, definition(essential=True), definition(essential=False))["containers.web.essential"]
    assert one.verdict is Verdict.DIFFERS
    assert one.rule == "containerDefinitions.*.essential"
    assert one.reason == "absent is true (the default)"


def test_one_variable_is_explained_by_the_row_of_its_list() -> None:
    live = definition(environment=[{"name": "MODE", "value": "slow"}])
    one = found(TASK, live, definition(environment=[{"name": "MODE", "value": "fast"}]))
    assert one["containers.web.environment.MODE"].rule == "containerDefinitions.*.environment"
    assert "matched by name, in any order" in one["containers.web.environment.MODE"].reason


def test_equal_values_are_shown_in_both_spellings() -> None:
    one = found(TASK, definition(cpu=0) | {"cpu": "1024"}, definition() | {"cpu": "1 vCPU"})
    assert one["cpu"].verdict is Verdict.EQUAL
    assert (one["cpu"].field.before, one["cpu"].field.after) == ("1024", "1 vCPU")
    assert one["containers.web.cpu"].field == FieldChange(path="containers.web.cpu", before=0, after=None)
    assert list(one) == ["containers.web.cpu", "cpu"]


def test_an_item_has_one_name_on_both_sides() -> None:
    live = definition(portMappings=[{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}])
    one = found(TASK, live, definition(portMappings=[{"containerPort": 80}]))
    assert list(one) == ["containers.web.portMappings.80/tcp.hostPort"]


def test_what_differs_is_not_equal_too() -> None:
    one = found(TASK, definition(), definition(portMappings=[{"containerPort": 80}]))
    assert {path: it.verdict for path, it in one.items()} == {
        "containers.web.portMappings.80/tcp.hostPort": Verdict.DIFFERS
    }


def test_undeclared_blocks_of_a_service_are_left_alone() -> None:
    live = service(
        desiredCount=3,
        deploymentConfiguration={"maximumPercent": 200, "minimumHealthyPercent": 100},
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["a"], "assignPublicIp": "ENABLED"}},
    )
    declared = service(networkConfiguration={"awsvpcConfiguration": {"subnets": ["a"]}})
    one = found(SERVICE, live, declared)
    assert {path: it.verdict for path, it in one.items()} == {
        "deploymentConfiguration": Verdict.LEFT,
        "desiredCount": Verdict.LEFT,
        "networkConfiguration.awsvpcConfiguration.assignPublicIp": Verdict.LEFT,
    }
    assert one["desiredCount"].reason == UNDECLARED
    assert one["deploymentConfiguration"].field.before == {"maximumPercent": 200, "minimumHealthyPercent": 100}


def test_of_a_revision_only_tags_are_left_alone() -> None:
    assert not found(TASK, definition(), definition())
    left = found(TASK, definition() | {"tags": [{"key": "team", "value": "a"}]}, definition())
    assert {path: one.verdict for path, one in left.items()} == {"tags": Verdict.LEFT}


def test_what_is_not_there_yet_is_compared_with_nothing() -> None:
    one = found(TASK, None, definition())
    assert one
    assert {it.reason for it in one.values()} == {NEW}
    assert {it.verdict for it in one.values()} == {Verdict.DIFFERS}


def test_values_that_aws_chooses_are_explained() -> None:
    live = service(schedulingStrategy="DAEMON", desiredCount=2, platformVersion="1.4.0")
    one = found(SERVICE, live, service(desiredCount=5, platformVersion="LATEST"))
    assert (one["platformVersion"].verdict, one["platformVersion"].rule) == (Verdict.EQUAL, "platformVersion")
    assert one["desiredCount"].field == FieldChange(path="desiredCount", before=2, after=5)
    assert one["desiredCount"].reason == CHOSEN


def test_the_order_of_explanations() -> None:
    live = service(desiredCount=3, platformVersion="1.4.0", propagateTags="NONE", enableExecuteCommand=True)
    declared = service(enableExecuteCommand=False, healthCheckGracePeriodSeconds=0, platformVersion="LATEST")
    assert [one.verdict.value for one in found(SERVICE, live, declared).values()] == [
        "differs", "equal", "equal", "left alone", "left alone",
    ]  # fmt: skip


# --- secrets ---


def test_secrets_are_masked_in_every_verdict() -> None:
    secret = {"name": "DB_PASSWORD", "value": "hunter22"}
    other = {"name": "DB_PASSWORD", "value": "hunter23"}
    options = {"namespace": "shop", "logConfiguration": {"options": {"splunk-token": "hunter24"}}}
    explained = [
        *found(TASK, definition(environment=[secret]), definition(environment=[other])).values(),
        *found(TASK, None, definition(environment=[secret])).values(),
        *found(SERVICE, service(serviceConnectConfiguration=options), service()).values(),
        *found(RULE, {"Targets": [TARGET]}, {"Targets": [{"Id": "a"}]}).values(),
    ]
    assert "hunter" not in repr(explained)
    assert "(sensitive" in repr(explained)
    assert "hunter" not in explained_text(explained)


def test_what_is_left_alone_and_no_secret_is_not_masked() -> None:
    one = found(SERVICE, service(desiredCount=3), service())["desiredCount"]
    assert (one.field.before, one.field.after) == (3, 3)


# --- rows ---

ROWS: tuple[Rule, ...] = (
    Drop(path="name", reason="a name"),
    Drop(path="gone", reason="never answered"),
    Drop(path="maybe", when=lambda value: value == "", reason="blank is nothing"),
    Default(path="count", value=[True, {"a": 1}], reason="filled in"),
    Canon(path="spelling", to=str, reason="two spellings"),
    Unordered(path="names", reason="a set"),
    Keyed(path="pairs", by=("name",), value="value", reason="by name"),
    Keyed(path="items", by=("id", "port"), reason="by id"),
    Default(path="items.*.size", value=1, reason="one"),
    Keep(path="block", reason="sent whole"),
    Secret(path="block", reason="tokens"),
)


@pytest.mark.parametrize(
    ("place", "rule", "says"),
    [
        ("name", "name", "not compared (a name)"),
        ("gone.deep.down", "gone", "not compared (never answered)"),
        ("maybe", "maybe", "not compared where it says nothing (blank is nothing)"),
        ("maybe.inside", "", NO_ROW),
        ("count", "count", "absent is true, a 1 (filled in)"),
        ("spelling", "spelling", "brought to one form (two spellings)"),
        ("names", "names", "in any order (a set)"),
        ("names.*", "names", "in any order (a set)"),
        ("pairs.*.value", "pairs", "matched by name, in any order (by name)"),
        ("items", "items", "matched by id and port, in any order (by id)"),
        ("items.*", "items", "matched by id and port, in any order (by id)"),
        ("items.*.size", "items.*.size", "absent is 1 (one)"),
        ("items.*.colour", "", NO_ROW),
        ("block", "", NO_ROW),
        ("elsewhere", "", NO_ROW),
    ],
)
def test_the_row_that_decides(place: str, rule: str, says: str) -> None:
    assert why(place, ROWS) == (rule, says)
    assert deciding(place, ROWS)[0] == rule


# --- as text ---


def test_text_says_nothing_where_there_is_nothing_to_say() -> None:
    assert explained_text([]).endswith(NOTHING)


def test_text_at_80_columns() -> None:
    live = service(desiredCount=3, **{f"field{number}": number for number in range(20)}, platformVersion="1.4.0")
    declared = service(enableExecuteCommand=True, platformVersion="LATEST", propagateTags="NONE")
    declared["placementConstraints"] = [{"type": "memberOf", "expression": "attribute:a =~ t3.*"}]
    live["placementConstraints"] = []
    text = explained_text(list(found(SERVICE, live, declared).values()))
    assert max(map(len, text.splitlines())) <= 80
    assert (
        "\n\nservice.prod/web\n    ~ enableExecuteCommand  false -> true\n        enableExecuteCommand: absent is false"
        in text
    )
    assert '    = platformVersion  live "1.4.0", declared "LATEST"\n' in text
    assert json.dumps(text)


def test_long_equal_values_have_their_own_lines() -> None:
    arn = "arn:aws:iam::123456789012:role/a-rather-long-path/with-more-of-it/web-execution"
    one = found(TASK, definition() | {"executionRoleArn": arn}, definition() | {"executionRoleArn": "web-execution"})
    assert f'    = executionRoleArn\n            live "{arn}"\n        declared "web-execution"' in explained_text(
        list(one.values())
    )
