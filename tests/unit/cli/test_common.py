"""The options that every command takes before its name and behind it, and hints that repeat them."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import click
import pytest

from ecsplan.cli import COMMANDS, cli, run
from ecsplan.cli.common import Hints
from tests.unit.cli.conftest import SPEC

Output = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def spec(folder: Path) -> Path:
    """In a file that has to be named."""
    path = folder / "shop one.toml"
    path.write_text(SPEC)
    return path


@pytest.mark.parametrize(
    "arguments",
    [["-f", "shop one.toml", "validate"], ["validate", "-f", "shop one.toml"], ["validate", "--file=shop one.toml"]],
    ids=" ".join,
)
def test_an_option_stands_before_the_command_or_behind_it(capsys: Output, spec: Path, arguments: list[str]) -> None:
    assert run(arguments) == 0
    assert "shop one.toml: app shop" in capsys.readouterr().out


def test_the_one_behind_the_command_wins(capsys: Output, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECSPLAN_FILE", "neither.toml")
    assert run(["-f", "other.toml", "validate", "-f", spec.name]) == 0
    assert run(["validate", "-f", spec.name]) == 0
    assert run(["validate"]) == 3
    assert "neither.toml" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_all_of_them(name: str) -> None:
    group = {option for parameter in cli.params for option in parameter.opts} - {"--version"}
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    taken = [option for parameter in found.params for option in parameter.opts]
    assert group == {"-f", "--file", "--journal", "--region", "--profile", "--color", "-v", "--verbose"}
    assert group <= set(taken)
    assert {"-y", "--yes"} <= set(taken)
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("arguments", [["validate", "--color", "sometimes"], ["plan", "--region"]], ids=" ".join)
def test_a_wrong_one_behind_the_command_is_exit_3(capsys: Output, spec: Path, arguments: list[str]) -> None:
    assert run(arguments) == 3
    assert "Error: " in capsys.readouterr().err


def test_colours_may_be_asked_for_behind_the_command(capsys: Output, spec: Path) -> None:
    """What the journal shows is painted, here the head of a list."""
    (spec.parent / ".ecsplan" / "shop" / "123456789012-eu-west-1").mkdir(parents=True)
    (spec.parent / ".ecsplan" / "shop" / "123456789012-eu-west-1" / "000001.jsonl").write_text("damaged\n")
    for arguments in (["history", "--color", "always"], ["--color", "always", "history"]):
        assert run([*arguments, "-f", spec.name]) == 0
        assert "\x1b[" in capsys.readouterr().out
    assert run(["--color", "always", "history", "-f", spec.name, "--color", "never"]) == 0
    assert "\x1b[" not in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["validate", "-v"], ["-v", "validate"]], ids=" ".join)
def test_a_traceback_may_be_asked_for_on_either_side(capsys: Output, folder: Path, arguments: list[str]) -> None:
    assert run(arguments) == 3
    assert "Traceback" in capsys.readouterr().err


# --- hints ---


def hint(capsys: Output) -> list[str]:
    """The words of the command at the end of what was printed last."""
    return shlex.split(capsys.readouterr().err.splitlines()[-1].rpartition(": ")[2])


def test_a_hint_repeats_what_was_given(capsys: Output, spec: Path) -> None:
    assert run(["-f", spec.name, "--region", "eu-west-1", "apply", "--profile", "ops", "-v", "--color", "never"]) == 3
    wanted = ["ecsplan", "plan", "-f", spec.name, "--region", "eu-west-1", "--profile", "ops", "TAG"]
    assert hint(capsys) == wanted


def test_a_hint_can_be_pasted(capsys: Output, spec: Path) -> None:
    assert run(["apply", "-f", spec.name]) == 3
    words = hint(capsys)
    assert run([*words[1:-1], "v1", "--region", "eu-west-1"]) == 1  # the spec is found, and credentials are not
    assert "no AWS credentials were found" in capsys.readouterr().err


def test_what_the_environment_sets_is_not_repeated(capsys: Output, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECSPLAN_FILE", spec.name)
    monkeypatch.setenv("ECSPLAN_JOURNAL", "there")
    assert run(["apply"]) == 3
    assert hint(capsys) == ["ecsplan", "plan", "TAG"]
    assert run(["apply", "--journal", "here"]) == 3
    assert hint(capsys) == ["ecsplan", "plan", "--journal", "here", "TAG"]


def test_every_command_of_a_hint_gets_them_and_other_words_do_not() -> None:
    hints = Hints(commands=["plan", "resume", "rollback"], options=["-f", "a b.toml"])
    said = "ecsplan planned it. Resume with `ecsplan resume --unclear run`, or `ecsplan rollback`; ecsplan only waits."
    assert hints(said) == (
        "ecsplan planned it. Resume with `ecsplan resume -f 'a b.toml' --unclear run`, or "
        "`ecsplan rollback -f 'a b.toml'`; ecsplan only waits."
    )
    assert Hints(commands=["plan"])("ecsplan plan TAG") == "ecsplan plan TAG"


class Narrow(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_breaks_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    hints = Hints(commands=["resume", "plan"], options=["-f", "their folder/shop.toml"])
    said = "Finish it with `ecsplan resume`, or wait.\nMake a new plan: ecsplan plan v1"
    assert hints.fitted(said, Narrow()).splitlines() == [
        "Finish it with",
        "`ecsplan resume -f 'their folder/shop.toml'`,",
        "or wait.",
        "Make a new plan:",
        "ecsplan plan -f 'their folder/shop.toml' v1",
    ]
    assert hints.fitted(said, io.StringIO()) == hints(said)
