"""Where things of this repository are."""

from __future__ import annotations

from pathlib import Path

from ecsplan.journal import Journal

ROOT = Path(__file__).parents[2]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
SCREENS = ROOT / "tests" / "deploy" / "screens"


def journal_file(journal: Journal, number: int) -> Path:
    """The file of a deployment, for a journal in a folder."""
    return Path(journal.name) / f"{number:06d}.jsonl"
