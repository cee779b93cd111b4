"""How a question is asked: solved examples, native prompts, the order of the options, and what a suite limits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks
from bench import session
from bench.backend import Capabilities
from bench.cli import main
from bench.models import Settings
from bench.models import load as model_of
from bench.plan import Block, Style, choose_languages, load
from bench.prompting import NO_TEMPLATE, Asker, Asking, order, render, request, rotation, with_rotation
from bench.records import Cell, Mode, Request, Response, UsageError
from bench.runfile import RunFile
from bench.text import LETTERS
from leaderboard.collect import collect
from tasks import prompts
from tasks.hub import Hub
from tasks.records import Prompt, Repository, Sample, Task, held_out, question_of, sharing
from tests.leaderboard.conftest import Scripted
from tests.plans import asked
from tests.tasks.declaring import CHOICE, declare, put_rows

ASKER = Asker("r", NO_TEMPLATE, "greedy")
SCORER = Capabilities(modes=("loglikelihood", "first_token", "generate"))
FOUR = '["{a}", "{b}", "{c}", "{d}"]'
TRAIN = 'train = "{code}-train.jsonl"'

ANIMALS = Sample("t", "1", "yor_Latn", "", "i", "", {"text": "Which?"}, ("cat", "dog", "horse", "cow"), 2)
LABELS = replace(ANIMALS, answer=None, answers=(0, 2))
TASK = replace(tasks.get("sib200"), prompt=Prompt("{text}", cue="Answer:"))


def rows(count: int, word: str) -> Iterator[dict[str, str]]:
    """Questions of four options; the right one goes round."""
    for number in range(count):
        options = {letter: f"{word} {number} {letter}" for letter in "abcd"}
        yield {"id": f"{number:03}", "question": f"{word} question {number}?", "answer": "ABCD"[number % 4], **options}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty questions in two languages and six solved ones, beside where a declaration will be."""
    for code in ("yo", "ha"):
        put_rows(tmp_path / f"{code}.jsonl", rows(40, "asked"))
        put_rows(tmp_path / f"{code}-train.jsonl", rows(6, "solved"))
    return tmp_path


