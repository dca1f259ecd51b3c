"""The `ecsplan` command, also as `python -m ecsplan`."""

from __future__ import annotations

import gc
from typing import NoReturn

from ecsplan import cli

# Imports and AWS's models make hundreds of thousands of objects that stay. To look through them every 700 takes longer
# than a request; garbage is still collected, later.
OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> NoReturn:
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    cli.main()


if __name__ == "__main__":
    main()
