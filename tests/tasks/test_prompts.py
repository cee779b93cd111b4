"""The words of prompts: native ones by family and language, and a snapshot of what every task asks.

`python -m tests.tasks.test_prompts` writes the snapshot anew (docs/prompts.md says when).
"""

from __future__ import annotations

import hashlib
import json
import re
import string
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import languages
import tasks
from bench.extraction import choice
from bench.extraction_cues import cues, flat, lower
from bench.extraction_numbers import number
from bench.prompting import Asking, render
from languages.identification import ENVIRONMENT, identify
from languages.scripts import is_written_in
from tasks import prompts
from tasks.recipe import Column, Recipe
from tasks.records import Prompt, Sample, Task, Variety
from tests.hostile import segments

LEAST_LANGUAGES = 60
WORD = re.compile(r"\$([a-z_]+)")
OPTIONS_OF = {
    "nli": ("entailment", "contradiction", "neutral"),
    "sentiment": ("positive", "neutral", "negative"),
    "number": ("answer",),
}
OPTION_WORDS = re.compile(r"\b(?:entailment|neutral|contradiction|positive|negative)\b")
NATIVE = [(family, code, prompt) for family, by_code in prompts.natives().items() for code, prompt in by_code.items()]
FAMILIES = [
    "choice",
    "choice-context",
    "completion",
    "labels",
    "nli",
    "number",
    "qa",
    "qa-context",
    "reading",
    "sentiment",
    "solution",
    "term-from-eng",
    "topic",
    "translation-from-eng",
    "translation-into-eng",
]


def named(text: str) -> set[str]:
    """The fields that a text names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def words(prompt: Prompt) -> str:
    """All that a prompt says of its own: no field, and none of the English words that are the task's options."""
    text = prompt.text.format_map(dict.fromkeys(named(prompt.text), ""))
    return OPTION_WORDS.sub("", f"{text} {prompt.cue} {prompt.instruction}")


def test_the_families_that_have_native_prompts() -> None:
    assert sorted(prompts.natives()) == FAMILIES
    assert set(FAMILIES) <= set(prompts.families())
    codes = {frozenset(by_code) for by_code in prompts.natives().values()}
    assert len(codes) == 1, "a language has its words in every family"
    assert len(codes.pop()) >= LEAST_LANGUAGES


@pytest.mark.parametrize("family", FAMILIES)
def test_native_prompts_are_whole(family: str) -> None:
    english = prompts.english(family)
    fields = named(english.text) - prompts.ALWAYS
    for code, prompt in prompts.natives()[family].items():
        assert languages.get(code).code == code
        assert named(prompt.text) == fields, (family, code)
        assert prompts.problem(prompt, fields) == "", (family, code)
        assert (prompt.family, prompt.language) == (family, "native")
        assert prompt.author, (family, code)
        assert prompt.review, (family, code)
        assert re.fullmatch(r"[1-9][0-9]*(\.[1-9][0-9]*)?", prompt.version), (family, code)
        assert bool(prompt.cue) == bool(english.cue), (family, code)
        assert prompt.instruction.strip(), (family, code)
        said = (prompt.text, prompt.cue, prompt.instruction)
        assert said != (english.text, english.cue, english.instruction), (family, code)
        for one in said:
            assert "$" not in one, (family, code)
            assert one == one.strip() == unicodedata.normalize("NFC", one), (family, code)
            assert "  " not in one, (family, code)


def test_native_prompts_are_in_the_script_of_their_code() -> None:
    for family, code, prompt in NATIVE:
        assert is_written_in(words(prompt), languages.get(code).script), (family, code)


def test_native_prompts_read_as_the_language_of_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    codes = sorted(set(prompts.natives()["choice"]) - {"arb_Arab"})  # its dialects are written much the same
    texts = [" ".join(words(by_code[code]) for by_code in prompts.natives().values()) for code in codes]
    assert [guess.language for guess in identify(texts)] == codes


def test_no_two_languages_say_the_same() -> None:
    for family in ("qa", "translation-from-eng", "translation-into-eng", "term-from-eng"):  # these name the language
        texts = [prompt.text for prompt in prompts.natives()[family].values()]
        assert len(set(texts)) == len(texts), family


def test_a_language_has_every_word_of_a_layout_and_no_other() -> None:
    content = tomllib.loads(prompts.NATIVE.read_text("utf-8"))
    used = {name for layout in content["layout"].values() for text in layout.values() for name in WORD.findall(text)}
    for code, told in content["words"].items():
        assert set(told) - {"author", "review", "version"} == used | {"answer", "letter"}, code
        assert all(WORD.findall(word) == [] or name in OPTIONS_OF for name, word in told.items()), code
        for name, wanted in OPTIONS_OF.items():
            assert sorted(WORD.findall(told[name])) == sorted(wanted), (code, name)
    assert list(content["words"]) == sorted(content["words"])


