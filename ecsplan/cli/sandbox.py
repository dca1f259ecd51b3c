"""Commands that need no AWS: the embedded one, and a story played on it."""

from __future__ import annotations

import sys
from functools import partial

import click

from ecsplan.cli import run
from ecsplan.cli.options import NEVER_ASKS, CliOptions, pass_options
from ecsplan.rehearsal import serve
from ecsplan.rehearsal.demo import play


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.  [default: 0]")
@NEVER_ASKS
@pass_options
def sandbox(options: CliOptions, port: int) -> int:
    """Serve an embedded AWS to rehearse on.

    The clusters, services, rules, schedules and topics that the spec names are there already.
    """
    return serve(options.spec_if_there(tables=True), port=port, region=options.region, say=click.echo)


@click.command()
@NEVER_ASKS
@pass_options
def demo(options: CliOptions) -> int:
    """Watch a complete example on an embedded AWS.

    A first deployment, no changes, the next tag, failing tags, and the way back.
    """

    def say(line: str) -> None:
        click.echo(options.paint(sys.stdout)(line, "bold"))

    return play(partial(run, clock=options.clock), say, options.clock)
