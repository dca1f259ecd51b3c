"""Kinds whose resources are read by name as one document, and put as one: `put_kind` makes all their facets.

The declared document is laid over the live one, and the result is put with one call, which replaces the whole. The undo
puts the live document. A missing resource is not created: the plan is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ecsplan.core.checks import Path, Problem, Problems, dotted, quoted, repeats, tables_of
from ecsplan.core.documents import layered, mapped, overlay, refs_in, replaced, without_none
from ecsplan.core.errors import AwsError
from ecsplan.core.model import Action, Address, Call, Doc, Phase, Ref, Step, Value
from ecsplan.core.normalize import Normalized, Rule, normal
from ecsplan.core.ports import Answer, Reader
from ecsplan.core.rates import Rate
from ecsplan.core.spec import Task
from ecsplan.kinds.contract import (
    Calls,
    Candidate,
    Change,
    Compare,
    CompileScope,
    Declare,
    Delta,
    Document,
    Kind,
    Live,
    Resource,
    StepDraft,
    Table,
    nothing,
)
from ecsplan.kinds.ecs.request_fields import (
    map_fields,
    missing,
    request_fields_only,
    unknown_fields,
    without_empty,
)
from ecsplan.kinds.form import AS_SENT, Form, as_answered, as_text, at_place, with_revision
from ecsplan.kinds.task_definition import arn_of


def put_kind(
    *,
    name: str,
    order: int,
    phase: Phase,
    table: Table,
    identity: tuple[str, ...],
    get: str,
    not_found: Collection[str],
    revision: str,
    rules: tuple[Rule, ...],
    rates: tuple[Rate, ...] = (),
    retryable: Callable[[AwsError], bool] = lambda _error: False,
    lint: Callable[[Any, Path], Problems] = nothing,
    cautions: Callable[[Any, Path, CompileScope], Problems] = nothing,
    acceptable: Callable[[Doc, CompileScope], Doc] = lambda table, _scope: table,
    form: Form = AS_SENT,
    excluding: Callable[[Doc, Doc], Doc] = lambda declared, _live: declared,
    unfit: Callable[[Doc, Doc], str] = lambda _merged, _live: "",
    note: Callable[[Doc], str] = lambda _put: "",
    instead: Callable[[Step, Call, AwsError], tuple[Call, str] | None] = lambda *_: None,
) -> Kind:
    """A kind of the document that its table's request puts.

    `identity` lists the members that name a resource; a `Default` row fills in one that is not declared. `get` is the
    operation that reads a resource by these, `not_found` the error codes for a missing one. `revision` is the place of
    the task definition's ARN (`Target.EcsParameters.TaskDefinitionArn`), which is set unless one is declared.
    `retryable` names refusals that may pass, such as a change of the same resource that is under way, and `instead`
    those after which another call does what AWS accepts of it.

    `acceptable` takes out of a table of the spec what AWS no longer accepts, of which `cautions` warn. `form` brings
    requests into the form of documents and back, where a plain comparison needs another one. `excluding`
    adds None to a declared document for every member of the live one that goes without what is declared. `unfit` says
    why a document cannot be put over a live one, such as one that holds no revision ("" if it can), `note` what people
    should know before the document is put.
    """
    put = _Put(
        name=name,
        phase=phase,
        table=table,
        identity=identity,
        get=get,
        not_found=not_found,
        rules=rules,
        form=form,
        excluding=excluding,
        unfit=unfit,
        note=note,
    )

    def compile_(task: Task, scope: CompileScope) -> tuple[Resource, ...]:
        resources = []
        for entry in task.entries[name]:
            sent = mapped(acceptable(entry.params, scope), as_text)
            doc = with_revision(form.document(sent, ""), revision, arn_of(task))
            address = put.address(doc)
            resources.append(Resource(kind=kind, address=address, task=task.name, doc=doc, settings=entry.settings))
        return tuple(resources)

    def before(found: Normalized, wanted: Normalized, declared: Doc) -> Doc:
        laid = put.laid(found.doc, declared)
        values = replaced(found.normal, wanted.normal, laid, found.doc, put.maps)
        return {**put.names(declared), **as_answered(values, found.doc)}

    def revision_only(doc: Doc, addresses: frozenset[Address]) -> Doc:
        ref = at_place(doc, revision)
        switched = isinstance(ref, Ref) and ref.address in addresses
        return with_revision(put.names(doc), revision, ref) if switched else put.names(doc)

    kind = Kind(
        name=name,
        order=order,
        document=Document(rules=rules, required=table.request.required),
        declare=Declare(table=table, compile=compile_, lint=lint, cautions=cautions, clashes=put.clashes),
        compare=Compare(
            read=put.read,
            reads=frozenset({f"{table.request.service}:{get}"}),
            merge=put.merge,
            before=before,
            merge_before=lambda newer, older: layered(newer, form.complete(older, newer), put.maps),
            identity=put.names,
            revision_only=revision_only,
        ),
        change=Change(
            writes=frozenset({f"{table.request.service}:{table.request.operation}"}),
            steps=put.steps,
            blockers=put.blockers,
            conflicts=put.conflicts,
            subject=put.subject,
        ),
        calls=Calls(accept=lambda *_: {}, recover=put.recover, retryable=retryable, instead=instead),
        rates=rates,
    )
    return kind


class _Put(Value, frozen=True, kw_only=True):
    """What the facets share."""

    name: str
    phase: Phase
    table: Table
    identity: tuple[str, ...]
    get: str
    not_found: Collection[str]
    rules: tuple[Rule, ...]
    form: Form
    excluding: Callable[[Doc, Doc], Doc]
    unfit: Callable[[Doc, Doc], str]
    note: Callable[[Doc], str]

    @property
    def maps(self) -> frozenset[str]:
        return map_fields(self.table.request.service, self.table.request.operation)

    def names(self, doc: Mapping[str, Any]) -> Doc:
        return {field: doc[field] for field in self.identity if field in doc}

    def address(self, doc: Mapping[str, Any]) -> Address:
        named = normal(self.names(doc), self.rules)
        return Address.of(self.name, "/".join(str(named[field]) for field in self.identity if field in named))

    def subject(self, call: Call) -> str:
        if any(refs_in(self.names(call.params))):
            raise TypeError("its name is not known yet")
        return self.address(call.params).name

    def call(self, doc: Doc) -> Call:
        params = without_none(self.form.request(doc))
        return Call(service=self.table.request.service, operation=self.table.request.operation, params=params)

    def reading(self, doc: Doc) -> Call:
        return Call(service=self.table.request.service, operation=self.get, params=self.names(doc))

    # --- the spec ---

    def clashes(self, tasks: Doc, _cluster: Any) -> Problems:
        last = self.identity[-1]
        named = (
            (str(self.address(entry)), (*path, last))
            for path, entry in tables_of(tasks, self.table.key)
            if all(isinstance(value, str) and value for value in self.names(entry).values()) and last in entry
        )
        for address, again, first in repeats(named):
            said = f"{quoted(address.partition('.')[2])} is declared by {dotted(first[:-1])} too; declare it once"
            yield Problem(again, said)

    # --- the live state ---

    def read(self, reader: Reader, resources: Sequence[Resource]) -> tuple[Live, ...]:
        answers = reader.fetch([self.reading(resource.doc) for resource in resources])
        return tuple(self.live(resource, answer) for resource, answer in zip(resources, answers, strict=True))

    def live(self, resource: Resource, answer: Answer) -> Live:
        doc = self.document(resource.doc, answer)
        if doc is None:
            return Live(address=resource.address, observed="missing")
        form = normal(doc, self.rules)
        found = Candidate(doc=doc, outputs={}, normal=form)
        return Live(address=resource.address, candidates=(found,), observed=form)

    def document(self, declared: Doc, answer: Answer) -> Doc | None:
        """The answer in the form of the request; None if there is no such resource."""
        if answer.error is not None and answer.error.code in self.not_found:
            return None
        request = (self.table.request.service, self.table.request.operation)
        known = request_fields_only(*request, answer.value(), unknown_fields(*request, declared))
        doc: Doc = mapped(without_empty(*request, known), as_text)
        return self.form.document(doc, str(answer.value().get("Arn", ""))) | self.names(declared)

    # --- changes ---

    def merge(self, live: Doc, declared: Doc) -> Doc:
        merged: Doc = overlay(live, self.laid(live, declared), self.maps)
        return merged

    def laid(self, live: Doc, declared: Doc) -> Doc:
        """The declared document as it is laid over the live one."""
        return self.excluding(self.form.complete(declared, live), live)

    def steps(self, delta: Delta) -> tuple[StepDraft, ...]:
        assert delta.candidate is not None
        return (
            StepDraft(
                phase=self.phase,
                action=Action.UPDATE,
                call=self.call(delta.merged_doc),
                undo=self.call(delta.candidate.doc),
                changes=delta.change.fields,
                note=self.note(delta.merged_doc),
                settings=delta.resource.settings,
            ),
        )

    def blockers(self, resource: Resource, live: Live) -> tuple[str, ...]:
        if not live.candidates:
            what = f"{self.name} {resource.address.name}"
            return (f"{resource.address}: there is no {what}; it is created elsewhere, ecsplan only changes it",)
        found = live.candidates[0].doc
        why = self.unfit(self.merge(found, resource.doc), found)
        return (f"{resource.address}: {why}",) if why else ()

    def conflicts(self, delta: Delta, _others: Mapping[Address, Delta]) -> tuple[str, ...]:
        return missing(self.table.request.service, self.table.request.operation, without_none(delta.merged_doc), delta)

    def recover(self, reader: Reader, step: Step, call: Call) -> dict[str, str] | None:
        """Is the resource as the call would leave it?"""
        (answer,) = reader.fetch([self.reading(call.params)])
        found = self.document(call.params, answer)
        if found is None:
            return None
        wanted = self.form.document(call.params, str(answer.value().get("Arn", "")))
        return {} if normal(found, self.rules) == normal(wanted, self.rules) else None
