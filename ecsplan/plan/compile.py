"""Compiles spec and tag into desired resources: pure and offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ecsplan.core.checks import dotted, quoted
from ecsplan.core.documents import mapped
from ecsplan.core.errors import UsageError
from ecsplan.core.model import UNKNOWN, Address, Doc, Notify, Ref
from ecsplan.core.spec import DEFINITION, Spec, Task
from ecsplan.kinds import kinds
from ecsplan.kinds.contract import CompileScope, Kind, Resource
from ecsplan.redact import says_secret

PLACEHOLDER = "{image_tag}"
# What may follow the colon of an image, or its @ (tags and digests of the OCI distribution specification).
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64}")
SHORTEST = 8  # characters of a value that may be a secret
NO_SECRET = re.compile("arn:.*|[./~].*|[0-9. ]+|[A-Za-z]+", re.DOTALL)


def check_tag(tag: str) -> str:
    """The tag itself. Raises UsageError if no image can have it."""
    if not tag:
        raise UsageError("the tag is empty", hint="Name the image tag to deploy: ecsplan plan TAG")
    if not TAG.fullmatch(tag):
        hint = "A tag is 1 to 128 letters, digits and _ . -, or a digest, sha256:…"
        raise UsageError(f"{tag!r} cannot be an image's tag", hint=hint)
    return tag


def compile_spec(spec: Spec, tag: str, *, redeploy: bool = False, now: float = 0.0) -> tuple[Resource, ...]:
    """Every declared resource, sorted by kind (what is referred to comes first), then in the order of the file. If two
    tasks declare parts of one resource, these are combined in the place of the first. `now` is as in `CompileScope`."""
    joined: dict[Address, Resource] = {}
    for resource in _parts(spec, _scope(tag, redeploy, now)):
        first, combine = joined.get(resource.address), resource.kind.declare.combine
        if first is not None and combine is not None:
            resource = msgspec.structs.replace(first, doc=combine(first.doc, resource.doc))  # noqa: PLW2901
        joined[resource.address] = resource
    return tuple(joined.values())


def _scope(tag: str, redeploy: bool, now: float) -> CompileScope:
    return CompileScope(tag=check_tag(tag), redeploy=redeploy, now=now)


def _parts(spec: Spec, scope: CompileScope) -> tuple[Resource, ...]:
    return tuple(resource for kind in kinds() for task in spec.tasks for resource in kind.declare.compile(task, scope))


def warnings_of(spec: Spec, tag: str, *, now: float = 0.0) -> tuple[str, ...]:
    """Warnings about what AWS would accept, to be shown before anything is sent. They quote no value of a variable."""
    scope = _scope(tag, False, now)
    cautions = (
        problem
        for task in spec.tasks
        for kind in kinds()
        for problem in kind.declare.cautions(_tables(task), ("tasks", task.name), scope)
    )
    return (
        *tag_warnings(spec, tag),
        *(f"{dotted(path)}: {message}" for path, message in cautions),
        *(warning for task in spec.tasks for warning in _written_secrets(task)),
    )


def _tables(task: Task) -> Doc:
    return {kind.declare.table.key: _by_table(kind, [e.params for e in task.entries[kind.name]]) for kind in kinds()}


def _by_table(kind: Kind, docs: list[Doc]) -> Any:
    """As they stand in the spec: a list of tables, or the one that there is."""
    return docs[0] if kind.declare.table.single else docs


def _written_secrets(task: Task) -> Iterator[str]:
    """A warning for each container with variables that look like secrets, by their name and their value."""
    for number, container in enumerate(task.task_definition["containerDefinitions"]):
        found = [
            quoted(variable["name"])
            for variable in container.get("environment", ())
            if says_secret(variable.get("name", "")) and _may_be_secret(variable.get("value"))
        ]
        if found:
            place = f"{task.path}.{DEFINITION}.containerDefinitions[{number}]"
            advice = "can be read by anyone who may describe the task definition; declare it in secrets instead"
            yield f"{place}.environment: {', '.join(found)} {advice}"


def _may_be_secret(value: Any) -> bool:
    """Not every variable named as a secret is one (TOKEN_SECONDS, SECRET_ARN, KEY_FILE): numbers, words, ARNs and paths
    are not."""
    return isinstance(value, str) and len(value) >= SHORTEST and not NO_SECRET.fullmatch(value)


def tag_warnings(spec: Spec, tag: str) -> tuple[str, ...]:
    """Warnings about the images, to be shown before anything is sent."""
    images = list(_images(spec))
    warnings = [
        f"{where}: the image {image!r} still has braces in it; only {PLACEHOLDER} is replaced"
        for where, image in images
        if re.search(r"[{}]", image.replace(PLACEHOLDER, ""))
    ]
    warnings += [
        f"{where}: the image {image!r} with {tag} is no name of an image: a digest stands behind @, not behind a colon"
        for where, image in images
        if tag.startswith("sha256:") and f":{PLACEHOLDER}" in image
    ]
    if not any(PLACEHOLDER in image for _, image in images):
        warnings.append(
            f"no image of {spec.file} contains {PLACEHOLDER}, so the tag {tag!r} makes no difference to what runs"
        )
    return tuple(warnings)


def _images(spec: Spec) -> Iterator[tuple[str, str]]:
    for task in spec.tasks:
        for container in task.task_definition["containerDefinitions"]:
            yield f"{task.path}, container {container.get('name', '?')}", str(container.get("image", ""))


def notifications(spec: Spec) -> dict[str, Notify]:
    """Where the calls of each task are published, for tasks with a topic."""
    return {task.name: task.notify for task in spec.tasks if task.notify is not None}


def requests(spec: Spec, tag: str, *, now: float = 0.0) -> dict[str, Doc]:
    """The compiled requests of each task, named as in the spec. References are `(known after apply)`."""
    by_task: dict[str, list[Resource]] = {}
    for resource in _parts(spec, _scope(tag, False, now)):
        by_task.setdefault(resource.task, []).append(resource)
    return {task.name: _task_requests(by_task[task.name]) for task in spec.tasks}


def _task_requests(resources: list[Resource]) -> Doc:
    def docs(kind: Kind) -> list[Doc]:
        return [_shown(resource.doc) for resource in resources if resource.kind is kind]

    return {kind.declare.table.key: _by_table(kind, docs(kind)) for kind in kinds()}


def _shown(doc: Doc) -> Any:
    return mapped(doc, lambda leaf: UNKNOWN if isinstance(leaf, Ref) else leaf)
