"""What is secret, and how it is masked: in documents before a renderer sees them, and in text from elsewhere.

A name says secret when it holds a word such as PASSWORD or TOKEN; which maps and lists hold such names is a `Secret`
row of the kind. Values with a password in a URL are masked wherever they stand. So are name/value pairs, in any case
(`Name` and `Value` in a universal target's request), in documents and inside JSON texts, and in command lines
(`DB_PASSWORD=…`, `--token …`, `Authorization: …`).
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct, UnsetType

from ecsplan.core import events
from ecsplan.core.model import UNKNOWN, Address, Call, Change, Doc, FieldChange, JsonText, Plan, Rollback, Step
from ecsplan.core.normalize import Keyed, Rule, Secret
from ecsplan.core.ports import Answer, Reader
from ecsplan.core.text import CHANGED, SENSITIVE
from ecsplan.kinds import kind_of, kinds

# The fields of events that hold texts from AWS.
QUOTED = ("note", "summary", "message", "error", "reason", "newest", "text", "diagnosis")
SHORTEST = 4  # characters of a value that is a secret
SHORTEST_LINE = 7  # a line of a secret with more characters is a secret by itself

_WORD = re.compile(r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|APIKEY|PRIVATE|KEYS?$|PGPASS|PWD$")
_PARTS = frozenset({"KEY", "KEYS", "PASS", "PWD", "PW", "AUTH", "DSN", "JWT"})
_QUOTED = re.compile(r'"([^"\\]{1,100})"')
# A text without one of these holds no secret: it is neither JSON, nor a URL, nor `NAME=…`, `--name …` or `Name: …`.
_HOLDING = re.compile(r"[{\[=: ]")
# Searches that stay linear on long values.
_URL = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
_NAMED = re.compile(r"(?<![\w.-])(?P<dashes>-{0,2})(?P<name>[A-Za-z_][\w.-]{0,99})(?P<sign>=| +|: *)")
_WORDS = re.compile(r"""(?P<quote>["'])(?P<quoted>[^"']*)|(?P<bare>[^\s"'&;|]+)""")
_LINE = re.compile(r"""[^"'\r\n]+""")
_HEADER = re.compile(r"(?i)(proxy-)?authorization|cookie|x-[a-z-]*(key|token|secret)")


def says_secret(name: object) -> bool:
    """Does the name of a variable or option mark its value as secret?"""
    return _says_secret(str(name))


