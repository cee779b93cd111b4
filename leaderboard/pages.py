"""What each page says, as one record a page: the template and the JSON beside it are made from the same record."""

from __future__ import annotations

from dataclasses import dataclass

from bench.premium.records import Premium, Premiums
from bench.records import Cell
from languages import Language
from leaderboard.board import Count, ModelName, PremiumRange
from leaderboard.records import Coverage, EnergyRank, Mean, Model, PriceFacts, TaskFacts, Tokenizer


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
class ModelRow:
    """A model in a list of models."""

    model: ModelName
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class Home:
    """What is on the board in numbers that count, the benchmarks and the self-test apart."""

    snapshot: str
    models: tuple[ModelRow, ...]
    floors: tuple[ModelRow, ...]
    tasks: int
    floor_tasks: int
    languages: int
    floor_languages: int
    known_languages: int
    cells: int
    floor_cells: int
    items: int
    floor_items: int


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A model's means, a tuple for each task of the section: empty where it was not run, several for several modes."""

    model: ModelName
    coverage: Coverage
    means: tuple[tuple[Mean, ...], ...]


@dataclass(frozen=True, slots=True)
class BoardSection:
    """Tasks that may stand in one table, with the models and, apart, the floors."""

    floor: bool
    tasks: tuple[TaskFacts, ...]
    models: tuple[BoardRow, ...]
    floors: tuple[BoardRow, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """Models by tasks: the benchmarks first, the self-test apart."""

    snapshot: str
    sections: tuple[BoardSection, ...]


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """A language in the list of languages; no count and no premiums where the board has nothing of it."""

    language: Language
    count: Count | None
    premiums: PremiumRange | None


@dataclass(frozen=True, slots=True)
class LanguageGroup:
    """The languages of one part of the world by English name."""

    area: str
    rows: tuple[LanguageRow, ...]


@dataclass(frozen=True, slots=True)
class LanguageList:
    """Every language of the registry."""

    snapshot: str
    groups: tuple[LanguageGroup, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One cell in a table, or why there is none. `against` is where it lies beside the highest floor."""

    model: ModelName
    cell: Cell | None
    reason: str
    against: str = ""


@dataclass(frozen=True, slots=True)
class CellTable:
    """The cells of one task, language, variety and metric, floors apart; `to_beat` is the highest of the floors."""

    task: TaskFacts
    variety: str
    metric: str
    headline: bool
    models: tuple[Line, ...]
    floors: tuple[Line, ...]
    to_beat: Line | None


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """The energy of one model on one task in one language, and its two ranks among the models measured alike."""

    model: ModelName
    language: LanguageName
    cell: Cell
    per_correct: EnergyRank
    equivalent: EnergyRank


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
    """All energy on the board, or that in the languages that somebody looks for."""

    snapshot: str
    language: str
    energy: Energy


@dataclass(frozen=True, slots=True)
class FlawedText:
    """What is wrong with the text that was counted, and in which languages: their premiums say little."""

    reason: str
    languages: tuple[LanguageName, ...]


@dataclass(frozen=True, slots=True)
class LanguagePage:
    """One language: what is known of it, its cells, and the tasks that do not have it."""

    snapshot: str
    language: Language
    benchmarks: tuple[CellTable, ...]
    self_test: tuple[CellTable, ...]
    without: tuple[TaskFacts, ...]
    energy: Energy
    premiums: tuple[tuple[Tokenizer, Premium], ...]
    flawed: tuple[FlawedText, ...]


@dataclass(frozen=True, slots=True)
class ModelList:
    """Every model on the board, the floors apart."""

    snapshot: str
    models: tuple[ModelRow, ...]
    floors: tuple[ModelRow, ...]


@dataclass(frozen=True, slots=True)
class TaskMean:
    """A task and a model's mean over its languages."""

    task: TaskFacts
    mean: Mean


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One model: how it was run, and its mean in each task. `not_run` are the board's tasks that it was not asked."""

    snapshot: str
    model: Model
    coverage: Coverage
    benchmarks: tuple[TaskMean, ...]
    self_test: tuple[TaskMean, ...]
    not_run: tuple[TaskFacts, ...]
    energy: Energy


@dataclass(frozen=True, slots=True)
class LanguageLine:
    """One cell of a model in the list of languages."""

    language: LanguageName
    variety: str
    cell: Cell | None
    reason: str


@dataclass(frozen=True, slots=True)
class LanguageTable:
    """One model in one task and metric over the languages."""

    task: TaskFacts
    metric: str
    headline: bool
    lines: tuple[LanguageLine, ...]


@dataclass(frozen=True, slots=True)
class ModelTaskPage:
    """One model in one task, language by language."""

    snapshot: str
    model: ModelName
    means: tuple[Mean, ...]
    tables: tuple[LanguageTable, ...]


@dataclass(frozen=True, slots=True)
class TaskList:
    """Every task that has cells."""

    snapshot: str
    benchmarks: tuple[TaskFacts, ...]
    self_test: tuple[TaskFacts, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A model in one way of asking; `several` where the task has the model in more than one."""

    model: ModelName
    mode: str
    prompt_language: str
    shots: int
    several: bool


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A language of a task, with the cells of the columns that the table shows: None where there is none."""

    language: LanguageName
    variety: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class TaskVersion:
    """One version of a task: the means of every model, and the first columns beside each other in every language."""

    task: TaskFacts
    models: tuple[tuple[ModelName, Mean], ...]
    floors: tuple[tuple[ModelName, Mean], ...]
    beside: tuple[Column, ...]
    more: int
    rows: tuple[TaskRow, ...]


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One task in every version that has cells, the newest first."""

    snapshot: str
    versions: tuple[TaskVersion, ...]


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
