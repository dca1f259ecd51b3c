"""The embedded AWS as a process of its own, put back to the same state before every run."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.cases import CLUSTER, FAMILY, Case, definition, target

TARGETS = {"ecs": "AmazonEC2ContainerServiceV20141113", "events": "AWSEvents"}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the embedded AWS says of a run."""

    requests: int
    round_trips: int
    failed: int


class Server:
    """A process that says where it listens; it ends with the context."""

    def __init__(self, command: list[str], says: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        self.url = self._url(says)

    def _url(self, says: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(says):
                return line.removeprefix(says).strip()
        raise RuntimeError(f"{self.process.args!r} did not start")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def cpu(self) -> float:
        """Seconds that the process has used so far; 0 where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Aws(Server):
    def __init__(self, folder: Path) -> None:
        """`folder` has no spec in it: what is there is made for each run."""
        says = "export AWS_ENDPOINT_URL="
        super().__init__([sys.executable, "-u", "-m", "ecsplan", "sandbox"], says, folder)

    def environment(self) -> dict[str, str]:
        """All that any of the tools is told."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "NO_PROXY": "127.0.0.1",
        }

    def prepare(self, case: Case, latency: float) -> None:
        """As before a second deployment: every service and rule is on the family's first revision."""
        self._post("/_sandbox/reset", {})
        self._call("ecs", "CreateCluster", clusterName=CLUSTER)
        made = self._call("ecs", "RegisterTaskDefinition", family=FAMILY, containerDefinitions=definition("v0"))
        arn = made["taskDefinition"]["taskDefinitionArn"]
        for name in case.service_names():
            self._call("ecs", "CreateService", cluster=CLUSTER, serviceName=name, taskDefinition=arn, desiredCount=1)
        for name in case.rule_names():
            self._call("events", "PutRule", Name=name, ScheduleExpression="rate(1 hour)")
            self._call("events", "PutTargets", Rule=name, Targets=[target(arn)])
        self.forget()
        # What AWS takes per second is another question (script/fleet); here every tool may be as fast as it can.
        unbounded = {"rates": False} if "rates" in self._post("/_sandbox/settings", {}) else {}
        self._post("/_sandbox/settings", {"latency": latency, **unbounded})

    def forget(self) -> None:
        self._send("DELETE", "/_sandbox/requests", {}, {})

    def seen(self) -> Seen:
        found = self._send("GET", "/_sandbox/requests", {}, {})["requests"]
        failed = sum(one["status"] != 200 for one in found)
        return Seen(requests=len(found), round_trips=round_trips(found), failed=failed)

    def _call(self, service: str, operation: str, **params: Any) -> Any:
        headers = {"X-Amz-Target": f"{TARGETS[service]}.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        return self._send("POST", "/", headers, params)

    def _post(self, path: str, data: Mapping[str, Any]) -> Any:
        return self._send("POST", path, {}, data)

    def _send(self, method: str, path: str, headers: Mapping[str, str], data: Mapping[str, Any]) -> Any:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            connection.request(method, path, json.dumps(data), dict(headers))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} {dict(headers)}: {answer.status} {body!r}")
        return json.loads(body or b"{}")


def round_trips(requests: list[dict[str, Any]]) -> int:
    """The longest chain of requests each of which began after the one before had ended."""
    count, ended = 0, float("-inf")
    for request in sorted(requests, key=lambda one: float(one["ended"])):
        if request["began"] >= ended:
            count, ended = count + 1, request["ended"]
    return count
