"""The cluster of a call, and the pages of listings."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ecsplan.core.errors import AwsError
from ecsplan.core.model import Call, Doc
from ecsplan.core.ports import Answer
from ecsplan.kinds.ecs.calls import in_cluster, pages


class Listings:
    """Pages by family and token; each round of calls is noted."""

    def __init__(self, answers: dict[tuple[str, str], Doc | AwsError]) -> None:
        self.answers = answers
        self.rounds: list[list[tuple[str, str]]] = []

    def fetch(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        asked = [(call.params["family"], call.params.get("nextToken", "")) for call in calls]
        self.rounds.append(asked)
        return tuple(self._answer(call, self.answers[key]) for call, key in zip(calls, asked, strict=True))

    @staticmethod
    def _answer(call: Call, found: Doc | AwsError) -> Answer:
        return Answer(call=call, error=found) if isinstance(found, AwsError) else Answer(call=call, data=found)

    def pages(self, *families: str) -> list[list[str]]:
        calls = [Call(service="ecs", operation="list_tasks", params={"family": family}) for family in families]
        return pages(self, self.fetch(calls), at="taskArns")


def test_the_default_cluster_is_not_named() -> None:
    assert in_cluster("prod", {"tasks": ["a"]}) == {"cluster": "prod", "tasks": ["a"]}
    assert in_cluster(None, {"tasks": ["a"]}) == {"tasks": ["a"]}
    assert in_cluster("", {}) == {}


def test_the_next_pages_of_all_listings_are_fetched_together() -> None:
    reader = Listings(
        {
            ("a", ""): {"taskArns": ["a1"], "nextToken": "x"},
            ("a", "x"): {"taskArns": ["a2"], "nextToken": "y"},
            ("a", "y"): {"taskArns": ["a3"]},
            ("b", ""): {"taskArns": ["b1"]},
            ("c", ""): {"taskArns": [], "nextToken": "x"},
            ("c", "x"): {"taskArns": ["c1"]},
        }
    )
    assert reader.pages("a", "b", "c") == [["a1", "a2", "a3"], ["b1"], ["c1"]]
    assert reader.rounds == [[("a", ""), ("b", ""), ("c", "")], [("a", "x"), ("c", "x")], [("a", "y")]]


def test_one_page_of_each_needs_nothing_more() -> None:
    reader = Listings({("a", ""): {"taskArns": ["a1"]}, ("b", ""): {}})
    assert reader.pages("a", "b") == [["a1"], []]
    assert len(reader.rounds) == 1
    assert reader.pages() == []


def test_a_page_that_names_itself_as_the_next_one_ends() -> None:
    page = {"taskArns": ["a1"], "nextToken": "x"}
    reader = Listings({("a", ""): page, ("a", "x"): page})
    assert reader.pages("a") == [["a1", "a1"]]
    assert len(reader.rounds) == 2


def test_a_page_that_is_refused_is_an_error() -> None:
    refusal = AwsError("not allowed", code="AccessDeniedException")
    reader = Listings({("a", ""): {"taskArns": ["a1"], "nextToken": "x"}, ("a", "x"): refusal})
    with pytest.raises(AwsError) as caught:
        reader.pages("a")
    assert caught.value is refusal
