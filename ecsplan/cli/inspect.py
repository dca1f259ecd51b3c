"""Commands that look: at the journal, and offline at the spec."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ecsplan.cli.options import JSON_OR_TEXT, Given, app_name, fit, screen
from ecsplan.core.errors import Exit, UsageError

if TYPE_CHECKING:
    from ecsplan.core.spec import Spec
    from ecsplan.journal import Journal


@click.command()
@JSON_OR_TEXT
@click.pass_obj
def history(given: Given, form: str) -> int:
    """List the deployments in the journal."""
    from ecsplan import pipeline
    from ecsplan.render.json import history_json
    from ecsplan.render.text import history_text

    spec = given.spec_if_there()
    app = app_name(given, spec)
    found = [(journal, pipeline.history(journal)) for journal in journals(given, spec, app)]
    if form == "json":
        click.echo(history_json(app, [deployment for _, deployments in found for deployment in deployments]))
        return Exit.OK
    if not any(deployments for _, deployments in found):
        click.echo(f"{app} has not been deployed yet, as far as {given.store(spec).name} knows.")
    for journal, deployments in found:
        if len(found) > 1:
            click.echo(journal.identity)
        click.echo(fit(history_text(deployments, given.paint(sys.stdout)), sys.stdout))
    return Exit.OK


@click.command()
@click.argument("number", type=int)
@JSON_OR_TEXT
@click.pass_obj
def show(given: Given, number: int, form: str) -> int:
    """Show deployment NUMBER with its steps."""
    import msgspec

    from ecsplan import pipeline
    from ecsplan.redact import mask_plan
    from ecsplan.render.json import deployment_json
    from ecsplan.render.text import deployment_text

    spec = given.spec_if_there()
    app = app_name(given, spec)
    found = journals(given, spec, app)
    if len(found) > 1:
        names = ", ".join(str(journal.identity) for journal in found)
        raise UsageError(f"{app} was deployed to several places: {names}", hint="Choose one with --region.")
    if not found:
        raise UsageError(f"{app} has not been deployed yet, as far as {given.store(spec).name} knows")
    deployment = pipeline.show(found[0], number)
    opened = msgspec.structs.replace(deployment.opened, plan=mask_plan(deployment.plan))
    masked = msgspec.structs.replace(deployment, opened=opened)
    if form == "json":
        click.echo(deployment_json(masked))
    else:
        text = deployment_text(masked, given.paint(sys.stdout), columns=screen(sys.stdout)[0])
        click.echo(fit(text, sys.stdout))
    return Exit.OK


def journals(given: Given, spec: Spec | None, app: str) -> list[Journal]:
    from ecsplan import pipeline

    region = given.region or (spec.region if spec else None)
    return pipeline.journals(given.store(spec), app, account=spec.account if spec else None, region=region)


@click.command()
@click.argument("tag", default="TAG")
@click.option("--unmask", is_flag=True, help="Show secret values too.")
@click.pass_obj
def render(given: Given, tag: str, unmask: bool) -> int:
    """Print the compiled requests as JSON, offline."""
    from ecsplan.plan.compile import requests
    from ecsplan.redact import mask_requests
    from ecsplan.render.json import dumps

    made = requests(given.spec(), tag)
    click.echo(dumps(made if unmask else mask_requests(made)))
    return Exit.OK


@click.command()
@click.pass_obj
def validate(given: Given) -> int:
    """Check the spec, offline."""
    from ecsplan.plan.compile import compile_spec, warnings_of

    spec = given.spec()
    resources = compile_spec(spec, "TAG")
    for warning in warnings_of(spec, "TAG"):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{spec.file}: app {spec.app}, {len(spec.tasks)} task(s), {len(resources)} resources; no faults")
    return Exit.OK
