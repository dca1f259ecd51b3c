"""Copies of the tree, and pytest in one of them. The tree itself is never changed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mutation.sites import PACKAGE


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How pytest ended; `code` is None if it did not."""

    code: int | None
    seconds: Mapping[str, float] = field(default_factory=dict)
    failed: Sequence[str] = ()
    said: str = ""


def copied(root: Path, to: Path) -> Path:
    """What git knows or would add, as it is now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)
    return to


def state(root: Path) -> str:
    """Of the package: results for one state say nothing about another."""
    hashed = hashlib.sha256()
    for path in sorted((root / PACKAGE).rglob("*.py")):
        hashed.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()[:12]


def write(copy: Path, name: str, text: str) -> None:
    """Replace a module. Its compiled form may be of the same second and size, so it goes."""
    path = copy / name
    path.write_text(text, encoding="utf-8")
    Path(importlib.util.cache_from_source(os.fspath(path))).unlink(missing_ok=True)


def pytest(copy: Path, arguments: Sequence[str], *, timeout: float | None = None, **more: str) -> Ran:
    """Run in a session of its own, which is killed whole at the timeout (seconds)."""
    outcomes = copy / ".outcomes.json"
    outcomes.unlink(missing_ok=True)
    env = {
        **os.environ, **more, "PYTHONPATH": os.pathsep.join(map(os.fspath, (copy, copy / "script"))),
        "MUTATION_OUTCOMES": os.fspath(outcomes),
    }  # fmt: skip
    options = ["-q", "-p", "mutation.outcomes", "-p", "no:cacheprovider", "--hypothesis-seed", "0"]
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=copy, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = running.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        return Ran(code=None)
    except BaseException:
        os.killpg(running.pid, signal.SIGKILL)
        raise
    found = json.loads(outcomes.read_text(encoding="utf-8")) if outcomes.exists() else {}
    return Ran(code=running.returncode, said=said, **found)
