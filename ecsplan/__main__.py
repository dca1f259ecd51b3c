"""The `ecsplan` command, also as `python -m ecsplan`: the way in, which imports no more than is needed."""

from __future__ import annotations

import gc
import os
import sys

from ecsplan import __version__

TYPE_CHECKING = False  # importing `typing` takes as long as all else here
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

# Imports and AWS's models make hundreds of thousands of objects that stay. To look through them every 700 takes longer
# than a request; garbage is still collected, later.
OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> NoReturn:
    if page := ready(sys.argv[1:], os.environ):
        try:
            sys.stdout.write(page)
            sys.stdout.flush()
            os._exit(0)
        except OSError:
            pass  # nobody reads it: the command line's own error boundary knows what to do
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    from ecsplan.cli import main as command

    command()


def ready(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What answers a question for which nothing has to be worked out; "" for every other.

    click alone takes three times as long to import as Python to start. The page is made for 80 columns; where there are
    fewer, click breaks its lines.
    """
    if "_ECSPLAN_COMPLETE" in environment:
        return ""
    if list(arguments) == ["--version"]:
        return f"ecsplan, version {__version__}\n"
    if list(arguments) in (["--help"], ["-h"]) and "COLUMNS" not in environment and is_wide():
        from ecsplan.pages import HELP

        return HELP
    return ""


def is_wide() -> bool:
    try:
        return os.get_terminal_size(1).columns >= 80
    except OSError:  # no terminal
        return True


if __name__ == "__main__":
    main()