@pytest.fixture
def tiny(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task with a split for examples, known to the program while the test runs."""
    text = CHOICE.replace("[source]", f"[source]\n{TRAIN}")
    declare(folder, text, options=f"options = {FOUR}")
    monkeypatch.setattr(tasks, "_added", {})
    (task,) = tasks.add(folder / "tiny.toml")
    return task


def without_train(folder: Path, **more: str) -> Task:
    (task,) = declare(folder, CHOICE, options=f"options = {FOUR}", **more)
    return task


def blocks(task: Task, shots: int, limit: int | None = None) -> list[Block]:
    return load(choose_languages([task], []), limit, shots=shots)


def planned(task: Task, shots: int, mode: Mode = "generate") -> list[Request]:
    made, left_out = asked(blocks(task, shots), SCORER, ASKER, mode, Style(shots=shots))
    assert not left_out
    return made


# Examples.


def test_examples_are_of_the_other_split_and_the_same_before_every_question(tiny: Task) -> None:
    for block in blocks(tiny, 3):
        assert len(block.samples) == 40
        assert [one.fields["question"].split()[0] for one in block.examples] == ["solved"] * 3
        assert not {sample.input for sample in block.samples} & {one.input for one in block.examples}
    heads = {one.prompt.split("asked question")[0] for one in planned(tiny, 3)}
    assert len(heads) == 1
    (head,) = heads
    assert head.count("Answer:") == head.count("solved question") == 3
    assert all(one.prompt.count("asked question") == 1 for one in planned(tiny, 3))


def test_an_example_ends_in_its_own_answer_as_the_mode_wants_it(tiny: Task) -> None:
    (block, _) = blocks(tiny, 2)
    for mode in ("generate", "first_token", "loglikelihood"):
        (one, *_) = planned(tiny, 2, mode)
        for example in block.examples:
            assert example.answer is not None
            gold = example.options[example.answer] if mode == "loglikelihood" else LETTERS[example.answer]
            assert f"Answer: {gold}\n\n" in one.prompt
        assert one.prompt.endswith("Answer:")


def test_more_examples_keep_those_of_fewer_and_change_the_identity(tiny: Task) -> None:
    made = {shots: planned(tiny, shots) for shots in (0, 1, 2, 5)}
    assert [{one.shots for one in each} for each in made.values()] == [{0}, {1}, {2}, {5}]
    identities = [one.id for each in made.values() for one in each]
    assert len(set(identities)) == len(identities) == 4 * 80
    few, many = blocks(tiny, 2)[0].examples, blocks(tiny, 5)[0].examples
    assert many[:2] == few
    # Other examples are another question, the same number of them or not.
    sample = blocks(tiny, 5)[0].samples[0]
    one, other = (request(tiny, sample, "generate", ASKER, Asking(tiny.prompt, (each,))) for each in many[:2])
    assert one.id != other.id


def test_a_task_without_another_split_is_left_out_with_the_reason(folder: Path) -> None:
    task = without_train(folder)
    made, left_out = asked(blocks(task, 2), SCORER, ASKER, None, Style(shots=2))
    assert made == []
    assert left_out == {"tiny": "2 examples are asked for, and tiny has no split to take examples from"}


def test_too_few_examples_are_told_by_number(tiny: Task) -> None:
    made, left_out = asked(blocks(tiny, 7), SCORER, ASKER, None, Style(shots=7))
    assert (made, left_out) == ([], {"tiny": "7 examples are asked for, and tiny has 6"})


def test_held_out_items_are_examples_and_never_scored(folder: Path) -> None:
    task = without_train(folder, held_out="held_out = 5")
    yoruba, hausa = blocks(task, 4)
    assert len(yoruba.samples) == 35 and len(yoruba.examples) == 4
    assert not {one.item for one in yoruba.samples} & {one.item for one in yoruba.examples}
    assert [one.item for one in yoruba.examples] == [one.item for one in hausa.examples], "the same in each language"
    assert [one.item for one in blocks(task, 0)[0].samples] == [one.item for one in yoruba.samples], "shots or not"
    short, left_out = asked(blocks(task, 6), SCORER, ASKER, None, Style(shots=6))
    assert not short and "tiny has 5" in left_out["tiny"]


DECLARED = [task for task in tasks.all_tasks().values() if "train" in task.source.splits]


@pytest.mark.parametrize("task", DECLARED, ids=lambda task: task.name)
def test_no_task_takes_its_examples_from_where_it_is_scored(task: Task) -> None:
    """Checked on what is declared: files, or names of splits."""
    if isinstance(task.source, Hub):
        assert task.source.names["train"] != task.source.names["test"]
    elif isinstance(task.source, Repository):
        for variety in task.varieties:
            assert not {*task.source.paths(variety, "train")} & {*task.source.paths(variety, "test")}
    else:  # made from CLDR
        variety = next(variety for variety in task.varieties)
        train, test = ({sample.id for sample in task.samples(variety, split)} for split in ("train", "test"))
        assert not train & test


def test_the_number_of_examples_is_in_the_cell_and_in_show(
    tiny: Task, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "a.run.db"
    model = Scripted("hf:a", lambda one: Response(one.id, "ok", "A", finish="stop"))
    for shots in (0, 2):
        session.perform(model, blocks(tiny, shots), None, path, style=Style(shots=shots))
    with RunFile.read(path) as run:
        assert sorted((cell.language, cell.shots, cell.n) for cell in run.cells()) == [
            (code, shots, 40) for code in ("hau_Latn", "yor_Latn") for shots in (0, 2)
        ]
        assert any(file == "yo-train.jsonl" for _, file, _, _ in run.datasets()), "examples have a source"
    assert main(["show", str(path)]) == 0
    said = capsys.readouterr().out
    assert (
        len([line for line in said.splitlines() if line.startswith("tiny ")]) == 6
    )  # two rows in each of three tables
    assert said.count("tiny (2 examples)") == 3


# Native prompts.


def test_a_native_prompt_is_the_languages_own_or_the_english_one() -> None:
    several = 0
    for task in tasks.all_tasks().values():
        native = prompts.native_languages(task)
        for code in {variety.language for variety in task.varieties}:
            chosen = prompts.choose(task, code, "native")
            assert prompts.choose(task, code, "english") is task.prompt
            assert (chosen.language == "native") == (code in native) == (chosen is not task.prompt)
            several += chosen.language == "native"
    assert several > 1000


def test_a_language_without_a_native_prompt_falls_back_and_each_cell_says_which(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = '\n[prompt]\ntext = "Q: {question}"\n\n[prompt.native.yo]\ntext = "Ìbéèrè: {question}"\ncue = "Ìdáhùn:"\n'
    declare(folder, CHOICE.replace("\n[source]", f"{own}\n[source]"), prompt="", options=f"options = {FOUR}")
    monkeypatch.setattr(tasks, "_added", {})
    (task,) = tasks.add(folder / "tiny.toml")
    made, _ = asked(blocks(task, 0), SCORER, ASKER, "generate", Style("native"))
    said = {one.language: one for one in made}
    assert said["yor_Latn"].prompt.startswith("Ìbéèrè: asked") and said["yor_Latn"].prompt.endswith("Ìdáhùn:")
    assert said["hau_Latn"].prompt.startswith("Q: asked") and said["hau_Latn"].prompt.endswith("Answer:")
    assert {code: one.prompt_language for code, one in said.items()} == {"yor_Latn": "native", "hau_Latn": "english"}
    english = {one.sample: one.id for one in asked(blocks(task, 0), SCORER, ASKER, "generate")[0]}
    same = {one.language: english[one.sample] == one.id for one in made}
    assert same == {"yor_Latn": False, "hau_Latn": True}, "what is asked in the same words is not asked twice"

    path = folder / "a.run.db"
    model = Scripted("hf:a", lambda one: Response(one.id, "ok", "A", finish="stop"))
    for style in (Style("native"), Style()):
        session.perform(model, blocks(task, 0), None, path, style=style)
    with RunFile.read(path) as run:
        cells = run.cells()
    assert sorted((cell.language, cell.prompt_language, cell.n) for cell in cells) == [
        ("hau_Latn", "english", 40),
        ("yor_Latn", "english", 40),
        ("yor_Latn", "native", 40),
    ]
    assert {(cell.prompt_language, cell.reasons.get("rank")) for cell in cells} == {
        ("english", None),
        ("native", "unreviewed_prompt"),
    }
    assert main(["show", str(path)]) == 0
    cells_shown = capsys.readouterr().out.split("Place of the right option")[0]
    rows_of = [line for line in cells_shown.splitlines() if line.startswith("tiny")]
    counted = {line.split("generate")[0].strip(): line.split("accuracy")[1].split()[:2] for line in rows_of}
    assert counted == {"tiny": ["2", "80"], "tiny (native prompt)": ["1", "40"]}, "languages and items"
    assert main(["show", str(path), "--by", "language"]) == 0
    header = next(line for line in capsys.readouterr().out.splitlines() if "tiny" in line)
    assert header.count("tiny") == 2 and "tiny (native prompt)" in header


# The order of the options.


@given(count=st.integers(1, 26), places=st.integers(0, 25))
def test_every_order_is_a_rotation_that_no_place_can_escape(count: int, places: int) -> None:
    sample = replace(ANIMALS, options=tuple(f"o{number}" for number in range(count)), answer=0)
    made = order(TASK, sample, places)
    assert sorted(made) == list(range(count))
    assert made.index(0) == places % count, "the first option stands so many places further on"
    assert order(replace(TASK, kind="labels"), sample, places) == tuple(range(count))


def test_rotation_is_a_word_of_the_decoding() -> None:
    assert with_rotation("greedy", 0) == "greedy"
    assert with_rotation("greedy", 3) == "greedy|options:+3"
    assert [rotation(word) for word in ("greedy", "greedy|options:+3", "as the program does|options:+25")] == [0, 3, 25]


def test_options_examples_and_letters_are_shown_in_the_same_order() -> None:
    moved = render(TASK, ANIMALS, "generate", Asking(TASK.prompt, (replace(ANIMALS, item="j", answer=0),)), 1)
    shown = "A. cow\nB. cat\nC. dog\nD. horse"
    assert moved.count(shown) == 2 and "Answer: B\n\n" in moved
    assert render(TASK, ANIMALS, "loglikelihood", places=1) == render(TASK, ANIMALS, "loglikelihood")
    labels = replace(TASK, kind="labels")
    assert "A. cat\nB. dog\nC. horse\nD. cow" in render(labels, LABELS, "generate", places=1)
    asked = Asking(TASK.prompt, (LABELS,))
    assert "Answer: A, C\n\n" in render(labels, replace(LABELS, item="j"), "generate", asked)
    one = request(TASK, ANIMALS, "generate", replace(ASKER, decoding="greedy|options:+1"))
    assert one.options == ("cow", "cat", "dog", "horse")
    assert one.id != request(TASK, ANIMALS, "generate", ASKER).id


Answer = Callable[[Request], str]


def knowing(one: Request) -> str:
    """The right letter wherever the right option stands."""
    right = "abcd"[int(one.sample[-3:]) % 4]
    return LETTERS[next(place for place, option in enumerate(one.options) if option.endswith(f" {right}"))]


def spread(one: Request) -> str:
    """Right in half of the items, in equal shares of every place."""
    return knowing(one) if int(one.sample[-3:]) // 4 % 2 else "none of these, I think"


ANSWERS: dict[str, tuple[Answer, float, float]] = {
    "knows": (knowing, 1.0, 0.0),
    "half": (spread, 0.5, 0.0),
    "always A": (lambda one: "A", 0.25, 3**0.5 / 4),  # recalls 1, 0, 0, 0
}


def run(task: Task, path: Path, answer: Answer, places: int) -> list[Cell]:
    model = Scripted("hf:a", lambda one: Response(one.id, "ok", answer(one), finish="stop"))
    session.perform(model, blocks(task, 0), "generate", path, rotation=places)
    with RunFile.read(path) as opened:
        return list(opened.cells())


@pytest.mark.parametrize("places", [0, 1, 3, 6])
@pytest.mark.parametrize("name", ANSWERS)
def test_the_gold_follows_the_options_and_bias_is_the_spread_of_recalls(
    tiny: Task, folder: Path, name: str, places: int
) -> None:
    answer, value, bias = ANSWERS[name]
    for cell in run(tiny, folder / "a.run.db", answer, places):
        assert cell.value == pytest.approx(value)
        assert cell.position_bias == pytest.approx(bias)


@pytest.mark.parametrize("places", [0, 2])
def test_likelihoods_of_letters_are_those_of_the_options_shown(tiny: Task, folder: Path, places: int) -> None:
    def likely(one: Request) -> Response:
        right = LETTERS.index(knowing(one))
        scored = tuple(0.0 if place == right else -9.0 for place in range(len(one.continuations)))
        return Response(one.id, "ok", loglikelihoods=scored)

    model = Scripted("hf:a", likely, capabilities=SCORER)
    for mode in ("first_token", "loglikelihood"):
        path = folder / f"{mode}.run.db"
        session.perform(model, blocks(tiny, 0), mode, path, rotation=places)
        with RunFile.read(path) as opened:
            assert [(cell.value, cell.position_bias is None) for cell in opened.cells()] == [
                (1.0, mode == "loglikelihood")
            ] * 2, "options that are not shown have no place"


def test_a_run_file_keeps_its_rotation_and_refuses_another(tiny: Task, folder: Path) -> None:
    path = folder / "a.run.db"
    first = run(tiny, path, knowing, 2)
    for places in (0, 1):
        with pytest.raises(UsageError, match="options:") as caught:
            run(tiny, path, knowing, places)
        assert "\n" not in str(caught.value)
    with RunFile.read(path) as opened:
        assert opened.manifest()["decoding"] == "greedy|options:+2"
        assert opened.cells() == first
        identity = opened.identity()
    with RunFile.open(path, identity) as opened:
        session.rescore(opened)
        assert opened.cells() == first, "scored in the order in which they were shown"


def test_the_run_file_keeps_the_text_of_open_data_alone(tiny: Task, folder: Path) -> None:
    """Of data that may not be passed on, the file has hashes."""
    closed = replace(tiny, access="non-commercial")
    kept = {}
    for name, task in (("open", tiny), ("closed", closed)):
        path = folder / f"{name}.run.db"
        model = Scripted("hf:a", lambda one: Response(one.id, "ok", "A", finish="stop"))
        session.perform(model, load([(task, task.varieties[0])], None), "generate", path)
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        kept[name] = b"asked question" in path.read_bytes()
    assert kept == {"open": True, "closed": False}


def test_an_example_of_a_sum_ends_in_the_line_that_the_prompt_asks_for() -> None:
    asked = Asking(prompts.english("number"), (sum_of("4"),))
    shown = render(SUMS, sum_of("18"), "generate", asked)
    first, second = shown.split("What is it", 2)[1:]
    assert "\n\nAnswer: 4\n\n" in first
    assert "Answer: 18" not in second
    swahili = Asking(prompts.natives()["number"]["swh_Latn"], (replace(sum_of("4"), language="swh_Latn"),))
    assert "\n\nJibu: 4\n\n" in render(SUMS, sum_of("18"), "generate", swahili)


SUMS = replace(tasks.get("sib200"), kind="number", metrics=("accuracy",), chance=None, prompt=prompts.english("number"))


def sum_of(gold: str) -> Sample:
    return Sample(
        "sib200", "1", "yor_Latn", "", gold, "x", {"question": f"What is it, {len(gold)}?"}, references=(gold,)
    )


def test_the_majority_floor_follows_its_option_to_another_place(tiny: Task) -> None:
    def answer(places: int) -> str:
        asker = Asker("r", "none", with_rotation("deterministic", places))
        one = blocks(tiny, 0, 1)[0]
        made = request(tiny, one.samples[0], "generate", asker)
        floor = model_of("baseline:majority", Settings(lambda *_: tuple(tiny.samples(tiny.varieties[0], "train"))))
        (response,) = floor.respond([made])
        return made.options[LETTERS.index(response.text)]

    assert answer(0) == answer(1) == answer(2)


def test_the_majority_floor_names_the_commonest_set_of_labels() -> None:
    train = [replace(sum_of(str(number)), options=("a", "b", "c"), answers=found) for number, found in
             enumerate(((0, 2), (1,), (0, 2)))]  # fmt: skip
    made = request(replace(SUMS, kind="labels"), train[1], "generate", Asker("r", "none", "d"))
    (response,) = model_of("baseline:majority", Settings(lambda *_: train)).respond([made])
    assert response.text == "A, C"


@pytest.mark.parametrize("name", ["afriqa", "afriqa-closed", "afrisenti", "tumlu-uzbek", "tumlu-tatar", "blend-saq"])
def test_no_example_on_real_files_is_a_scored_question(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    task = tasks.get(name)
    for variety in task.varieties:
        (block,) = load([(task, variety)], None, shots=20)
        scored = {question_of(one) for one in block.samples}
        assert not scored & {question_of(one) for one in block.examples}, variety
        if task.held_out:
            passages = {one.cluster for one in block.samples} - {""}
            assert not passages & {one.cluster for one in block.examples}, variety


def test_held_out_items_bring_their_passage_and_their_twins() -> None:
    every = [
        replace(sum_of(str(number)), cluster="p" if number < 5 else "", fields={"question": f"Q {number % 30}"})
        for number in range(40)
    ]
    kept = held_out(every, 6)
    assert len(kept) >= 6
    for one in every:
        twins = {other.item for other in every if set(sharing(other)) & set(sharing(one))}
        assert twins <= kept or not twins & kept
    assert held_out(every, 3) <= kept
    assert not held_out(every, 0)


def test_a_run_with_options_elsewhere_is_named_and_not_published(
    tiny: Task, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain, turned = folder / "plain.run.db", folder / "turned.run.db"
    for path, places in ((plain, 0), (turned, 2)):
        run(tiny, path, knowing, places)
    capfd.readouterr()
    assert main(["show", str(turned)]) == 0
    shown = capfd.readouterr().out
    assert "options 2 places further on" in shown and "Place of the right option" in shown
    main(["compare", str(plain), str(turned)])
    assert "options stand in another order (turned.run.db by 2)" in capfd.readouterr().err
    with pytest.raises(UsageError, match="shows options in another order"):
        collect(turned)
