"""A traceback shows what nobody expected, and none of the secrets that were being deployed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ecsplan import cli, pipeline
from ecsplan.core.codec import to_data
from ecsplan.core.model import Call, Doc
from tests.deploy.test_secrets import NEW, OLD, leaked, with_secrets
from tests.support.world import World


class Broken:
    """A gateway with a defect that quotes what it was given, as an assertion or a KeyError does."""

    def __init__(self, gateway: Any, operation: str) -> None:
        self._gateway, self._operation = gateway, operation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def do(self, call: Call) -> Doc:
        if call.operation == self._operation:
            try:
                raise KeyError(json.dumps(to_data(call.params)))
            except KeyError as first:
                raise RuntimeError(f"what became of {to_data(call.params)!r}?") from first
        answer: Doc = self._gateway.do(call)
        return answer


@pytest.fixture
def deployed(world: World) -> World:
    world.write(with_secrets(OLD))
    world.deploy("v1")
    world.write(with_secrets(NEW), seed=False)
    return world


@pytest.mark.parametrize("operation", ["register_task_definition", "run_task", "put_targets"])
def test_a_surprise_while_applying(deployed: World, operation: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = pipeline.load(deployed.file)
    with deployed.site(spec) as site:
        plan = pipeline.make_plan(site, spec, "v2")
        broken = dataclasses.replace(site, gateway=Broken(site.gateway, operation))  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="what became of") as caught:
            pipeline.run_plan(broken, plan)
    assert cli.report_bug(caught.value, site.redactor.clean) == 1
    said = capsys.readouterr().err
    assert "RuntimeError: what became of" in said
    assert "KeyError" in said
    assert "(sensitive)" in said
    assert leaked(said) == []


def test_a_surprise_while_resuming(deployed: World, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.aws.fault("RunTask", "error", code="AccessDeniedException")
    assert deployed.run("deploy", "v2", "--yes", "--on-failure", "stop").code == 7
    spec = pipeline.load(deployed.file)
    with deployed.site(spec) as site:
        broken = dataclasses.replace(site, gateway=Broken(site.gateway, "run_task"))  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="what became of") as caught:
            pipeline.resume(broken)
    cli.report_bug(caught.value, site.redactor.clean)
    assert leaked(capsys.readouterr().err) == []


@pytest.mark.parametrize("options", [(), ("-v",)])
def test_what_aws_quotes_while_planning(
    deployed: World, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    quoted = json.dumps(with_secrets(NEW))
    deployed.aws.fault("DescribeServices", "error", code="InvalidParameterException", message=quoted)
    assert cli.run([*options, "plan", "v2"]) == 1
    said = capsys.readouterr().err
    assert ("Traceback" in said) is bool(options)
    assert "InvalidParameterException" in said
    assert leaked(said) == []
