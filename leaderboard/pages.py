"""What each page says, as one record a page: the template and the JSON beside it are made from the same record."""

from __future__ import annotations

from dataclasses import dataclass

from bench.premium.records import Premium, Premiums
from bench.records import Cell
from leaderboard.board import ModelName
from leaderboard.records import Badge, EnergyRank, PriceFacts, TaskFacts, Tokenizer


@dataclass(frozen=True, slots=True)
class LanguageName:
    """What a table says of a language."""

    code: str
    name: str
    autonym: str | None
    bcp47: str
    direction: str
    script: str


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """The energy of one model on one task in one language, and its two ranks among the models measured alike.

    `run` is the id of the run that it is from, and `badge` how far that was checked.
    """

    model: ModelName
    language: LanguageName
    cell: Cell
    per_correct: EnergyRank
    equivalent: EnergyRank
    run: str
    badge: Badge


@dataclass(frozen=True, slots=True)
class EnergyTable:
    """Figures that may stand beside each other: one task, one way of asking, one setup, one scope.

    `notes` are the reason codes of everything that is missing in it, in the order in which they are met.
    """

    task: TaskFacts
    mode: str
    prompt_language: str
    shots: int
    setup: str
    scope: str
    rows: tuple[EnergyRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoEnergy:
    """A model's task without any figure of energy, the reason code, and in which languages that is so."""

    model: ModelName
    task: TaskFacts
    reason: str
    languages: tuple[LanguageName, ...]


@dataclass(frozen=True, slots=True)
class Energy:
    """What is known of energy in some part of the board, and what is not."""

    tables: tuple[EnergyTable, ...]
    without: tuple[NoEnergy, ...]


@dataclass(frozen=True, slots=True)
class EnergyPage:
    """Energy on the board: all, in the languages that somebody looks for, or of one of the `tasks` that have any."""

    snapshot: str
    language: str
    task: str
    tasks: tuple[str, ...]
    energy: Energy


@dataclass(frozen=True, slots=True)
class FlawedText:
    """What is wrong with the text that was counted, and in which languages: their premiums say little."""

    reason: str
    languages: tuple[LanguageName, ...]


@dataclass(frozen=True, slots=True)
class TokenizerList:
    """Every tokenizer whose premiums are known."""

    snapshot: str
    tokenizers: tuple[Tokenizer, ...]


@dataclass(frozen=True, slots=True)
class PremiumRow:
    """A tokenizer's premium in one language."""

    language: LanguageName
    premium: Premium


@dataclass(frozen=True, slots=True)
class TokenizerPage:
    """One tokenizer, language by language, the lowest premium first; `premiums` are what the plot shows."""

    snapshot: str
    tokenizer: Tokenizer
    rows: tuple[PremiumRow, ...]
    premiums: Premiums
    flawed: tuple[FlawedText, ...]


@dataclass(frozen=True, slots=True)
class Priced:
    """A model with a price that reads with some tokenizer."""

    model: ModelName
    price: PriceFacts


@dataclass(frozen=True, slots=True)
class CostColumn:
    """A tokenizer and the models with a price that use it."""

    tokenizer: Tokenizer
    priced: tuple[Priced, ...]


@dataclass(frozen=True, slots=True)
class CostRow:
    """A language, with its premium by each tokenizer: None where the tokenizer was not counted in it."""

    language: LanguageName
    variety: str
    premiums: tuple[Premium | None, ...]


@dataclass(frozen=True, slots=True)
class CostTable:
    """The languages of one corpus, whose sentences say the same in each. `more` tokenizers stand on their own pages.

    `counted` is in how many languages, as the list of tokenizers counts them, whatever somebody looks for.
    """

    corpus: str
    corpus_revision: str
    counted: int
    columns: tuple[CostColumn, ...]
    more: int
    rows: tuple[CostRow, ...]
    flawed: tuple[FlawedText, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    """What a sentence costs, in every language or in those that somebody looks for."""

    snapshot: str
    language: str
    tables: tuple[CostTable, ...]
