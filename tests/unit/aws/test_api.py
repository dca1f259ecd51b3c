from __future__ import annotations

import copy
import datetime
import subprocess
import sys
from typing import Any

import botocore
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.session import Session
from botocore.validate import validate_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from ecsplan.aws import api
from ecsplan.aws.api import Field
from ecsplan.core.checks import Path, Problem, Request, dotted

DEFINITION = Request(service="ecs", operation="register_task_definition")
RUN = Request(service="ecs", operation="run_task")
UPDATE = Request(service="ecs", operation="update_service")
TARGETS = Request(service="events", operation="put_targets")


def definition(**container: Any) -> dict[str, Any]:
    return {"family": "web", "containerDefinitions": [{"name": "web", "image": "web:1"} | container]}


def said(request: Request, params: Any, path: Path = ()) -> list[str]:
    return [f"{dotted(problem.path)}: {problem.message}" for problem in api.check(request, params, path)]


# --- the models ------------------------------------------------------------------------------------------------------


def test_members_are_the_parameters_by_boto3s_name_of_the_operation() -> None:
    assert {"family", "containerDefinitions", "cpu", "tags"} <= api.members("ecs", "register_task_definition")
    assert api.members("events", "put_targets") == {"Rule", "EventBusName", "Targets"}


def test_a_model_is_read_once() -> None:
    assert api._operation("ecs", "run_task").service_model is api._operation("ecs", "list_tasks").service_model


def test_an_operation_that_botocore_does_not_know_is_named() -> None:
    with pytest.raises(LookupError, match=r"^the installed botocore knows no operation ecs\.register_task$"):
        api.members("ecs", "register_task")
    with pytest.raises(LookupError, match=r"knows no operation ecs\.RunTask$"):
        api.members("ecs", "RunTask")
    with pytest.raises(LookupError, match=r"^iam\.delete_account_password_policy takes no parameters$"):
        api.members("iam", "delete_account_password_policy")


def test_walk_lists_every_field_by_pattern() -> None:
    fields = list(api.walk("ecs", "register_task_definition"))
    assert fields[0] == Field("family", "string")
    assert Field("containerDefinitions", "list") in fields
    assert Field("containerDefinitions[]", "structure") in fields
    assert Field("containerDefinitions[].environment[].value", "string") in fields
    assert Field("containerDefinitions[].dockerLabels{}", "string") in fields
    assert len(fields) == len(set(fields))
    assert {field.pattern for field in fields if field.pattern.isalpha()} == api.members(
        "ecs", "register_task_definition"
    )


def test_walk_ends_in_a_shape_that_holds_itself() -> None:
    fields = {field.pattern for field in api.walk("ce", "get_cost_and_usage")}
    assert {"Filter.Or", "Filter.Or[]", "Filter.Not", "Filter.Dimensions.Key"} <= fields
    assert "Filter.Or[].Or" not in fields


def test_importing_loads_no_botocore_and_a_check_makes_no_session() -> None:
    program = """if True:
        import sys
        from ecsplan.aws import api
        assert not any(name.startswith(("botocore", "boto3")) for name in sys.modules), "import"
        api.check(api.Request(service="ecs", operation="run_task"), {"taskDefinition": "web"})
        assert not {"botocore.session", "botocore.client", "boto3"} & set(sys.modules), "check"
    """
    subprocess.run([sys.executable, "-c", program], check=True)


# --- botocore's files ---