@lru_cache(maxsize=1024)  # every document has the same few names
def _says_secret(text: str) -> bool:
    parts = re.split(r"[^A-Za-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).upper())
    return bool(_WORD.search(text.upper())) or not _PARTS.isdisjoint(parts)


def mask_doc(address: Address, doc: Any) -> Any:
    """A copy of a request or document of this address's kind, with `(sensitive)` in place of secret values."""
    return _masked(doc, secret_maps(_rules(address)))


@lru_cache(maxsize=16)
def _rules(address: Address) -> tuple[Rule, ...]:
    return kind_of(address).document.rules


def secret_maps(rules: tuple[Rule, ...]) -> frozenset[str]:
    return frozenset(rule.path.rpartition(".")[2] for rule in rules if isinstance(rule, Secret))


def mask_field(address: Address, change: FieldChange) -> FieldChange:
    """The difference with secret values masked; it still shows that they differ."""
    if _secret_path(_rules(address), change.path):
        hidden: Callable[[Any], Any] = lambda _value: SENSITIVE  # noqa: E731
    else:
        hidden = _masked
    before = None if change.before is None else hidden(change.before)
    after = None if change.after is None else hidden(change.after)
    if before is not None and before == after:
        after = CHANGED
    return FieldChange(path=change.path, before=before, after=after)


def mask_plan(plan: Plan) -> Plan:
    """The plan with secrets masked, as it may be shown."""
    return msgspec.structs.replace(
        plan,
        changes=tuple(_mask_change(change) for change in plan.changes),
        steps=tuple(mask_step(step) for step in plan.steps),
        rollback=_mask_rollback(plan.rollback),
        seen={},  # it is not shown
    )


def _mask_rollback(rollback: Rollback | UnsetType) -> Rollback | UnsetType:
    if isinstance(rollback, UnsetType):
        return rollback
    moved = [
        msgspec.structs.replace(one, fields=tuple(mask_field(one.address, field) for field in one.fields))
        for one in rollback.moved
    ]
    return msgspec.structs.replace(rollback, moved=tuple(moved))


def mask_step(step: Step) -> Step:
    return msgspec.structs.replace(
        step,
        note=_masked_line(_URL.sub(f"://{SENSITIVE}@", step.note)),
        changes=tuple(mask_field(step.address, change) for change in step.changes),
        call=_mask_call(step.address, step.call),
        undo=_mask_call(step.address, step.undo) if isinstance(step.undo, Call) else step.undo,
    )


class Redactor:
    """Knows the secrets of one command and takes them out of text. It is used at two seams: `listener` stands before
    everything that events reach, and the error boundary cleans what it prints. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self._forms: tuple[str, ...] | None = ()

    def learn(self, plan: Plan) -> None:
        """Every secret value of the plan, including unchanged resources: containers may log their environment."""
        found: set[str] = set()
        for change in plan.changes:
            for doc in (change.before, change.after):
                _collect(doc, mask_doc(change.address, doc), found)
        for step in plan.steps:
            for call in (step.call, step.undo):
                if isinstance(call, Call):
                    _collect(call.params, mask_doc(step.address, call.params), found)
        self._add(found)

    def learn_documents(self, documents: Iterable[tuple[Address, Doc]]) -> None:
        """Every secret value of documents or requests, each with the address whose kind it is of."""
        found: set[str] = set()
        for address, doc in documents:
            _collect(doc, mask_doc(address, doc), found)
        self._add(found)

    def clean(self, text: str) -> str:
        """Text from elsewhere, such as an error of AWS, without the secrets that are known, and without passwords in
        URLs. A secret of several lines is also found line by line, because logs hold it so."""
        for form in self._longest_first():
            text = text.replace(form, SENSITIVE)
        return _URL.sub(f"://{SENSITIVE}@", text)

    def clean_all(self, value: Any) -> Any:
        """A copy of a value from AWS with every text in it cleaned. Addresses stay: ecsplan makes them."""
        if type(value) is str:
            return self.clean(value)
        if isinstance(value, Struct):
            fields = {name: self.clean_all(getattr(value, name)) for name in value.__struct_fields__}
            return msgspec.structs.replace(value, **fields)
        if isinstance(value, tuple):
            return tuple(self.clean_all(item) for item in value)
        return value

    def listener(self, emit: events.Listener) -> events.Listener:
        """A listener that passes events on with the texts from AWS in them cleaned."""

        def listener(event: events.Event) -> None:
            quoted = {name: self.clean_all(getattr(event, name)) for name in QUOTED if hasattr(event, name)}
            emit(msgspec.structs.replace(event, **quoted) if quoted else event)

        return listener

    def collecting(self, reader: Reader) -> Reader:
        """A reader that learns the secrets of the documents that AWS answers through it: a container that failed may
        have logged its environment, also that of a revision that the plan only names."""
        return _CollectingReader(reader, self._add)

    def _add(self, found: Iterable[str]) -> None:
        with self._lock:
            new = {value for value in found if len(value) >= SHORTEST} - self._secrets
            if new:
                self._secrets |= new
                self._forms = None

    def _longest_first(self) -> tuple[str, ...]:
        """The texts to look for; a secret that contains another one goes first."""
        with self._lock:
            if self._forms is None:
                self._forms = _forms(self._secrets)
            return self._forms


class _CollectingReader:
    def __init__(self, reader: Reader, add: Callable[[Iterable[str]], None]) -> None:
        self._reader, self._add = reader, add

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        answers, found = self._reader.fetch(calls), set[str]()
        for answer in answers:
            if answer.call.operation in ("describe_task_definition", "describe_tasks"):
                _collect(answer.data, _masked(answer.data), found)
        self._add(found)
        return answers


def _forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """How the secrets may read: as they are, quoted by Python or JSON, and line by line."""
    lines = {line for value in secrets if "\n" in value for line in value.splitlines()}
    values = {*secrets, *(line for line in lines if len(line) > SHORTEST_LINE)}
    forms = {form for value in values for form in (value, repr(value)[1:-1], json.dumps(value)[1:-1])}
    return tuple(sorted(forms, key=len, reverse=True))


def _mask_change(change: Change) -> Change:
    return msgspec.structs.replace(
        change,
        before=mask_doc(change.address, change.before),
        after=mask_doc(change.address, change.after),
        fields=tuple(mask_field(change.address, field) for field in change.fields),
    )


def _mask_call(address: Address, call: Call) -> Call:
    return msgspec.structs.replace(call, params=mask_doc(address, call.params))


def _masked(value: Any, maps: frozenset[str] = frozenset()) -> Any:
    """Masks named values in lists of pairs, URLs with a password, both inside JSON, and members of maps with these
    names."""
    if isinstance(value, str):  # most values; isinstance with Mapping takes longest
        return _masked_text(value)
    if isinstance(value, dict | Mapping):
        return {k: _masked_member(value, str(k), v, maps) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return _masked_arguments([_masked(item, maps) for item in value])
    if isinstance(value, JsonText):
        text = value.filled(UNKNOWN)
        return value if (masked := _masked_text(text)) == text else masked
    return value


def _masked_arguments(items: list[Any]) -> list[Any]:
    """The words of a command with the values of options such as `--password` masked."""
    result: list[Any] = []
    follows = False
    for item in items:
        option, equals, _ = item.partition("=") if isinstance(item, str) and item.startswith("-") else ("", "", "")
        named = bool(option) and says_secret(option.lstrip("-"))
        if follows and isinstance(item, str) and not option:
            result.append(SENSITIVE)
        else:
            result.append(f"{option}={SENSITIVE}" if named and equals else item)
        follows = named and not equals
    return result


def _masked_member(parent: Mapping[str, Any], name: str, value: Any, maps: frozenset[str]) -> Any:
    if _is_secret_value(parent, name, value):
        return SENSITIVE
    if name in maps and isinstance(value, Mapping):
        return {k: SENSITIVE if says_secret(k) else _masked(v, maps) for k, v in value.items()}
    return _masked(value, maps)


def _is_secret_value(parent: Mapping[str, Any], name: str, value: Any) -> bool:
    """Is it the value of a name/value pair whose name says secret? APIs differ in the case of these two."""
    if len(name) != len("value") or name.lower() != "value" or not isinstance(value, str | int | float):
        return False
    return any(says_secret(called) for key, called in parent.items() if str(key).lower() == "name")


def _masked_text(text: str) -> str:
    if _HOLDING.search(text) is None:
        return text
    if text.lstrip()[:1] in ("{", "["):
        try:
            data = json.loads(text)
            masked = _masked_json(data)
            return text if masked == data else json.dumps(masked)
        except (ValueError, RecursionError):
            # A template, for example, or nested too deeply. Its structure is unknown, so nothing of it is shown.
            named = any(says_secret(name) for name in _QUOTED.findall(text))
            return SENSITIVE if named or _URL.search(text) else text
    return SENSITIVE if _URL.search(text) else _masked_line(text)


def _masked_line(text: str) -> str:
    """A line, of a shell for example, with the values of names that say secret masked."""
    parts, end = [], 0
    for start, stop in _secrets_of_line(text):
        parts += [text[end:start], SENSITIVE]
        end = stop
    return "".join([*parts, text[end:]])


def _secrets_of_line(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each value in `NAME=…`, `--name …` and `Name: …` (headers only) whose name says secret."""
    here = 0
    while named := _NAMED.search(text, here):
        here = named.end()
        name, sign, option = named["name"], named["sign"], bool(named["dashes"])
        if sign[0] == ":":
            value, group = (_LINE.match(text, here), 0) if _HEADER.fullmatch(name) else (None, 0)
        elif (sign == "=" or option) and says_secret(name):
            value = _WORDS.match(text, here)
            group = 0 if value is None else value.re.groupindex["quoted" if value["quote"] else "bare"]
            if sign != "=" and value is not None and value[group].startswith("-"):
                value = None  # another option follows
        else:
            value, group = None, 0
        if value is not None and value[group]:
            yield value.span(group)
            here = value.end()


def _masked_json(value: Any) -> Any:
    """Inside a JSON text any key may say secret: its structure is unknown."""
    if isinstance(value, Mapping):
        scalar = (str, int, float)
        return {
            k: SENSITIVE
            if (isinstance(v, scalar) and says_secret(k)) or _is_secret_value(value, k, v)
            else _masked_json(v)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return _masked_arguments([_masked_json(item) for item in value])
    return _masked_text(value) if isinstance(value, str) else value


def _secret_path(rules: tuple[Rule, ...], path: str) -> bool:
    return any(
        (match := pattern.fullmatch(path)) is not None and says_secret(match["name"]) for pattern in _patterns(rules)
    )


@lru_cache(maxsize=16)
def _patterns(rules: tuple[Rule, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(_pattern(rule, rules) for rule in rules if isinstance(rule, Secret))


def _pattern(secret: Secret, rules: tuple[Rule, ...]) -> re.Pattern[str]:
    """The path of a `Secret` rule as differences write it, with labels of lists and identities of items."""
    labels = {rule.path: rule.label for rule in rules if isinstance(rule, Keyed) and rule.label}
    parts, here = [], ""
    for part in secret.path.split("."):
        here = f"{here}.{part}" if here else part
        parts.append("[^.]+" if part == "*" else re.escape(labels.get(here, part)))
    return re.compile(r"\.".join(parts) + r"\.(?P<name>.+?)(#\d+)?")


def _collect(value: Any, masked: Any, found: set[str]) -> None:
    if isinstance(value, JsonText) and masked != value:
        value = value.filled(UNKNOWN)
    if isinstance(value, str):
        if masked == value:
            return
        found.add(value)
        found.update(match[1] for match in _URL.finditer(value))
        found.update(value[start:stop] for start, stop in _secrets_of_line(value))
        with contextlib.suppress(ValueError, RecursionError):  # a JSON text, of which some values were masked
            _collect(json.loads(value), json.loads(masked), found)
    elif isinstance(value, Mapping) and isinstance(masked, Mapping):
        for name, item in value.items():
            _collect(item, masked.get(name), found)
    elif isinstance(value, list | tuple) and isinstance(masked, list | tuple):
        for item, other in zip(value, masked, strict=False):
            _collect(item, other, found)


def mask_requests(requests: Mapping[str, Doc]) -> dict[str, Doc]:
    """Compiled requests of each task (`compile.requests`), with secret values masked."""
    names = {kind.declare.table.key: kind.name for kind in kinds()}
    return {
        task: {key: mask_doc(Address.of(names[key], task), doc) for key, doc in parts.items()}
        for task, parts in requests.items()
    }
