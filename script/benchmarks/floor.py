"""The floor: the same requests as `ecsplan plan` and `ecsplan apply`, by boto3 alone and as concurrently as can be.

floor.py SERVICES RULES TAG plan|apply|deploy    (deploy: both in one process, without looking twice)
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

THREADS = 64
services = [f"web-{number:02d}" for number in range(int(sys.argv[1]))]
rules = [f"rule-{number:02d}" for number in range(int(sys.argv[2]))]
tag, what = sys.argv[3:]
session: Any = boto3.Session()
ecs, events, sts = (
    session.client(name, config=Config(max_pool_connections=THREADS)) for name in ("ecs", "events", "sts")
)
pool = ThreadPoolExecutor(THREADS)


def plan() -> list[Any]:
    asked = [
        pool.submit(sts.get_caller_identity),
        pool.submit(ecs.describe_task_definition, taskDefinition="web", include=["TAGS"]),
        pool.submit(ecs.list_task_definitions, familyPrefix="web", status="ACTIVE", sort="DESC"),
    ]
    for at in range(0, len(services), 10):
        asked.append(pool.submit(ecs.describe_services, cluster="prod", services=services[at : at + 10]))
    asked += [pool.submit(events.list_targets_by_rule, Rule=rule) for rule in rules]
    return [one.result() for one in asked]


def apply(found: list[Any]) -> None:
    container = {"name": "web", "image": f"my_image:{tag}", "cpu": 128, "memory": 128}
    made = ecs.register_task_definition(family="web", containerDefinitions=[container])
    arn = made["taskDefinition"]["taskDefinitionArn"]
    sent = [pool.submit(ecs.update_service, cluster="prod", service=name, taskDefinition=arn) for name in services]
    for rule, answer in zip(rules, found[len(found) - len(rules) :], strict=True):
        for target in answer["Targets"]:
            target["EcsParameters"]["TaskDefinitionArn"] = arn
        sent.append(pool.submit(events.put_targets, Rule=rule, Targets=answer["Targets"]))
    for one in sent:
        one.result()


found = plan()
if what != "plan":
    apply(found)
