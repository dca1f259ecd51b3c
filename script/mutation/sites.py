"""Where a mutant can be made: inside functions of the package, outside the simulator and what is drawn."""

from __future__ import annotations

import ast
import io
import random
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import accumulate
from pathlib import Path

PACKAGE = "ecsplan"
APART = ("ecsplan/sandbox/", "ecsplan/render/")
TURNED = {
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Lt: ("<", ">="), ast.GtE: (">=", "<"), ast.Gt: (">", "<="),
    ast.LtE: ("<=", ">"), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}  # fmt: skip
Position = tuple[int, int]  # a line, from 1, and a column in characters, from 0


@dataclass(frozen=True, kw_only=True)
class Site:
    """One mutant: the text from each position to the next one is replaced. `first` and `last` are the lines that a
    test has to run to notice it."""

    path: str
    sort: str  # comparison, and/or, not, return
    first: int
    last: int
    edits: tuple[tuple[Position, Position, str], ...]

    @property
    def name(self) -> str:
        line, column = self.edits[0][0]
        return f"{self.path}:{line}:{column} {self.sort}"

    def mutated(self, text: str) -> str:
        lengths = [len(line) for line in text.splitlines(keepends=True)]
        starts = [0, *accumulate(lengths)]
        for (line, column), (end_line, end_column), new in sorted(self.edits, reverse=True):
            text = text[: starts[line - 1] + column] + new + text[starts[end_line - 1] + end_column :]
        return text

    def diff(self, text: str) -> str:
        before, after = text.splitlines(), self.mutated(text).splitlines()
        return "\n".join(list(unified_diff(before, after, lineterm="", n=1))[3:])


def drawn(root: Path, number: int, seed: int) -> list[Site]:
    """The same for the same package and seed; fewer are the first of more."""
    found = [
        site for path in modules(root) for site in sites(path.relative_to(root).as_posix(), path.read_text("utf-8"))
    ]
    found.sort(key=lambda site: (site.path, site.edits, site.sort))
    random.Random(seed).shuffle(found)
    return found[:number]


def modules(root: Path) -> list[Path]:
    return [
        path
        for path in sorted((root / PACKAGE).rglob("*.py"))
        if not path.relative_to(root).as_posix().startswith(APART)
    ]


def sites(path: str, text: str) -> Iterator[Site]:
    lines = text.splitlines()
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type in {tokenize.OP, tokenize.NAME}
    ]

    def start(node: ast.AST) -> Position:
        return _position(lines, node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(node: ast.AST) -> Position:
        return _position(lines, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def between(left: ast.AST, right: ast.AST, words: Sequence[str]) -> tuple[Position, Position]:
        """The operator of these words between two operands."""
        gap = [each for each in tokens if end(left) <= each.start and each.end <= start(right)]
        operator = [each for each in gap if each.string in words]
        assert len(operator) == len(words), (path, start(left))
        return operator[0].start, operator[-1].end

    def mutant(sort: str, node: ast.AST, *edits: tuple[Position, Position, str]) -> Site:
        return Site(path=path, sort=sort, first=start(node)[0], last=end(node)[0], edits=edits)

    for node in _in_functions(ast.parse(text)):
        match node:
            case ast.Compare():
                operands = [node.left, *node.comparators]
                for at, operator in enumerate(node.ops):
                    old, new = TURNED[type(operator)]
                    where = between(operands[at], operands[at + 1], old.split())
                    yield mutant("comparison", node, (*where, new))
            case ast.BoolOp():
                old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
                pairs = zip(node.values, node.values[1:], strict=False)
                yield mutant("and/or", node, *((*between(left, right, [old]), new) for left, right in pairs))
            case ast.UnaryOp(op=ast.Not()):
                line, column = start(node)
                yield mutant("not", node, ((line, column), (line, column + len("not ")), ""))
            case ast.Return(value=ast.Constant(value=None | False) | None):
                pass  # None for False is no fault in a condition
            case ast.Return():
                yield mutant("return", node, (start(node), end(node), "return None"))


def _in_functions(tree: ast.AST, *, inside: bool = False) -> Iterator[ast.AST]:
    """The nodes of the bodies of functions. What stands in an f-string is left out: its positions are not known."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.JoinedStr):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in child.body:
                yield statement
                yield from _in_functions(statement, inside=True)
        else:
            if inside:
                yield child
            yield from _in_functions(child, inside=inside)


def _position(lines: Sequence[str], line: int, column: int) -> Position:
    """Of a position in bytes of UTF-8."""
    return line, len(lines[line - 1].encode()[:column].decode())
