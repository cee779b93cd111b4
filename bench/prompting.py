"""Sample -> request: the exact prompt and decoding limits for one model. Pure functions."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

import languages
from bench.records import Mode, Request
from bench.text import LETTERS
from tasks import prompts
from tasks.records import Prompt, Sample, Task

NO_TEMPLATE = "none"
_EMPTY_LINE = ("\n\n",)
_ROTATION = re.compile(r"\|options:\+([0-9]+)$")


@dataclass(frozen=True, slots=True)
class Asker:
    """What of a model goes into a request's identity.

    `decoding` ends in "|options:+N" where options are shown N places further on (see `rotated`): answers with another
    order are another run. `reasoning_tokens` is the room for thinking on top of a task's own limit.
    """

    revision: str
    template: str
    decoding: str
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Asking:
    """How one task is asked in one language: the prompt, and the solved examples before the question."""

    prompt: Prompt
    examples: tuple[Sample, ...] = ()


def rotation(decoding: str) -> int:
    """By how many places the options of a run are moved on."""
    match = _ROTATION.search(decoding)
    return int(match[1]) if match else 0


def with_rotation(decoding: str, places: int) -> str:
    """The word for decoding of a run whose options are moved on by so many places."""
    return f"{decoding}|options:+{places}" if places else decoding


def order(task: Task, sample: Sample, places: int) -> tuple[int, ...]:
    """The index of the option that stands at each place. Labels that several items share stay where they are."""
    count = len(sample.options)
    if task.kind != "choice" or not count:
        return tuple(range(count))
    return tuple((place - places) % count for place in range(count))


def render(task: Task, sample: Sample, mode: Mode, asking: Asking | None = None, places: int = 0) -> str:
    """The prompt text. A choice shows lettered options unless the options themselves are scored."""
    asking = asking or Asking(task.prompt)
    solved = [
        _question(task, one, mode, asking.prompt, places)
        + lead(asking.prompt, one.language)
        + _solution(task, one, mode, places)
        for one in asking.examples
    ]
    return "\n\n".join([*solved, _question(task, sample, mode, asking.prompt, places)])


def _question(task: Task, sample: Sample, mode: Mode, prompt: Prompt, places: int) -> str:
    language = languages.get(sample.language)
    name = f"{language.name} ({sample.variety})" if sample.variety else language.name
    known = {"language": name, "script": language.script_name, "autonym": language.autonym or language.name}
    blocks = [prompt.text.format_map({**sample.fields, **known})]
    if sample.options and (task.kind == "labels" or mode != "loglikelihood"):
        if len(sample.options) > len(LETTERS):
            raise ValueError(f"{sample.id} has {len(sample.options)} options, more than there are letters")
        shown = [sample.options[index] for index in order(task, sample, places)]
        blocks.append("\n".join(f"{LETTERS[place]}. {option}" for place, option in enumerate(shown)))
        blocks.append(prompt.instruction)
    return "\n\n".join(filter(None, [*blocks, prompt.cue]))


def lead(prompt: Prompt, language: str) -> str:
    """What stands between a solved example's question and its solution: the space after a cue, or the cue itself.

    A prompt without one asks for the answer on a last line of its own, which is all that the example has.
    """
    return " " if prompt.cue else f"\n\n{prompts.answer_cue(prompt, language)} "


def _solution(task: Task, sample: Sample, mode: Mode, places: int) -> str:
    """What a solved example shows after the cue."""
    if task.kind == "labels":
        return ", ".join(LETTERS[index] for index in sample.answers)
    if sample.answer is None:
        return sample.references[0]
    if mode == "loglikelihood":
        return sample.options[sample.answer]
    return LETTERS[order(task, sample, places).index(sample.answer)]


def continuations(task: Task, sample: Sample, mode: Mode) -> tuple[str, ...]:
    """What is scored after the prompt: the options, their letters, or nothing."""
    if task.kind != "choice" or mode == "generate":
        return ()
    shown = sample.options if mode == "loglikelihood" else LETTERS[: len(sample.options)]
    return tuple(f" {text}" for text in shown)


def request(
    task: Task, sample: Sample, mode: Mode, asker: Asker, asking: Asking | None = None, repeat: int = 0
) -> Request:
    """The request for one sample. Its id is the hash of everything that could change the answer, and `repeat`."""
    asking = asking or Asking(task.prompt)
    places = rotation(asker.decoding) if mode != "loglikelihood" else 0
    prompt = render(task, sample, mode, asking, places)
    scored = continuations(task, sample, mode)
    max_tokens = 0 if scored else task.max_tokens + asker.reasoning_tokens
    stop = _stop(task, asker, asking) if max_tokens else ()
    shown = tuple(sample.options[index] for index in order(task, sample, places))
    identity = [
        *(asker.revision, asker.template, asker.decoding),
        *(sample.id, mode, asking.prompt.language, asking.prompt.version),
        *(prompt, scored, sample.input, shown, max_tokens),
        *([] if stop == _EMPTY_LINE or not max_tokens else [stop]),
        *([{"repeat": repeat}] if repeat else []),
    ]
    return Request(
        id=hashlib.sha256(json.dumps(identity, ensure_ascii=True).encode()).hexdigest()[:32],
        sample=sample.id,
        task=task.name,
        language=sample.language,
        variety=sample.variety,
        mode=mode,
        prompt=prompt,
        continuations=scored,
        max_tokens=max_tokens,
        stop=stop,
        input=sample.input,
        options=shown,
        prompt_language=asking.prompt.language,
        shots=len(asking.examples),
        rotation=places,
        repeat=repeat,
    )


def _stop(task: Task, asker: Asker, asking: Asking) -> tuple[str, ...]:
    """An empty line ends the answer of a model that only continues texts; a chat model ends by itself, and may think
    in paragraphs. Solutions and texts under rules may have several too, unless examples showed that they have not.
    """
    several = task.kind in ("number", "rules") and not asking.examples
    return () if asker.template != NO_TEMPLATE or several else _EMPTY_LINE


def digest(sample: Sample) -> str:
    """The hash of a sample's content, gold included: a run file holds it so that changed data are noticed."""
    gold = [sample.options, sample.answer, sample.references, sample.cluster, *filter(None, [sample.answers])]
    content = [sample.input, sorted(sample.fields.items()), *gold]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()[:32]
