"""One poll of a service, seen from the deployment that our update started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ecsplan.core.clock import epoch
from ecsplan.core.model import Call, Doc
from ecsplan.core.text import short_arn
from ecsplan.kinds.contract import Progress, Tracked
from ecsplan.kinds.service.read import by_name, expected, newest, primary_of, tally

# Seconds by which the times of one service may differ, since AWS takes them at different places.
CLOCK_SKEW = 1.0
# Attempts to list service deployments that AWS does not answer, and polls of a known one that do not show it.
MAX_LISTINGS = 3
# ECS answers from several places. After so many polls, half a minute, each of them knows of an update.
MAX_STALE_POLLS = 10
BACK = "back"  # an output: how ECS came to roll back
# The final states of a service deployment (ECS API reference, ServiceDeployment).
ROLLOUT_ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


@dataclass(frozen=True, kw_only=True)
class Misses:
    """How many polls in a row did not show something: our deployment, our service deployment (a throttled poll shows
    nothing). `listing` counts the requests for the list of service deployments."""

    deployment: int = 0
    rollout: int = 0
    listing: int = 0


@dataclass(frozen=True, kw_only=True)
class ServiceObservation:
    """`listed` holds the service deployments that were described or listed, by ARN."""

    tracked: Tracked
    service: Doc
    listed: dict[str, Doc]
    answered: bool
    """was the list or the description of service deployments answered?"""

    @cached_property
    def primary(self) -> Doc:
        return primary_of(self.service)

    @cached_property
    def previous_id(self) -> str:
        """The id of the deployment that was PRIMARY before the update."""
        return str(self.tracked.before.get("deployment") or expected(self.tracked.step).deployment or "")

    @cached_property
    def deployment_id(self) -> str:
        """The id of the deployment that the update started; "" if it is not known yet."""
        call = self.tracked.call
        unknown = not on_revision(self.primary, call) or is_previous(self.primary, call, self.previous_id)
        return self.tracked.outputs.get("deployment") or ("" if unknown else str(self.primary.get("id") or ""))

    @property
    def is_primary(self) -> bool:
        return (
            bool(self.deployment_id)
            and self.primary.get("id") == self.deployment_id
            and on_revision(self.primary, self.tracked.call)
        )

    @cached_property
    def deployment(self) -> Doc:
        """Our deployment, as long as ECS shows it."""
        found = (
            one
            for one in self.service.get("deployments", ())
            if self.deployment_id and one.get("id") == self.deployment_id
        )
        return dict(next(found, {}))

    @property
    def settled(self) -> bool:
        """As many tasks run as are desired, and no other deployment is left."""
        others = [d for d in self.service.get("deployments", ()) if d.get("status") not in ("PRIMARY", "INACTIVE")]
        return self.primary.get("runningCount", 0) == self.primary.get("desiredCount", 0) and not others

    @cached_property
    def rollout(self) -> Doc:
        """Our service deployment, if it is known and AWS answered it."""
        found = self.listed.get(self.tracked.outputs.get("rollout", ""), {})
        return found if is_reverting(self.tracked.outputs) or self._since(found) else {}

    def _since(self, rollout: Doc) -> bool:
        """Did it begin with our deployment, or later? A time that is missing does not count against it."""
        made, began = epoch(rollout.get("createdAt")), epoch(self.deployment.get("createdAt"))
        ended = epoch(rollout.get("finishedAt"))
        if not rollout or began is None:
            return bool(rollout)
        return (made is None or made >= began - CLOCK_SKEW) and (ended is None or ended >= began)

    @cached_property
    def rollout_arn(self) -> str:
        """The ARN of our service deployment, if this poll shows it: the newest one of the service while our deployment
        is PRIMARY, unless that is still the previous one."""
        if not self.is_primary:
            return ""
        before, with_details = expected(self.tracked.step).rollout, self.service.get("currentServiceDeployment")
        if with_details:
            return "" if with_details == before else str(with_details)
        new = {arn: one for arn, one in self.listed.items() if arn != before and self._since(one)}
        under_way = [arn for arn, one in new.items() if one.get("status") not in ROLLOUT_ENDED]
        return under_way[0] if len(under_way) == 1 else self._newest(new)

    def _newest(self, new: Mapping[str, Doc]) -> str:
        """At most one rollout is in progress. Among finished ones, pick ours only if the timestamps are unambiguous;
        otherwise an earlier rollout's result could be mistaken for ours."""
        began = epoch(self.deployment.get("createdAt"))
        made = sorted((at, arn) for arn, one in new.items() if (at := epoch(one.get("createdAt"))) is not None)
        if began is None or not made or len(made) < len(new) or (len(made) > 1 and made[-1][0] == made[-2][0]):
            return ""
        at, arn = made[-1]
        return arn if at >= began or epoch(new[arn].get("finishedAt")) is not None else ""

    @property
    def misses(self) -> Misses:
        """What the earlier polls did not show."""
        state = self.tracked.state
        return state if isinstance(state, Misses) else Misses()

    @property
    def missing_polls(self) -> int:
        """How many polls in a row no longer showed our deployment, which the answer to the update had shown, and showed
        the previous one as PRIMARY."""
        ours = self.deployment_id not in ("", self.previous_id)
        again = ours and not self.deployment and self.primary.get("id") == self.previous_id
        return self.misses.deployment + 1 if again else 0

    @cached_property
    def expects_rollout(self) -> bool:
        """Is a service deployment needed that no poll has shown yet, and that may still appear?"""
        outputs = self.tracked.outputs
        if not needs_service_deployment(self.service) or self.rollout:
            return False
        if self.rollout_arn and self.rollout_arn != outputs.get("rollout"):
            return True
        if outputs.get("rollout"):
            return outputs["rollout"] not in self.listed and self.misses.rollout < MAX_LISTINGS
        listed = self.answered or self.service.get("currentServiceDeployment")
        return not listed and self.misses.listing <= MAX_LISTINGS


