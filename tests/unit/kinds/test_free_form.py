"""Free-form maps are declared, compared and put back as a whole: a name that is no longer declared is taken away."""

from __future__ import annotations

from ecsplan.core.model import Doc
from tests.unit.fakes_kinds import before, compare, kind, paths, same

SERVICE, RULE = kind("service"), kind("event_targets")


def logging(**options: str) -> Doc:
    return {"serviceConnectConfiguration": {"enabled": True, "logConfiguration": {"options": options}}}


def transformed(**names: str) -> Doc:
    transformer = {"InputPathsMap": names, "InputTemplate": "<a>"}
    return {"Rule": "nightly", "Targets": [{"Id": "one", "InputTransformer": transformer}]}


def test_an_option_that_is_no_longer_declared_is_a_change() -> None:
    live, declared = logging(mode="blocking", tag="x"), logging(tag="x")
    assert paths(SERVICE, live, declared) == ["serviceConnectConfiguration.logConfiguration.options.mode"]
    back = before(SERVICE, live, compare(SERVICE).merge(live, declared), declared)
    assert same(SERVICE, compare(SERVICE).merge(compare(SERVICE).merge(live, declared), back), live)
    assert compare(SERVICE).merge(compare(SERVICE).merge(live, declared), back) == live


def test_a_path_of_an_input_that_is_no_longer_declared_is_a_change() -> None:
    live, declared = transformed(a="$.a", b="$.b"), transformed(a="$.a")
    assert paths(RULE, live, declared) == ["targets.one.InputTransformer.InputPathsMap.b"]
    back = before(RULE, live, compare(RULE).merge(live, declared), declared)
    assert compare(RULE).merge(compare(RULE).merge(live, declared), back) == live


def test_of_two_ways_back_the_older_map_wins_whole() -> None:
    newer, older = logging(mode="blocking", tag="x"), logging(tag="y")
    assert compare(SERVICE).merge_before(newer, older) == older
    merged = compare(RULE).merge_before(transformed(a="1", b="2"), transformed(a="0"))
    assert merged == transformed(a="0")


def test_what_is_not_declared_of_a_block_stays() -> None:
    live, declared = logging(mode="blocking"), {"serviceConnectConfiguration": {"enabled": True}}
    assert same(SERVICE, live, declared)


def test_the_platform_version_that_was_pinned_is_put_back() -> None:
    """LATEST alone is no difference, since it may be what was resolved; but an update sends it along."""
    live, declared = {"platformVersion": "1.3.0", "desiredCount": 1}, {"platformVersion": "LATEST", "desiredCount": 3}
    assert paths(SERVICE, live, declared) == ["desiredCount"]
    back = before(SERVICE, live, compare(SERVICE).merge(live, declared), declared)
    assert back == {"platformVersion": "1.3.0", "desiredCount": 1}


def test_a_name_that_ecs_made_of_a_namespaces_arn_is_no_difference() -> None:
    def connect(**alias: object) -> Doc:
        services = [{"portName": "http", "clientAliases": [{"port": 80, **alias}]}]
        arn = "arn:aws:servicediscovery:eu-west-1:123456789012:namespace/ns-1"
        return {"serviceConnectConfiguration": {"enabled": True, "namespace": arn, "services": services}}

    assert same(SERVICE, connect(dnsName="http.shop"), connect())
    assert not same(SERVICE, connect(dnsName="http.shop"), connect(dnsName="web.shop"))
    assert not same(SERVICE, connect(), connect(dnsName="web.shop"))
