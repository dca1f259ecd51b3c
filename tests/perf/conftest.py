"""The world of the end-to-end tests; botocore's files are read as they are for a user."""

from __future__ import annotations

from tests.e2e.conftest import client, served, world

__all__ = ["client", "served", "world"]
