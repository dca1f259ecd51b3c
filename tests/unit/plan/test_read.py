"""Reading: everything that can be asked at once is asked at once, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Barrier

import pytest

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Address, Call, Doc, Ref
from ecsplan.core.ports import Answer
from ecsplan.kinds.contract import Live, Resource
from ecsplan.plan.read import fingerprints, pair_refs, read
from tests.support.specs import shop
from tests.unit.fakes_kinds import (
    CLUSTER,
    ECS,
    FakeAsk,
    call,
    candidate,
    compiled,
    describe,
    live_of,
    resource,
    revision,
)

ARN = Ref(address=Address("task_definition.web"), output="arn")
SERVICES = call("describe_services", cluster="prod", services=["web", "admin"])
TARGETS = call("list_targets_by_rule", "events", Rule="nightly")


def definition(image: str) -> Doc:
    return {"family": "web", "containerDefinitions": [{"name": "web", "image": image}]}


def service(name: str, arn: str) -> Doc:
    deployment = {"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED", "taskDefinition": arn}
    return {
        "serviceArn": f"{ECS}service/prod/{name}", "serviceName": name, "status": "ACTIVE", "taskDefinition": arn,
        "deployments": [deployment],
    }  # fmt: skip


def targets(arn: str) -> list[Doc]:
    return [{"Id": one, "Arn": CLUSTER, "EcsParameters": {"TaskDefinitionArn": arn}} for one in ("report", "clean")]


def world(web: str = "web:42", admin: str = "web:42", on: str = "web:42") -> FakeAsk:
    ask = FakeAsk().family("web", definition("web:42"), (42, 41, 40))
    ask.on(SERVICES, {"services": [service("web", revision(web)), service("admin", revision(admin))]})
    return ask.on(TARGETS, {"Targets": targets(revision(on))})


SHOP: Sequence[Resource] = tuple(compiled(shop()).values())


def test_one_round_if_the_newest_is_in_use() -> None:
    ask = world()
    lives = read(ask, SHOP)
    assert list(lives) == [one.address for one in SHOP]
    assert sorted(len(asked) for asked in ask.rounds) == [1, 1, 2]
    assert len(ask.calls) == len({str(one.params) + str(one) for one in ask.calls})


def test_revisions_in_use_are_read_in_a_second_round() -> None:
    ask = world(web="web:41", admin="web:40", on="web:41")
    for number in (41, 40):
        arn = revision(f"web:{number}")
        ask.on(describe(arn), {"taskDefinition": definition(f"web:{number}") | {"taskDefinitionArn": arn}})
    lives = read(ask, SHOP)
    assert ask.rounds[-1] == (describe(revision("web:41")), describe(revision("web:40")))
    assert len(ask.rounds) == 4
    found = lives[Address("task_definition.web")].candidates
    assert [one.outputs["arn"] for one in found] == [revision(f"web:{number}") for number in (41, 40, 42)]


@pytest.mark.parametrize("other", ["web", "log:1", "not an arn"])
def test_a_reference_may_pair_with_another_value(other: str) -> None:
    ask = world(on=other)
    assert len(read(ask, SHOP)) == len(SHOP)
    assert len(ask.rounds) == 3


class Together:
    """An answer only comes once all kinds that read have asked."""

    def __init__(self, ask: FakeAsk, kinds: int) -> None:
        self._ask = ask
        self._barrier = Barrier(kinds)

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        self._barrier.wait(timeout=5)
        return self._ask.fetch(calls)


def test_kinds_ask_at_the_same_time() -> None:
    assert len(read(Together(world(), 3), SHOP)) == len(SHOP)


def test_a_refusal_of_one_kind_ends_the_reading() -> None:
    ask = FakeAsk().family("web", None, ())
    ask.on(SERVICES, {"services": []}).refuse(TARGETS, "AccessDeniedException", "not you")
    with pytest.raises(AwsError, match=r"^not you$"):
        read(ask, SHOP)


def test_nothing_is_asked_for_nothing() -> None:
    ask = FakeAsk()
    assert read(ask, []) == {}
    assert ask.rounds == []


def test_a_digest_per_address_that_was_read() -> None:
    lives = read(world(), SHOP)
    digests = fingerprints(SHOP, lives)
    assert list(digests) == [one.address for one in SHOP if one.address.kind != "run_task"]
    assert fingerprints(SHOP, read(world(), SHOP)) == digests
    moved = fingerprints(SHOP, lives | {Address("service.prod/web"): live_of("service.prod/web", observed="missing")})
    assert {address for address in digests if digests[address] != moved[address]} == {"service.prod/web"}


def test_a_resource_that_is_not_there_holds_no_revision() -> None:
    ask = FakeAsk().family("web", definition("web:1"), (1,))
    ask.on(call("describe_services", services=["web"]), {"services": []})
    found = read(ask, [
        resource("task_definition.web", definition("web:1")),
        resource("service.default/web", {"service": "web", "taskDefinition": ARN}),
    ])  # fmt: skip
    assert found[Address("service.default/web")].candidates == ()
    assert found[Address("task_definition.web")] == Live(
        address=Address("task_definition.web"),
        candidates=(candidate(definition("web:1"), arn=revision("web:1")),),
        observed={"active": ["web:1"], "known": {"web:1": True}},
        facts={"family": "web", "active": [revision("web:1")], "pinned": ""},
    )


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (ARN, "x", [(ARN, "x")]),
        ({"a": {"b": ARN}, "c": 1}, {"a": {"b": "x"}}, [(ARN, "x")]),
        ({"a": {"b": ARN}}, {"a": "text"}, [(ARN, None)]),
        ({"a": ARN}, {}, [(ARN, None)]),
        ({"a": ["x"]}, {"a": ["x"]}, []),
    ],
)
def test_what_stands_in_a_references_place(wanted: object, found: object, expected: list[tuple[Ref, object]]) -> None:
    assert list(pair_refs(wanted, found)) == expected
