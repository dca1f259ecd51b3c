"""AWS as a dict of answers, and short forms for the values that kinds take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Address, Call, Doc, FieldChange, Phase, Step
from ecsplan.core.normalize import Normalized, by_identity, normal
from ecsplan.core.ports import Answer
from ecsplan.core.spec import Spec
from ecsplan.kinds import kind_of, kinds
from ecsplan.kinds.contract import Candidate, Compare, Delta, Kind, Live, Resource, Revert, Track
from ecsplan.plan.compile import compile_spec
from ecsplan.spec.load import loads
from tests.support import toml

ACCOUNT, REGION = "123456789012", "eu-west-1"
ECS = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"
CLUSTER = f"{ECS}cluster/prod"


def revision(name: str) -> str:
    """`web:41` as an ARN."""
    return f"{ECS}task-definition/{name}"


def call(operation: str, service: str = "ecs", /, **params: Any) -> Call:
    return Call(service=service, operation=operation, params=params)


class FakeAsk:
    """Knows the answers to some calls, and fails for any other. `rounds` are the calls that were asked together."""

    def __init__(self) -> None:
        self._answers: list[tuple[Call, Doc | AwsError]] = []
        self.rounds: list[tuple[Call, ...]] = []

    def on(self, asked: Call, answer: Doc | AwsError) -> FakeAsk:
        self._answers.append((asked, answer))
        return self

    def refuse(self, asked: Call, code: str, message: str = "no") -> FakeAsk:
        return self.on(asked, AwsError(message, code=code))

    def family(self, name: str, newest: Doc | None, active: Sequence[int]) -> FakeAsk:
        """A family by the document of its newest revision and the numbers of the ACTIVE ones, newest first."""
        arns = [revision(f"{name}:{number}") for number in active]
        if newest is None:
            self.refuse(describe(name), "ClientException", "Unable to describe task definition.")
        else:
            self.on(describe(name), {"taskDefinition": {"taskDefinitionArn": arns[0], "status": "ACTIVE"} | newest})
        return self.on(listed(name), {"taskDefinitionArns": arns})

    @property
    def calls(self) -> list[Call]:
        return [one for asked in self.rounds for one in asked]

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        self.rounds.append(tuple(calls))
        return tuple(self._answer(one) for one in calls)

    def _answer(self, asked: Call) -> Answer:
        for known, answer in self._answers:
            if known == asked:
                if isinstance(answer, AwsError):
                    return Answer(call=asked, error=answer)
                return Answer(call=asked, data=answer)
        raise AssertionError(f"there is no answer to {asked} {asked.params}")


def describe(name: str) -> Call:
    return call("describe_task_definition", taskDefinition=name, include=["TAGS"])


def listed(family: str) -> Call:
    return call("list_task_definitions", familyPrefix=family, status="ACTIVE", sort="DESC")


# --- values ---


def spec_of(data: Doc) -> Spec:
    return loads(toml.dumps(data), "ecsplan.toml")


def compiled(data: Doc, tag: str = "v42", *, redeploy: bool = False) -> dict[Address, Resource]:
    """The resources of a spec, by address."""
    return {one.address: one for one in compile_spec(spec_of(data), tag, redeploy=redeploy)}


def resource(address: str, doc: Doc, *, kind: Kind | None = None, **more: Any) -> Resource:
    kind = kind if kind is not None else kind_of(Address(address))
    return Resource(kind=kind, address=Address(address), task=more.pop("task", "web"), doc=doc, **more)


def candidate(doc: Doc, *, reusable: bool = True, **outputs: str) -> Candidate:
    return Candidate(doc=doc, outputs=outputs, reusable=reusable)


def live_of(address: str, *candidates: Candidate, **more: Any) -> Live:
    return Live(address=Address(address), candidates=candidates, **more)


def step_of(address: str, asked: Call, undo: Call | None = None, **more: Any) -> Step:
    kind = Address(address).kind
    phases = {"task_definition": Phase.REGISTER, "run_task": Phase.RUN, "service": Phase.UPDATE}
    return Step(
        index=1,
        phase=phases.get(kind, Phase.TARGETS),
        kind=kind,
        address=Address(address),
        action=more.pop("action"),
        call=asked,
        undo=undo or asked,
        **more,
    )


def kind(name: str) -> Kind:
    return next(one for one in kinds() if one.name == name)


def delta_of(declared: Resource, live: Live) -> Delta:
    """The delta of one resource that refers to nothing."""
    from ecsplan.plan.diff import diff

    (delta,) = diff([declared], {declared.address: live})
    return delta


# --- comparing, as diff does ---


def before(of: Kind, live: Doc, wanted: Doc, declared: Doc) -> Doc:
    """What going from one document to the other replaces."""
    return compare(of).before(Normalized(live, of.document.rules), Normalized(wanted, of.document.rules), declared)


def same(of: Kind, live: Doc, declared: Doc) -> bool:
    """Would a plan leave it alone?"""
    return normal(compare(of).merge(live, declared), of.document.rules) == normal(live, of.document.rules)


def differences(of: Kind, live: Doc, declared: Doc) -> list[FieldChange]:
    """What a plan would show."""
    from ecsplan.plan.diff import field_changes

    wanted = normal(compare(of).merge(live, declared), of.document.rules)
    return list(
        field_changes(
            by_identity(normal(live, of.document.rules), of.document.rules), by_identity(wanted, of.document.rules)
        )
    )


def paths(of: Kind, live: Doc, declared: Doc) -> list[str]:
    return [change.path for change in differences(of, live, declared)]


# --- facets that not every kind has ---


def compare(of: Kind) -> Compare:
    assert of.compare is not None
    return of.compare


def track(of: Kind) -> Track:
    assert of.track is not None
    return of.track


def revert(of: Kind) -> Revert:
    assert of.revert is not None
    return of.revert


def identity_of(of: Kind) -> Callable[[Doc], Doc]:
    found = compare(of).identity
    assert found is not None
    return found


def revision_only(of: Kind) -> Callable[[Doc, frozenset[Address]], Doc]:
    found = compare(of).revision_only
    assert found is not None
    return found
