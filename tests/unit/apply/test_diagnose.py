"""Looking up why something failed: one diagnosis by address, and nothing that could keep a deployment from going on."""

from __future__ import annotations

import msgspec

from ecsplan.apply.diagnose import diagnosed
from ecsplan.core import events
from ecsplan.core.model import Action
from ecsplan.kinds import kind_of
from ecsplan.kinds.contract import Progress, Tracked
from tests.unit.builders import run
from tests.unit.fakes_kinds import call, step_of
from tests.unit.rig import Rig, exits

FAILED = Progress(done=True, ok=False, note="it failed")


def one_off(rig: Rig, number: int) -> Tracked:
    """A step whose task was started."""
    started = call("run_task", cluster="prod", taskDefinition=rig.aws.add_revision("web", 1))
    (task,) = rig.aws.write(started)["tasks"]
    step = msgspec.structs.replace(run(), index=number)
    return Tracked(kind=kind_of(step.address), step=step, call=started, outputs={"tasks": task["taskArn"]})


def test_what_several_requests_started_has_one_diagnosis() -> None:
    rig = Rig()
    rig.tasks |= {1: exits(1), 2: exits(1), 3: exits(2)}
    ended = [one_off(rig, number) for number in (1, 2, 3)]
    found = dict(diagnosed([(one, FAILED) for one in ended], rig.ports))
    assert [(task.count, task.containers[0].exit_code) for task in found[run().address].tasks] == [(2, 1), (1, 2)]
    assert [(event.address, event.diagnosis) for event in rig.happened(events.Diagnosed)] == list(found.items())


def test_what_a_kind_knows_nothing_of_has_none() -> None:
    rig = Rig()
    step = step_of("event_targets.nightly", call("put_targets", "events"), action=Action.UPDATE)
    waiting = Tracked(kind=kind_of(step.address), step=step, call=step.call, outputs={})
    assert list(diagnosed([(waiting, FAILED)], rig.ports)) == []
    assert rig.said == []


def test_nothing_failed() -> None:
    assert list(diagnosed([], Rig().ports)) == []
