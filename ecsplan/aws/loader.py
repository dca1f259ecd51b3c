"""botocore's files about AWS's services, read once per process: for checking specs, and for the clients."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.loaders import Loader

SERVICES = ("ecs", "events", "sns", "sts")  # those that ecsplan asks; credentials may need others


@cache
def loader() -> Loader:
    """A loader for `Session.register_component("data_loader", …)`; it remembers what it has read.

    botocore looks through the folders of all its services before it reads the model of one, for each sort of file
    anew, which takes longer than all the reading. This one does that only for services that are not `SERVICES`.
    """
    from botocore.loaders import Loader

    others = Loader()

    class Known(Loader):
        def list_available_services(self, type_name: str) -> list[str]:
            return list(SERVICES)

        def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> object:
            if service_name in SERVICES:
                return super().load_service_model(service_name, type_name, api_version)
            return others.load_service_model(service_name, type_name, api_version)

    return Known()
