"""An AWS that real processes use, and that can be again what it was at a moment before."""

from __future__ import annotations

import io
import pickle
import socket

from ecsplan.sandbox.account import Account
from tests.support.aws import Aws
from tests.support.clock import AheadClock, Clock
from tests.support.live import SETTLED
from tests.support.processes import PATIENCE, until


class Returning(Aws):
    """By the time of the machine, but while something is prepared, which is done a while before."""

    def __init__(self) -> None:
        self.time = AheadClock()
        super().__init__(self.time)

    def past(self) -> None:
        """Empty, and by the clock of a while ago, so that whoever waits by it does not wait."""
        self.reset()
        self.time.ahead = -2 * SETTLED

    def present(self) -> None:
        """What was on its way then has ended."""
        self.time.ahead = 0.0
        self._account.settle()

    def packed(self) -> bytes:
        """The account at this moment, and what is ordered of it."""
        written = io.BytesIO()
        with self._lock:
            _Packing(written, pickle.HIGHEST_PROTOCOL).dump(self._account)
        return written.getvalue()

    def unpack(self, packed: bytes) -> None:
        """Be that account again. The log of requests is empty."""
        unpickler = _Unpacking(io.BytesIO(packed))
        unpickler.clock = self.time
        with self._lock:
            account: Account = unpickler.load()
            self._account, self._outcomes = account, account.outcomes
        self.time.ahead = 0.0
        self.clear_requests()

    def hear_out(self) -> None:
        """Until everything that processes have sent which are gone is answered."""
        http = self._http
        assert http is not None
        with socket.create_connection(("127.0.0.1", http.port), timeout=PATIENCE) as last:
            last.shutdown(socket.SHUT_WR)
            assert last.recv(1) == b""  # so it was accepted, and all others before it
        until(lambda: not http._server._open, "no open connection")


class _Packing(pickle.Pickler):
    def persistent_id(self, value: object) -> str | None:
        return "clock" if isinstance(value, Clock) else None


class _Unpacking(pickle.Unpickler):
    clock: Clock

    def persistent_load(self, _name: object) -> Clock:
        return self.clock
