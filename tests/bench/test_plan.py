"""Which requests a run consists of: languages, modes, and what a model is not asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import languages
import tasks
from bench.backend import Capabilities
from bench.plan import CannotAnswer, answer_mode, choose_languages, draw, load
from bench.prompting import Asker
from bench.records import Mode, UsageError
from tasks.records import Sample
from tests.plans import asked, block_of

NTREX = tasks.get("ntrex-from-eng")
SIB = tasks.get("sib200")
ASKER = Asker("r", "t", "greedy")
WRITER = Capabilities()
SCORER = Capabilities(modes=("loglikelihood", "first_token", "generate"))
TRANSLATOR = Capabilities(raw=True, choices=False)
RULE = Capabilities(raw=True)


def chosen(*names: str, of: tuple[tasks.Task, ...] = (NTREX,)) -> list[str]:
    return [f"{task.name} {v.language}-{v.variety}".rstrip("-") for task, v in choose_languages(of, names)]


def test_no_name_is_every_language() -> None:
    assert len(chosen(of=(SIB, NTREX))) == len(SIB.varieties) + len(NTREX.varieties)


@pytest.mark.parametrize("alias", ["yor_Latn", "yo", "yor", "Yoruba", "YORUBA", "yor-Latn"])
def test_aliases(alias: str) -> None:
    assert chosen(alias, of=(SIB, NTREX)) == ["sib200 yor_Latn", "ntrex-from-eng yor_Latn"]


def test_the_order_is_the_tasks_and_no_pair_comes_twice() -> None:
    assert chosen("yo", "am", "yor_Latn") == ["ntrex-from-eng amh_Ethi", "ntrex-from-eng yor_Latn"]


def test_a_variety_alone() -> None:
    assert chosen("por_Latn-BR") == ["ntrex-from-eng por_Latn-BR"]
    assert chosen("por_Latn-BR", "fra_Latn-CA") == ["ntrex-from-eng fra_Latn-CA", "ntrex-from-eng por_Latn-BR"]


@pytest.mark.parametrize("spelling", ["por_latn-br", "pt-BR", "por-BR"])
def test_another_spelling_of_a_variety_is_that_variety(spelling: str) -> None:
    assert chosen(spelling) == ["ntrex-from-eng por_Latn-BR"]


def test_a_variety_that_no_task_has_is_refused() -> None:
    with pytest.raises(UsageError, match="por_Latn"):
        chosen("por_Latn-XX")


def test_a_language_has_all_its_varieties() -> None:
    assert chosen("por_Latn") == ["ntrex-from-eng por_Latn", "ntrex-from-eng por_Latn-BR"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yoruva", "did you mean Yoruba"),
        ("xx", "unknown language"),
        ("eng_Latn", "ntrex-from-eng has no English"),
        ("", "language"),
    ],
)
def test_languages_that_are_not_there(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        chosen("yo", name)
    assert "\n" not in str(caught.value)


def test_a_language_that_none_of_several_tasks_has() -> None:
    covered = {variety.language for task in (SIB, NTREX) for variety in task.varieties}
    other = next(one for one in languages.all_languages() if one.code not in covered)
    with pytest.raises(UsageError, match=f"sib200, ntrex-from-eng .*{other.code}"):
        choose_languages((SIB, NTREX), [other.code])


@pytest.mark.parametrize(
    ("capabilities", "asked", "mode"),
    [
        (WRITER, None, "generate"),
        (SCORER, None, "loglikelihood"),
        (SCORER, "first_token", "first_token"),
        (SCORER, "generate", "generate"),
        (RULE, None, "generate"),
    ],
)
def test_modes_of_a_choice(capabilities: Capabilities, asked: Mode | None, mode: Mode) -> None:
    assert answer_mode(SIB, capabilities, asked) == mode


@pytest.mark.parametrize("asked", ["loglikelihood", "first_token", "generate", None])
def test_a_text_is_always_generated(asked: Mode | None) -> None:
    for capabilities in (WRITER, SCORER, TRANSLATOR):
        assert answer_mode(NTREX, capabilities, asked) == "generate"


@pytest.mark.parametrize(
    ("capabilities", "asked", "message"),
    [
        (WRITER, "loglikelihood", "it cannot answer in mode loglikelihood; it has generate"),
        (TRANSLATOR, None, "bare input, and sib200 cannot"),
        (Capabilities(choices=False), None, "sib200"),
    ],
)
def test_what_cannot_be_asked(capabilities: Capabilities, asked: Mode | None, message: str) -> None:
    with pytest.raises(CannotAnswer, match=message):
        answer_mode(SIB, capabilities, asked)


def test_a_translator_is_not_asked_what_needs_a_prompt() -> None:
    with pytest.raises(CannotAnswer):
        answer_mode(tasks.get("cldr-dates"), TRANSLATOR, None)


def test_requests_leave_out_what_cannot_be_asked_and_say_so() -> None:
    text = Sample("ntrex-from-eng", "1", "yor_Latn", "", "1", "in", {"text": "in"}, references=("out",))
    topic = replace(text, task="sib200", references=(), options=("a", "b"), answer=0)
    blocks = [
        block_of(SIB, SIB.varieties[0], [topic]),
        block_of(NTREX, NTREX.varieties[0], [text, replace(text, item="2")]),
    ]
    made, dropped = asked(blocks, TRANSLATOR, ASKER, None)
    assert [one.sample for one in made] == [text.id, replace(text, item="2").id]
    assert list(dropped) == ["sib200"]
    everything, nothing = asked(blocks, SCORER, ASKER, None)
    assert [one.mode for one in everything] == ["loglikelihood", "generate", "generate"]
    assert nothing == {}


def test_load_takes_so_many_of_each() -> None:
    task = tasks.get("cldr-dates")
    pairs = choose_languages((task,), ["yo", "am"])
    blocks = load(pairs, 3)
    assert [(block.variety.language, len(block.samples)) for block in blocks] == [("amh_Ethi", 3), ("yor_Latn", 3)]
    whole = {block.variety.language: block.samples for block in load(pairs, None)}
    assert all(sample in whole[block.variety.language] for block in blocks for sample in block.samples)


def test_a_draw_is_of_the_same_items_in_every_language_keeps_the_order_and_grows() -> None:
    pairs = choose_languages((tasks.get("cldr-plurals"),), ["pl", "ar"])
    polish, arabic = (block.samples for block in load(pairs, None))
    assert draw(polish, None) == draw(polish, len(polish)) == polish
    some, more = draw(polish, 5), draw(polish, 9)
    assert [sample for sample in polish if sample in some] == list(some)
    assert all(sample in more for sample in some)
    shared = {sample.item for sample in polish} & {sample.item for sample in arabic}
    same = [tuple(sample for sample in block if sample.item in shared) for block in (polish, arabic)]
    assert {sample.item for sample in draw(same[0], 3)} == {sample.item for sample in draw(same[1], 3)}


def test_a_draw_is_not_the_first_ones(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIB-200's files are sorted by topic: their first sixty items have one and the same answer."""
    monkeypatch.setenv("BENCH_DATA", str(data))
    (block,) = load(choose_languages((SIB,), ["yo"]), 60)
    assert len({sample.answer for sample in block.samples}) == 7


def test_missing_data_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    with pytest.raises(UsageError, match="^sib200 yor_Latn: .*has no folder sib200"):
        load(choose_languages((SIB,), ["yo"]), 1)
