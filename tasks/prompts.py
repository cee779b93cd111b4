"""The words of prompts, as data: `prompts.toml` has the English ones, `native_prompts.toml` the others."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from tasks.records import DataError, Prompt, Task

ENGLISH = Path(__file__).with_name("prompts.toml")
NATIVE = Path(__file__).with_name("native_prompts.toml")
ALWAYS = frozenset({"language", "script", "autonym"})
"""What every prompt may name besides the fields of its samples."""


def families() -> tuple[str, ...]:
    """The names of the English prompts."""
    return tuple(_english())


def english(family: str) -> Prompt:
    """The English prompt of a family. Raises `KeyError`."""
    return _english()[family]


def choose(task: Task, language: str, wanted: str) -> Prompt:
    """The prompt for a task in a language: the native one where it is wanted and there is one, else the English one."""
    if wanted != "native":
        return task.prompt
    return task.native.get(language) or natives().get(task.prompt.family, {}).get(language) or task.prompt


def answer_cue(prompt: Prompt, language: str) -> str:
    """The words that announce an answer in the language of a prompt that ends in none: "Answer:", "Jibu:"."""
    return natives()["choice"][language].cue if prompt.language == "native" and not prompt.cue else "Answer:"


def native_languages(task: Task) -> list[str]:
    """The languages of a task that have a native prompt."""
    known = {*task.native, *natives().get(task.prompt.family, {})}
    return sorted({variety.language for variety in task.varieties} & known)


def problem(prompt: Prompt, fields: Iterable[str]) -> str:
    """What is wrong with a prompt for samples with these fields; empty where nothing is."""
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(prompt.text) if name is not None}
    except ValueError as error:
        return f"{error} in {prompt.text[:60]!r}"
    known = set(fields)
    unknown = named - known - ALWAYS
    if unknown:
        return f"the text names {{{min(unknown)}}}; the sample has {', '.join(sorted(known))}"
    silent = known - named
    return f"the field {min(silent)!r} does not reach the text" if silent else ""


@cache
def _english() -> dict[str, Prompt]:
    return {family: Prompt(family=family, **words) for family, words in _read(ENGLISH).items()}


@cache
def natives() -> dict[str, dict[str, Prompt]]:
    """Family -> canonical code -> native prompt. Raises `DataError` where the words of a language are not whole."""
    content = _read(NATIVE)
    told = {code: _told(code, words, content["options"]) for code, words in content["words"].items()}
    return {
        family: {code: _laid_out(family, code, layout, content["about"], words) for code, words in told.items()}
        for family, layout in content["layout"].items()
    }


def _told(code: str, words: Mapping[str, str], options: Mapping[str, str]) -> dict[str, str]:
    """The words of a language with the names of options and its own answer cue put in."""
    if "answer" not in words:
        raise DataError(f"{NATIVE.name}: [words.{code}] has no answer")
    known = {**options, "answer": words["answer"]}
    made = {}
    for name, word in words.items():
        try:
            made[name] = Template(word).substitute(known)
        except KeyError as error:
            there = ", ".join(f"${one}" for one in known)
            raise DataError(
                f"{NATIVE.name}: {name} in [words.{code}] names ${error.args[0]}; there are {there}"
            ) from error
        except ValueError as error:
            raise DataError(f"{NATIVE.name}: {name} in [words.{code}] has a $ before no name") from error
    return made


def _laid_out(
    family: str, code: str, layout: Mapping[str, str], about: Mapping[str, str], words: Mapping[str, str]
) -> Prompt:
    """One prompt. Its version is the file's, then that of the language's words where they have one of their own."""
    shape = {"cue": "$answer", "instruction": "$letter", **layout}
    try:
        made = {name: Template(text).substitute(words) for name, text in shape.items()}
    except KeyError as error:
        lacking = f"[layout.{family}] names ${error.args[0]}, which [words.{code}] lacks"
        raise DataError(f"{NATIVE.name}: {lacking}") from error
    versions = [about["version"], *filter(None, [words.get("version")])]
    return Prompt(
        **made,
        family=family,
        language="native",
        version=".".join(versions),
        author=words.get("author", about["author"]),
        review=words.get("review", about["review"]),
    )


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))
