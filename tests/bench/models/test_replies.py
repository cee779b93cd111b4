"""Answers made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.models import Model, Settings, load
from bench.records import Request, UsageError


def none(task: str, language: str, variety: str) -> tuple[()]:
    return ()


REQUESTS = [
    Request(f"r{number}", f"t@1/yor_Latn//{number}", "t", "yor_Latn", "", "generate", "p", (), 8, (), "in", ())
    for number in range(3)
]


def replies(path: Path, *lines: object) -> Model:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return load(f"replies:{path}", Settings(none))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def test_replies_are_found_by_request_or_sample(path: Path) -> None:
    model = replies(
        path, {"id": "r0", "text": "a"}, {"id": "t@1/yor_Latn//1", "text": "b\nc"}, {"id": "r2", "text": ""}
    )
    model.check(REQUESTS)
    assert [(answer.status, answer.text) for answer in model.respond(REQUESTS)] == [
        ("ok", "a"),
        ("ok", "b\nc"),
        ("ok", ""),
    ]


def test_a_missing_reply_is_an_error_that_names_the_sample(path: Path) -> None:
    answers = list(replies(path, {"id": "r0", "text": "a"}).respond(REQUESTS))
    assert [answer.status for answer in answers] == ["ok", "error", "error"]
    assert answers[1].reason == "missing_reply: t@1/yor_Latn//1"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"id": "r0", "text": "a"}, {"id": "r0", "text": "b"}], "line 2: id r0 was on line 1 already"),
        (['{"id": "r0", '], "line 1 is not JSON"),
        ([{"id": "r0"}], "line 1: expected"),
        ([{"id": 7, "text": "x"}], "line 1: expected"),
        (["[1, 2]"], "line 1: expected"),
        (['{"id": "r0", "text": "a", "text": "b"}'], "line 1 is not JSON: a key stands twice"),
        (["[" * 200_000], "line 1 is not JSON"),
        (['{"id": ' + "7" * 5000 + "}"], "line 1 is not JSON"),
        (['{"id": "r0", "text": "\\ud800"}'], "line 1: half a character"),
    ],
)
def test_a_bad_line_is_named(path: Path, lines: list[object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replies(path, *lines)


def test_unknown_ids_are_refused(path: Path) -> None:
    model = replies(path, {"id": "r0", "text": "a"}, {"id": "elsewhere", "text": "b"})
    with pytest.raises(UsageError, match="1 of 2 ids are not in this plan, elsewhere first"):
        model.check(REQUESTS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read replies file"):
        load(f"replies:{tmp_path}/none.jsonl", Settings(none))


def test_the_revision_is_the_files_content(path: Path) -> None:
    first = replies(path, {"id": "r0", "text": "a"}).revision
    assert replies(path, {"id": "r0", "text": "b"}).revision != first
    assert replies(path, {"id": "r0", "text": "a"}).revision == first
