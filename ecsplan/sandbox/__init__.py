"""The embedded AWS: ECS, EventBridge and Scheduler simulated after ecsplan's table of AWS facts, the rest by moto.

``Sandbox`` serves it on loopback for real boto3; docs/sandbox.md explains how to order faults and outcomes.
"""

from __future__ import annotations

from .server import Sandbox

__all__ = ["Sandbox"]
