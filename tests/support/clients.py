"""botocore's clients, made once and lent to one session after the other.

Making one takes longer than a whole command does with it. Every command here still makes its own session and asks it
for clients, as it does for a user; it gets one that another session has closed, if that one was made for the same
environment, and if it is as good as new: nothing under way, and no error seen, which would count in its retry quota.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.hooks
import botocore.session
import pytest
from botocore.credentials import Credentials

Key = tuple[object, ...]


class Lent:
    """A client that comes back when it is closed, without what its last borrower has registered."""

    def __init__(self, client: Any, free: list[Lent]) -> None:
        self.client, self._free = client, free
        self._lock = threading.Lock()
        self._handlers: list[tuple[str, Any]] = []
        self._under_way, self._spoilt = 0, False
        events = client.meta.events
        self._register, self._unregister = events.register, events.unregister
        events.register("before-call", self._begins)
        events.register("after-call", self._ends)
        events.register("after-call-error", self._fails)
        events.register("response-received", self._received)
        events.register = self._registered
        client.close = self._closed

    def _registered(self, event_name: str, handler: Any, **more: Any) -> None:
        self._handlers.append((event_name, handler))
        self._register(event_name, handler, **more)

    def _begins(self, **_: Any) -> None:
        with self._lock:
            self._under_way += 1

    def _ends(self, **_: Any) -> None:
        with self._lock:
            self._under_way -= 1

    def _fails(self, **_: Any) -> None:
        self._spoilt = True
        self._ends()

    def _received(self, parsed_response: Any = None, exception: object = None, **_: Any) -> None:
        self._spoilt |= exception is not None or "Error" in (parsed_response or {})

    def _closed(self) -> None:
        for name, handler in self._handlers:
            self._unregister(name, handler)
        self._handlers.clear()
        if not self._spoilt and not self._under_way:
            self._free.append(self)


@contextmanager
def lending() -> Iterator[None]:
    """For as long as this lasts, clients are made once for each environment and configuration."""
    create: Any = botocore.session.Session.create_client
    name_of: Any = botocore.hooks.EventAliaser._alias_event_name  # type: ignore[attr-defined]
    free: dict[Key, list[Lent]] = {}

    def create_client(session: Any, service: str, region_name: str | None = None, **more: Any) -> Any:
        key = _key(session, service, region_name, more)
        if key is None:
            return create(session, service, region_name, **more)
        waiting = free.setdefault(key, [])
        try:
            return waiting.pop().client
        except IndexError:
            return Lent(create(session, service, region_name, **more), waiting).client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session.Session, "create_client", create_client)
        # The same few hundred names again and again, each taken apart and put together by every session.
        names = functools.cache(
            functools.partial(name_of, botocore.hooks.EventAliaser(botocore.hooks.HierarchicalEmitter()))
        )
        patch.setattr(botocore.hooks.EventAliaser, "_alias_event_name", lambda _self, name: names(name))
        yield


def _key(session: Any, service: str, region: str | None, more: dict[str, Any]) -> Key | None:
    """All that a client is made of. None where that cannot be compared, as credentials that renew themselves, and where
    no endpoint is set: such clients are a test's own, with handlers of its own."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        return None
    credentials, config = session.get_credentials(), more.get("config")
    if type(credentials) is not Credentials or any(
        v is not None for k, v in more.items() if k not in ("config", "use_ssl")
    ):
        return None
    environment = tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith(("AWS_", "BOTO_"))))
    options = repr(sorted(vars(config)["_user_provided_options"].items())) if config else ""
    keys = (credentials.access_key, credentials.secret_key, credentials.token)
    return (service, region or session.get_config_variable("region"), environment, keys, options)
