"""Requests and answers of calls that stay in this process, in the protocol of each service."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from botocore.loaders import create_loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from ecsplan.core.codec import to_data
from ecsplan.core.model import Call, Doc
from ecsplan.sandbox import wire
from tests.support.live import REGION

#: What names an operation in the protocol JSON 1.1. Services that are not here speak REST-JSON.
TARGETS = {"ecs": "AmazonEC2ContainerServiceV20141113", "events": "AWSEvents", "logs": "Logs_20140328"}


def aws_name(call: Call) -> str:
    """AWS's own name of it."""
    return "".join(part.capitalize() for part in call.operation.split("_"))


def request_of(call: Call) -> wire.Incoming:
    headers = {"authorization": f"Credential=sandbox/20260101/{REGION}/{call.service}/aws4_request"}
    params = to_data(call.params)
    if call.service in TARGETS:
        headers["x-amz-target"] = f"{TARGETS[call.service]}.{aws_name(call)}"
        return _incoming("POST", "/", headers, json.dumps(params).encode())
    made = create_serializer("rest-json").serialize_to_request(params, _model(call.service, aws_name(call)))
    query = "&".join(f"{name}={value}" for name, value in made["query_string"].items())
    path = f"{made['url_path']}?{query}" if query else made["url_path"]
    body = made["body"]
    return _incoming(made["method"], path, headers, body.encode() if isinstance(body, str) else body or b"")


def _incoming(method: str, path: str, headers: dict[str, str], body: bytes) -> wire.Incoming:
    return wire.Incoming(method=method, path=path, headers=headers, body=body, default_region=REGION)


def answer_of(call: Call, answer: wire.Answer) -> Doc:
    """What boto3 makes of an answer: its data, or `Error` with `Code` and `Message`."""
    data: Any = json.loads(answer.body)
    if call.service in TARGETS:
        error = {"Code": str(data.get("__type")), "Message": str(data.get("message"))}
        return {"Error": error} if answer.status >= 300 else data
    response = {"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body, "context": {}}
    shape = _model(call.service, aws_name(call)).output_shape
    assert shape is not None
    parsed: Doc = create_parser("rest-json").parse(response, shape)
    parsed.pop("ResponseMetadata")
    return parsed


@cache
def _model(service: str, operation: str) -> OperationModel:
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service).operation_model(operation)
