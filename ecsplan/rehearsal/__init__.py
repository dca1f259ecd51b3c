"""`ecsplan sandbox`: the embedded AWS with what a spec names already there, as its owners would have created it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ecsplan.core.clock import Clock
from ecsplan.core.errors import UsageError
from ecsplan.core.spec import Spec
from ecsplan.plan.compile import requests

if TYPE_CHECKING:
    from ecsplan.sandbox import Sandbox

REGION = "eu-west-1"


def open_sandbox(spec: Spec | None, *, port: int = 0, region: str | None = None, clock: Clock | None = None) -> Sandbox:
    """A sandbox that throttles as AWS does, not started yet; raises UsageError where its extra is not installed."""
    try:
        import moto  # noqa: F401
        import werkzeug  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the embedded AWS is not installed: {error}", hint="Install it with: pip install 'ecsplan[sandbox]'"
        ) from error
    from ecsplan.sandbox import Sandbox

    return Sandbox(port=port, clock=clock, region=region or (spec.region if spec else None) or REGION, rates=True)


def seed(aws: Sandbox, spec: Spec) -> Any:
    """Make what the spec names: clusters, services on a bootstrap revision, rules with targets, schedules, topics."""
    topics = sorted({task.notify.topic_arn for task in spec.tasks if task.notify})
    return aws.seed(requests(spec, "sandbox"), cluster=spec.cluster or "default", topics=tuple(topics))


def serve(spec: Spec | None, *, port: int, region: str | None, say: Callable[[str], None]) -> int:
    """Serve until interrupted; prints the environment to use it, as lines for a shell to read."""
    with suppress(KeyboardInterrupt), _started(open_sandbox(spec, port=port, region=region), port) as aws:
        if spec is not None:
            made = seed(aws, spec)
            say(f"# clusters: {_listed(made.clusters)}; services: {_listed(made.services)}")
            say(f"# {'; '.join(f'{word}: {_listed(names)}' for word, names in made.further.items())}")
        for name, value in aws.environment.items():
            say(f"export {name}={value}")
        say("# serving; stop with Ctrl-C")
        threading.Event().wait()
    return 0


def _started(aws: Sandbox, port: int) -> Sandbox:
    try:
        return aws.start()
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used: {error.strerror or error}", hint="Choose another with --port."
        ) from error


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"
