"""How options and gold are written, in every way that a dataset can get it wrong."""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.encodings import ANSWERS, MEMBERS, Unreadable, index, mapped, members, records
from tests.hostile import segments
from tests.tasks.declaring import check_line
from tests.tasks.test_template import values

THREE = ("one", "two", "three")


@pytest.mark.parametrize(
    ("value", "encoding", "found"),
    [
        (["a", "b"], "list", ["a", "b"]),
        (("a", None), "list", ["a", None]),
        ([], "list", []),
        ({"x": "a", "y": "b"}, "dict", ["a", "b"]),
        ('["a", "ọ̀"]', "json", ["a", "ọ̀"]),
        ('{"x": "a"}', "json", ["a"]),
        (["already", "a list"], "json", ["already", "a list"]),
        ("['a', \"b's\"]", "python", ["a", "b's"]),
        ("('a', 'b')", "python", ["a", "b"]),
        ("['a', None, 1]", "python", ["a", None, 1]),
        (r"['C:\d']", "python", [r"C:\d"]),
        (["already"], "python", ["already"]),
        ("a\n\n b \r\nc", "lines", ["a", "b", "c"]),
        ("", "lines", []),
        (None, "lines", []),
        ("A. one\nB. two", "lettered-lines", ["one", "two"]),
        ("(a) one\n(b) two", "lettered-lines", ["one", "two"]),
        ("a: one\nB) A. two", "lettered-lines", ["one", "A. two"]),
    ],
)
def test_members(value: Any, encoding: str, found: list[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert members(value, encoding) == found


@pytest.mark.parametrize("encoding", ["json", "python"])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "a, b",
        "[",
        "['a'",
        "a\x00b",
        "'text'",
        "1",
        "__import__('os').system('false')",
        "[__import__('os').system('false')]",
        "[open('/etc/hostname').read()]",
        "[x for x in (1, 2)]",
        "{[]: 1}",
        "{{1}}",
        "(lambda: 1)()",
        "[" * 100_000,
        "-" * 100_000 + "1",
        "9" * 5_000,
        "\ud800",
        None,
        7,
        b"ab",
    ],
)
def test_what_is_no_list_is_refused_and_never_run(value: Any, encoding: str) -> None:
    with pytest.raises(Unreadable) as caught:
        members(value, encoding)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 150


def test_nothing_of_a_value_is_imported_or_called(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    sys.addaudithook(lambda event, _: called.append(event) if event in ("os.system", "subprocess.Popen") else None)
    for value in ("__import__('os').system('true')", "[__import__('subprocess').run(['true'])]"):
        with pytest.raises(Unreadable):
            members(value, "python")
    assert called == []


@pytest.mark.parametrize("line", ["one", "1. one", "AB. one", ".", "ሀ. one"])
def test_a_line_without_its_letter(line: str) -> None:
    with pytest.raises(Unreadable, match="does not start with a letter"):
        members(f"A. first\n{line}", "lettered-lines")


@given(st.lists(st.text()))
def test_lists_survive_being_written(texts: list[str]) -> None:
    assert members(json.dumps(texts), "json") == texts
    assert members(json.dumps(texts, ensure_ascii=False), "json") == texts
    readable = [one for one in texts if one.isprintable()]
    assert members(repr(readable), "python") == readable


@given(values, st.sampled_from(MEMBERS))
def test_any_value_is_read_or_refused_in_one_line(value: Any, encoding: str) -> None:
    try:
        assert isinstance(members(value, encoding), list)
    except Unreadable as error:
        check_line(error)


def test_records() -> None:
    told = [{"text": "one", "label": "A"}, {"text": "two", "label": "B"}]
    assert records(told, "text", "label") == (["one", "two"], ["A", "B"])
    turned = {"text": ["one", "two"], "label": ["A", "B"]}
    assert records(turned, "text", "label") == (["one", "two"], ["A", "B"])
    assert records({"A": "one", "B": None}, "text", "label") == (["one", ""], ["A", "B"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        7,
        ["a"],
        [{"text": "one"}],
        [{"label": "A"}],
        {"text": "one", "label": "A"},
        {"text": ["one"]},
        [None],
    ],
)
def test_what_has_no_texts_and_labels(value: Any) -> None:
    with pytest.raises(Unreadable) as caught:
        records(value, "text", "label")
    assert "\n" not in str(caught.value)


def test_texts_and_labels_of_unequal_number() -> None:
    with pytest.raises(Unreadable, match="2 options have 1 labels"):
        records({"text": ["one", "two"], "label": ["A"]}, "text", "label")


@pytest.mark.parametrize(
    ("value", "encoding", "found"),
    [
        ("A", "letter", 0),
        (" c. ", "letter", 2),
        ("b", "letter", 1),
        (0, "0-based", 0),
        ("2", "0-based", 2),
        (1.0, "0-based", 1),
        (1, "1-based", 0),
        ("3", "1-based", 2),
        (" two ", "text", 1),
        ("option3", "suffix", 2),
        ("3", "suffix", 2),
        ("z", "label", 2),
        ([0, 1, 0], "one-hot", 1),
        (["0", "0", "1"], "one-hot", 2),
    ],
)
def test_index(value: Any, encoding: str, found: int) -> None:
    assert index(value, encoding, THREE, ["x", "y", "z"]) == found


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        *((value, "letter") for value in ("D", "", "AB", "А", "1", None, "ß", "Ａ")),
        *((value, "0-based") for value in (3, -1, "", "x", None, True, 1.5, "1e0", "9" * 5_000, "٣", float("nan"))),
        *((value, "1-based") for value in (0, 4, "A")),
        *((value, "text") for value in ("four", "", None, "ONE")),
        *((value, "suffix") for value in ("option0", "option4", "option", "", None)),
        *((value, "label") for value in ("a", "", None)),
        *((value, "one-hot") for value in ([0, 0, 0], [1, 1, 0], [0, 2, 0], [], None, "010", [0, 0, 0, 1])),
    ],
)
def test_a_gold_that_means_no_option(value: Any, encoding: str) -> None:
    with pytest.raises(Unreadable, match="the answer|is no list") as caught:
        index(value, encoding, THREE, ["x", "y", "z"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_gold_text_that_two_options_have() -> None:
    with pytest.raises(Unreadable, match="'two' is the text of 2 of the options"):
        index("two", "text", ("one", "two", " two "), [])


@given(values, st.sampled_from([name for name in ANSWERS if name != "map"]), st.lists(segments, max_size=4))
def test_any_gold_is_an_option_or_refused_in_one_line(value: Any, encoding: str, options: list[str]) -> None:
    try:
        assert 0 <= index(value, encoding, options, options) < len(options)
    except Unreadable as error:
        check_line(error)


def test_mapped() -> None:
    assert mapped(True, {"true": 1, "false": 0}) == 1
    assert mapped(" yes ", {"yes": 3}) == 3
    assert mapped(None, {"": 0}) == 0
    with pytest.raises(Unreadable, match="'maybe' is none of yes, no"):
        mapped("maybe", {"yes": 0, "no": 1})