def observe(tracked: Tracked, answers: Sequence[Doc]) -> ServiceObservation | None:
    """None if the answers do not show the service."""
    services = {name: service for data in answers for name, service in by_name(data).items()}
    service = services.get(short_arn(tracked.call.params["service"]))
    lists = [data["serviceDeployments"] for data in answers if "serviceDeployments" in data]
    listed = {str(one.get("serviceDeploymentArn")): one for found in lists for one in found}
    if service is None:
        return None
    return ServiceObservation(tracked=tracked, service=service, listed=listed, answered=bool(lists))


def on_revision(deployment: Doc, call: Call) -> bool:
    """Is it on the revision that the call asks for? A call that changes no revision fits any."""
    wanted = call.params.get("taskDefinition")
    return wanted is None or short_arn(deployment.get("taskDefinition", "")) == short_arn(wanted)


def is_previous(primary: Doc, call: Call, before: object) -> bool:
    """Is it the previous deployment, of an update that starts a new one in any case?"""
    return bool(call.params.get("forceNewDeployment")) and primary.get("id") == before


def is_reverting(outputs: Mapping[str, str]) -> bool:
    """Do these outputs mean that ECS rolls back, by itself or on request?"""
    return BACK in outputs


def needs_service_deployment(service: Doc) -> bool:
    """Are service deployments needed to see how its rollouts go? For a plain rolling one, the service is enough."""
    configuration = service.get("deploymentConfiguration") or {}
    more = configuration.get("lifecycleHooks") or configuration.get("bakeTimeInMinutes")
    return configuration.get("strategy", "ROLLING") != "ROLLING" or bool(more)


# --- what a poll adds to the judgement ---


def with_details(observed: ServiceObservation, progress: Progress) -> Progress:
    """The judgement with the facts that this poll shows, and what the next poll has to know. Stage and traffic are
    those of the way forward, so they are left out during a rollback."""
    rollout, about = observed.rollout, observed.deployment or (observed.primary if not observed.deployment_id else {})
    target, back = rollout.get("targetServiceRevision") or {}, is_reverting(observed.tracked.outputs)
    return replace(
        progress,
        tally=tally(about, rollout) if about else None,
        stage="" if back else str(rollout.get("lifecycleStage") or ""),
        traffic=None if back else target.get("requestedProductionTrafficWeight"),
        newest=newest(observed.service, about.get("createdAt") or rollout.get("createdAt")),
        outputs=new_outputs(observed),
        state=misses(observed),
    )


def new_outputs(observed: ServiceObservation) -> dict[str, str]:
    """The id of our deployment, and the ARN of our service deployment if that is needed."""
    outputs, result = observed.tracked.outputs, {}
    if is_reverting(outputs):
        return {}
    if not outputs.get("deployment") and observed.is_primary:
        result["deployment"] = observed.deployment_id
    if _lacks_rollout(observed) and observed.rollout_arn and observed.rollout_arn != outputs.get("rollout"):
        result["rollout"] = observed.rollout_arn
    return result


def misses(observed: ServiceObservation) -> Misses:
    """The counts that the next poll continues."""
    if is_reverting(observed.tracked.outputs):
        return observed.misses
    rollout = observed.tracked.outputs.get("rollout")
    unheard = min(observed.misses.rollout + 1, MAX_LISTINGS) if rollout and rollout not in observed.listed else 0
    return Misses(deployment=observed.missing_polls, rollout=unheard, listing=_listings(observed))


def _listings(observed: ServiceObservation) -> int:
    asked = observed.misses.listing
    if not _lacks_rollout(observed) or observed.rollout_arn or observed.service.get("currentServiceDeployment"):
        return asked
    return asked if asked > MAX_LISTINGS or (asked and observed.answered) else asked + 1


def _lacks_rollout(observed: ServiceObservation) -> bool:
    """Is its service deployment needed, and not known yet?"""
    return needs_service_deployment(observed.service) and not observed.rollout and observed.is_primary
