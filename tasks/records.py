"""The nouns of what is asked: `Task`, `Row` and `Sample`.

A task is a declaration and nothing else: constructing or listing one never touches data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

Area = Literal[
    "translation", "topic", "reading", "knowledge", "reasoning", "locale", "rules", "culture", "legal", "medical"
]
Kind = Literal["choice", "generation", "number", "labels", "rules"]
Origin = Literal["native", "human-translated", "machine-translated", "generated"]
Access = Literal["open", "gated", "non-commercial", "no-derivatives"]
Split = Literal["train", "test"]


FLAWS: Mapping[str, str] = MappingProxyType(
    {
        "legacy_encoding": "the dataset's text in this language is in a legacy encoding, not in Unicode",
        "doubtful_language": "the dataset's text looks like another language than it is called",
        "misaligned": "texts of the dataset in this language stand beside the wrong ones",
        "damaged_text": "letters of the dataset's text in this language were lost or changed",
        "wrong_questions": "many questions of the dataset in this language do not fit their answers",
        "one_label": "every item of the dataset in this language has the same right answer",
        "memorised": "the text is in every large collection of texts, word for word",
    }
)
"""Reason code -> what is wrong with a dataset's text in one language, as a reader is told: shown, and never ranked."""


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
    this language: its scores are shown and not ranked. `origin` is how its text came about where that differs from the
    task's word for it.
    """

    language: str
    variety: str = ""
    code: str = ""
    flaw: str = ""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A row turned into a question with its gold answer.

    `input` is what a system that takes no prompt receives (the sentence to translate, the text to classify); `fields`
    are the values that a prompt template may name. A choice has `options` and the index of the gold one in `answer`,
    a question with several right labels their indices in `answers`; a generation has one or more `references`, a number
    the one that it comes to, and a rule that a program can check has it as JSON (see `bench.rules`). `item` is the same
    across parallel languages, and `cluster` names the passage or document that several items share.
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
    answers: tuple[int, ...] = ()

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


@runtime_checkable
class Repository(Source, Protocol):
    """A source whose rows lie in files of a repository, which can be locked, verified and bundled."""

    @property
    def repository(self) -> str:
        """`owner/name`."""

    @property
    def commit(self) -> str:
        """The pinned commit, or the name of a branch where none is pinned yet."""

    def paths(self, variety: Variety, split: Split) -> tuple[str, ...]:
        """The files inside the repository that the rows of one split come from. Raises `DataError`."""

    def describe(self, path: str) -> Any:
        """The lock entry (`tasks.lock.Entry`) of a file as it lies here now, whatever the lock says."""

    def fetch(self, path: str) -> Any:
        """The file on this machine (`tasks.store.Fetched`), checked against the lock. Raises `DataError`."""

    def companions(self) -> tuple[str, ...]:
        """Files that are no data and that reading needs all the same: the card that names the configurations."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The words around a sample. `text` names fields in braces: those of the sample, `{language}`, `{script}` (English
    names) and `{autonym}`.

    `cue` ends the prompt; a log-likelihood continues it with a space and an option. `instruction` asks for a letter
    where lettered options are shown. `language` is "english" or "native"; who wrote the text and who has reviewed it
    stand in `author` and `review`: what is "unreviewed" enters no headline unless it is English. `family` names the
    prompt in `prompts.toml`, by which a native one is found.
    """

    text: str
    cue: str = "Answer:"
    language: str = "english"
    version: str = "1"
    instruction: str = "Answer with the letter alone."
    author: str = ""
    review: str = "unreviewed"
    family: str = ""


Item = TypeVar("Item")


def by_hash(items: Iterable[Item], name: Callable[[Item], str]) -> list[Item]:
    """The items in the order of the hash of their names: a draw that is the same everywhere, and grows in place."""
    return sorted(items, key=lambda item: hashlib.sha256(name(item).encode()).digest())


def question_of(sample: Sample) -> str:
    """What a sample asks, whatever its name: its fields, case and white space aside. Equal ones are one question."""
    return "\0".join(" ".join(value.casefold().split()) for _, value in sorted(sample.fields.items()))


def held_out(samples: Iterable[Sample], count: int) -> frozenset[str]:
    """The items of so many samples, drawn by hash, and of all that share a passage or the question with one of them.

    An example that stands before its own question again, or beside its passage, would give the answer away.
    """
    every = list(samples)
    groups: dict[str, list[Sample]] = {}
    for sample in every:
        for name in sharing(sample):
            groups.setdefault(name, []).append(sample)
    kept: set[str] = set()
    for first in by_hash(every, lambda sample: sample.item):
        if len(kept) >= count:
            break
        waiting = [first]
        while waiting:
            sample = waiting.pop()
            if sample.item not in kept:
                kept.add(sample.item)
                waiting.extend(other for name in sharing(sample) for other in groups[name])
    return frozenset(kept)


def sharing(sample: Sample) -> tuple[str, ...]:
    """The names of what other samples may share with this one: its passage, if any, and its question."""
    return (*([f"/{sample.cluster}"] if sample.cluster else []), question_of(sample))


@dataclass(frozen=True)
class Task:
    """What is asked, of which languages, from which data, how it is scored.

    `metrics` has the headline first. `sample` turns a row into a sample, or into None where the row cannot be asked.
    `origin` says how the text in the scored languages came about. `max_tokens` bounds a generated answer. `floor`
    marks a self-test that is shown apart and never averaged with the benchmarks. `content` names the texts that other
    tasks hold too: two tasks that share one are never averaged together. `items` is how many items upstream states for
    each code (`""` for every code). `answer_language` is the language that a generated answer should be in: "own", a
    canonical code, or "none". `held_out` items, drawn by hash with all that they share a passage or a question with,
    are examples and never scored, where there is no other split to take examples from. A `language_rule` asks for a
    language and nothing else: where the identifier cannot tell the language it shows nothing. `native` are prompts of
    the task's own by canonical code; others come from its family.
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
    contamination: str = ""
    provenance: str = ""
    unverified: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    items: Mapping[str, int] = field(default_factory=dict)
    answer_language: str = "own"
    held_out: int = 0
    language_rule: bool = False
    native: Mapping[str, Prompt] = field(default_factory=dict)
    raw_input: bool = False
    """True where a system that takes no prompt (a translation engine) can answer from `input` alone."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that samples can be had of."""
        return ("train", "test") if self.held_out else self.source.splits

    def samples(self, variety: Variety, split: Split = "test") -> Iterator[Sample]:
        """The samples of one language, in the source's order. Raises `DataError`, also where two have one name."""
        if not self.held_out:
            yield from self._made(variety, split)
            return
        every = list(self._made(variety, "test"))
        kept = held_out(every, self.held_out)
        yield from (sample for sample in every if (sample.item in kept) == (split == "train"))

    def _made(self, variety: Variety, split: Split) -> Iterator[Sample]:
        seen: dict[str, str] = {}
        for row in self.source.rows(variety, split):
            made = self.sample(self, variety, row)
            if made is None:
                continue
            if made.item in seen:
                raise DataError(f"{row.where}: the item {made.item!r} was {seen[made.item]} already")
            seen[made.item] = row.where
            yield made

    def with_varieties(self, varieties: Iterable[Variety]) -> Task:
        """The same task, of these languages alone."""
        return replace(self, varieties=tuple(varieties))

    def origin_in(self, variety: Variety) -> Origin:
        """How the text of one language came about."""
        return variety.origin or self.origin
