"""Commands that look at the journal and the spec, offline."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from ecsplan.cli import run
from ecsplan.core.model import Identity
from ecsplan.journal import Closed, Journal, Outcome, open_store
from ecsplan.plan import file as planfile
from tests.support.paths import journal_file
from tests.unit.builders import AT, IDENTITY, ORIGIN, plan, register, update

SPEC = """
app = "shop"
cluster = "prod"
[tasks.web.task_definition]
family = "web"
[[tasks.web.task_definition.containerDefinitions]]
name = "web"
image = "web:{image_tag}"
memory = 128
environment = [{ name = "DB_PASSWORD", value = "hunter2hunter2" }]
[[tasks.web.run_tasks]]
name = "migrate"
[[tasks.web.update_services]]
service = "web"
"""

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("ECSPLAN_FILE", "ECSPLAN_JOURNAL", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def spec(folder: Path) -> Path:
    path = folder / "ecsplan.toml"
    path.write_text(SPEC)
    return path


def deployed(root: Path, app: str = "shop", *, region: str = "eu-west-1", tag: str = "v42") -> None:
    environment = [{"name": "DB_PASSWORD", "value": "hunter2hunter2"}]
    container = {"name": "web", "environment": environment}
    identity = Identity(account=IDENTITY.account, region=region)
    made = plan(register(containerDefinitions=[container]), update(), app=app, tag=tag, identity=identity)
    writer = Journal(open_store(root), app, identity).open(made, ORIGIN, AT)
    writer.append(Closed(at=AT, outcome=Outcome.SUCCEEDED))
    writer.close()


# --- history ---


def test_the_history_of_an_app_that_was_never_deployed(capsys: Output, spec: Path) -> None:
    assert run(["history"]) == 0
    assert capsys.readouterr().out == (
        "No deployment of shop is known in .ecsplan. It may be known on the machine that deployed it; "
        "--journal reads a journal that is kept elsewhere.\n"
    )


def test_the_history_is_a_table(capsys: Output, spec: Path, folder: Path) -> None:
    for tag in ("v41", "v42"):
        deployed(folder / ".ecsplan", tag=tag)
    assert run(["history"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["#", "1", "2"]
    assert "v42  succeeded" in lines[2]


def test_the_history_needs_no_spec(capsys: Output, folder: Path) -> None:
    deployed(folder / ".ecsplan")
    assert run(["history"]) == 0
    assert "succeeded" in capsys.readouterr().out


def test_the_history_needs_only_the_top_of_the_spec(capsys: Output, folder: Path) -> None:
    """So that a fault further down does not keep anyone from looking."""
    (folder / "ecsplan.toml").write_text('app = "shop"\n[tasks.web.task_definition]\nfamly = "web"\n')
    deployed(folder / ".ecsplan")
    assert run(["history"]) == 0
    assert "succeeded" in capsys.readouterr().out


def test_the_history_as_json(capsys: Output, spec: Path, folder: Path) -> None:
    deployed(folder / ".ecsplan")
    assert run(["history", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["format_version"], found["app"]) == ("1.1", "shop")
    assert [one["number"] for one in found["deployments"]] == [1]


def test_an_empty_history_is_json_all_the_same(capsys: Output, spec: Path) -> None:
    assert run(["history", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["deployments"] == []


def test_the_histories_of_several_places_are_named(capsys: Output, spec: Path, folder: Path) -> None:
    for region in ("eu-west-1", "us-east-1"):
        deployed(folder / ".ecsplan", region=region)
    run(["history"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("1234")] == ["123456789012-eu-west-1", "123456789012-us-east-1"]
    run(["--region", "us-east-1", "history"])
    assert capsys.readouterr().out.splitlines()[0].startswith("#")


def test_a_damaged_deployment_is_told_in_its_place(capsys: Output, spec: Path, folder: Path) -> None:
    deployed(folder / ".ecsplan")
    deployed(folder / ".ecsplan")
    journal_file(Journal(open_store(folder / ".ecsplan"), "shop", IDENTITY), 1).write_text("nonsense\n")
    assert run(["history"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "unreadable" in lines[1]
    assert "line 1 is damaged" in lines[1]
    assert "succeeded" in lines[2]


def test_the_journal_may_stand_elsewhere(capsys: Output, spec: Path, folder: Path) -> None:
    deployed(folder / "elsewhere")
    run(["--journal", "elsewhere", "history"])
    assert "succeeded" in capsys.readouterr().out


def test_spec_and_journal_may_come_from_the_environment(
    capsys: Output, spec: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec.rename(folder / "other.toml")
    deployed(folder / "elsewhere")
    monkeypatch.setenv("ECSPLAN_FILE", "other.toml")
    monkeypatch.setenv("ECSPLAN_JOURNAL", "elsewhere")
    assert run(["history"]) == 0
    assert "succeeded" in capsys.readouterr().out


# --- show ---


def test_one_deployment_is_shown_with_its_steps(capsys: Output, spec: Path, folder: Path) -> None:
    deployed(folder / ".ecsplan")
    assert run(["show", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("deployment 1: shop v42  account 123456789012, eu-west-1\n")
    assert "  2 ~ service.prod/web  not begun" in out


def test_one_deployment_as_json_is_masked(capsys: Output, spec: Path, folder: Path) -> None:
    deployed(folder / ".ecsplan")
    assert run(["show", "1", "--format", "json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["plan"]["tag"] == "v42"
    assert "(sensitive)" in out
    assert "hunter2" not in out


@pytest.mark.parametrize("number", ["2", "0"])
def test_a_deployment_that_there_is_not_is_exit_3(capsys: Output, spec: Path, folder: Path, number: str) -> None:
    deployed(folder / ".ecsplan")
    assert run(["show", number]) == 3
    assert f"there is no deployment {number} in" in capsys.readouterr().err


def test_an_app_that_was_never_deployed_has_nothing_to_show(capsys: Output, spec: Path) -> None:
    assert run(["show", "1"]) == 3
    assert "no deployment of shop is known in" in capsys.readouterr().err


def test_of_several_places_one_has_to_be_chosen(capsys: Output, spec: Path, folder: Path) -> None:
    for region in ("eu-west-1", "us-east-1"):
        deployed(folder / ".ecsplan", region=region)
    assert run(["show", "1"]) == 3
    err = capsys.readouterr().err
    assert "several places: 123456789012-eu-west-1, 123456789012-us-east-1" in err
    assert "Choose one with --region." in err
    assert run(["--region", "us-east-1", "show", "1"]) == 0


def test_a_damaged_deployment_cannot_be_shown(capsys: Output, spec: Path, folder: Path) -> None:
    deployed(folder / ".ecsplan")
    journal_file(Journal(open_store(folder / ".ecsplan"), "shop", IDENTITY), 1).write_text("nonsense\n")
    assert run(["show", "1"]) == 1
    assert "000001.jsonl: line 1 is damaged" in capsys.readouterr().err


# --- render and validate ---


def test_the_compiled_requests_are_masked_unless_asked(capsys: Output, spec: Path) -> None:
    assert run(["render", "v42"]) == 0
    masked = capsys.readouterr().out
    assert "hunter2" not in masked
    assert run(["render", "v42", "--unmask"]) == 0
    clear = json.loads(capsys.readouterr().out)
    (container,) = clear["web"]["task_definition"]["containerDefinitions"]
    assert (container["image"], container["environment"][0]["value"]) == ("web:v42", "hunter2hunter2")
    assert list(clear["web"])[:4] == ["task_definition", "run_tasks", "update_services", "events__put_targets"]
    assert clear["web"]["update_services"][0]["taskDefinition"] == "(known after apply)"


def test_without_a_tag_the_requests_hold_a_placeholder(capsys: Output, spec: Path) -> None:
    assert run(["render"]) == 0
    assert '"web:TAG"' in capsys.readouterr().out


def test_a_spec_without_faults_says_so(capsys: Output, spec: Path) -> None:
    assert run(["validate"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "ecsplan.toml: app shop, 1 task(s), 3 resources; no faults\n"
    (line,) = captured.err.splitlines()
    assert line.startswith('warning: tasks.web.task_definition.containerDefinitions[0].environment: "DB_PASSWORD" can')
    assert "hunter2" not in line


def test_a_spec_without_faults_and_warnings_says_no_more(capsys: Output, spec: Path) -> None:
    spec.write_text(SPEC.replace("DB_PASSWORD", "DB_HOST"))
    assert run(["validate"]) == 0
    assert capsys.readouterr().err == ""


def test_warnings_of_a_spec_go_to_stderr(capsys: Output, spec: Path) -> None:
    spec.write_text(SPEC.replace("web:{image_tag}", "web:latest"))
    assert run(["validate"]) == 0
    assert capsys.readouterr().err.startswith("warning: no image of ecsplan.toml contains {image_tag}")


# --- plans of another app, and colours ---


def test_a_plan_of_another_app_is_refused(capsys: Output, spec: Path, folder: Path) -> None:
    planfile.save(plan(app="blog"), folder / "plan.json")
    assert run(["apply", "plan.json"]) == 3
    assert "plan.json is a plan of blog, and the spec ecsplan.toml is of shop" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "colored"), [([], False), (["--color", "always"], True), (["--color", "never"], False)]
)
def test_colours_are_for_terminals_unless_asked_for(
    capsys: Output, spec: Path, folder: Path, flags: list[str], colored: bool
) -> None:
    deployed(folder / ".ecsplan")
    run([*flags, "history"])
    assert ("\033[" in capsys.readouterr().out) is colored


def test_a_plan_that_was_tampered_with_is_refused(capsys: Output, spec: Path, folder: Path) -> None:
    path = folder / "plan.json"
    planfile.save(plan(update()), path)
    path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), "tag": "v43"}))
    assert run(["apply", "plan.json"]) == 3
    assert "its digest does not fit" in capsys.readouterr().err
