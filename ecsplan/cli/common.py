"""The options that every command takes, before its name and behind it, and hints that repeat them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ecsplan.cli.streams import fit

F = TypeVar("F", bound=Callable[..., Any])

NAMES = ("file", "journal", "region", "profile", "color", "verbose")
# Without these a command would mean another deployment. The other two change only how the output looks.
REPEATED = {"file": "-f", "journal": "--journal", "region": "--region", "profile": "--profile"}

COMMAND = re.compile(r"`ecsplan [^`]*`|(?<=: )ecsplan .*$", re.MULTILINE)
HARD = "\u00a0"  # a blank between words that stay together


def common_options(*, before: bool) -> Callable[[F], F]:
    """Declares the options on the group (`before` the command's name) or on a command. The environment and the defaults
    count on the group alone, so that what stands before the name holds where nothing stands behind it."""

    def declare(command: F) -> F:
        for option in (
            click.option("-v", "--verbose", is_flag=True, help="Show a traceback with every error."),
            click.option(
                "--color",
                type=click.Choice(["auto", "always", "never"]),
                default="auto" if before else None,
                show_default=before,
            ),
            click.option("--profile", help="The AWS profile; wins over the spec and the environment."),
            click.option("--region", help="The AWS region; wins over the spec and the environment."),
            click.option(
                "--journal",
                envvar="ECSPLAN_JOURNAL" if before else None,
                help="The journal's folder.  [default: .ecsplan beside the spec]",
            ),
            click.option(
                "-f", "--file", envvar="ECSPLAN_FILE" if before else None, help="The spec.  [default: ecsplan.toml]"
            ),
        ):
            command = option(command)
        return command

    return declare


def common_values(root: click.Context, behind: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each option: one behind the command's name wins over one before it."""
    return {name: root.params.get(name) if behind.get(name) in (None, False) else behind[name] for name in NAMES}


@dataclass(frozen=True, kw_only=True)
class Hints:
    """Makes hints that can be pasted: `options` are repeated behind each of the `commands` that a text names."""

    commands: Sequence[str] = ()
    options: Sequence[str] = ()

    @classmethod
    def of(cls, root: click.Context, values: Mapping[str, Any]) -> Hints:
        """Repeats what was given on the command line. What the environment sets holds for the next command too."""
        group, options = root.command, []
        for name, flag in REPEATED.items():
            value, from_environment = values[name], root.get_parameter_source(name) is ParameterSource.ENVIRONMENT
            if value is not None and not (from_environment and value == root.params.get(name)):
                options += [flag, str(value)]
        return cls(commands=group.list_commands(root) if isinstance(group, click.Group) else (), options=options)

    def __call__(self, text: str) -> str:
        """The text with the options behind each `ecsplan COMMAND` that it names, quoted for a shell."""
        if not self.options or not self.commands:
            return text
        options = shlex.join(self.options)
        return re.sub(rf"\becsplan ({'|'.join(self.commands)})\b", lambda named: f"{named[0]} {options}", text)

    def fitted(self, text: str, stream: Any) -> str:
        """The same for a stream. No command is broken: a terminal continues a long line by itself, and what is copied
        from there is one line."""
        whole = COMMAND.sub(lambda command: command[0].replace(" ", HARD), self(text))
        return fit(whole, stream).replace(HARD, " ")


NO_HINTS = Hints()  # leaves every text as it is
