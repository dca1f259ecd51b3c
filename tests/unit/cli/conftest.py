"""A folder without anything of this machine, and the smallest spec."""

from __future__ import annotations

from pathlib import Path

import pytest

SPEC = """
app = "shop"
[tasks.web.task_definition]
family = "web"
containerDefinitions = [{ name = "web", image = "web:{image_tag}", memory = 128 }]
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and no settings of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("ECSPLAN_FILE", "ECSPLAN_JOURNAL", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path
