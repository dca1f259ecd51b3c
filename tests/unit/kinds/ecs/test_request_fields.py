"""Members of an answer that a request does not have."""

from __future__ import annotations

from ecsplan.core.model import Doc
from ecsplan.kinds.ecs.request_fields import request_fields_only, unknown_fields

REQUEST = ("ecs", "register_task_definition")


def container(**more: object) -> Doc:
    return {"name": "web", "dockerLabels": {"any.name": "x"}, "healthCheck": {"command": ["x"], **more}, **more}


def test_what_is_not_known_is_left_out_at_any_depth() -> None:
    answer = {"family": "web", "revision": 1, "containerDefinitions": [container(addedLater={"a": 1})]}
    assert request_fields_only(*REQUEST, answer) == {"family": "web", "containerDefinitions": [container()]}


def test_what_is_declared_stays() -> None:
    answer = {"family": "web", "revision": 1, "containerDefinitions": [container(addedLater={"a": 1})]}
    declared = {"containerDefinitions": [{"name": "web", "addedLater": 1}]}
    also = unknown_fields(*REQUEST, declared)
    assert also == {"containerDefinitions[].addedLater"}
    expected = container() | {"addedLater": {"a": 1}}
    assert request_fields_only(*REQUEST, answer, also) == {"family": "web", "containerDefinitions": [expected]}


def test_what_stands_at_the_top_may_be_left_alone() -> None:
    service = {"launchType": "EC2", "loadBalancers": [{"containerPort": 80, "addedLater": 1}]}
    assert request_fields_only("ecs", "update_service", service, top=False) == {
        "launchType": "EC2",
        "loadBalancers": [{"containerPort": 80}],
    }


def test_what_is_free_in_form_is_left_alone() -> None:
    hook = {"hookTargetArn": "a", "hookDetails": {"any": {"thing": 1}}}
    service = {"deploymentConfiguration": {"lifecycleHooks": [hook]}}
    assert request_fields_only("ecs", "update_service", service) == service
    assert unknown_fields("ecs", "update_service", service) == frozenset()
