"""Rows into samples: options, gold, references, and the rows that cannot be asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.recipe import Column, Gold, Recipe, Rules, Worded
from tasks.records import DataError, Prompt, Row, Sample, Task, by_hash
from tasks.sources import Files
from tests.hostile import segments
from tests.tasks.declaring import HAUSA, YORUBA, check_line, sampled
from tests.tasks.test_template import values

QUESTION = {"question": "{question}"}
FOUR = ("{a}", "{b}", "{c}", "{d}")


def task(recipe: Recipe, kind: str = "choice") -> Task:
    return Task(
        name="tiny",
        version="1",
        title="Tiny",
        area="knowledge",
        kind=kind,  # type: ignore[arg-type]
        source=Files("tiny", "", "", "jsonl", {"test": ("x",)}, root=Path()),
        varieties=(YORUBA,),
        sample=recipe,
        prompt=Prompt("{question}"),
        metrics=("accuracy",),
        origin="native",
        licence="CC0-1.0",
        citation="",
    )


def one(recipe: Recipe, kind: str = "choice", **row: Any) -> Sample:
    (sample,) = sampled(task(recipe, kind), row)
    return sample


def refusal(recipe: Recipe, kind: str = "choice", **row: Any) -> str:
    with pytest.raises(DataError) as caught:
        sampled(task(recipe, kind), row)
    message = str(caught.value)
    assert message.startswith("row 1: ")
    assert "\n" not in message
    assert len(message) < 400
    return message.removeprefix("row 1: ")


CHOICE = Recipe("{line}", QUESTION, options=FOUR, answer=Gold("answer", "letter"))


def test_a_choice() -> None:
    sample = one(CHOICE, question="  Why?\n", a="1", b=" 2 ", c="3", d="4", answer="C")
    assert (sample.options, sample.answer, sample.item) == (("1", "2", "3", "4"), 2, "1")
    assert sample.input == sample.fields["question"] == "  Why?"


@pytest.mark.parametrize("empty", [None, "", " \n"])
def test_empty_options_at_the_end_are_dropped_and_in_the_middle_refused(empty: str | None) -> None:
    assert one(CHOICE, question="?", a="1", b="2", c=empty, d=empty, answer="B").options == ("1", "2")
    assert refusal(CHOICE, question="?", a="1", b=empty, c="3", d=empty, answer="A") == "option 2 is empty"
    assert "the answer 'C' is none of the 2 options" in refusal(
        CHOICE, question="?", a="1", b="2", c=empty, d=empty, answer="C"
    )


def test_a_choice_of_one_is_none() -> None:
    assert "a choice has two options at least, and this one 1" in refusal(
        CHOICE, question="?", a="1", b=None, c=None, d=None, answer="A"
    )
    listed = Recipe("{line}", QUESTION, options=Column("options", "list"), answer=Gold("answer", "0-based"))
    assert "this one none" in refusal(listed, question="?", options=[], answer=0)
    assert "27 options are more than there are letters (26)" in refusal(
        listed, question="?", options=[str(number) for number in range(27)], answer=0
    )
    assert one(listed, question="?", options=[str(number) for number in range(26)], answer=25).answer == 25


def test_what_is_empty_is_named_and_left_out_only_where_that_is_declared() -> None:
    empty = {"question": " ", "a": "1", "b": "", "c": "3", "d": "4", "answer": "A"}
    assert refusal(CHOICE, **empty) == "question, option 2 is empty"
    lenient = Recipe("{line}", QUESTION, options=FOUR, answer=Gold("answer", "letter"), skip_empty=True)
    assert sampled(task(lenient), empty) == []


def test_rows_that_cannot_be_asked() -> None:
    skipping = Recipe(
        "{line}", QUESTION, options=FOUR, answer=Gold("answer", "letter"), skip={"answer": ("none", "true")}
    )
    row = {"question": "?", "a": "1", "b": "2", "c": "3", "d": "4"}
    assert [
        sample.item for sample in sampled(task(skipping), *({**row, "answer": a} for a in ("none", "A", True)))
    ] == ["2"]
    with pytest.raises(DataError, match="no column 'answer'"):
        sampled(task(skipping), row)


def test_an_item_without_a_name() -> None:
    unnamed = Recipe("{id}", QUESTION, options=FOUR, answer=Gold("answer", "letter"))
    assert refusal(unnamed, question="?", a="1", b="2", c="3", d="4", answer="A", id=None) == "the item has no name"


def test_options_with_labels() -> None:
    recipe = Recipe("{line}", QUESTION, options=Column("choices", "records"), answer=Gold("key", "label"))
    choices = {"text": ["one", "two", ""], "label": ["1", "2", "3"]}
    assert one(recipe, question="?", choices=choices, key=2).answer == 1
    assert "'3' is no label" in refusal(recipe, question="?", choices=choices, key="3")
    keyed = Recipe("{line}", QUESTION, options=Column("choices", "dict"), answer=Gold("key", "label"))
    assert one(keyed, question="?", choices={"X": "one", "Y": "two"}, key="Y").answer == 1


def test_fixed_options_and_a_table_of_golds() -> None:
    recipe = Recipe("{line}", QUESTION, fixed=("no", "yes"), answer=Gold("label", "map", {"0": 0, "true": 1, "9": 2}))
    assert one(recipe, question="?", label=True).answer == 1
    assert "'2' is none of 0, true, 9" in refusal(recipe, question="?", label="2")
    assert "is none of the 2 options" in refusal(recipe, question="?", label=9)


SHUFFLED = Recipe("{id}", QUESTION, options=FOUR, answer=Gold("answer", "letter"), shuffle=True)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from("ABCD"))
def test_the_gold_follows_shuffled_options(item: str, answer: str) -> None:
    row = {"id": item, "question": "?", "a": "A", "b": "B", "c": "C", "d": "D", "answer": answer}
    (sample,) = sampled(task(SHUFFLED), row)
    assert sample.answer is not None
    assert sample.options[sample.answer] == answer
    assert sorted(sample.options) == ["A", "B", "C", "D"]


def test_parallel_languages_are_shuffled_alike_and_items_differently() -> None:
    rows = [{"id": str(n), "question": "?", "a": "A", "b": "B", "c": "C", "d": "D", "answer": "A"} for n in range(60)]
    here, there = (sampled(task(SHUFFLED), *rows, variety=variety) for variety in (YORUBA, HAUSA))
    assert [sample.options for sample in here] == [sample.options for sample in there]
    assert {sample.answer for sample in here} == {0, 1, 2, 3}
    translated = sampled(task(SHUFFLED), *({**row, "a": "Á"} for row in rows))
    assert [sample.answer for sample in translated] == [sample.answer for sample in here]


LABELS = Recipe("{line}", QUESTION, fixed=("x", "y", "z"), answers=Gold("labels", "0-based"))


@pytest.mark.parametrize(
    ("given", "found"),
    [([2, 0, 2], (0, 2)), (["1"], (1,)), ("[0, 1]", (0, 1)), (" [2]", (2,)), ("0\n2", (0, 2))],
)
def test_several_right_labels(given: Any, found: tuple[int, ...]) -> None:
    assert one(LABELS, "labels", question="?", labels=given).answers == found


@pytest.mark.parametrize(
    "given", [None, 1, [], "", [3], ["x"], [None], "[1", "0, 1", [[1]], True, "[__import__('os')]"]
)
def test_labels_that_are_none(given: Any) -> None:
    refusal(LABELS, "labels", question="?", labels=given)


@given(values)
def test_any_labels_are_read_or_refused_in_one_line(given: Any) -> None:
    try:
        assert set(one(LABELS, "labels", question="?", labels=given).answers) <= {0, 1, 2}
    except DataError as error:
        check_line(error)


def test_labels_follow_shuffled_options() -> None:
    recipe = Recipe("{line}", QUESTION, options=FOUR, answers=Gold("labels", "letter"), shuffle=True)
    sample = one(recipe, "labels", question="?", a="A", b="B", c="C", d="D", labels=["A", "D"])
    assert {sample.options[index] for index in sample.answers} == {"A", "D"}
    assert list(sample.answers) == sorted(sample.answers)


@pytest.mark.parametrize(
    ("made", "given", "found"),
    [
        (("{r}",), "x", ("x",)),
        (("{r}", "{other}"), "x", ("x",)),
        (Column("r", "list"), ["x", "", None, "y"], ("x", "y")),
        (Column("r", "json"), '["x"]', ("x",)),
        (Column("r", "python"), "['x', 'y']", ("x", "y")),
        (Column("r", "split"), "x / y//", ("x", "y")),
        (Column("r", "split", by=";"), "x/y;z", ("x/y", "z")),
    ],
)
def test_references(made: Any, given: Any, found: tuple[str, ...]) -> None:
    """An empty one would make an empty answer right."""
    assert (
        one(Recipe("{line}", QUESTION, references=made), "generation", question="?", r=given, other="").references
        == found
    )


@pytest.mark.parametrize("given", ["", None, " "])
def test_no_reference_at_all(given: Any) -> None:
    recipe = Recipe("{line}", QUESTION, references=("{r}",))
    assert refusal(recipe, "generation", question="?", r=given) == "reference is empty"
    assert "is empty" in refusal(
        Recipe("{line}", QUESTION, references=Column("r", "split")), "generation", question="?", r=given
    )


NUMBER = Recipe("{line}", QUESTION, answer=Gold("n"))


@pytest.mark.parametrize("given", [18, "18", "-1,000.5", "١٨", 0.25])
def test_a_number(given: Any) -> None:
    assert one(NUMBER, "number", question="?", n=given).references == (str(given),)


@pytest.mark.parametrize("given", ["many", "", None, True, "x" * 1_000])
def test_a_gold_that_is_no_number(given: Any) -> None:
    assert "is no number" in (said := refusal(NUMBER, "number", question="?", n=given)) or said == "reference is empty"


def test_a_field_in_words() -> None:
    worded: dict[str, str | Worded] = {
        "question": "{question}",
        "asked": Worded("sort", {"true": "Why?", "effect": "And then?"}),
    }
    recipe = Recipe("{line}", worded, references=("{question}",))
    assert one(recipe, "generation", question="?", sort=True).fields["asked"] == "Why?"
    assert "'cause' is none of true, effect" in refusal(recipe, "generation", question="?", sort="cause")
    first = Recipe("{line}", {"question": Worded("question", before="\nA.")}, references=("{question}",))
    assert one(first, "generation", question="Why?\nA. so").input == "Why?"
    assert "has no '\\nA.'" in refusal(first, "generation", question="Why? A. so")


@pytest.mark.parametrize("column", ["question", "a", "id"])
def test_half_a_character_is_refused(column: str) -> None:
    """JSON can spell it, and neither a database nor a request can hold it."""
    recipe = Recipe("{id}", QUESTION, options=FOUR, answer=Gold("answer", "letter"), shuffle=True)
    row = {"id": "1", "question": "?", "a": "1", "b": "2", "c": "3", "d": "4", "answer": "A"}
    assert refusal(recipe, **{**row, column: "x\udc80"}) == r"'\udc80' is no character"


RULES = Recipe("{line}", QUESTION, rules=Rules("{names}", "{kwargs}"))


def test_rules() -> None:
    told = {"question": "?", "names": ["a:b", "c:d"], "kwargs": '[{"n": 1, "none": null}, "{}"]'}
    assert json.loads(one(RULES, "rules", **told).references[0]) == [
        {"id": "a:b", "kwargs": {"n": 1}},
        {"id": "c:d", "kwargs": {}},
    ]
    assert "2 instructions have 1 sets" in refusal(RULES, "rules", **{**told, "kwargs": "[{}]"})
    assert "are no JSON" in refusal(RULES, "rules", **{**told, "kwargs": ["{", None]})
    assert "no JSON object" in refusal(RULES, "rules", **{**told, "kwargs": ["[]", None]})
    fixed = Recipe("{line}", QUESTION, rules=Rules(fixed=({"id": "x:y", "kwargs": {"language": "{language}"}},)))
    assert json.loads(one(fixed, "rules", question="?").references[0])[0]["kwargs"] == {"language": "yor_Latn"}


@given(st.dictionaries(st.sampled_from(["question", "a", "b", "c", "d", "answer"]), values | segments))
def test_any_row_is_a_whole_sample_or_one_line(row: dict[str, Any]) -> None:
    try:
        (sample,) = sampled(task(CHOICE), row)
    except DataError as error:
        check_line(error)
    else:
        assert sample.answer in range(len(sample.options))
        assert all(text.strip() for text in (*sample.options, *sample.fields.values()))
        json.dumps([sample.input, sample.options], ensure_ascii=False).encode()


class Rows:
    """A source of rows in the memory."""

    dataset = "rows"
    splits = ("test",)

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.kept = rows

    def rows(self, variety: object, split: str) -> list[Row]:
        return [Row(values, f"row {number}") for number, values in enumerate(self.kept, 1)]


def held(rows: int, kept: int) -> tuple[list[str], list[str]]:
    """Items of the two splits."""
    source = Rows(*({"id": f"i{number}", "question": f"{number}?", "r": "x"} for number in range(rows)))
    recipe = Recipe("{id}", QUESTION, references=("{r}",))
    made = replace(task(recipe, "generation"), source=source, held_out=kept)  # type: ignore[arg-type]
    assert made.splits == ("train", "test")
    return [one.item for one in made.samples(HAUSA, "train")], [one.item for one in made.samples(YORUBA, "test")]


@given(st.integers(1, 40), st.integers(1, 40))
def test_what_is_held_out_is_never_scored_and_the_same_in_every_language(rows: int, kept: int) -> None:
    train, test = held(rows, kept)
    assert len(train) == min(kept, rows)
    assert not set(train) & set(test)
    assert set(train) | set(test) == {f"i{number}" for number in range(rows)}
    assert test == sorted(test, key=lambda item: int(item[1:])), "the source's order stays"
    assert set(train) == set(by_hash([f"i{number}" for number in range(rows)], str)[:kept])


def test_what_is_held_out_grows_in_place() -> None:
    fewer, more = (set(held(100, kept)[0]) for kept in (5, 9))
    assert fewer < more
    before, after = (held(rows, 5)[0] for rows in (100, 101))
    assert len(set(before) & set(after)) >= 4, "a new item takes the place of one at most"


def test_two_items_of_one_name() -> None:
    source = Rows(*({"id": "same\nname", "question": "?", "r": "x"} for _ in range(2)))
    made = replace(task(Recipe("{id}", QUESTION, references=("{r}",)), "generation"), source=source)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"row 2: the item 'same\\nname' was row 1 already"):
        list(made.samples(YORUBA))
