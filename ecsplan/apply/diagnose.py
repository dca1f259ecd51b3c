"""Looking up why what was awaited has failed, at once: what AWS shows of it fades."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ecsplan.apply.send import Ports
from ecsplan.apply.wait import Judged
from ecsplan.core import events
from ecsplan.core.diagnosis import Diagnosis, joined
from ecsplan.core.model import Address
from ecsplan.core.ports import Reader
from ecsplan.kinds.contract import Progress, Tracked

CONCURRENT = 8


def diagnosed(failed: Sequence[Judged], ports: Ports) -> dict[Address, Diagnosis]:
    """One diagnosis by address, where there is any, in this order; each is reported as well. Raises nothing: a
    lookup that fails is a warning."""
    with ThreadPoolExecutor(max_workers=CONCURRENT, thread_name_prefix="why") as pool:
        futures = [pool.submit(_found, ports.read, one, progress) for one, progress in failed]
    found: dict[Address, Diagnosis] = {}
    for (one, _), future in zip(failed, futures, strict=True):
        if error := future.exception():
            ports.emit(events.Warned(message=f"could not look up why {one.address} has failed: {error}"))
        elif diagnosis := future.result():
            before = found.get(one.address)
            found[one.address] = joined(before, diagnosis) if before else diagnosis
    for address, diagnosis in found.items():
        ports.emit(events.Diagnosed(address=address, diagnosis=diagnosis))
    return found


def _found(reader: Reader, one: Tracked, progress: Progress) -> Diagnosis | None:
    return one.kind.track.diagnose(reader, one, progress) if one.kind.track else None
