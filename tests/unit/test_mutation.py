"""`script/mutants`: what a mutant is."""

from __future__ import annotations

from mutation.sites import sites

TEXT = """\
LIMIT = 3 if not __debug__ else 4


def found(a: int, b: int) -> bool | str:
    if not (a is None or b < LIMIT
            or a in (1, 2)):
        return f"{a == b}ü" if a == b else ("x")
    if a:
        return None
    return False
"""


def test_a_mutant_differs_at_one_operator_or_return() -> None:
    before = TEXT.splitlines()
    changed = {
        site.sort + ": " + " / ".join(
            line.strip() for line, old in zip(site.mutated(TEXT).splitlines(), before, strict=True) if line != old
        )
        for site in sites("ecsplan/found.py", TEXT)
    }  # fmt: skip
    assert changed == {
        "not: if (a is None or b < LIMIT",
        "comparison: if not (a is not None or b < LIMIT",
        "comparison: if not (a is None or b >= LIMIT",
        "comparison: or a not in (1, 2)):",
        "and/or: if not (a is None and b < LIMIT / and a in (1, 2)):",
        'comparison: return f"{a == b}ü" if a != b else ("x")',
        "return: return None",
    }


def test_a_test_has_to_run_the_lines_of_the_expression() -> None:
    assert {(site.first, site.last) for site in sites("ecsplan/found.py", TEXT)} == {(5, 6), (5, 5), (6, 6), (7, 7)}
