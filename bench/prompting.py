"""Sample -> request: the exact prompt and decoding limits for one model. Pure functions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import languages
from bench.records import Mode, Request
from bench.text import LETTERS
from tasks.records import Sample, Task

INSTRUCTION = "Answer with the letter alone."


@dataclass(frozen=True, slots=True)
class Asker:
    """What of a model goes into a request's identity."""

    revision: str
    template: str
    decoding: str


def render(task: Task, sample: Sample, mode: Mode) -> str:
    """The prompt text. Multiple choice shows lettered options unless the options themselves are scored."""
    language = languages.get(sample.language)
    name = f"{language.name} ({sample.variety})" if sample.variety else language.name
    blocks = [task.prompt.text.format_map({**sample.fields, "language": name, "script": language.script_name})]
    if task.kind == "choice" and mode != "loglikelihood":
        if len(sample.options) > len(LETTERS):
            raise ValueError(f"{sample.id} has {len(sample.options)} options, more than there are letters")
        blocks.append("\n".join(f"{LETTERS[index]}. {option}" for index, option in enumerate(sample.options)))
        blocks.append(INSTRUCTION)
    return "\n\n".join([*blocks, task.prompt.cue])


def continuations(task: Task, sample: Sample, mode: Mode) -> tuple[str, ...]:
    """What is scored after the prompt: the options, their letters, or nothing."""
    if task.kind != "choice" or mode == "generate":
        return ()
    shown = sample.options if mode == "loglikelihood" else LETTERS[: len(sample.options)]
    return tuple(f" {text}" for text in shown)


def request(task: Task, sample: Sample, mode: Mode, asker: Asker) -> Request:
    """The request for one sample. Its id is the hash of everything that could change the answer."""
    prompt = render(task, sample, mode)
    scored = continuations(task, sample, mode)
    max_tokens = 0 if scored else task.max_tokens
    identity = [
        *(asker.revision, asker.template, asker.decoding),
        *(sample.id, mode, task.prompt.language, task.prompt.version),
        *(prompt, scored, sample.input, sample.options, max_tokens),
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
        stop=("\n\n",) if max_tokens else (),
        input=sample.input,
        options=sample.options,
    )


def digest(sample: Sample) -> str:
    """The hash of a sample's content, gold included: a run file holds it so that changed data are noticed."""
    gold = [sample.options, sample.answer, sample.references, sample.cluster]
    content = [sample.input, sorted(sample.fields.items()), *gold]
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()[:32]
