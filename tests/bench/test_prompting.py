"""Prompts: every task in every language, nothing of the answer in them, and identities that can be trusted."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import languages
import tasks
from bench.prompting import NO_TEMPLATE, Asker, Asking, continuations, digest, render, request
from bench.records import Mode, Request
from bench.text import LETTERS
from tasks.records import Prompt, Sample, Task, Variety
from tasks.sources import Files

ASKER = Asker("r1", "t1", "greedy")
MODES: tuple[Mode, ...] = ("generate", "first_token", "loglikelihood")
TASK = replace(tasks.get("sib200"), prompt=Prompt("{language} in {script}: {text}", cue="Topic:"))
SAMPLE = Sample("sib200", "1", "yor_Latn", "", "7", "ẹ {x} %s", {"text": "ẹ {x} %s"}, ("a", "b", "c"), 1)

IDENTITY = """
from dataclasses import replace
import tasks
from bench.prompting import Asker, digest, request
from tasks.records import Prompt, Sample
task = replace(tasks.get("sib200"), prompt=Prompt("{language} in {script}: {text}", cue="Topic:"))
text = "\u1eb9 {x} %s"
sample = Sample("sib200", "1", "yor_Latn", "", "7", text, {"text": text}, ("a", "b", "c"), 1)
print(request(task, sample, "generate", Asker("r1", "t1", "greedy")).id, digest(sample))
"""


def asked(task: Task = TASK, sample: Sample = SAMPLE, mode: Mode = "generate", asker: Asker = ASKER) -> Request:
    return request(task, sample, mode, asker)


def test_an_identity_is_the_same_in_another_process() -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-c", IDENTITY],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert printed == [[asked().id, digest(SAMPLE)]] * 2


CHANGES: dict[str, Callable[[], Request]] = {
    "revision": lambda: asked(asker=replace(ASKER, revision="r2")),
    "template": lambda: asked(asker=replace(ASKER, template="t2")),
    "decoding": lambda: asked(asker=replace(ASKER, decoding="t=1")),
    "first token": lambda: asked(mode="first_token"),
    "log-likelihood": lambda: asked(mode="loglikelihood"),
    "task": lambda: asked(sample=replace(SAMPLE, task="other")),
    "version": lambda: asked(sample=replace(SAMPLE, version="2")),
    "language": lambda: asked(sample=replace(SAMPLE, language="hau_Latn")),
    "variety": lambda: asked(sample=replace(SAMPLE, variety="NG")),
    "item": lambda: asked(sample=replace(SAMPLE, item="8")),
    "text": lambda: asked(sample=replace(SAMPLE, fields={"text": "e"})),
    "input": lambda: asked(sample=replace(SAMPLE, input="e")),
    "option order": lambda: asked(sample=replace(SAMPLE, options=("b", "a", "c"))),
    "options": lambda: asked(sample=replace(SAMPLE, options=("a", "b"))),
    "prompt": lambda: asked(replace(TASK, prompt=replace(TASK.prompt, text="{text}"))),
    "cue": lambda: asked(replace(TASK, prompt=replace(TASK.prompt, cue="So:"))),
    "prompt language": lambda: asked(replace(TASK, prompt=replace(TASK.prompt, language="native"))),
    "prompt version": lambda: asked(replace(TASK, prompt=replace(TASK.prompt, version="2"))),
    "limit": lambda: asked(replace(TASK, max_tokens=TASK.max_tokens + 1)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_could_change_the_answer_changes_the_identity(change: Callable[[], Request]) -> None:
    assert change().id != asked().id


def test_every_change_gives_an_identity_of_its_own() -> None:
    made = [change().id for change in CHANGES.values()]
    assert len(set(made)) == len(made)
    assert all(len(one) == 32 and set(one) <= set("0123456789abcdef") for one in made)


@pytest.mark.parametrize("mode", MODES)
def test_the_gold_answer_and_what_only_describes_the_task_change_nothing(mode: Mode) -> None:
    for sample in (replace(SAMPLE, answer=2), replace(SAMPLE, references=("x",)), replace(SAMPLE, cluster="p1")):
        assert asked(sample=sample, mode=mode) == asked(mode=mode)
    described = replace(TASK, title="Another", notes="n", suites=("x",), metrics=("exact_match",), licence="other")
    assert asked(described, mode=mode) == asked(mode=mode)


def test_a_digest_notices_the_gold_answer() -> None:
    changed = [
        replace(SAMPLE, answer=2),
        replace(SAMPLE, references=("x",)),
        replace(SAMPLE, input="e"),
        replace(SAMPLE, fields={"text": "e"}),
        replace(SAMPLE, options=("b", "a", "c")),
    ]
    assert len({digest(one) for one in (SAMPLE, *changed)}) == len(changed) + 1
    assert digest(replace(SAMPLE, fields=dict(reversed(list({"a": "1", "b": "2"}.items()))))) == digest(
        replace(SAMPLE, fields={"a": "1", "b": "2"})
    )


def test_a_digest_notices_another_passage() -> None:
    assert digest(replace(SAMPLE, cluster="p1")) != digest(SAMPLE), "the interval would change unnoticed"


def test_modes_show_what_they_score() -> None:
    generate, first, likelihood = (asked(mode=mode) for mode in MODES)
    shown = "A. a\nB. b\nC. c"
    assert generate.prompt == first.prompt
    assert generate.prompt == f"Yoruba in Latin: ẹ {{x}} %s\n\n{shown}\n\n{Prompt('').instruction}\n\nTopic:"
    assert likelihood.prompt == "Yoruba in Latin: ẹ {x} %s\n\nTopic:"
    assert (generate.continuations, generate.max_tokens, generate.stop) == ((), TASK.max_tokens, ())
    assert (first.continuations, first.max_tokens, first.stop) == ((" A", " B", " C"), 0, ())
    assert (likelihood.continuations, likelihood.max_tokens) == ((" a", " b", " c"), 0)


def test_an_empty_line_ends_the_answer_of_a_model_without_a_template_alone() -> None:
    """A chat model ends by itself, and may think in paragraphs."""
    bare = replace(ASKER, template=NO_TEMPLATE)
    assert asked(asker=bare).stop == ("\n\n",)
    assert asked(asker=ASKER).stop == ()
    assert asked(asker=bare, mode="first_token").stop == ()
    for kind in ("number", "rules"):
        several = replace(TASK, kind=kind)
        shown = Asking(TASK.prompt, (replace(SAMPLE, item="8", options=(), answer=None, references=("1",)),))
        assert request(several, SAMPLE, "generate", bare).stop == (), "a solution has paragraphs"
        assert request(several, SAMPLE, "generate", bare, shown).stop == ("\n\n",), "the examples have none"


def test_a_text_is_written_in_any_mode() -> None:
    task = tasks.get("ntrex-from-eng")
    sample = Sample(task.name, "1", "yor_Latn", "", "1", "in", {"text": "in"}, references=("gold",))
    for mode in MODES:
        made = request(task, sample, mode, ASKER)
        assert (made.continuations, made.max_tokens, made.options) == ((), 512, ())
        assert Prompt("").instruction not in made.prompt
        assert "gold" not in made.prompt


def test_braces_in_the_data_are_text() -> None:
    assert "{x} %s" in render(TASK, SAMPLE, "generate")
    hostile = replace(SAMPLE, fields={"text": "{language.__class__}", "language": "forged"})
    assert "{language.__class__}" in render(TASK, hostile, "generate")
    assert "forged" not in render(TASK, hostile, "generate")


def test_more_options_than_letters_are_refused_in_words() -> None:
    sample = replace(SAMPLE, options=tuple(f"o{number}" for number in range(len(LETTERS) + 1)))
    assert len(continuations(TASK, sample, "loglikelihood")) == len(LETTERS) + 1
    with pytest.raises(ValueError, match="27 options"):
        render(TASK, sample, "generate")


def named(task: Task) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(task.prompt.text) if name}


def check(task: Task, variety: Variety, sample: Sample) -> None:
    """One rendered sample: every field that the template names is in it, the question does not change with the gold."""
    language = languages.get(variety.language)
    values = {**sample.fields, "language": language.name, "script": language.script_name}
    for mode in MODES:
        prompt = render(task, sample, mode)
        for name in named(task):
            assert values[name].strip(), f"{sample.id}: {name} is empty"
            assert values[name] in prompt, f"{sample.id}: {name} is not in the prompt"
        assert prompt == prompt.strip() and prompt.endswith(task.prompt.cue)
        assert "{" not in task.prompt.text.format_map(dict.fromkeys(values, ""))
        if task.kind == "labels":
            assert sample.answers and set(sample.answers) <= set(range(len(sample.options)))
            assert all(f"{LETTERS[place]}. {option}" in prompt for place, option in enumerate(sample.options))
            regold = replace(sample, answers=(0,) if sample.answers != (0,) else (1,))
        elif task.kind == "choice":
            assert sample.answer in range(len(sample.options))
            assert len(set(sample.options)) == len(sample.options) > 1
            lettered = [f"{LETTERS[place]}. {option}" for place, option in enumerate(sample.options)]
            assert ("\n".join(lettered) in prompt) == (mode != "loglikelihood")
            regold = (
                replace(sample, answer=(sample.answer + 1) % len(sample.options))
                if sample.answer is not None
                else sample
            )
        else:
            assert sample.references
            assert all(one.strip() for one in sample.references)
            regold = replace(sample, references=("another",))
        assert request(task, regold, mode, ASKER) == request(task, sample, mode, ASKER)


@pytest.mark.parametrize("name", [task.name for task in tasks.select(["embedded"])])
def test_the_embedded_suite_renders_in_every_language(name: str) -> None:
    task = tasks.get(name)
    assert task.varieties
    for variety in task.varieties:
        sample = next(task.samples(variety))
        check(task, variety, sample)
        if task.kind == "generation":
            assert sample.references[0] not in render(task, sample, "generate")


FILES = [task.name for task in tasks.all_tasks().values() if isinstance(task.source, Files)]


@pytest.mark.parametrize("name", FILES)
def test_tasks_on_real_files_render_in_every_language(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    task = tasks.get(name)
    if not (data / task.source.dataset).is_dir():
        pytest.skip(f"the mirror has no {task.source.dataset}")
    assert task.varieties
    for variety in task.varieties:
        check(task, variety, next(task.samples(variety)))
