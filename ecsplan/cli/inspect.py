"""Commands that look: at the journal, and offline at the spec."""

from __future__ import annotations

import sys

import click
import msgspec

from ecsplan.cli.options import JSON_OR_TEXT, NEVER_ASKS, CliOptions, app_name, pass_options
from ecsplan.cli.streams import fit, screen
from ecsplan.core.errors import Exit, UsageError
from ecsplan.core.spec import Spec
from ecsplan.journal import Journal, find
from ecsplan.plan.compile import compile_spec, requests, warnings_of
from ecsplan.redact import mask_plan, mask_requests
from ecsplan.render.json import deployment_json, dumps, history_json
from ecsplan.render.text import deployment_text, history_text


@click.command()
@JSON_OR_TEXT
@NEVER_ASKS
@pass_options
def history(options: CliOptions, form: str) -> int:
    """List the deployments in the journal."""
    spec = options.spec_if_there()
    app = app_name(options, spec)
    found = [(journal, find.history(journal)) for journal in journals(options, spec, app)]
    if form == "json":
        click.echo(history_json(app, [deployment for _, deployments in found for deployment in deployments]))
        return Exit.OK
    if not any(deployments for _, deployments in found):
        said, hint = find.not_known(options.store(spec), app)
        click.echo(f"{said[0].upper()}{said[1:]}. {hint}")
    for journal, deployments in found:
        if len(found) > 1:
            click.echo(journal.identity)
        click.echo(fit(history_text(deployments, options.paint(sys.stdout)), sys.stdout))
    return Exit.OK


@click.command()
@click.argument("number", type=int)
@JSON_OR_TEXT
@NEVER_ASKS
@pass_options
def show(options: CliOptions, number: int, form: str) -> int:
    """Show deployment NUMBER with its steps."""
    spec = options.spec_if_there()
    app = app_name(options, spec)
    found = journals(options, spec, app)
    if len(found) > 1:
        names = ", ".join(str(journal.identity) for journal in found)
        regions = {journal.identity.region for journal in found}
        how = "--region" if len(regions) > 1 else "`account` in the spec"
        raise UsageError(f"{app} was deployed to several places: {names}", hint=f"Choose one with {how}.")
    if not found:
        said, hint = find.not_known(options.store(spec), app)
        raise UsageError(said, hint=hint)
    deployment = find.show(found[0], number)
    opened = msgspec.structs.replace(deployment.opened, plan=mask_plan(deployment.plan))
    masked = msgspec.structs.replace(deployment, opened=opened)
    if form == "json":
        click.echo(deployment_json(masked))
    else:
        text = deployment_text(masked, options.paint(sys.stdout), columns=screen(sys.stdout)[0])
        click.echo(fit(text, sys.stdout))
    return Exit.OK


def journals(options: CliOptions, spec: Spec | None, app: str) -> list[Journal]:
    region = options.region or (spec.region if spec else None)
    return find.journals(options.store(spec), app, account=spec.account if spec else None, region=region)


@click.command()
@click.argument("tag", default="TAG")
@click.option("--unmask", is_flag=True, help="Show secret values too.")
@NEVER_ASKS
@pass_options
def render(options: CliOptions, tag: str, unmask: bool) -> int:
    """Print the compiled requests as JSON, offline."""
    made = requests(options.spec(), tag, now=options.now())
    click.echo(dumps(made if unmask else mask_requests(made)))
    return Exit.OK


@click.command()
@NEVER_ASKS
@pass_options
def validate(options: CliOptions) -> int:
    """Check the spec, offline."""
    spec = options.spec()
    resources = compile_spec(spec, "TAG")
    for warning in warnings_of(spec, "TAG", now=options.now()):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{spec.file}: app {spec.app}, {len(spec.tasks)} task(s), {len(resources)} resources; no faults")
    return Exit.OK
