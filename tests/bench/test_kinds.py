"""Numbers, sets of labels and rules: from answers to scores, cells and what a board accepts of them."""

from __future__ import annotations

import dataclasses
import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernels
import tasks
from bench import session
from bench.cli.answers import print_answers
from bench.models import Settings
from bench.models import load as model_of
from bench.plan import choose_languages, load
from bench.records import BenchError, Cell, Request, Response
from bench.runfile import RunFile
from bench.scoring import Answered, score
from bench.summary import ITEMS_FOR_A_CLAIM, Group, cells
from leaderboard.collect import collect
from leaderboard.snapshot import publish
from tasks.records import Sample, Task, Variety
from tests.hostile import segments
from tests.leaderboard.conftest import Scripted

NUMBER = replace(
    tasks.get("sib200"), name="sums", kind="number", metrics=("accuracy",), answer_language="none", chance=None
)
LABELS = replace(NUMBER, name="signs", kind="labels", metrics=("label_f1", "exact_set"), answer_language="own")
RULES = replace(NUMBER, name="orders", kind="rules", metrics=("obeyed",), area="rules")
YORUBA = Variety("yor_Latn")
SIGNS = ("fever", "cough", "rash", "pain")


def sample(item: int, *, references: tuple[str, ...] = (), answers: tuple[int, ...] = ()) -> Sample:
    options = SIGNS if answers else ()
    return Sample(
        *("t", "1", "yor_Latn", "", f"{item:03}", "x", {"text": "x"}), options, references=references, answers=answers
    )


def said(one: Sample, text: str, finish: str = "stop") -> Answered:
    return Answered(one, "generate", Response(one.id, "ok", text, finish=finish))  # type: ignore[arg-type]


def summed(task: Task, answered: Sequence[Answered]) -> list[Cell]:
    group = Group("m", task, YORUBA, "generate", "english", 0, answered)
    return list(cells(group, score(task, answered)))


# Numbers.


@pytest.mark.parametrize(
    ("text", "gold", "outcome", "right"),
    [
        ("Answer: 18", "18", "scored", 1),
        ("Answer: 18.0", "18", "scored", 1),
        ("Answer: 2,125", "2125", "scored", 1),
        ("2125", "2,125", "scored", 1),
        ("१८", "18", "scored", 1),
        ("Answer: ۱۸", "18", "scored", 1),
        ("3 and 6 make 18.\nAnswer: 19", "18", "scored", 0),
        ("Answer: -18", "18", "scored", 0),
        ("18000", "18", "scored", 0),
        ("I do not know", "18", "unparsed", 0),
        ("", "18", "empty", 0),
        (" \n ", "18", "empty", 0),
    ],
)
def test_outcomes_of_a_number(text: str, gold: str, outcome: str, right: int) -> None:
    (made,) = score(NUMBER, [said(sample(1, references=(gold,)), text)])
    assert (made.metric, made.outcome, made.statistics) == ("accuracy", outcome, (right, 1))


def test_a_cell_of_numbers_counts_what_cannot_be_read_and_judges_no_language() -> None:
    texts = ["7", "8", "", "no idea", "7"]
    (cell,) = summed(NUMBER, [said(sample(item, references=("7",)), text) for item, text in enumerate(texts)])
    assert (cell.value, cell.n, cell.unparsed, cell.empty, cell.chance) == (0.4, 5, 1, 1, 0.0)
    assert (cell.normalised, cell.wrong_language, cell.position_bias) == (0.4, None, None)
    assert cell.reasons["wrong_language"] == "no_language_wanted"
    (silent,) = score(NUMBER, [said(sample(1, references=("7",)), "", "filter")])
    assert silent.outcome == "refused"


@given(text=segments)
def test_any_text_has_an_outcome_as_a_number_labels_and_rule(text: str) -> None:
    asked = (
        (NUMBER, sample(1, references=("7",))),
        (LABELS, sample(1, answers=(0, 2))),
        (RULES, sample(1, references=(FEW_WORDS,))),
    )
    for task, one in asked:
        for made in score(task, [said(one, text)]):
            if made.metric != "fidelity":
                assert made.outcome in {"scored", "empty", "unparsed"}
                assert (made.outcome == "empty") == (not text.strip()) or task is RULES
                assert all(value >= 0 for value in made.statistics)


