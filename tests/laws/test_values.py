"""JSON both ways, and secrets that nobody sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ecsplan.apply.notify import message
from ecsplan.core.codec import digest_of, from_data, to_data, to_json
from ecsplan.core.model import Address, Call, Doc, FieldChange, Identity, JsonText, Plan, Ref
from ecsplan.kinds import kind_of
from ecsplan.plan.compile import compile_spec
from ecsplan.plan.diff import diff
from ecsplan.plan.read import fingerprints
from ecsplan.plan.steps import plan_of
from ecsplan.redact import Redactor, mask_doc, mask_plan
from ecsplan.render.json import plan_json
from ecsplan.render.text import plan_text
from tests.laws.documents import modest
from tests.support.specs import container, definition, spec, task
from tests.unit.fakes_kinds import candidate, live_of, revision, spec_of

REFS = st.builds(
    Ref,
    address=st.builds(Address.of, st.sampled_from(["task_definition", "service"]), st.text(min_size=1, max_size=3)),
    output=st.text(max_size=3),
)
TEXTS_WITH_REFS = st.builds(JsonText, head=st.text(max_size=3), ref=REFS, tail=st.text(max_size=3))
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.text(max_size=3) | st.just("$ref")
JSON = st.recursive(
    LEAVES | st.text(max_size=5) | REFS | TEXTS_WITH_REFS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("$ref"), inner, max_size=3)
    ),
)
DOCS = st.dictionaries(st.text(max_size=5), JSON, max_size=4)


@modest
@given(DOCS)
def test_a_call_survives_json_with_its_references(doc: Doc) -> None:
    call = Call(service="ecs", operation="run_task", params=doc)
    assert from_data(msgspec.json.decode(to_json(call)), Call) == call
    assert from_data(to_data(call), Call) == call
    assert digest_of(call) == digest_of(from_data(msgspec.json.decode(to_json(call)), Call))


@modest
@given(JSON, JSON)
def test_a_difference_survives_json(before: Any, after: Any) -> None:
    change = FieldChange(path="a.b", before=before, after=after)
    assert from_data(msgspec.json.decode(to_json(change)), FieldChange) == change


# --- secrets ---

SECRETS = st.text("abcdefghij", min_size=12, max_size=16).map(lambda text: f"s3cr3t-{text}")
SECRET_NAMES = st.sampled_from(["DB_PASSWORD", "github-token", "apiKey", "SENTRY_DSN", "my.secret"])
OPEN_NAMES = st.sampled_from(["DEBUG", "HOST", "PORT"])


def variables(value: st.SearchStrategy[str]) -> st.SearchStrategy[list[Doc]]:
    secret = st.builds(lambda name, text: {"name": name, "value": text}, SECRET_NAMES, value)
    url = value.map(lambda text: {"name": "DATABASE_URL", "value": f"postgres://ada:{text}@db/shop?x=1"})
    shown = st.builds(lambda name, text: {"name": name, "value": text}, OPEN_NAMES, st.sampled_from(["0", "1"]))
    return st.lists(secret | url | shown, max_size=5, unique_by=lambda one: one["name"])


CONTAINER = st.builds(
    lambda environment, options, labels, command: container(
        environment=environment,
        logConfiguration={"logDriver": "splunk", "options": options},
        dockerLabels=labels,
        command=command,
    ),
    variables(SECRETS),
    st.dictionaries(SECRET_NAMES, SECRETS, max_size=2),
    st.dictionaries(SECRET_NAMES, SECRETS, max_size=2),
    st.lists(SECRETS.map(lambda text: f"https://:{text}@host/"), max_size=1),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A plan full of secrets, of which every one begins with `s3cr3t-`."""
    before, after = draw(CONTAINER), draw(CONTAINER)
    overrides = {"containerOverrides": [{"name": "web", "environment": draw(variables(SECRETS)),
                                         "command": draw(CONTAINER)["command"]}]}  # fmt: skip
    entries = [{"name": "migrate", "when": "always", "overrides": overrides}]
    data = spec(task("web", task_definition=definition("web", after), run_tasks=entries))
    resources = compile_spec(spec_of(data), "v42")
    arn = revision("web:41")
    lives = {
        one.address: {
            "task_definition": live_of(one.address, candidate(definition("web", before), arn=arn)),
            "service": live_of(
                one.address, candidate({"service": "web", "taskDefinition": arn}), facts={"status": "ACTIVE"}
            ),
        }.get(one.address.kind, live_of(one.address))
        for one in resources
    }
    identity = Identity(account="123456789012", region="eu-west-1")
    return plan_of(
        diff(resources, lives), app="shop", tag="v42", identity=identity, observed=fingerprints(resources, lives)
    )


@modest
@given(plans())
def test_no_secret_is_in_anything_that_is_shown_of_a_plan(plan: Plan) -> None:
    shown = mask_plan(plan)
    for text in (to_json(shown).decode(), plan_text(shown), plan_json(shown)):
        assert "s3cr3t-" not in text
    for step in plan.steps:
        assert "s3cr3t-" not in message(step, step.call, {"again": step.call.params})


@modest
@given(plans())
def test_masking_changes_values_and_no_structure(plan: Plan) -> None:
    shown = mask_plan(plan)
    for change, other in zip(plan.changes, shown.changes, strict=True):
        assert _bones([change.before, change.after]) == _bones([other.before, other.after])
        assert [field.path for field in change.fields] == [field.path for field in other.fields]
    for step, masked_step in zip(plan.steps, shown.steps, strict=True):
        assert masked_step.call == msgspec.structs.replace(step.call, params=masked_step.call.params)
        masked = mask_doc(step.address, step.call.params)
        assert _bones(masked) == _bones(step.call.params)
        assert mask_doc(step.address, masked) == masked


@modest
@given(plans())
def test_text_from_elsewhere_is_cleaned_of_every_secret(plan: Plan) -> None:
    redactor = Redactor()
    redactor.learn(plan)
    sent = to_json([step.call.params for step in plan.steps]).decode()
    assert "s3cr3t-" not in redactor.clean(sent)
    assert all(kind_of(step.address) for step in plan.steps)


def _bones(value: Any) -> Any:
    """Maps by their names, lists by their length."""
    if isinstance(value, Mapping):
        return {name: _bones(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_bones(item) for item in value]
    return value is None
