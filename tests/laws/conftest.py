"""The embedded AWS of the simulator's own tests, for laws about both readings of one table."""

from __future__ import annotations

from tests.sandbox.conftest import aws, client, ecs, events, made_clients, running

__all__ = ["aws", "client", "ecs", "events", "made_clients", "running"]
