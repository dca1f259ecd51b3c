"""How the process ends, and what happens to its output when the reader has gone."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn, TextIO


def leave(code: int) -> NoReturn:
    """End the process with this exit code, after flushing stdout and stderr. Everything else must be closed by now."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    leave_at_once(code)


def leave_at_once(code: int, message: str = "") -> NoReturn:
    """End the process without flushing, also from a signal handler. `message` goes to stderr, past Python's buffers."""
    if message:
        with suppress(OSError):
            os.write(2, message.encode())
    os._exit(code)  # freeing botocore's models would take longer than some commands


def discard(stream: TextIO) -> None:
    """Send the rest of a stream to nowhere: its reader has gone, and what is still buffered must not fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
