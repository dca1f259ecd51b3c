"""A virtual environment for each tool, in `.bench/`, made once; only ecsplan itself is installed anew each time."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".bench"
CONSTRAINTS = ROOT / "constraints.txt"
# What is installed, and the package whose version the report tells. The AWS CLI pins a botocore of its own.
TOOLS = {
    "ecsplan": ["boto3"],  # for the floor, which runs here too: on the same Python and the same botocore
    "ecs-task": ["ecs-task==0.3.1"],
    "ecs-deploy": ["ecs-deploy"],
    "awscli": ["awscli"],
}


def make(names: list[str]) -> dict[str, Path]:
    """The folders of executables, by tool."""
    found = {}
    for name in names:
        folder = CACHE / name
        done = folder / "installed"
        if not done.exists():
            print(f"installing {name}", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", os.fspath(folder)], check=True)
            _pip(folder, *TOOLS[name], constrained=name != "awscli")
            done.touch()
        if name == "ecsplan":
            _pip(folder, "--upgrade-strategy=only-if-needed", os.fspath(ROOT))
            _pip(folder, "--no-deps", "--force-reinstall", os.fspath(ROOT))
        found[name] = folder / "bin"
    return found


def _pip(folder: Path, *what: str, constrained: bool = True) -> None:
    command = [os.fspath(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--compile"]
    if constrained:
        command += ["--constraint", os.fspath(CONSTRAINTS)]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*command, *what], check=True, env=environment, stderr=subprocess.DEVNULL)


def versions(bins: dict[str, Path]) -> dict[str, str]:
    """Of each tool, and of the botocore that it runs on, where it has one of its own."""
    told = {}
    for name, folder in bins.items():
        places = [os.fspath(path) for path in (folder.parent / "lib").glob("python*/site-packages")]
        installed = {one.metadata["Name"].lower(): one.version for one in metadata.distributions(path=places)}
        core = installed.get("botocore")
        told[name] = installed[name] + (f" (botocore {core})" if core else "")
    return told
