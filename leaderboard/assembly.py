"""A snapshot -> the record of each page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import languages
from bench.records import Cell
from languages import Language
from leaderboard import energy, tokens
from leaderboard.aggregate import against_floor, highest_floor
from leaderboard.board import Board, ModelName
from leaderboard.naming import named
from leaderboard.pages import (
    BoardRow,
    BoardSection,
    CellTable,
    Column,
    Home,
    LanguageGroup,
    LanguageLine,
    LanguageList,
    LanguagePage,
    LanguageRow,
    LanguageTable,
    Line,
    ModelList,
    ModelPage,
    ModelRow,
    ModelTaskPage,
    Overview,
    TaskList,
    TaskMean,
    TaskPage,
    TaskRow,
    TaskVersion,
)
from leaderboard.records import Mean, Model, TaskFacts

COLUMNS_BESIDE = 6
"""So many columns stand beside each other in a task's table of languages; a wider table nobody could read."""


def home(board: Board) -> Home:
    """The start page."""
    rows = _model_rows(board)
    tasks, counts = board.tasks(), board.counts()
    coverage = [row.coverage for row in rows]
    return Home(
        snapshot=board.name,
        models=tuple(row for row in rows if not row.model.baseline),
        floors=tuple(row for row in rows if row.model.baseline),
        tasks=sum(not task.floor for task in tasks),
        floor_tasks=sum(task.floor for task in tasks),
        languages=sum(bool(count.cells) for count in counts.values()),
        floor_languages=sum(bool(count.floor_cells) for count in counts.values()),
        known_languages=len(languages.all_languages()),
        cells=sum(each.cells for each in coverage),
        floor_cells=sum(each.floor_cells for each in coverage),
        items=sum(each.items for each in coverage),
        floor_items=sum(each.floor_items for each in coverage),
    )


def models(board: Board) -> ModelList:
    """The list of models."""
    rows = _model_rows(board)
    return ModelList(
        board.name,
        tuple(row for row in rows if not row.model.baseline),
        tuple(row for row in rows if row.model.baseline),
    )


def _model_rows(board: Board) -> list[ModelRow]:
    coverage = board.coverage()
    return [ModelRow(model, coverage[model.slug]) for model in board.model_names().values()]


def overview(board: Board) -> Overview:
    """Models by tasks."""
    rows, tasks = _model_rows(board), board.tasks()
    means: dict[tuple[str, str, str], list[Mean]] = {}
    for mean in board.means():
        means.setdefault((mean.model, mean.task, mean.version), []).append(mean)
    sections = []
    for floor in (False, True):
        shown = tuple(task for task in tasks if task.floor == floor)
        made = [
            BoardRow(
                row.model,
                row.coverage,
                tuple(tuple(means.get((row.model.slug, task.name, task.version), ())) for task in shown),
            )
            for row in rows
        ]
        if shown:
            ranked = tuple(row for row in made if not row.model.baseline)
            sections.append(BoardSection(floor, shown, ranked, tuple(row for row in made if row.model.baseline)))
    return Overview(board.name, tuple(sections))


def language_list(board: Board) -> LanguageList:
    """The list of languages."""
    counts, premiums = board.counts(), board.premium_ranges()
    areas: dict[str, list[LanguageRow]] = {}
    for language in sorted(languages.all_languages(), key=lambda one: (one.name.casefold(), one.code)):
        areas.setdefault(language.macroarea or "", []).append(
            LanguageRow(language, counts.get(language.code), premiums.get(language.code))
        )
    # The languages of no single place come last.
    ordered = sorted(areas.items(), key=lambda pair: (not pair[0], pair[0]))
    return LanguageList(board.name, tuple(LanguageGroup(area, tuple(rows)) for area, rows in ordered))


def language(board: Board, found: Language) -> LanguagePage:
    """One language."""
    names = board.model_names()
    facts = {(task.name, task.version): task for task in board.tasks()}
    groups: dict[tuple[str, str, str, str], list[tuple[ModelName, Cell]]] = {}
    for number, cell in board.cells_of_language(found.code):
        groups.setdefault((cell.task, cell.task_version, cell.variety, cell.metric), []).append((names[number], cell))
    tables = [
        _cell_table(facts[task, version], variety, cells, names.values())
        for (task, version, variety, _), cells in groups.items()
    ]
    present = {(table.task.name, table.task.version) for table in tables}
    premiums = board.premiums_of_language(found.code)
    return LanguagePage(
        snapshot=board.name,
        language=found,
        benchmarks=tuple(table for table in tables if not table.task.floor),
        self_test=tuple(table for table in tables if table.task.floor),
        without=tuple(task for name, task in facts.items() if name not in present),
        energy=energy.of_language(board, found.code),
        premiums=tuple(premiums),
        flawed=tokens.flawed(one for _, one in premiums),
    )