# Sets of labels.


@pytest.mark.parametrize(
    ("text", "outcome", "counts", "exact"),
    [
        ("A, C", "scored", (2, 0, 0), 1),
        ("C, A", "scored", (2, 0, 0), 1),
        ("A, A, C", "scored", (2, 0, 0), 1),
        ("A", "scored", (1, 0, 1), 0),
        ("A, B, C", "scored", (2, 1, 0), 0),
        ("B, D", "scored", (0, 2, 2), 0),
        ("I cannot tell", "unparsed", (0, 0, 2), 0),
        ("", "empty", (0, 0, 2), 0),
    ],
)
def test_outcomes_of_labels(text: str, outcome: str, counts: tuple[int, int, int], exact: int) -> None:
    made = score(LABELS, [said(sample(1, answers=(0, 2)), text)])
    assert [(one.metric, one.outcome, one.statistics) for one in made if one.metric != "fidelity"] == [
        ("label_f1", outcome, counts),
        ("exact_set", outcome, (exact, 1)),
    ]


def test_a_cell_of_labels_is_micro_f1_and_the_share_of_whole_sets() -> None:
    answered = [
        said(sample(1, answers=(0, 2)), "A, C"),  # 2 right
        said(sample(2, answers=(1,)), "A, B"),  # 1 right, 1 wrong
        said(sample(3, answers=(0, 1, 2)), "D"),  # 1 wrong, 3 missed
        said(sample(4, answers=(3,)), "who knows"),  # 1 missed
    ]
    f1, exact = summed(LABELS, answered)
    assert (f1.metric, f1.headline, exact.metric, exact.headline) == ("label_f1", True, "exact_set", False)
    assert f1.value == pytest.approx(2 * 3 / (2 * 3 + 2 + 4))
    assert (exact.value, f1.unparsed, f1.chance, f1.n) == (0.25, 1, 0.0, 4)
    assert f1.position_bias is None


def by_hand(named: Sequence[set[int]], gold: Sequence[set[int]]) -> float:
    """Precision and recall over every pair of question and label, and their harmonic mean: scikit-learn's micro F1."""
    pairs = [(question, label) for question in range(len(named)) for label in range(len(SIGNS))]
    predicted = [label in named[question] for question, label in pairs]
    true = [label in gold[question] for question, label in pairs]
    both = sum(one and other for one, other in zip(predicted, true, strict=True))
    if not both:
        return 0.0 if any(predicted) or any(true) else math.nan
    precision, recall = both / sum(predicted), both / sum(true)
    return 2 * precision * recall / (precision + recall)


SETS = st.sets(st.integers(0, len(SIGNS) - 1))


@given(st.lists(st.tuples(SETS, SETS), min_size=1, max_size=12))
def test_label_f1_is_the_definition_and_what_answers_give(pairs: list[tuple[set[int], set[int]]]) -> None:
    named, gold = [one for one, _ in pairs], [one for _, one in pairs]
    expected = by_hand(named, gold)
    metric = kernels.metric("label_f1")
    texts = ["\t".join(SIGNS[index] for index in sorted(one)) for one in named]
    golds = ["\t".join(SIGNS[index] for index in sorted(one, reverse=True)) for one in gold]
    statistics = metric.statistics(texts, [golds])
    assert metric.from_statistics(statistics.sum(axis=0, keepdims=True))[0] == pytest.approx(expected, nan_ok=True)
    each = [by_hand([one], [other]) for one, other in pairs]
    assert metric.segment_scores(statistics).tolist() == pytest.approx(each, nan_ok=True)
    asked = [(one, other) for one, other in pairs if other]
    answered = [
        said(sample(item, answers=tuple(sorted(other))), ", ".join("ABCD"[index] for index in sorted(one)))
        for item, (one, other) in enumerate(asked)
    ]
    if answered:
        cell, exact = summed(LABELS, answered)
        assert cell.value == pytest.approx(by_hand(*([pair[place] for pair in asked] for place in (0, 1))))
        assert exact.value == sum(one == other for one, other in asked) / len(asked)


