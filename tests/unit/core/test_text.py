"""JSON as text: one form of it, and the places of its members."""

from __future__ import annotations

import json

import pytest

from ecsplan.core.text import canonical_json, is_json, json_object, member_span, without_member


def deep(levels: int) -> str:
    return '{"a": ' + "[" * levels + "]" * levels + "}"


def test_one_form_of_equal_texts() -> None:
    assert canonical_json(' {"b": [1, 2],\n "a": "ü"} ') == '{"a":"ü","b":[1,2]}'
    assert canonical_json('{"a"') == '{"a"'
    assert canonical_json(3) == 3
    assert canonical_json("[" * 100_000) == "[" * 100_000


def test_half_a_surrogate_pair_is_written_in_ascii() -> None:
    """No UTF-8 can hold it, so neither could a plan."""
    assert canonical_json('{"b": "\\ud800ü",  "a": 1}') == '{"a":1,"b":"\\ud800\\u00fc"}'
    assert canonical_json('"\\ud83d\\ude00"') == '"😀"'


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "", "x", "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    assert not is_json(text)


@pytest.mark.parametrize("text", ["3", '"x"', "{}", "[1e400]", " null "])
def test_what_is_json(text: str) -> None:
    assert is_json(text)


@pytest.mark.parametrize("text", ["[1]", '"x"', "{", None, 3, "[" * 100_000, deep(200)])
def test_what_is_no_object(text: object) -> None:
    assert json_object(text) is None
    assert json_object('{"a": {}}') == {"a": {}}
    assert json_object(deep(199)) is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"T": "web:41"}', '"web:41"'),
        ('{ "a" : {"T": 1, "b": "}"} ,\n\t"T"  :  "x" , "c": [1]}', '"x"'),
        ('{"a": "\\"T\\": 3", "T":{"x": "y"}}', '{"x": "y"}'),
        ('{"T": 1, "T": 2}', "2"),
        ('{"\\u0054": null}', "null"),
        (' {"T":3}\n', "3"),
    ],
)
def test_the_place_of_a_member(text: str, value: str) -> None:
    span = member_span(text, "T")
    assert span is not None
    start, end = span
    assert text[start:end] == value
    assert json.loads(f"{text[:start]}0{text[end:]}")["T"] == 0


@pytest.mark.parametrize("text", ["{}", " { } ", '{"a": {"T": 1}}', '{"a": "T"}'])
def test_no_such_member(text: str) -> None:
    assert member_span(text, "T") is None
    assert without_member(text, "T") == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('{"T": 1}', "{}"),
        ('{"T": 1, "a": 2}', '{"a": 2}'),
        ('{"T":1,"a":2}', '{"a":2}'),
        (' {"T": 1,\n  "a": 2 } ', ' {\n  "a": 2 } '),
        ('{"a": 2, "T": {"T": 1} }', '{"a": 2}'),
        ('{"a": "T",\n "T": 1, "b": [","]}', '{"a": "T",\n "b": [","]}'),
        ('{"T": 1, "a": 2, "T": 3}', '{"a": 2}'),
    ],
)
def test_an_object_without_a_member(text: str, rest: str) -> None:
    assert without_member(text, "T") == rest