def _cell_table(
    task: TaskFacts, variety: str, cells: Sequence[tuple[ModelName, Cell]], names: Iterable[ModelName]
) -> CellTable:
    floors = [Line(model, cell, cell.reasons.get("value", "")) for model, cell in cells if model.baseline]
    floor = highest_floor(line.cell for line in floors if line.cell is not None)
    ranked = [
        Line(model, cell, cell.reasons.get("value", ""), against_floor(cell, floor))
        for model, cell in cells
        if not model.baseline
    ]
    there = {model.slug for model, _ in cells}
    absent = [Line(model, None, "not_run") for model in names if model.slug not in there]
    return CellTable(
        task=task,
        variety=variety,
        metric=cells[0][1].metric,
        headline=cells[0][1].headline,
        models=_by_value([*ranked, *(line for line in absent if not line.model.baseline)]),
        floors=_by_value([*floors, *(line for line in absent if line.model.baseline)]),
        to_beat=next((line for line in floors if line.cell is floor), None) if floor is not None else None,
    )


def _by_value(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The highest value first, what has none last, equal ones by name."""

    def order(line: Line) -> tuple[bool, float, str]:
        value = line.cell.value if line.cell is not None else None
        return value is None, -(value or 0.0), line.model.slug

    return tuple(sorted(lines, key=order))


def model(board: Board, found: Model) -> ModelPage:
    """One model."""
    facts = {(task.name, task.version): task for task in board.tasks()}
    made = [TaskMean(facts[mean.task, mean.version], mean) for mean in board.means(model=found.slug)]
    run = {(mean.task.name, mean.task.version) for mean in made}
    return ModelPage(
        snapshot=board.name,
        model=found,
        coverage=board.coverage()[found.slug],
        benchmarks=tuple(mean for mean in made if not mean.task.floor),
        self_test=tuple(mean for mean in made if mean.task.floor),
        not_run=tuple(task for name, task in facts.items() if name not in run),
        energy=energy.of_model(board, found.slug),
    )


def model_task(board: Board, found: Model, versions: Sequence[TaskFacts]) -> ModelTaskPage:
    """One model in one task."""
    facts = {task.version: task for task in versions}
    groups: dict[tuple[str, str], list[Cell]] = {}
    for _, cell in board.cells_of_model(found.slug, versions[0].name):
        groups.setdefault((cell.task_version, cell.metric), []).append(cell)
    return ModelTaskPage(
        snapshot=board.name,
        model=ModelName(found.slug, found.name, found.baseline),
        means=tuple(board.means(model=found.slug, task=versions[0].name)),
        tables=tuple(_language_table(facts[version], cells) for (version, _), cells in groups.items()),
    )


def _language_table(task: TaskFacts, cells: Sequence[Cell]) -> LanguageTable:
    lines = [LanguageLine(named(cell.language), cell.variety, cell, cell.reasons.get("value", "")) for cell in cells]
    there = {cell.language for cell in cells}
    lines += [LanguageLine(named(code), "", None, "not_run") for code in task.languages if code not in there]
    lines.sort(key=lambda line: (line.language.name.casefold(), line.language.code, line.variety))
    return LanguageTable(task, cells[0].metric, cells[0].headline, tuple(lines))


def task_list(board: Board) -> TaskList:
    """The list of tasks."""
    tasks = board.tasks()
    return TaskList(
        board.name,
        tuple(task for task in tasks if not task.floor),
        tuple(task for task in tasks if task.floor),
    )


def task(board: Board, versions: Sequence[TaskFacts]) -> TaskPage:
    """One task."""
    names = board.model_names()
    by_slug = {name.slug: name for name in names.values()}
    means = [(by_slug[mean.model], mean) for mean in board.means(task=versions[0].name)]
    return TaskPage(board.name, tuple(_task_version(board, each, names, means) for each in versions))


def _task_version(
    board: Board, task: TaskFacts, names: Mapping[int, ModelName], means: Sequence[tuple[ModelName, Mean]]
) -> TaskVersion:
    rows: dict[tuple[str, str], dict[tuple[int, str, str, int], Cell]] = {}
    for number, cell in board.cells_of_task(task.name, task.version):
        way = (number, cell.mode, cell.prompt_language, cell.shots)
        rows.setdefault((cell.language, cell.variety), {})[way] = cell
    ways = {way for cells in rows.values() for way in cells}
    there = sorted(ways, key=lambda way: (names[way[0]].baseline, names[way[0]].slug, way))
    several = Counter(number for number, *_ in there)
    shown = there[:COLUMNS_BESIDE]
    lines = [
        TaskRow(named(code), variety, tuple(cells.get(way) for way in shown)) for (code, variety), cells in rows.items()
    ]
    lines.sort(key=lambda line: (line.language.name.casefold(), line.language.code, line.variety))
    own = [(name, mean) for name, mean in means if mean.version == task.version]
    ordered = sorted(own, key=lambda pair: (pair[1].normalised is None, -(pair[1].normalised or 0.0), pair[0].slug))
    return TaskVersion(
        task=task,
        models=tuple(pair for pair in ordered if not pair[0].baseline),
        floors=tuple(pair for pair in ordered if pair[0].baseline),
        beside=tuple(
            Column(names[number], mode, prompt_language, shots, several[number] > 1)
            for number, mode, prompt_language, shots in shown
        ),
        more=len(there) - len(shown),
        rows=tuple(lines),
    )
