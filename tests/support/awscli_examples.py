"""The ECS examples that ship inside the awscli package, read from where it is installed: a page per command, with what
it is sent and what ECS answered."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from botocore.session import Session

from tests.support.toml import Doc

REGISTER = "aws ecs register-task-definition"


@dataclass(frozen=True, kw_only=True)
class Example:
    """`name` is the page and a number on it; `doc` a request's parameters, or a resource as it was answered."""

    name: str
    doc: Doc


def folder() -> Path:
    """Where the pages are; raises if they are not, so that no test passes because there was nothing to read."""
    found = importlib.util.find_spec("awscli")
    for place in (found and found.submodule_search_locations) or ():
        path = Path(place) / "examples" / "ecs"
        if path.is_dir():
            return path
    raise FileNotFoundError("the examples of the awscli package are not installed; script/bootstrap does it")


def registrations() -> list[Example]:
    """The parameters of every register-task-definition that a page shows, however it shows them: a JSON file, or
    options. Raises ValueError for a form that is not known here, instead of leaving the example out."""
    return [one for page in _pages() for one in _numbered(page, _registrations(page))]


def task_definitions() -> list[Example]:
    """Every task definition that ECS answered."""
    return [one for page in _pages() for one in _numbered(page, _answers(page, "taskDefinition"))]


def services() -> list[Example]:
    """Every service that ECS answered."""
    return [one for page in _pages() for one in _numbered(page, _answers(page, "service"))]


def _pages() -> list[Path]:
    return sorted(folder().glob("*.rst"))


def _numbered(page: Path, docs: Iterator[Doc]) -> list[Example]:
    return [Example(name=f"{page.stem}-{number}", doc=doc) for number, doc in enumerate(docs, start=1)]


def _registrations(page: Path) -> Iterator[Doc]:
    blocks = _blocks(page)
    files = {name: text for intro, text in blocks for name in re.findall(r"``([^`]+\.json)``", intro)}
    for _, text in blocks:
        if text.startswith(REGISTER):
            yield _parameters(shlex.split(text.replace("\\\n", " "))[3:], files)


def _parameters(words: list[str], files: dict[str, str]) -> Doc:
    """Options as the AWS CLI reads them: a file with all parameters, and parameters one by one."""
    params: Doc = {}
    if len(words) % 2:
        raise ValueError(f"an option without a value in {words}")
    for option, value in zip(words[::2], words[1::2], strict=True):
        if option == "--cli-input-json":
            params |= _json(files[value.rpartition("/")[2]])
            continue
        member = re.sub(r"-(.)", lambda letter: letter[1].upper(), option.removeprefix("--"))
        kind = _register_shape().members[member].type_name
        if kind in ("list", "structure") and value[:1] not in "[{":
            raise ValueError(f"{option} is in the AWS CLI's shorthand, which is not read here: {value}")
        params[member] = _json(value) if kind in ("list", "structure") else value
    return params


def _answers(page: Path, member: str) -> Iterator[Doc]:
    for _, text in _blocks(page):
        if text.startswith("{") and re.search(rf'"{member}s?"\s*:', text):  # a few other pages hold no valid JSON
            doc = _json(text)
            yield from [doc[member]] if isinstance(doc.get(member), dict) else ()
            yield from (one for one in doc.get(f"{member}s", ()) if isinstance(one, dict))


def _blocks(page: Path) -> list[tuple[str, str]]:
    """The literal blocks of a page, each after the paragraph that introduces it with `::`."""
    found: list[tuple[str, list[str]]] = []
    intro, literal = "", False
    for line in page.read_text(encoding="utf-8").splitlines():
        if literal and (not line.strip() or line[0].isspace()):
            found[-1][1].append(line)
            continue
        literal = line.rstrip().endswith("::")
        intro = line
        if literal:
            found.append((intro, []))
    return [(before, "\n".join(lines).strip()) for before, lines in found]


def _json(text: str) -> Doc:
    """JSON as people edit it: some pages have a comma after the last item."""
    doc: Any = json.loads(re.sub(r",(?=\s*[}\]])", "", text))
    result: Doc = doc
    return result


@cache
def _register_shape() -> Any:
    return Session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