def test_label_f1_counted_by_hand() -> None:
    """Of the 3 labels named all are right, of the 6 that apply 3 are named: 2 * 3 / (3 + 6)."""
    metric = kernels.metric("label_f1")
    statistics = metric.statistics(["a", "b\tc"], [["a\tb\td", "b\tc\td"]])
    assert statistics.tolist() == [[1, 0, 2], [2, 0, 1]]
    assert metric.from_statistics(statistics.sum(axis=0, keepdims=True))[0] == pytest.approx(6 / 9)
    assert (metric.binary, metric.best, metric.higher_is_better) == (False, 1.0, True)


# Rules.

FEW_WORDS = json.dumps([{"id": "length:words", "kwargs": {"most": 3}}])


def obeying(count: int, broken: int) -> list[Answered]:
    texts = ["one two three four" if item < broken else "one two" for item in range(count)]
    return [said(sample(item, references=(FEW_WORDS,)), text) for item, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "outcome", "right"),
    [
        ("one two three", "scored", 1),
        ("<think>a long thought about it</think>one two", "scored", 1),
        ("one two three four", "scored", 0),
        ("", "empty", 0),
    ],
)
def test_outcomes_of_a_rule(text: str, outcome: str, right: int) -> None:
    (made,) = score(RULES, [said(sample(1, references=(FEW_WORDS,)), text)])
    assert (made.metric, made.outcome, made.statistics) == ("obeyed", outcome, (right, 1))


@pytest.mark.parametrize(
    ("count", "broken"), [(1, 0), (1, 1), (20, 3), (298, 0), (299, 0), (300, 0), (300, 1), (30, 30)]
)
def test_violations_and_their_exact_bound(count: int, broken: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    (cell,) = summed(RULES, obeying(count, broken))
    assert (cell.n, cell.violations) == (count, broken)
    assert cell.value == (count - broken) / count
    expected = 1.0 if broken == count else stats.beta.ppf(0.95, broken + 1, count - broken)
    assert cell.violation_bound == pytest.approx(expected, abs=1e-9)


def test_only_enough_answers_without_a_violation_show_less_than_one_percent() -> None:
    made = {count: summed(RULES, obeying(count, 0))[0] for count in (298, 299, 300)}
    bounds = {count: cell.violation_bound or 1.0 for count, cell in made.items()}
    assert bounds[300] < bounds[299] < 0.01 < bounds[298]
    reason = {count: cell.reasons.get("violation_bound") for count, cell in made.items()}
    assert reason == {298: "too_few_items_for_1_percent", 299: None, 300: None}
    assert ITEMS_FOR_A_CLAIM == 299
    (once,) = summed(RULES, obeying(300, 1))
    assert (once.violation_bound or 0) > 0.01 and "violation_bound" not in once.reasons


def test_what_is_no_rule_has_no_violations_and_no_answer_no_bound() -> None:
    (number,) = summed(NUMBER, [said(sample(1, references=("7",)), "7")])
    assert (number.violations, number.violation_bound) == (None, None)
    one = sample(1, references=(FEW_WORDS,))
    (nothing,) = summed(RULES, [Answered(one, "generate", Response(one.id, "error", reason="timeout"))])
    assert (nothing.value, nothing.violations, nothing.violation_bound, nothing.n) == (None, None, None, 0)


# On a board.


@pytest.fixture
def obedient(tmp_path: Path) -> Path:
    """A run of real generated rules, some of them broken."""
    path = tmp_path / "a.run.db"
    blocks = load(choose_languages(tasks.select(["rules-length"]), ["yo", "sw"]), 40)
    model = Scripted("hf:maker/rules", lambda one: Response(one.id, "ok", "Bẹ́ẹ̀ ni.", finish="stop"))
    session.perform(model, blocks, None, path)
    return path


def doctored(path: Path, **changed: object) -> None:
    """Writes another number into every cell of a run file."""
    database = sqlite3.connect(path)
    with database:
        for number, content in database.execute("SELECT position, cell FROM cells").fetchall():
            database.execute(
                "UPDATE cells SET cell = ? WHERE position = ?", (json.dumps({**json.loads(content), **changed}), number)
            )
    database.close()


def test_a_board_takes_rules_and_ranks_them(obedient: Path, tmp_path: Path) -> None:
    info = publish([obedient], tmp_path / "board")
    assert info.cells == 2
    published = [one.cell for one in collect(obedient).cells.values()]
    assert len(published) == 2
    assert all(cell.violations and "rank" not in cell.reasons for cell in published), "CLDR is inside the program"


@pytest.mark.parametrize(
    ("field", "value"), [("violations", 0), ("violations", None), ("violation_bound", 0.001), ("violation_bound", None)]
)
def test_a_board_refuses_doctored_violations(obedient: Path, tmp_path: Path, field: str, value: float | None) -> None:
    with RunFile.read(obedient) as run:
        assert all(cell.violations for cell in run.cells()), "some rules are broken"
    doctored(obedient, **{field: value})
    with pytest.raises(BenchError, match=f"{field} of rules-length .* is {value}, its scores give") as caught:
        publish([obedient], tmp_path / "board")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "board").exists() or not list((tmp_path / "board").glob("*.db"))


