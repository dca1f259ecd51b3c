"""Looking up why what was waited for has failed, at once: what AWS shows of it fades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from ecsplan.apply.send import Ports
from ecsplan.core import events
from ecsplan.core.diagnosis import Diagnosis, joined, shortened
from ecsplan.core.model import Address
from ecsplan.kinds.contract import Progress, Tracked
from ecsplan.redact import SecretCollectingReader, clean_all, scrub

CONCURRENT = 8


def diagnosed(failed: Sequence[tuple[Tracked, Progress]], ports: Ports) -> Iterator[tuple[Address, Diagnosis]]:
    """One diagnosis by address, where there is any, secrets masked, in this order; each is told as well. Raises
    nothing: whatever comes of looking, the deployment goes on, and back."""
    with ThreadPoolExecutor(max_workers=CONCURRENT, thread_name_prefix="why") as pool:
        futures = [pool.submit(_found, ports, one, progress) for one, progress in failed]
    found: dict[Address, Diagnosis] = {}
    for (one, _), future in zip(failed, futures, strict=True):
        if error := future.exception():
            message = f"why {one.address} has failed could not be looked up: {ports.clean(str(error))}"
            ports.emit(events.Warned(message=message))
        elif diagnosis := future.result():
            before = found.get(one.address)
            found[one.address] = joined(before, diagnosis) if before else diagnosis
    for address, diagnosis in found.items():
        ports.emit(events.Diagnosed(address=address, diagnosis=diagnosis))
        yield address, diagnosis


def _found(ports: Ports, one: Tracked, progress: Progress) -> Diagnosis | None:
    ask = SecretCollectingReader(ports.ask)
    found = one.kind.track.diagnose(ask, one, progress) if one.kind.track else None
    if found is None:
        return None
    secrets = ask.secrets()
    return shortened(clean_all(found, lambda text: scrub(ports.clean(text), secrets)))
