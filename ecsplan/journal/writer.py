"""Appending to a deployment's file of the journal."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from ecsplan.core.codec import to_json
from ecsplan.core.model import Value
from ecsplan.journal.files import told


class Writer:
    """Appends to one deployment's file; an entry is on disk when `append` returns.

    Entries of several threads that come at the same time share one fsync: 50 services would otherwise wait for a
    hundred of them, one after the other. `once` is `Opened.once`.
    """

    def __init__(self, number: int, path: Path, handle: int, once: str = "") -> None:
        self.number, self.path, self.once = number, path, once
        self._handle, self._broken = handle, False
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        self._written = self._safe = os.fstat(handle).st_size  # bytes, in whole entries; the second are on disk

    def append(self, entry: Value) -> None:
        line = to_json(entry) + b"\n"
        with told(f"the journal {self.path} cannot be written"):
            self._sync(self._write(line))

    def _write(self, line: bytes) -> int:
        """Where the line ends in the file."""
        with self._lock:
            if self._broken:
                raise OSError(0, "an earlier entry could not be written")
            rest = line
            try:
                while rest:
                    rest = rest[os.write(self._handle, rest) :]
            except OSError:
                self._break_off(self._written)
                raise
            self._written += len(line)
            return self._written

    def _sync(self, end: int) -> None:
        """Until everything as far as `end` is on disk, by this thread's fsync or by one that began after it was
        written."""
        with self._syncing:
            if self._safe >= end:
                return
            with self._lock:
                if self._broken and self._written < end:
                    raise OSError(0, "an earlier entry could not be written")
                reached = self._written
            try:
                os.fsync(self._handle)
            except OSError:
                with self._lock:
                    self._break_off(self._safe)
                raise
            self._safe = reached

    def _break_off(self, size: int) -> None:
        """Half a line in the middle would be damage; at the end it is only torn. Nothing more is written."""
        self._broken, self._written = True, size
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle, size)

    def close(self) -> None:
        os.close(self._handle)
