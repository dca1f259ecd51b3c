"""Commands that need no AWS: the embedded one, and a story played on it."""

from __future__ import annotations

import sys
from functools import partial

import click

from ecsplan.cli.options import Given


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.  [default: 0]")
@click.pass_obj
def sandbox(given: Given, port: int) -> int:
    """Serve an embedded AWS to rehearse on.

    The clusters, services, rules and topics that the spec names are there already.
    """
    from ecsplan.rehearsal import serve

    return serve(given.spec_if_there(tables=True), port=port, region=given.region, say=click.echo)


@click.command()
@click.pass_obj
def demo(given: Given) -> int:
    """Watch a whole story on an embedded AWS.

    A first deployment, no changes, the next tag, failing tags, and the way back.
    """
    from ecsplan.cli import run
    from ecsplan.rehearsal.demo import play

    def say(line: str) -> None:
        click.echo(given.paint(sys.stdout)(line, "bold"))

    return play(partial(run, clock=given.clock), say, given.clock)
