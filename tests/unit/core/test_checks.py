"""How places in a spec and unknown keys read."""

from __future__ import annotations

import pytest

from ecsplan.core.checks import Path, Problem, dotted, in_order, unknown_key


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("tasks", "web", "run_tasks", 0, "cluster"), "tasks.web.run_tasks[0].cluster"),
        (("tasks", "my.web", "x"), 'tasks."my.web".x'),
        (("", 'a"\n\\\x1b'), '""."a\\"\\n\\\\\\x1b"'),
        (("größe",), '"größe"'),
    ],
)
def test_dotted(path: Path, text: str) -> None:
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("Cluster", 'unknown key; did you mean "cluster"?'),
        ("run-tasks", 'unknown key; did you mean "run_tasks"?'),
        ("x", "unknown key; the keys here are cluster, run_tasks"),
        ("", "unknown key; the keys here are cluster, run_tasks"),
    ],
)
def test_unknown_key(key: str, message: str) -> None:
    assert unknown_key(key, ["run_tasks", "cluster"], "it is too late") == message


def test_unknown_key_among_many() -> None:
    assert unknown_key("zzz", [f"key{n}" for n in range(13)], "read the manual") == "unknown key; read the manual"
    assert unknown_key("zzz", ["b", "a"]) == "unknown key; the keys here are a, b"


def test_in_order_sorts_by_the_file_missing_first_and_drops_repeats() -> None:
    data = {"b": {"x": 1}, "a": [0, {"y": 1}]}
    problems = [
        Problem(("a", 1, "y"), "p"),
        Problem(("a", 7), "p"),
        Problem(("b", "x"), "p"),
        Problem(("b", "missing"), "p"),
        Problem(("a",), "p"),
        Problem(("b", "x"), "p"),
        Problem((), "p"),
    ]
    assert [dotted(it.path) for it in in_order(data, problems)] == [
        "",
        "b.missing",
        "b.x",
        "a",
        "a[7]",
        "a[1].y",
    ]
