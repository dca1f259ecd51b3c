"""Figures that tests have recorded, summed up at the end of a run, also where it is spread over several workers."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`record_property(name, number)` in a test adds to the figure of that name."""
    figures: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                figures.update({name: value for name, value in report.user_properties if isinstance(value, int)})
    for name, number in sorted(figures.items()):
        terminalreporter.write_line(f"{name}: {number:,}")