@pytest.mark.parametrize(("code", "prompt"), prompts.natives()["choice"].items())
def test_the_cue_is_one_that_answers_are_read_by(code: str, prompt: Prompt) -> None:
    phrase = " ".join(flat(lower(unicodedata.normalize("NFKC", prompt.cue))).split())
    assert "answer" in cues().phrases.get(phrase, {}), f"bench/cues.tsv: {phrase!r} announces no answer"
    assert prompt.cue in prompts.natives()["number"][code].text
    assert number(f"12 + 30\n\n{prompt.cue} 42") == "42"
    assert choice(f"{prompt.cue} B", ("x", "y", "z")) == 1


@given(text=segments, other=segments, native=st.sampled_from(NATIVE))
def test_any_text_reaches_the_prompt_as_it_is(text: str, other: str, native: tuple[str, str, Prompt]) -> None:
    _, code, prompt = native
    fields = dict(zip(sorted(named(prompt.text)), (text, other), strict=False))
    sample = Sample("t", "1", code, "", "1", text, fields, ("a", "b"), 0)
    shown = render(replace(tasks.get("belebele"), prompt=prompt), sample, "generate", Asking(prompt))
    assert all(value in shown for value in fields.values())
    assert shown.endswith(prompt.cue or prompt.instruction)


def broken(monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: str | None) -> None:
    """Has the native prompts read from a file with one language, one of whose words is changed or gone."""
    _, _, kept = prompts.NATIVE.read_text("utf-8").partition("[words.swh_Latn]\n")
    made = dict(line.split(" = ", 1) for line in kept.partition("\n\n")[0].splitlines())
    made |= {name: json.dumps(word) for name, word in changes.items() if word is not None}
    told = "".join(f"{name} = {word}\n" for name, word in made.items() if changes.get(name, "") is not None)
    head, _, _ = prompts.NATIVE.read_text("utf-8").partition("\n[words.")
    path = folder / "native.toml"
    path.write_text(f"{head}\n[words.swh_Latn]\n{told}", "utf-8")
    monkeypatch.setattr(prompts, "NATIVE", path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nli": None}, "native.toml: [layout.nli] names $nli, which [words.swh_Latn] lacks"),
        ({"answer": None}, "native.toml: [words.swh_Latn] has no answer"),
        ({"nli": "$answr"}, "native.toml: nli in [words.swh_Latn] names $answr; there are"),
        ({"nli": "100 $ 1"}, "native.toml: nli in [words.swh_Latn] has a $ before no name"),
    ],
)
def test_a_broken_language_is_one_line(
    changes: dict[str, str | None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, tmp_path, **changes)
    with pytest.raises(tasks.DataError) as caught:
        prompts.natives.__wrapped__()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_language_may_have_its_own_version_and_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, tmp_path, version="3", review="read by a speaker in 2026", author="a speaker")
    made = prompts.natives.__wrapped__()["nli"]["swh_Latn"]
    assert (made.version, made.review, made.author) == ("1.3", "read by a speaker in 2026", "a speaker")


def test_choosing_a_prompt() -> None:
    task = tasks.get("belebele")
    assert prompts.choose(task, "swh_Latn", "english") is task.prompt
    assert prompts.choose(task, "kac_Latn", "native") is task.prompt
    native = prompts.choose(task, "swh_Latn", "native")
    assert native == prompts.natives()["reading"]["swh_Latn"]
    own = replace(native, text="{passage} {question}")
    assert prompts.choose(replace(task, native={"swh_Latn": own}), "swh_Latn", "native") is own
    assert "swh_Latn" in prompts.native_languages(task)
    assert "kac_Latn" not in prompts.native_languages(task)
    assert prompts.native_languages(replace(task, prompt=Prompt("{passage} {question}"))) == []


def test_what_is_wrong_with_a_prompt_is_said() -> None:
    assert prompts.problem(Prompt("{question} {language}"), ["question"]) == ""
    assert prompts.problem(Prompt("{qestion}"), ["question"]) == "the text names {qestion}; the sample has question"
    assert prompts.problem(Prompt("?"), ["question"]) == "the field 'question' does not reach the text"
    assert "in '{question'" in prompts.problem(Prompt("{question"), ["question"])


# The snapshot: one line a task and prompt language, with a hash over the prompts of all its languages.

SNAPSHOTS = Path(__file__).with_name("prompt_snapshots.tsv")
COLUMNS = ("task", "task version", "prompts", "prompt version", "languages", "hash")
TASKS = tuple(tasks.all_tasks().values())
KINDS = ("english", "native")


def placeholder(task: Task, variety: Variety) -> Sample:
    """A sample whose fields and options say only what they are; options that a task fixes stand as they are."""
    recipe = task.sample
    fields = sorted(recipe.fields if isinstance(recipe, Recipe) else named(task.prompt.text) - prompts.ALWAYS)
    options: tuple[str, ...] = ()
    if task.kind in ("choice", "labels"):
        options = tuple(f"⟨option {place}⟩" for place in range(1, 5))
        if isinstance(recipe, Recipe) and not isinstance(recipe.options, Column):
            options = recipe.fixed or options[: len(recipe.options)]
    told = {name: f"⟨{name}⟩" for name in fields}
    return Sample(task.name, task.version, variety.language, variety.variety, "1", "⟨input⟩", told, options)


