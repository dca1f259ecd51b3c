"""Whether an answer fits the operation's output in the installed botocore's model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,), "integer": (int,), "long": (int,), "float": (int, float), "double": (int, float),
    "boolean": (bool,), "timestamp": (int, float), "structure": (dict,), "list": (list,), "map": (dict,),
}  # fmt: skip
#: The documentation of lifecycleStage names it, the model's enum lacks it.
_UNLISTED: Final = ("PRE_PRODUCTION_TRAFFIC_SHIFT",)
_MODELS: Final[dict[str, ServiceModel]] = {}


def misfits(operation: str, answer: Any, service: str = "ecs") -> list[str]:
    """What an SDK would not understand, each with its path; members that the model does not know among it."""
    if service not in _MODELS:
        _MODELS[service] = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    shape = _MODELS[service].operation_model(operation).output_shape
    assert isinstance(shape, StructureShape)
    return list(_misfits(shape, answer, operation))


def _misfits(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if not _is(shape, value):
        yield f"{path}: {value!r} is no {shape.type_name}"
    elif isinstance(shape, StructureShape):
        for name, member in value.items():
            if name in shape.members:
                yield from _misfits(shape.members[name], member, f"{path}.{name}")
            else:
                yield f"{path}.{name} is unknown"
        yield from (f"{path}.{name} is missing" for name in shape.required_members if name not in value)
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value):
            yield from _misfits(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _misfits(shape.value, item, f"{path}.{key}")
    elif isinstance(shape, StringShape) and shape.enum and value not in (*shape.enum, *_UNLISTED):
        yield f"{path}: {value!r} is none of {', '.join(shape.enum)}"


def _is(shape: Shape, value: object) -> bool:
    allowed = _TYPES[shape.type_name]
    return isinstance(value, allowed) and (not isinstance(value, bool) or bool in allowed)
