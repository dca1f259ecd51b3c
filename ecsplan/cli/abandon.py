"""The command that ends an unfinished deployment as it is."""

from __future__ import annotations

import sys

import click
import msgspec

from ecsplan import pipeline
from ecsplan.cli.deploy import can_ask
from ecsplan.cli.options import ASKS, CliOptions, app_name, pass_options
from ecsplan.cli.streams import fit
from ecsplan.core.errors import AwsError, Exit
from ecsplan.leftovers import running_text, still_running, unseen
from ecsplan.redact import mask_plan
from ecsplan.render.text import abandon_text


@click.command()
@click.argument("number", type=int, required=False)
@ASKS
@pass_options
def abandon(options: CliOptions, number: int | None, yes: bool) -> int:
    """End an unfinished deployment as it is.

    Nothing is changed in AWS, now or later: what the deployment did stays, what it did not do is not done. The journal
    says who has ended it. Without NUMBER it is the newest that is unfinished.
    """
    spec = options.spec_if_there()
    can_ask(yes)
    with options.site(spec, app_name(options, spec)) as site:
        left = pipeline.to_abandon(site, number)
        if left is None:
            click.echo("Nothing to abandon: no deployment is unfinished.")
            return Exit.OK
        try:
            running = [running_text(one) for one in still_running(site, [left])]
        except AwsError as error:
            running = [unseen(error)]
        masked = msgspec.structs.replace(left, opened=msgspec.structs.replace(left.opened, plan=mask_plan(left.plan)))
        click.echo(fit(abandon_text(masked, running, options.paint(sys.stdout)), sys.stdout))
        if not yes:
            click.echo(err=True)
            if not click.confirm(f"Abandon deployment {left.number}?", err=True):
                click.echo("Nothing was changed.", err=True)
                return Exit.ERROR
        ended = pipeline.abandon(site, left.number)
        assert ended is not None
        click.echo(f"\nDeployment {ended.number} is {ended.outcome.value}. The next plan starts from what is live.")
    return Exit.OK