def rendered(task: Task, variety: Variety, prompt: Prompt) -> tuple[str, str]:
    """The prompt with its options shown and without. Fails where a field or an option does not reach it."""
    sample = placeholder(task, variety)
    shown = render(task, sample, "generate", Asking(prompt))
    bare = render(task, sample, "loglikelihood", Asking(prompt))
    where = f"{task.name}, {variety.language}, {prompt.language} prompt"
    for name, value in sample.fields.items():
        assert value in shown, f"{where}: the field {name!r} does not reach the prompt"
        assert value in bare, f"{where}: the field {name!r} does not reach the prompt without options"
    for option in sample.options:
        assert option in shown, f"{where}: the option {option!r} does not reach the prompt"
    assert "{" not in shown, f"{where}: a brace is left"
    return shown, bare


def line(task: Task, kind: str) -> tuple[str, ...] | None:
    """The snapshot of one task and prompt language; None where it has no native prompt."""
    known = set(prompts.native_languages(task)) if kind == "native" else None
    varieties = [one for one in task.varieties if known is None or one.language in known]
    if not varieties:
        return None
    digest = hashlib.sha256()
    versions = set()
    for variety in sorted(varieties, key=lambda one: (one.language, one.variety)):
        prompt = prompts.choose(task, variety.language, kind)
        versions.add(prompt.version)
        for text in rendered(task, variety, prompt):
            digest.update(f"{variety.language}\t{variety.variety}\t{text}\n".encode())
    version = ",".join(sorted(versions))
    return (task.name, task.version, kind, version, str(len(varieties)), digest.hexdigest()[:16])


def stored() -> dict[tuple[str, str], tuple[str, ...]]:
    """The lines of the snapshot by task and prompt language."""
    _, *rows = [tuple(row.split("\t")) for row in SNAPSHOTS.read_text("utf-8").splitlines()]
    return {(row[0], row[2]): row for row in rows}


def complaint(old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> str:
    """What is wrong between a stored line and what it should be now; empty where nothing is."""
    if old == new:
        return ""
    write = "write the snapshot anew (python -m tests.tasks.test_prompts)"
    if old is None or new is None:
        row = old or new or ()
        return f"{row[0]}, {row[2]} prompts: {'not in the snapshot' if old is None else 'no longer there'}; {write}"
    if old[:-1] == new[:-1]:
        return f"{new[0]}, {new[2]} prompts: the text changed and no version did: bump the version of task or prompt"
    what = ", ".join(
        f"{column} {was} -> {now}"
        for column, was, now in zip(COLUMNS[:-1], old[:-1], new[:-1], strict=True)
        if was != now
    )
    return f"{new[0]}, {new[2]} prompts: {what}; {write}"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("kind", KINDS)
def test_prompts_are_those_of_the_snapshot(task: Task, kind: str) -> None:
    wrong = complaint(stored().get((task.name, kind)), line(task, kind))
    assert not wrong, wrong


def test_the_snapshot_has_no_task_that_is_gone() -> None:
    gone = {name for name, _ in stored()} - {task.name for task in TASKS}
    assert not gone, f"{min(gone)} is in the snapshot and no task; write it anew (python -m tests.tasks.test_prompts)"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("hash", "t, native prompts: the text changed and no version did: bump the version of task or prompt"),
        ("task version", "t, native prompts: task version 1 -> x; write the snapshot anew"),
        ("prompt version", "t, native prompts: prompt version 1 -> x; write the snapshot anew"),
        ("languages", "t, native prompts: languages 3 -> x; write the snapshot anew"),
    ],
)
def test_a_changed_prompt_is_complained_about(column: str, expected: str) -> None:
    old = ("t", "1", "native", "1", "3", "aa")
    new = tuple("x" if name == column else value for name, value in zip(COLUMNS, old, strict=True))
    assert complaint(old, new).startswith(expected)
    assert complaint(old, old) == ""
    assert complaint(None, old).startswith("t, native prompts: not in the snapshot")
    assert complaint(old, None).startswith("t, native prompts: no longer there")


def test_a_word_of_a_prompt_changes_its_hash() -> None:
    task = tasks.get("belebele").with_varieties([Variety("swh_Latn")])
    changed = replace(task, prompt=replace(task.prompt, cue="Reply:"))
    assert "bump the version" in complaint(line(task, "english"), line(changed, "english"))
    assert line(task, "native") == line(changed, "native")


def test_a_field_that_does_not_reach_the_prompt_is_noticed() -> None:
    task = tasks.get("belebele")
    with pytest.raises(AssertionError, match="the field 'passage' does not reach the prompt"):
        rendered(task, Variety("swh_Latn"), replace(task.prompt, text="{question}"))


def write(chosen: Iterable[Task]) -> None:
    """Writes the snapshot of these tasks."""
    made = [one for task in chosen for kind in KINDS if (one := line(task, kind))]
    SNAPSHOTS.write_text("".join("\t".join(row) + "\n" for row in [COLUMNS, *sorted(made)]), "utf-8")


if __name__ == "__main__":
    write(TASKS)