@pytest.mark.parametrize("service", ["ecs", "events", "sns", "sts", "logs", "scheduler"])
@pytest.mark.parametrize("file", ["service-2", "endpoint-rule-set-1"])
def test_the_loader_reads_what_botocores_own_does_from_one_folder(
    service: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without looking through the folders of all services, whichever is asked for."""
    expected = Loader().load_service_model(service, file)
    monkeypatch.setattr(Loader, "list_available_services", not_called)
    assert api.loader().load_service_model(service, file) == expected


def not_called(*_: object) -> list[str]:
    raise AssertionError("the folders of all services were listed")


def test_the_loader_raises_botocores_own_errors() -> None:
    for service, file in (("nothing", "service-2"), ("ecs", "service-9")):
        with pytest.raises(UnknownServiceError) as expected:
            Loader().load_service_model(service, file)
        with pytest.raises(UnknownServiceError) as caught:
            api.loader().load_service_model(service, file)
        assert str(caught.value) == str(expected.value)


# --- checking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "params"),
    [
        (DEFINITION, definition()),
        (
            DEFINITION,
            definition(cpu=0, essential=True, environment=[{"name": "A", "value": ""}], dockerLabels={"a": "b"}),
        ),
        (DEFINITION, definition(logConfiguration={"logDriver": "a driver that AWS adds next year"})),
        (RUN, {"taskDefinition": "web", "count": 2**31 - 1}),
        (UPDATE, {"service": "web", "deploymentConfiguration": {"canaryConfiguration": {"canaryPercent": 10}}}),
        (UPDATE, {"service": "web", "deploymentConfiguration": {"canaryConfiguration": {"canaryPercent": 2.5}}}),
        (
            UPDATE,
            {
                "service": "web",
                "deploymentConfiguration": {"lifecycleHooks": [{"hookDetails": {"a": [1, {"b": 1.5}], "c": True}}]},
            },
        ),
        (TARGETS, {"Rule": "r", "Targets": [{"Id": "a", "Arn": "b"}]}),
    ],
)
def test_sound_requests(request_: Request, params: dict[str, Any]) -> None:
    assert said(request_, params) == []
    validate_parameters(params, api._input(request_.service, request_.operation))


CONTAINER = "containerDefinitions[0]"
WRONG: list[tuple[Request, Any, list[str]]] = [
    (DEFINITION, definition(imge="x"), [f'{CONTAINER}.imge: unknown key; did you mean "image"?']),
    (DEFINITION, definition(health_check={}), [f'{CONTAINER}.health_check: unknown key; did you mean "healthCheck"?']),
    (
        DEFINITION,
        definition(zzz=1),
        [
            f"{CONTAINER}.zzz: unknown key; boto3's ecs.register_task_definition has none of that name "
            f"(botocore {botocore.__version__})"
        ],
    ),
    (
        DEFINITION,
        definition(secrets=[{"zzz": "x", "name": "A", "valueFrom": "b"}]),
        [f"{CONTAINER}.secrets[0].zzz: unknown key; the keys here are name, valueFrom"],
    ),
    (DEFINITION, {}, ["containerDefinitions: required, but missing", "family: required, but missing"]),
    (DEFINITION, definition(secrets=[{"name": "A"}]), [f"{CONTAINER}.secrets[0].valueFrom: required, but missing"]),
    (DEFINITION, definition(cpu="1"), [f"{CONTAINER}.cpu: must be an integer, not a string"]),
    (DEFINITION, definition(cpu=1.0), [f"{CONTAINER}.cpu: must be an integer, not a float"]),
    (DEFINITION, definition(cpu=True), [f"{CONTAINER}.cpu: must be an integer, not a boolean"]),
    (DEFINITION, definition(cpu=2**31), [f"{CONTAINER}.cpu: must fit in 32 bits"]),
    (DEFINITION, definition(essential=1), [f"{CONTAINER}.essential: must be true or false, not an integer"]),
    (DEFINITION, definition(essential="true"), [f"{CONTAINER}.essential: must be true or false, not a string"]),
    (DEFINITION, definition(user=0), [f"{CONTAINER}.user: must be a string, not an integer"]),
    (DEFINITION, definition(command="a b"), [f"{CONTAINER}.command: must be a list, not a string"]),
    (DEFINITION, definition(command=["a", 1]), [f"{CONTAINER}.command[1]: must be a string, not an integer"]),
    (
        DEFINITION,
        definition(dockerLabels={"a.b": 1}),
        [f'{CONTAINER}.dockerLabels."a.b": must be a string, not an integer'],
    ),
    (DEFINITION, definition(dockerLabels=["a"]), [f"{CONTAINER}.dockerLabels: must be a table, not a list"]),
    (
        DEFINITION,
        definition(portMappings={"containerPort": 1}),
        [
            f"{CONTAINER}.portMappings: must be a list of tables, not a table; "
            "write [[containerDefinitions.portMappings]]"
        ],
    ),
    (DEFINITION, definition(portMappings=[8080]), [f"{CONTAINER}.portMappings[0]: must be a table, not an integer"]),
    (
        DEFINITION,
        definition(healthCheck=[{"command": ["a"]}]),
        [f"{CONTAINER}.healthCheck: must be a table, not a list; write [containerDefinitions.healthCheck]"],
    ),
    (
        DEFINITION,
        definition(hostname=datetime.date(2026, 1, 1)),
        [f"{CONTAINER}.hostname: must be a string, not a date or time; write it as a string"],
    ),
    (
        DEFINITION,
        definition(resourceRequirements=[{"type": "GPU", "sharingStrategy": {}}]),
        [f"{CONTAINER}.resourceRequirements[0].sharingStrategy: must have exactly one of nvidiaMps"],
    ),
    (DEFINITION, definition() | {"tags": [{"key": "", "value": ""}]}, ["tags[0].key: must have 1 or more characters"]),
    (DEFINITION, "web", [": must be a table, not a string"]),
    (
        RUN,
        {"taskDefinition": "web", "capacityProviderStrategy": [{"capacityProvider": "x", "weight": -1}]},
        ["capacityProviderStrategy[0].weight: must be at least 0"],
    ),
    (
        UPDATE,
        {"service": "web", "deploymentConfiguration": {"canaryConfiguration": {"canaryPercent": float("nan")}}},
        ["deploymentConfiguration.canaryConfiguration.canaryPercent: must be a finite number, not nan"],
    ),
    (
        UPDATE,
        {"service": "web", "deploymentConfiguration": {"canaryConfiguration": {"canaryPercent": "5"}}},
        ["deploymentConfiguration.canaryConfiguration.canaryPercent: must be a number, not a string"],
    ),
    (
        UPDATE,
        {
            "service": "web",
            "deploymentConfiguration": {
                "lifecycleHooks": [{"hookDetails": {"a": [datetime.time(1)], "b": 2**63, "c": float("inf")}}]
            },
        },
        [
            "deploymentConfiguration.lifecycleHooks[0].hookDetails.a[0]: "
            "must not be a date or time; write it as a string",
            "deploymentConfiguration.lifecycleHooks[0].hookDetails.b: must fit in 64 bits",
            "deploymentConfiguration.lifecycleHooks[0].hookDetails.c: must be a finite number, not inf",
        ],
    ),
    (TARGETS, {"Rule": "r", "Targets": []}, ["Targets: must have 1 or more entries"]),
]


@pytest.mark.parametrize(("request_", "params", "expected"), WRONG)
def test_every_departure_is_named_with_its_path(request_: Request, params: Any, expected: list[str]) -> None:
    before = copy.deepcopy(params)
    assert said(request_, params) == expected
    assert repr(params) == repr(before)


@pytest.mark.parametrize("strategy", [{"nvidiaMps": {"memory": 1}, "other": 1}, {"other": 1}])
def test_unknown_members_of_a_union_are_one_problem_each(strategy: dict[str, Any]) -> None:
    params = definition(resourceRequirements=[{"type": "GPU", "sharingStrategy": strategy}])
    assert said(DEFINITION, params) == [
        f"{CONTAINER}.resourceRequirements[0].sharingStrategy.other: unknown key; the keys here are nvidiaMps"
    ]


LEAVES = st.sampled_from([0, -1, 2.5, True, "", "x", datetime.date(2026, 1, 1)])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("name"), inner))
FULL = definition(
    cpu=1,
    essential=True,
    command=["a"],
    environment=[{"name": "A", "value": "b"}],
    dockerLabels={"a": "b"},
    secrets=[{"name": "A", "valueFrom": "b"}],
    healthCheck={"command": ["a"], "interval": 5},
    resourceRequirements=[{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1}}}],
) | {"tags": [{"key": "a", "value": ""}]}


def altered(data: st.DataObject, value: Any) -> Any:
    """A copy with one place in it replaced, left out, or added to."""
    do = data.draw(st.sampled_from(["deeper", "deeper", "deeper", "replace", "add", "drop"]))
    if not isinstance(value, dict | list) or not value or do == "replace":
        return data.draw(VALUES)
    key = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    result = copy.copy(value)
    if do == "deeper":
        result[key] = altered(data, value[key])
    elif do == "drop":
        del result[key]
    elif isinstance(result, dict):
        result[data.draw(st.sampled_from(["name", "family", "other"]))] = data.draw(VALUES)
    else:
        result.append(data.draw(VALUES))
    return result


@settings(deadline=None)
@given(st.data())
def test_what_botocore_would_refuse_is_never_missed(data: st.DataObject) -> None:
    params = altered(data, FULL)
    if said(DEFINITION, params):
        return
    validate_parameters(params, api._input("ecs", "register_task_definition"))


def test_a_document_nested_without_end_is_refused_and_does_not_overflow() -> None:
    deep: Any = 1
    for _ in range(2000):
        deep = [deep]
    params = {"service": "web", "deploymentConfiguration": {"lifecycleHooks": [{"hookDetails": {"a": deep}}]}}
    (problem,) = api.check(UPDATE, params)
    assert problem.message == "must not be nested more than 32 deep"


def test_paths_start_where_the_table_stands() -> None:
    assert api.check(RUN, {"taskDefinition": 1}, ("tasks", "web", "run_tasks", 0)) == [
        Problem(("tasks", "web", "run_tasks", 0, "taskDefinition"), "must be a string, not an integer")
    ]


# --- leeway ----------------------------------------------------------------------------------------------------------


def test_a_partial_request_demands_only_what_tells_things_apart() -> None:
    partial = Request(
        service="events",
        operation="put_targets",
        partial=True,
        merged=frozenset({"Targets"}),
        required=frozenset({"Rule", "Targets[].Id"}),
        filled=frozenset({"Rule", "Targets"}),
    )
    params = {"Targets": [{"Id": "a", "EcsParameters": {}}, {"Arn": "b"}]}
    assert said(partial, params) == ["Rule: required, but missing", "Targets[1].Id: required, but missing"]
    assert said(partial, {"Rule": "", "Targets": []}) == ["Rule: must not be empty", "Targets: must not be empty"]


def test_in_lists_that_are_replaced_whole_everything_is_demanded() -> None:
    partial = Request(service="ecs", operation="update_service", partial=True)
    params = {"capacityProviderStrategy": [{"weight": 1}], "deploymentConfiguration": {"alarms": {"enable": True}}}
    assert said(partial, params) == ["capacityProviderStrategy[0].capacityProvider: required, but missing"]
    targets = Request(service="events", operation="put_targets", partial=True, merged=frozenset({"Targets"}))
    inner = {"EcsParameters": {"CapacityProviderStrategy": [{"weight": 1}]}}
    assert said(targets, {"Targets": [inner]}) == [
        "Targets[0].EcsParameters.CapacityProviderStrategy[0].capacityProvider: required, but missing"
    ]


def test_required_adds_to_the_model_where_the_request_is_whole() -> None:
    strict = Request(
        service="ecs", operation="register_task_definition", required=frozenset({"containerDefinitions[].image"})
    )
    assert said(strict, {"containerDefinitions": [{}]}) == [
        "family: required, but missing",
        "containerDefinitions[0].image: required, but missing",
    ]


def test_lenient_places_take_more_types_and_no_others_do() -> None:
    lenient = Request(
        service="ecs",
        operation="register_task_definition",
        lenient={"cpu": (int,), "containerDefinitions[].environment[].value": (int, float, bool)},
    )
    values: list[Any] = [1, 1.5, True, "x", 2**63, float("nan"), ["x"]]
    params = definition(environment=[{"name": "A", "value": value} for value in values]) | {"cpu": 256, "memory": 512}
    assert said(lenient, params) == [
        f"{CONTAINER}.environment[4].value: must fit in 64 bits",
        f"{CONTAINER}.environment[5].value: must be a finite number, not nan",
        f"{CONTAINER}.environment[6].value: must be a string, not a list",
        "memory: must be a string, not an integer",
    ]
    assert said(lenient, definition() | {"cpu": True}) == ["cpu: must be a string, not a boolean"]


def test_supplied_members_are_not_missed_not_allowed_and_not_suggested() -> None:
    supplied = Request(service="ecs", operation="run_task", supplied={"taskDefinition": "leave it out"})
    assert said(supplied, {}) == []
    assert said(supplied, {"taskDefinition": 1}) == ["taskDefinition: leave it out"]
    (message,) = said(supplied, {"taskDefinitio": "x"})
    assert "did you mean" not in message


def test_own_names_are_suggested_at_the_top_only() -> None:
    own = Request(service="ecs", operation="register_task_definition", own=("timeout",))
    params = definition(timeuot=1) | {"timeuot": 1}
    inner, top = said(own, params)
    assert inner.startswith(f"{CONTAINER}.timeuot: unknown key; ")
    assert '"timeout"' not in inner
    assert top == 'timeuot: unknown key; did you mean "timeout"?'


def test_the_models_are_those_of_botocores_own_session() -> None:
    model = Session().get_service_model("ecs")
    input_shape = model.operation_model("RunTask").input_shape
    assert input_shape is not None
    assert frozenset(input_shape.members) == api.members("ecs", "run_task")
