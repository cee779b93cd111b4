"""Templates over rows with hostile values."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.records import DataError
from tasks.template import fill, lookup, places, text
from tests.hostile import segments
from tests.tasks.declaring import YORUBA, check_line, row

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | segments,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(segments, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{a}", "x"),
        ("{a} and {a}", "x and x"),
        ("", ""),
        ("no column", "no column"),
        ("{}", "{}"),
        ("{a", "{a"),
        ("a}", "a}"),
        ("{{a}}", "{x}"),
        ("{null}", ""),
        ("{yes}", "true"),
        ("{one}", "1"),
        ("{half}", "0.5"),
        ("{one:04}", "0001"),
        ("{word:03}", "abcd"),
        ("{code}", "yo"),
        ("{braces}", "{a}"),
        ("{deep.list.1.name}", "second"),
        ("{json.list.0}", "in JSON"),
        ("{line.break}", "a dotted name of the dataset's own"),
        ("{number.٠}", "Arabic digits are digits"),
        ("{word:^c}", "ab"),
        ("{word:^/}", "abcd"),
    ],
)
def test_fill(template: str, filled: str) -> None:
    known = row(
        a="x",
        null=None,
        yes=True,
        one=1,
        half=0.5,
        word="abcd",
        braces="{a}",
        deep={"list": [{}, {"name": "second"}]},
        json=json.dumps({"list": ["in JSON"]}),
        number=["Arabic digits are digits"],
        **{"line.break": "a dotted name of the dataset's own"},
    )
    assert fill(template, known, YORUBA) == filled


def test_a_column_goes_before_what_is_known_of_every_row() -> None:
    assert fill("{code} {line}", row(code="own", line=7), YORUBA) == "own 7"


def test_the_column_that_is_called_as_the_language_is() -> None:
    assert fill("{@code}", row(yo="ọ̀rọ̀", ha="kalma"), YORUBA) == "ọ̀rọ̀"
    with pytest.raises(DataError, match="here row 1: no column 'yo'; there are ha"):
        fill("{@code}", row(ha="kalma"), YORUBA)


@pytest.mark.parametrize(
    "path",
    [
        "absent",
        "a.b",
        "a.0",
        "list.2",
        "list.-1",
        "list.x",
        "deep.no",
        "json.no",
        "deep.",
        ".deep",
        "a.__class__",
        "bad.0",
    ],
)
def test_a_missing_column_is_named_with_those_there_are(path: str) -> None:
    known = row(a="x", list=[1, 2], deep={}, json='{"yes": 1}', bad="[1, 2")
    with pytest.raises(DataError) as caught:
        lookup(path, known, YORUBA)
    assert str(caught.value) == f"here row 1: no column {path!r}; there are a, list, deep, json, bad"


def test_the_message_stays_one_line_of_a_bounded_length() -> None:
    with pytest.raises(DataError) as caught:
        lookup("absent", row(**{"a\nb": 1, "c" * 100_000: 2}), YORUBA)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_text_is_never_run_or_expanded_twice() -> None:
    hostile = "{a} {0} {b.__class__} %s ${HOME} __import__('os').system('false')"
    assert fill("{a}", row(a=hostile, b=""), YORUBA) == hostile


@given(segments)
def test_a_hash_names_a_text_without_telling_it(value: str) -> None:
    (made,) = [fill("{a:#}", row(a=value), YORUBA)]
    assert made == hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@given(segments, st.dictionaries(segments, values, max_size=4))
def test_any_template_over_any_row_fills_or_says_why_not(template: str, known: dict[str, Any]) -> None:
    try:
        filled = fill(template, row(**known), YORUBA)
    except DataError as error:
        assert places(template)
        check_line(error, without=repr(template))
    else:
        assert places(template) or filled == template


@given(st.dictionaries(st.sampled_from("abc"), values, min_size=1), st.lists(st.sampled_from("abc012x"), max_size=4))
def test_any_path_ends_in_a_value_or_in_one_line(known: dict[str, Any], path: list[str]) -> None:
    try:
        lookup(".".join(path), row(**known), YORUBA)
    except DataError as error:
        check_line(error)


@given(values)
def test_any_value_is_a_text(value: Any) -> None:
    assert isinstance(text(value), str)
    assert fill("{a}", row(a=value), YORUBA) == text(value)
