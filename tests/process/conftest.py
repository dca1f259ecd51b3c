"""The world of the command line's tests; botocore's files are read as they are for a user."""

from __future__ import annotations

from tests.deploy.conftest import client, served, world
from tests.faults.conftest import points

__all__ = ["client", "points", "served", "world"]
