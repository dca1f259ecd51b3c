"""The core values: addresses, phases, words for people."""

from __future__ import annotations

import pytest

from ecsplan.core.codec import from_data, to_data
from ecsplan.core.model import (
    Action,
    Address,
    Call,
    Identity,
    Phase,
    Plan,
    Scope,
)
from tests.unit.builders import plan


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("service.prod/web", "service", "prod/web"),
        ("event_targets.bus/my.rule@web", "event_targets", "bus/my.rule@web"),
        ("a.b.c", "a", "b.c"),
    ],
)
def test_an_address_is_its_kind_and_its_name(text: str, kind: str, name: str) -> None:
    address = Address(text)
    assert (address, address.kind, address.name) == (text, kind, name)
    assert Address.of(kind, name) == address
    assert isinstance(Address.of(kind, name), Address)


@pytest.mark.parametrize("text", ["", "service", "service.", ".web", "."])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not an address: "):
        Address(text)


def test_phases_and_actions_have_an_order_and_a_sign() -> None:
    assert [phase.value for phase in sorted(Phase, key=lambda phase: phase.rank)] == [
        "stop",
        "register",
        "run",
        "update",
        "targets",
        "deregister",
    ]
    assert {action.value: action.sign for action in Action} == {
        "keep": "=",
        "create": "+",
        "update": "~",
        "delete": "-",
        "run": ">",
        "wait": "~",
    }


def test_words_for_people() -> None:
    assert str(Identity(account="123456789012", region="eu-west-1")) == "123456789012-eu-west-1"
    assert str(Call(service="ecs", operation="register_task_definition", params={})) == "ecs:register_task_definition"


def test_values_are_frozen() -> None:
    identity = Identity(account="123456789012", region="eu-west-1")
    with pytest.raises(AttributeError):
        identity.region = "us-east-1"  # type: ignore[misc]


def test_a_plan_of_an_older_ecsplan_has_no_scope_and_is_written_without_one() -> None:
    older = plan()
    assert (older.env, older.spec) == ("", "")
    assert "scope" not in to_data(older)
    scoped = plan(scope=Scope(env="prod", spec="shop.toml", clusters=("a", "b")))
    assert (scoped.env, scoped.spec) == ("prod", "shop.toml")
    assert from_data(to_data(scoped), Plan) == scoped