def test_a_board_refuses_violations_where_there_are_no_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.run.db"
    blocks = load(choose_languages(tasks.select(["rules-length"]), ["yo"]), 40)
    model = Scripted("hf:maker/silent", lambda one: Response(one.id, "skipped", reason="too_long"))
    session.perform(model, blocks, None, path)
    publish([path], tmp_path / "board")
    doctored(path, violations=0, violation_bound=0.001)
    with pytest.raises(BenchError, match="has no value and yet scores"):
        publish([path], tmp_path / "other")


def test_a_withheld_cell_shows_no_bound(tmp_path: Path) -> None:
    """Half of the answers are missing: what the others obeyed says nothing of all."""
    path = tmp_path / "a.run.db"
    blocks = load(choose_languages(tasks.select(["rules-length"]), ["yo"]), 40)
    asked = [sample.id for sample in blocks[0].samples]

    def half(one: Request) -> Response:
        if asked.index(one.sample) % 2:
            return Response(one.id, "error", reason="timeout")
        return Response(one.id, "ok", "Bẹ́ẹ̀ ni.", finish="stop")

    session.perform(Scripted("hf:maker/half", half), blocks, None, path)
    with RunFile.read(path) as run:
        assert all(cell.violations is not None for cell in run.cells())
    (shown,) = [one.cell for one in collect(path).cells.values()]
    assert (shown.value, shown.violations, shown.violation_bound) == (None, None, None)


def test_the_table_of_rules_counts_each_language_by_its_own_bound(capsys: pytest.CaptureFixture[str]) -> None:
    """A language without answers stands first, and takes no other one's bound."""
    one = sample(1, references=(FEW_WORDS,))
    (nothing,) = summed(RULES, [Answered(one, "generate", Response(one.id, "error", reason="timeout"))])
    (many,), (broken,) = summed(RULES, obeying(300, 0)), summed(RULES, obeying(300, 30))
    print_answers([nothing, many, broken])
    (row,) = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("orders")]
    languages, answers, violations, shown, highest = row[1:]
    assert (languages, answers, violations, shown) == ("2", "600", "30", "1")
    assert highest == f"{broken.violation_bound:.1%}"


def test_floors_are_asked_what_they_can_answer(tmp_path: Path) -> None:
    """Copying breaks rules; the other floors have nothing to draw from, and say so."""
    blocks = load(choose_languages(tasks.select(["rules-length"]), ["yo"]), 20)
    made = {}
    for name in ("copy", "random"):
        session.perform(model_of(f"baseline:{name}", Settings(session.training)), blocks, None, tmp_path / f"{name}.db")
        with RunFile.read(tmp_path / f"{name}.db") as run:
            (made[name],) = run.cells()
    assert (made["copy"].n, made["random"].n, made["random"].reasons["value"]) == (20, 0, "no_training_split")
    assert dataclasses.asdict(made["random"])["violations"] is None


@pytest.mark.parametrize(
    ("field", "value"), [("wrong_language", 0.5), ("language_verdicts", 7), ("other_digits", 3), ("word_pass", 1.0)]
)
def test_a_board_refuses_a_doctored_language(obedient: Path, field: str, value: float) -> None:
    collect(obedient)
    doctored(obedient, **{field: value})
    with pytest.raises(BenchError, match=f"{field} of "):
        collect(obedient)
