"""The command line's edges: exit codes, help, and the one error boundary."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from ecsplan import __version__
from ecsplan.cli import cli, run
from ecsplan.core.errors import EcsplanError, StaleError
from tests.unit.cli.conftest import SPEC
from tests.unit.fakes import child_environment

COMMANDS = [
    "plan", "apply", "deploy", "rollback", "resume", "continue", "abandon", "history", "show", "render", "validate",
    "sandbox", "demo",
]  # fmt: skip
FULL = Path("/dev/full")  # a device on which every write fails for want of space

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Adds a command `crash` that raises this."""

    def add(error: BaseException) -> None:
        def crash() -> None:
            raise error

        monkeypatch.setitem(cli.commands, "crash", click.Command("crash", callback=crash))

    return add


Output = pytest.CaptureFixture[str]


# --- help ---


def test_the_version(capsys: Output) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"ecsplan, version {__version__}\n"


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command(capsys: Output, flag: str) -> None:
    assert run([flag]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: ecsplan [OPTIONS] COMMAND [ARGS]...")
    assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(capsys: Output, name: str) -> None:
    assert run([name, "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"Usage: ecsplan {name} ")
    assert captured.err == ""


def test_every_command_is_known_here() -> None:
    assert cli.list_commands(click.Context(cli)) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.get_short_help_str(limit=80) == cli.places[name].help


def test_no_help_is_cut_off_in_the_list(capsys: Output) -> None:
    run(["--help"])
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_without_a_command_the_help_is_shown_as_an_error(capsys: Output) -> None:
    assert run([]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: ecsplan")


# --- the command line is wrong ---


@pytest.mark.parametrize(
    "arguments",
    [
        ["destroy"],
        ["--nonsense"],
        ["plan"],
        ["plan", "v42", "more"],
        ["plan", "v42", "--format", "yaml"],
        ["plan", "v42", "--nonsense"],
        ["plan", "v42", "--out", "."],
        ["--color", "sometimes", "validate"],
        ["apply", "--on-failure", "panic"],
        ["apply", "--timeout", "soon"],
        ["apply", "--timeout", "-5"],
        ["apply", "--format", "json"],
        ["apply", "a.json", "b.json"],
        ["deploy", "--yes"],
        ["rollback", "--to"],
        ["show"],
        ["show", "first"],
        ["sandbox", "--port", "70000"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_exit_3(capsys: Output, arguments: list[str]) -> None:
    assert run(arguments) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error: " in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize(
    "arguments", [["plan", "v42"], ["validate"], ["render"], ["deploy", "v42", "--yes"]], ids=" ".join
)
def test_a_spec_that_is_not_there_is_exit_3(capsys: Output, arguments: list[str]) -> None:
    assert run(arguments) == 3
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "ecsplan.toml" in err


@pytest.mark.parametrize("arguments", [["apply"], ["history"], ["show", "1"], ["rollback", "--yes"]], ids=" ".join)
def test_without_spec_and_journal_it_says_what_to_name(capsys: Output, arguments: list[str]) -> None:
    assert run(arguments) == 3
    err = capsys.readouterr().err
    assert "there is no ecsplan.toml here, and there is no journal at .ecsplan either" in err
    assert "Name the spec with -f FILE." in err


@pytest.mark.parametrize("arguments", [["history"], ["plan", "v42"], ["apply"]], ids=" ".join)
def test_a_journal_that_is_no_folder_is_exit_3(capsys: Output, folder: Path, arguments: list[str]) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    assert run(["--journal", "s3://bucket/prefix", "--region", "eu-west-1", *arguments]) == 3
    assert "s3://bucket/prefix" in capsys.readouterr().err
    assert not (folder / "s3:").exists()


def test_of_several_apps_one_has_to_be_named(capsys: Output, folder: Path) -> None:
    for app in ("shop", "blog"):
        (folder / ".ecsplan" / app).mkdir(parents=True)
    assert run(["history"]) == 3
    assert ".ecsplan knows several apps: blog, shop" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["-f", "other.toml", "validate"], ["--file", "other.toml", "plan", "v1"]], ids=" ".join
)
def test_a_spec_that_was_named_and_is_not_there_is_exit_3(capsys: Output, arguments: list[str]) -> None:
    assert run(arguments) == 3
    assert "other.toml" in capsys.readouterr().err


def test_all_faults_of_a_spec_are_exit_3(capsys: Output, folder: Path) -> None:
    (folder / "ecsplan.toml").write_text('app = 5\nregin = "x"\n[tasks]\n')
    assert run(["plan", "v42"]) == 3
    err = capsys.readouterr().err
    assert "faults in the spec; nothing was sent:" in err
    assert "ecsplan.toml: app: " in err
    assert "ecsplan.toml: regin: " in err


@pytest.mark.parametrize("tag", ["", "a b", "../x", "-"])
def test_a_tag_that_no_image_can_have_is_exit_3(capsys: Output, folder: Path, tag: str) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    assert run(["--region", "eu-west-1", "plan", "--", tag]) == 3
    assert "tag" in capsys.readouterr().err


def test_a_question_that_nobody_can_answer_is_exit_3(
    capsys: Output, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    with open(os.devnull) as nothing:  # noqa: PTH123  a device
        monkeypatch.setattr(sys, "stdin", nothing)
        assert run(["deploy", "v42"]) == 3
        assert run(["rollback"]) == 3
    err = capsys.readouterr().err
    assert err.count("error: there is no terminal to ask on; nothing was sent") == 2
    assert "Add --yes to go ahead without a question." in err


def test_a_plan_that_is_not_there_is_exit_3(capsys: Output, folder: Path) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    assert run(["apply"]) == 3
    assert "there is no plan at .ecsplan/shop/plan.json" in capsys.readouterr().err
    assert run(["apply", "other.json"]) == 3
    assert "there is no plan at other.json" in capsys.readouterr().err


def test_garbage_is_no_plan(capsys: Output, folder: Path) -> None:
    (folder / "plan.json").write_text("garbage")
    assert run(["apply", "plan.json"]) == 3
    assert "plan.json is not a plan of ecsplan" in capsys.readouterr().err


def test_without_a_region_nothing_is_sent(capsys: Output, folder: Path) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    assert run(["plan", "v42"]) == 3
    assert "no AWS region is set; nothing was sent" in capsys.readouterr().err


def test_without_credentials_it_is_a_known_error(capsys: Output, folder: Path) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    assert run(["--region", "eu-west-1", "plan", "v42"]) == 1
    err = capsys.readouterr().err
    assert "no AWS credentials were found" in err
    assert "Traceback" not in err


# --- the error boundary ---


def test_a_known_error_is_its_message_and_its_code(capsys: Output, command: Callable[[BaseException], None]) -> None:
    command(StaleError("the plan is stale", state="Nothing was changed.", hint="Make it again."))
    assert run(["crash"]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: the plan is stale\nNothing was changed.\nMake it again.\n"


def test_a_known_error_without_more_is_one_line(capsys: Output, command: Callable[[BaseException], None]) -> None:
    command(EcsplanError("no"))
    assert run(["crash"]) == 1
    assert capsys.readouterr().err == "error: no\n"


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_a_known_error_has_a_traceback_only_if_asked(
    capsys: Output, command: Callable[[BaseException], None], flag: str
) -> None:
    command(EcsplanError("no"))
    assert run([flag, "crash"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("error: no\n")


def test_a_surprise_has_a_traceback_and_says_where_to_report_it(
    capsys: Output, command: Callable[[BaseException], None]
) -> None:
    command(KeyError("a fault of ours"))
    assert run(["crash"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert "KeyError: 'a fault of ours'" in err
    assert err.endswith(f"\nThis is a bug in ecsplan {__version__}. Please report it with the lines above.\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_is_exit_130(
    capsys: Output, command: Callable[[BaseException], None], error: BaseException
) -> None:
    command(error)
    assert run(["crash"]) == 130
    assert capsys.readouterr().err.endswith("interrupted; nothing was changed\n")


def test_the_exit_code_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.commands, "two", click.Command("two", callback=lambda: 2))
    monkeypatch.setitem(cli.commands, "none", click.Command("none", callback=lambda: None))
    assert run(["two"]) == 2
    assert run(["none"]) == 0


# --- as a process ---


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecsplan", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=child_environment())


def test_the_module_runs_the_command_line() -> None:
    assert process("--version").stdout == f"ecsplan, version {__version__}\n"
    done = process("plan")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Missing argument 'TAG'" in done.stderr


@pytest.mark.parametrize("argument", ["render", "--help"])
def test_the_reader_of_the_output_may_leave(folder: Path, argument: str) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "ecsplan", argument]
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            command, stdout=gone, stderr=subprocess.PIPE, text=True, check=False, env=child_environment()
        )
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not FULL.exists(), reason="Linux only")
def test_the_output_may_find_no_space(folder: Path) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    command = [sys.executable, "-m", "ecsplan", "render"]
    with FULL.open("wb") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=child_environment()
        )
    said = "error: the output cannot be written: no space is left; nothing was changed\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ["boto3", "botocore", "deepdiff", "rich"]),
        (["--version"], ["boto3", "botocore", "deepdiff", "rich"]),
        (["history"], ["boto3", "botocore", "deepdiff"]),
        (["show", "1"], ["boto3", "botocore", "deepdiff"]),
    ],
    ids=lambda value: value[0],
)
def test_what_has_to_be_fast_does_not_import_what_is_slow(
    folder: Path, arguments: list[str], absent: list[str]
) -> None:
    (folder / "ecsplan.toml").write_text(SPEC)
    code = (
        "import sys; from ecsplan.cli import run; code = run(sys.argv[1:]); "
        "print(*sorted({'boto3', 'botocore', 'deepdiff', 'rich'} & set(sys.modules)), sep=',', file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=child_environment())
    loaded = done.stderr.splitlines()[-1].split(",")
    assert [name for name in absent if name in loaded] == []
