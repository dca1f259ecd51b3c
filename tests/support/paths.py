"""Where things of this repository are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
SCREENS = ROOT / "tests" / "deploy" / "screens"
