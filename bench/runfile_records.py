"""What a run file is made of: whose run it is, what its cells are about, its requests and their answers."""

from __future__ import annotations

from dataclasses import dataclass

from bench.records import Mode, Request, Response


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two runs the same run: a run file refuses any other."""

    model: str
    revision: str
    template: str
    decoding: str


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """What a run keeps of a sample: the hash of its content, gold included, and the passage that it shares, if any."""

    hash: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Place:
    """What a cell is about: `task` is name@version, the rest is how it was asked. `id` is the run file's."""

    id: int
    task: str
    language: str
    variety: str
    mode: Mode
    prompt_language: str
    shots: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One request of a place with what the run keeps of its sample, and the response, None where there is none yet."""

    sample: str
    facts: SampleFacts
    repeat: int
    response: Response | None
    request: str
    cost: float | None


@dataclass(frozen=True, slots=True)
class Planned:
    """A request as it is planned. `prompt` is None where its text may not be kept."""

    request: Request
    sample: SampleFacts
    prompt: str | None
