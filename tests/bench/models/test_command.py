"""Real programs, good and bad."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.models import ModelStopped, Settings, command, load
from bench.records import Request, Response, UsageError


def none(task: str, language: str, variety: str) -> tuple[()]:
    return ()


def ask(line: str, inputs: Sequence[str], *, batch: int | None = None, timeout: float = 20) -> list[Response]:
    model = load(f"command:{line}", Settings(none, batch, timeout))
    asked = [
        Request(str(number), f"s{number}", "t", "yor_Latn", "", "generate", "prompt", (), 8, (), text, ())
        for number, text in enumerate(inputs)
    ]
    return list(model.respond(asked))


def test_a_line_in_a_line_out() -> None:
    assert [answer.text for answer in ask("tr a-z A-Z", ["one", "two"])] == ["ONE", "TWO"]


def test_a_program_that_answers_only_at_the_end_of_its_input() -> None:
    assert [answer.text for answer in ask("tac | tac", ["one", "two", "three"])] == ["one", "two", "three"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_any_text_stays_one_line(texts: list[str]) -> None:
    answers = ask("cat", texts)
    assert [answer.status for answer in answers] == ["ok"] * len(texts)
    for answer, text in zip(answers, texts, strict=True):
        assert "\n" not in answer.text
        assert answer.text.split() == text.split()


def test_a_crash_loses_one_chunk() -> None:
    # Dies on the chunk that holds "bad", whole chunk and nothing else.
    answers = ask("awk '/bad/ {exit 3} {print}'", ["a", "b", "bad", "d", "e", "f"], batch=2)
    assert [answer.status for answer in answers] == ["ok", "ok", "error", "error", "ok", "ok"]
    assert "exit status 3" in answers[2].reason


def test_too_few_lines_guess_nothing() -> None:
    answers = ask("head -n 1", ["a", "b", "c"])
    assert {answer.status for answer in answers} == {"error"}
    assert "1 lines out for 3 in" in answers[0].reason


def test_too_many_lines_guess_nothing() -> None:
    assert {answer.status for answer in ask("sed p", ["a", "b"])} == {"error"}


def test_a_command_that_hangs_is_killed_with_its_children() -> None:
    started = time.monotonic()
    answers = ask("sleep 60 | cat", ["a"], timeout=0.3)
    assert time.monotonic() - started < 10
    assert "no end after 0.3 s (--timeout)" in answers[0].reason


def test_a_command_that_always_fails_is_given_up() -> None:
    with pytest.raises(ModelStopped, match="3 times in a row: exit status 1: no model"):
        ask("echo 'no model' >&2; false", ["a"] * 10, batch=1)


def test_a_killed_command_is_named_so() -> None:
    assert "signal 9" in ask("kill -9 $$", ["a"])[0].reason


def test_output_that_is_not_utf8_is_an_error() -> None:
    assert "not UTF-8" in ask(r"printf '\377\n'", ["a"])[0].reason


def test_a_missing_program_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="command not found: no-such-program"):
        load("command:no-such-program -x", Settings(none))


def test_a_child_left_in_the_background_keeps_no_answer_waiting() -> None:
    started = time.monotonic()
    assert [answer.text for answer in ask("cat; sleep 30 &", ["a", "b"])] == ["a", "b"]
    assert time.monotonic() - started < 10


def test_a_program_that_never_stops_writing_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MOST_OUTPUT", 1 << 20)
    assert "more than 1 MiB of output" in ask("yes", ["a"])[0].reason


@pytest.mark.parametrize("line", ["true", "head -n 0", "exec <&-; echo x"])
def test_a_program_that_reads_nothing(line: str) -> None:
    assert {answer.status for answer in ask(line, ["x" * 100_000] * 3)} == {"error"}


def test_a_large_chunk_does_not_deadlock() -> None:
    answers = ask("cat", ["x" * 5000] * 300, batch=300)
    assert all(answer.text == "x" * 5000 for answer in answers)
