"""ecsplan's own gateway and botocore's clients, wired to an embedded AWS in this process: all but the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSResponse

from ecsplan.aws.gateway import Gateway
from ecsplan.sandbox import Sandbox
from ecsplan.sandbox.wire import Incoming
from tests.support.inprocess import incoming, response
from tests.support.world import REGION, Clock


class Wired(Gateway):
    """`before` is called with every request that arrives, botocore's repetitions included."""

    def __init__(self, aws: Sandbox, clock: Clock, before: Callable[[Incoming], None] = lambda _incoming: None) -> None:
        self.stop = threading.Event()
        super().__init__(region=REGION, clock=clock, stop=self.stop)
        self._aws, self._before = aws, before

    def _client(self, service: str, once: bool) -> Any:
        client = super()._client(service, once)
        client.meta.events.register_last("before-send", self._carry, unique_id="wired")
        return client

    def _carry(self, request: Any, **_: Any) -> AWSResponse:
        arrived = incoming(request)
        self._before(arrived)
        answer = self._aws._respond(arrived)
        assert answer is not None
        return response(request, answer)
