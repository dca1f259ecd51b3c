"""What stands in golden files of screens is the same for every run."""

from __future__ import annotations

from tests.support.screens import screen
from tests.support.world import Ran


def test_what_changes_from_run_to_run_has_a_name_instead() -> None:
    err = (
        "2023-11-14T22:13:20.000Z deployment ecs-svc/7012345 of web:2 at 127.0.0.1:4566\n"
        "arn:aws:ecs:eu-west-1:123456789012:service-deployment/prod/web/0123456789abcdef012345\n"
        "task 0123456789abcdef0123456789abcdef, hook 01234567-89ab-cdef-0123-456789abcdef\n\n"
    )
    assert screen(Ran(code=8, out="", err=err)) == (
        "exit 8\n--- stderr\n"
        "TIME deployment ecs-svc/ID of web:2 at 127.0.0.1:PORT\n"
        "arn:aws:ecs:eu-west-1:123456789012:service-deployment/prod/web/ID\n"
        "task ID, hook UUID\n"
    )


def test_steps_that_begin_at_once_stand_in_order() -> None:
    err = "2/3 ~ service.b  updating\n1/3 ~ service.a  updating\n3/3 - web:1  deregistered\n"
    assert screen(Ran(code=0, out="", err=err)) == (
        "exit 0\n--- stderr\n1/3 ~ service.a  updating\n2/3 ~ service.b  updating\n3/3 - web:1  deregistered\n"
    )


def test_both_streams_are_there() -> None:
    assert screen(Ran(code=0, out="done\n", err="1 s\n")) == "exit 0\n--- stderr\n1 s\n--- stdout\ndone\n"
