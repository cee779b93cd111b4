"""The nouns of a snapshot. Small, frozen, and without behaviour beyond what their fields say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from bench.cards.facts import Facts
from bench.records import Cell

Badge = Literal["self_reported", "re_scored", "re_run", "sealed_set"]
"""How far a result was checked: as its sender computed it; scored anew from its responses on data of the board's own;
run again by the board; or run on questions that nobody outside has seen."""

LADDER: tuple[Badge, ...] = get_args(Badge)
"""The badges from the lowest to the highest."""

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, order=True)
class DatasetFile:
    """A file that a run read. An unlocked one had no entry in the lock, so nothing vouches for its content."""

    dataset: str
    file: str
    sha256: str
    locked: bool


@dataclass(frozen=True, slots=True)
class PriceFacts:
    """What a provider asks for a million tokens, as seen on the day `as_of`."""

    input: float
    output: float
    currency: str
    as_of: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run file says of how it was made, taken from the last time that the program worked on it.

    `tokenizers` are those whose premiums the run keeps, each as (tokenizer, revision, corpus). `id` is made from the
    identity of the run, its samples, responses and scores, so that a copy has the same.
    """

    started: str
    ended: str
    outcome: str
    versions: Mapping[str, str]
    hardware: Mapping[str, Json]
    datasets: tuple[DatasetFile, ...]
    tokenizers: tuple[tuple[str, str, str], ...] = ()
    price: PriceFacts | None = None
    id: str = ""
    badge: Badge = "self_reported"


@dataclass(frozen=True, slots=True)
class Model:
    """A model on the board. `slug` is its address; `baseline` marks a floor, which is never ranked."""

    slug: str
    name: str
    revision: str
    template: str
    decoding: str
    baseline: bool
    runs: tuple[RunFacts, ...]
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """The words around a sample."""

    text: str
    cue: str
    language: str
    version: str


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task's declaration as it was when its cells were published. `languages` are codes, each once."""

    name: str
    version: str
    title: str
    area: str
    kind: str
    vertical: str
    group: str
    suites: tuple[str, ...]
    dataset: str
    metrics: tuple[str, ...]
    chance: float | None
    floor: bool
    origin: str
    licence: str
    citation: str
    access: str
    notes: str
    prompt: PromptFacts
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """One task in one language: what the cells of all models share."""

    task: str
    version: str
    language: str
    variety: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is kept of an item: eight hex digits of the hash of its content, and the passage that it shares, if any."""

    digest: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Items:
    """The ordered items of a block and the stamp of each. Resampling draws items of one cluster together."""

    ids: tuple[str, ...]
    stamps: tuple[Stamp, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """A cell's sufficient statistics, a row for each of `items`; one of `arrays.MISSING` where there is no score."""

    items: tuple[str, ...]
    statistics: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Published:
    """A cell with its scores and the id of its run; without scores where its value is missing or withheld."""

    cell: Cell
    scored: Scored | None
    run: str = ""


class Outline(NamedTuple):
    """What decides over the place of a result in a table: its number `id`, that of its `model`, and fields of its cell.

    A page shows ten of the hundreds of results that it orders, and a whole cell takes many times as long to read.
    """

    id: int
    model: int
    task: str
    task_version: str
    language: str
    variety: str
    metric: str
    headline: int
    floor: int
    mode: str
    prompt_language: str
    shots: int
    value: float | None
    normalised: float | None
    n: int
    ci_low: float | None
    ci_high: float | None
    energy_provenance: str
    chance: float | None
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mean:
    """The macro mean of one model over the languages of one task, in one metric and one way of asking.

    `normalised` is 0 at chance and 1 at the best possible; `value`, `lowest` and `highest` are in the metric's unit.
    `languages` counts those averaged, `declared` all those of the task, `too_few` those with too few items and
    `flawed` those whose data are flawed (`why_flawed`), both shown and not counted, `missing` those without a number,
    mostly for `why_missing`. `incomplete` counts the languages averaged in which requests failed or were skipped.
    `reason` says why it is not ranked; empty where it may be. `low` to `high` is the 95 % interval of `normalised`,
    `first` to `last` the ranks that the model may have among `peers` ranked ones.
    """

    model: str
    task: str
    version: str
    metric: str
    mode: str
    prompt_language: str
    shots: int
    floor: bool
    normalised: float | None
    value: float | None
    chance: float | None
    lowest: float | None
    highest: float | None
    languages: int
    declared: int
    items: int
    too_few: int
    missing: int
    why_missing: str
    flawed: int
    why_flawed: str
    incomplete: int
    reason: str
    low: float | None = None
    high: float | None = None
    first: int | None = None
    last: int | None = None
    peers: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """In how many languages a model has numbers, apart for the benchmarks and for the floor tasks."""

    model: str
    languages: int
    cells: int
    items: int
    floor_languages: int
    floor_cells: int
    floor_items: int


@dataclass(frozen=True, slots=True)
class EnergyRank:
    """The ranks that a cell may have by one figure, `first` to `last` of `peers` ranked ones; None with a `reason`."""

    cell: int
    figure: str
    first: int | None
    last: int | None
    peers: int
    reason: str


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A tokenizer on one parallel corpus. `slug` is its address.

    `median`, `p90` (nine of ten languages lie below) and `highest` are of the premiums in the `languages` that count,
    without English; `gini` is that of the tokens, English included. `shown_as` is the slug of the same tokenizer as its
    file gave it, where a model counted in fewer languages what the file has too; else empty.
    """

    slug: str
    name: str
    revision: str
    corpus: str
    corpus_revision: str
    gini: float | None
    languages: int
    median: float | None
    p90: float | None
    highest: float | None
    shown_as: str = ""
