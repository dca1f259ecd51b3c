"""Saved plans: read as they were written, and refused when they are anything else."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ecsplan.core.codec import digest_of, to_data, to_json
from ecsplan.core.errors import EcsplanError, Exit, PlanFileError
from ecsplan.core.model import Doc, Notify
from ecsplan.journal import open_store
from ecsplan.plan import file as planfile
from tests.unit.builders import ecs, kept, moved, plan, register, run, step, update, wait, whole

MADE = plan(
    *whole(),
    changes=(kept(), moved(), moved("other", desiredCount=2)),
    warnings=("mind",),
    notify={"web": Notify(topic_arn="arn:aws:sns:eu-west-1:123456789012:t", blacklist_regex="^describe_")},
    undoes=(1, 2),
    base=4,
)


def data() -> Doc:
    """The plan as JSON data, to be edited."""
    found: Doc = msgspec.json.decode(to_json(MADE))
    return found


def sealed(content: Doc) -> Doc:
    """With a digest that fits whatever the content is."""
    return {**content, "digest": digest_of({k: v for k, v in content.items() if k != "digest"})}


def refused(content: object) -> str:
    with pytest.raises(PlanFileError) as caught:
        planfile.decode(content, "plan.json")
    assert caught.value.exit_code is Exit.USAGE
    assert caught.value.state == "Nothing was sent."
    return caught.value.message


# --- there and back ---


@pytest.mark.parametrize(
    "made", [MADE, plan(), plan(register(), update(), wait("admin"), tag="")], ids=["full", "empty", "some"]
)
def test_a_plan_is_read_as_it_was_saved(tmp_path: Path, made: Any) -> None:
    path = tmp_path / "plan.json"
    planfile.save(made, path)
    assert planfile.load(path) == made


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("{}")
    path.chmod(0o644)
    planfile.save(MADE, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_in_the_journals_folder_the_folders_are_made_too(tmp_path: Path) -> None:
    root = tmp_path / ".ecsplan"
    planfile.save_in_store(MADE, open_store(root))
    assert planfile.load_from_store(open_store(root), "shop") == (str(root / "shop" / "plan.json"), MADE)
    assert planfile.load(root / "shop" / "plan.json") == MADE
    assert (root / ".gitignore").read_text() == "*\n"


def test_elsewhere_no_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(EcsplanError, match=r"^the plan cannot be saved to .*plan\.json: No such file or directory$"):
        planfile.save(MADE, tmp_path / "nowhere" / "plan.json")
    assert list(tmp_path.iterdir()) == []


def test_an_old_plan_survives_a_save_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.mkdir()
    with pytest.raises(EcsplanError, match="cannot be saved"):
        planfile.save(MADE, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_a_journals_folder_that_is_a_file_is_a_known_error(tmp_path: Path) -> None:
    (tmp_path / ".ecsplan").write_text("")
    with pytest.raises(EcsplanError, match="cannot be saved"):
        planfile.save_in_store(MADE, open_store(tmp_path / ".ecsplan"))


# --- what is no plan ---


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError, match="there is no plan at") as caught:
        planfile.load(tmp_path / "plan.json")
    assert caught.value.hint == "Make one with: ecsplan plan TAG"


def test_a_folder_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError, match=r"cannot be read: Is a directory"):
        planfile.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"{}",
        b'{"format_version": "1.0"}',
        b'{"format_version": "1.0", "app": "shop"',
        b"[" * 200_000,
        b'{"format_version": "1.0", "app": ' + b'{"a":' * 100_000,
        b'{"format_version": "1.0", "x": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
    ids=lambda content: content[:36].decode(errors="replace"),
)
def test_garbage_is_no_plan(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(PlanFileError, match=r"plan\.json is not a plan of ecsplan") as caught:
        planfile.load(path)
    assert caught.value.state == "Nothing was sent."


def test_what_has_no_end_is_not_read_to_its_end() -> None:
    with pytest.raises(PlanFileError, match="/dev/zero is larger than any plan"):
        planfile.load(Path("/dev/zero"))


def test_what_is_larger_than_any_plan_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with path.open("wb") as file:
        file.truncate(planfile.MAX_BYTES + 1)
    with pytest.raises(PlanFileError, match="is larger than any plan"):
        planfile.load(path)


def test_deep_documents_do_not_exhaust_the_stack() -> None:
    deep: Doc = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert "is not a plan of ecsplan" in refused({**data(), "observed": deep})


# --- versions ---


@pytest.mark.parametrize("version", ["2.0", "0.9", "", None, 2, [1], "x"])
def test_another_major_version_is_refused(version: object) -> None:
    message = refused(sealed({**data(), "format_version": version}))
    assert message == f"plan.json: written in format {version}, and this ecsplan reads 1.1"


def test_minor_additions_are_read() -> None:
    content = data()
    content["format_version"] = "1.3"
    content["novel"] = {"a": [1]}
    content["steps"][0]["novel"] = True
    found = planfile.decode(sealed(content), "plan.json")
    assert found.steps == MADE.steps


def test_minor_additions_are_covered_by_the_digest() -> None:
    content = sealed({**data(), "novel": 1})
    assert "was changed after it was made" in refused({**content, "novel": 2})


# --- wrong types ---


def put(path: str, value: object) -> Callable[[Doc], None]:
    """Set what stands at this dotted path."""

    def edit(content: Doc) -> None:
        *parents, last = path.split(".")
        here: Any = content
        for part in parents:
            here = here[int(part)] if part.isdigit() else here[part]
        here[int(last) if last.isdigit() else last] = value

    return edit


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("app", 5, "$.app"),
        ("changed", "yes", "$.changed"),
        ("base", True, "$.base"),
        ("base", "4", "$.base"),
        ("steps", {}, "$.steps"),
        ("steps.0", None, "$.steps[0]"),
        ("steps.1.index", 1.5, "$.steps[1].index"),
        ("steps.0.phase", "destroy", "$.steps[0].phase"),
        ("steps.0.address", "nodot", "not an address"),
        ("steps.0.call.params", [], "$.steps[0].call.params"),
        ("steps.0.undo", {"type": "perhaps"}, "$.steps[0].undo"),
        ("steps.0.call", {"type": "irreversible", "reason": "x"}, "$.steps[0].call"),
        ("steps.0.settings.timeout", "1h", "$.steps[0].settings.timeout"),
        ("steps.2.call.params.taskDefinition.address", "nodot", "not an address"),
        ("steps.2.call.params.taskDefinition.output", 1, "$.output"),
        ("identity", {"account": 1, "region": "x"}, "$.identity.account"),
        ("observed", {"service.prod/web": 1}, "$.observed"),
        ("notify", {"web": {}}, "topic_arn"),
        ("undoes", ["1"], "$.undoes[0]"),
        ("digest", None, "$.digest"),
    ],
)
def test_wrong_types_are_named_by_their_path(path: str, value: object, said: str) -> None:
    content = data()
    put(path, value)(content)
    message = refused({**sealed(content), **({"digest": None} if path == "digest" else {})})
    assert message.startswith("plan.json is not a plan of ecsplan: ")
    assert said in message


@pytest.mark.parametrize("key", ["app", "tag", "identity", "changed", "observed", "changes", "steps", "summary"])
def test_missing_keys_are_named(key: str) -> None:
    content = data()
    del content[key]
    assert f"`{key}`" in refused(sealed(content))


# --- changed by hand ---


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tag", "v43"),
        ("steps.0.call.params.containerDefinitions.0.image", "evil:latest"),
        ("steps.2.undo.params.taskDefinition", "web:1"),
        ("observed", {}),
        ("identity.region", "us-east-1"),
        ("notify", {}),
        ("base", 5),
        ("digest", "sha256:" + "0" * 64),
        ("digest", ""),
    ],
)
def test_a_plan_that_was_changed_by_hand_is_refused(path: str, value: object) -> None:
    content = data()
    put(path, value)(content)
    assert refused(content) == "plan.json: the plan was changed after it was made: its digest does not fit"


def test_the_order_of_keys_is_no_change() -> None:
    assert planfile.decode(dict(reversed(data().items())), "plan.json") == MADE


# --- what no kind makes ---


@pytest.mark.parametrize("service", ["iam", "ecs"])
@pytest.mark.parametrize("part", ["call", "undo"])
def test_an_operation_that_no_kind_makes_is_refused(service: str, part: str) -> None:
    content = data()
    put(f"steps.2.{part}", {"type": "call", "service": service, "operation": "delete_cluster", "params": {}})(content)
    assert refused(sealed(content)) == (
        f"plan.json: step 3 (service.prod/web) asks for {service}:delete_cluster, which ecsplan never does"
    )


def test_an_operation_of_another_kind_is_refused() -> None:
    content = data()
    put("steps.2.call", to_data(run().call))(content)
    assert "asks for ecs:run_task, which ecsplan never does" in refused(sealed(content))


@pytest.mark.parametrize("where", ["steps.0.address", "changes.0.address"])
def test_a_kind_that_there_is_not_is_refused(where: str) -> None:
    content = data()
    put(where, "lambda.web")(content)
    assert "lambda.web: there is no kind of that name" in refused(sealed(content))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("steps.0.call.params.family", "other"),
        ("steps.2.call.params.service", "other"),
        ("steps.2.undo.params.service", "other"),
        ("steps.2.undo.params.cluster", "other"),
        ("steps.3.call.params.Rule", "other"),
        ("steps.4.call.params.taskDefinition", "arn:aws:ecs:eu-west-1:123456789012:task-definition/other:1"),
    ],
)
def test_a_call_on_another_address_is_refused(path: str, value: str) -> None:
    content = data()
    put(path, value)(content)
    assert "and would change" in refused(sealed(content))


# --- steps that wait ---


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("steps.0.call", to_data(update().call), "waits for nothing that ecsplan waits for"),
        ("steps.0.call", to_data(ecs("list_services")), "waits for nothing that ecsplan waits for"),
        ("steps.0.undo", to_data(update().call), "waits for nothing that ecsplan waits for"),
        ("steps.0.address", "event_targets.nightly", "waits for nothing that ecsplan waits for"),
        ("steps.0.address", "task_definition.web", "waits for nothing that ecsplan waits for"),
        ("steps.0.address", "run_task.web/migrate", "waits for nothing that ecsplan waits for"),
        ("steps.0.address", "service.prod/other", "says service.prod/other and would change prod/web"),
        ("steps.0.call.params.cluster", "other", "says service.prod/web and would change other/web"),
        ("steps.0.call.params.services", ["other"], "says service.prod/web and would change prod/other"),
        ("steps.0.call.params.services", [], "lacks the name of what it waits for"),
        ("steps.0.call.params.services", 7, "lacks the name of what it waits for"),
        ("steps.0.call.params", {}, "lacks the name of what it waits for"),
        ("steps.0.expect.awaits", 7, "lacks the name of what it waits for"),
    ],
)
def test_a_wait_for_something_else_is_refused(path: str, value: object, said: str) -> None:
    content: Doc = msgspec.json.decode(to_json(plan(wait())))
    put(path, value)(content)
    assert said in refused(sealed(content))


@pytest.mark.parametrize("path", ["steps.2.call.params.service", "steps.3.call.params.Rule"])
def test_a_call_without_its_subject_is_refused(path: str) -> None:
    content = data()
    *parents, last = path.split(".")
    here: Any = content
    for part in parents:
        here = here[int(part)] if part.isdigit() else here[part]
    del here[last]
    assert "lacks the name of what it changes" in refused(sealed(content))


@pytest.mark.parametrize("app", ["../elsewhere", "..", "/absolute", "a/b", "", "a\0b"])
def test_an_app_that_is_no_folders_name_is_refused(app: str) -> None:
    """It becomes the name of a folder, and a plan file is applied without a spec."""
    assert refused(sealed({**data(), "app": app}))


@pytest.mark.parametrize(
    ("account", "region"), [("../../x", "eu-west-1"), ("12345678901", "eu-west-1"), ("123456789012", "../x"), ("", "")]
)
def test_a_place_that_there_cannot_be_is_refused(account: str, region: str) -> None:
    assert "is no account and region" in refused(sealed({**data(), "identity": {"account": account, "region": region}}))


def test_a_regular_expression_that_is_none_is_refused() -> None:
    """Otherwise it is found after the first call was carried out."""
    content = data()
    put("notify.web.blacklist_regex", "(")(content)
    assert refused(sealed(content))


def test_steps_of_one_number_are_refused() -> None:
    """Two one-off tasks of one number would share a client token, and the second would never run."""
    content = data()
    put("steps.2.index", 2)(content)
    assert refused(sealed(content))


def test_a_step_of_another_kind_than_its_address() -> None:
    """`kind` is for readers of the JSON; what is done goes by the address."""
    odd = step(register().phase, "task_definition.web", register().action, register().call, register().undo)
    content = to_data(plan(odd))
    content["steps"][0]["kind"] = "service"
    content["steps"][0]["call"] = to_data(update().call)
    assert "asks for ecs:update_service" in refused(sealed(content))


def test_a_saved_plan_is_readable_json(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    planfile.save(MADE, path)
    text = path.read_text()
    assert text.endswith("}\n")
    assert len(text.splitlines()) > 50
    assert msgspec.json.decode(text) == data()
