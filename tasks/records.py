"""The nouns of what is asked: `Task`, `Row` and `Sample`.

A task is a declaration and nothing else: constructing or listing one never touches data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Area = Literal[
    "translation", "topic", "reading", "knowledge", "reasoning", "locale", "rules", "culture", "legal", "medical"
]
Kind = Literal["choice", "generation"]
Origin = Literal["native", "human-translated", "machine-translated", "generated"]
Access = Literal["open", "gated", "non-commercial", "no-derivatives"]
Split = Literal["train", "test"]


class DataError(Exception):
    """Data that a task needs is missing, unreadable or not what the lock says. The message is one line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a dataset, as the source has it.

    `values` maps the source's own column names to values; `where` says where it stands (file and line), for messages.
    """

    values: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class Variety:
    """One language of one task.

    `language` is the canonical code, `variety` a BCP 47 region or variant where a dataset has several for one language
    (else empty), `code` what the dataset itself calls it. `flaw` is the reason code of what is wrong with the data in
    this language: its scores are shown and not ranked.
    """

    language: str
    variety: str = ""
    code: str = ""
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A row turned into a question with its gold answer.

    `input` is what a system that takes no prompt receives (the sentence to translate, the text to classify); `fields`
    are the values that a prompt template may name. A choice has `options` and the index of the gold one in `answer`; a
    generation has one or more `references`. `item` is the same across parallel languages, and `cluster` names the
    passage or document that several items share.
    """

    task: str
    version: str
    language: str
    variety: str
    item: str
    input: str
    fields: Mapping[str, str]
    options: tuple[str, ...] = ()
    answer: int | None = None
    references: tuple[str, ...] = ()
    cluster: str = ""

    @property
    def id(self) -> str:
        """`task@version/language/variety/item`."""
        return f"{self.task}@{self.version}/{self.language}/{self.variety}/{self.item}"


class Source(Protocol):
    """Where rows come from. `bench` never asks which kind it is."""

    @property
    def dataset(self) -> str:
        """The dataset's short name: its key in `data.lock` and its folder in a local mirror."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that exist, `test` always among them."""

    def rows(self, variety: Variety, split: Split) -> Iterator[Row]:
        """The rows of one split in the source's order. Raises `DataError`."""

    def fingerprint(self, variety: Variety, split: Split) -> Mapping[str, str]:
        """What the rows were read from: name of file or release -> SHA-256 or version. Raises `DataError`."""

    def is_locked(self, name: str) -> bool:
        """Whether a name of a fingerprint is pinned; the scores of what is not are not ranked."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The words around a sample. `text` names fields in braces: those of the sample, `{language}` (its English name)
    and `{script}`.

    `cue` ends the prompt; a log-likelihood continues it with a space and an option.
    """

    text: str
    cue: str = "Answer:"
    language: str = "english"
    version: str = "1"


@dataclass(frozen=True)
class Task:
    """What is asked, of which languages, from which data, how it is scored.

    `metrics` has the headline first. `sample` turns a row into a sample, or into None where the row cannot be asked.
    `origin` says how the text in the scored languages came about. `max_tokens` bounds a generated answer. `floor`
    marks a self-test that is shown apart and never averaged with the benchmarks.
    """

    name: str
    version: str
    title: str
    area: Area
    kind: Kind
    source: Source
    varieties: tuple[Variety, ...]
    sample: Callable[[Task, Variety, Row], Sample | None]
    prompt: Prompt
    metrics: tuple[str, ...]
    origin: Origin
    licence: str
    citation: str
    group: str = ""
    vertical: str = ""
    access: Access = "open"
    suites: tuple[str, ...] = ()
    max_tokens: int = 64
    floor: bool = False
    chance: float | None = None
    notes: str = ""
    raw_input: bool = field(default=False)
    """True where a system that takes no prompt (a translation engine) can answer from `input` alone."""

    def samples(self, variety: Variety, split: Split = "test") -> Iterator[Sample]:
        """The samples of one language, in the source's order. Raises `DataError`."""
        for row in self.source.rows(variety, split):
            made = self.sample(self, variety, row)
            if made is not None:
                yield made
