"""How each field of a plan was compared, for people: a line per field, and the reason below it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from ecsplan.core.model import FieldChange
from ecsplan.core.text import value_text
from ecsplan.plan.explain import Explanation, Verdict
from ecsplan.render.paint import WIDTH, Paint, plain
from ecsplan.render.words import field_lines

NOTHING = "Nothing differs, nothing is equal only by a rule, and nothing is left alone."


def explained_text(explanations: Sequence[Explanation], paint: Paint = plain) -> str:
    """A block per address. The explanations are masked already."""
    lines = [paint("How it was compared", "bold")]
    for address, found in groupby(explanations, key=lambda one: one.address):
        lines += ["", paint(str(address), "bold"), *_block(list(found), paint)]
    return "\n".join(lines if explanations else [*lines, "", NOTHING])


def _block(found: Sequence[Explanation], paint: Paint) -> Iterator[str]:
    for one in found:
        if one.verdict is Verdict.DIFFERS:
            yield from field_lines(one.field, 4, paint)
            yield from _reason(one)
        elif one.verdict is Verdict.EQUAL:
            yield from _equal(one.field, paint)
            yield from _reason(one)
    if left := [one for one in found if one.verdict is Verdict.LEFT]:
        paths = ", ".join(one.field.path for one in left)
        yield from textwrap.wrap(
            f"left alone, {left[0].reason}: {paths}",
            WIDTH,
            initial_indent=f"    {paint('.', 'dim')} ",
            subsequent_indent=" " * 6,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _equal(field: FieldChange, paint: Paint) -> Iterator[str]:
    """Equal, but written differently: the live value, then the declared one."""
    values = [value_text(value) if value is not None else "(absent)" for value in (field.before, field.after)]
    head = f"    {paint('=', 'dim')} {field.path}"
    line = f"live {values[0]}, declared {values[1]}"
    if 6 + len(field.path) + 2 + len(line) <= WIDTH:
        yield f"{head}  {line}"
    else:
        yield head
        yield f"            live {values[0]}"
        yield f"        declared {values[1]}"


def _reason(one: Explanation) -> list[str]:
    """The reason on lines of its own, so that it can be quoted: the rule's path, then its reason."""
    text = f"{one.rule}: {one.reason}" if one.rule else one.reason
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * 8,
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )
