"""Tables of what answers are like besides right or wrong: their language, the rules that they broke, blank ones."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bench.cli.tables import asked, labelled, note, print_table
from bench.records import Cell
from bench.summary import ITEMS_FOR_A_CLAIM

CLAIM = 0.01


def print_answers(cells: Sequence[Cell]) -> None:
    """The tables that a run has something for."""
    headline = [cell for cell in cells if cell.headline]
    _print_places([cell for cell in headline if cell.position_bias is not None])
    _print_rules([cell for cell in headline if cell.violations is not None])
    _print_languages([cell for cell in headline if cell.mode == "generate" and _says_something(cell)])


def _says_something(cell: Cell) -> bool:
    return bool(cell.script_verdicts or cell.language_verdicts or cell.native_digits or cell.other_digits or cell.empty)


def _print_places(cells: Sequence[Cell]) -> None:
    """How much the place of the right option moves the recall, over the languages of a task."""
    rows = []
    for task, group in _by_task(cells).items():
        biases = [cell.position_bias for cell in group if cell.position_bias is not None]
        rows.append((task, f"{len(biases):,}", f"{sum(biases) / len(biases):.3f}", f"{max(biases):.3f}"))
    if rows:
        columns = ("task", "languages", "mean", "highest")
        click.echo()
        print_table(
            {name: name != "task" for name in columns}, rows, "Place of the right option: deviation of recall", 1
        )


def _print_rules(cells: Sequence[Cell]) -> None:
    """A row a task: an exact bound is one language's own, for its items are other languages' too."""
    rows = []
    for task, group in _by_task(cells).items():
        bounds = [cell.violation_bound for cell in group if cell.violation_bound is not None]
        claimed = sum(bound < CLAIM for bound in bounds)
        broken = sum(cell.violations or 0 for cell in group)
        answers = sum(cell.n for cell in group)
        worst = f"{max(bounds):.1%}" if bounds else "-"
        rows.append((task, f"{len(group):,}", f"{answers:,}", f"{broken:,}", f"{claimed:,}", worst))
    if not rows:
        return
    columns = ("task", "languages", "answers", "violations", "shown under 1 %", "highest bound")
    click.echo()
    print_table({name: name != "task" for name in columns}, rows, "Hard rules", 1)
    click.echo()
    note(
        "Bounds are exact (Clopper-Pearson, one-sided 95 %) and a language's own; `show --json` has each. "
        f"Under {ITEMS_FOR_A_CLAIM} items no run, however good, shows less than 1 %."
    )


def _print_languages(cells: Sequence[Cell]) -> None:
    rows = []
    for task, group in _by_task(cells).items():
        judged, wrong = _pooled(group, "language_verdicts", "wrong_language")
        lettered, foreign = _pooled(group, "script_verdicts", "wrong_script")
        recalls = [cell.identifier_recall for cell in group if cell.identifier_recall is not None]
        native, other = (sum(getattr(cell, name) or 0 for cell in group) for name in ("native_digits", "other_digits"))
        empty = sum(cell.empty for cell in group)
        recall = f"{min(recalls):.1%}" if recalls else "-"
        answers = sum(cell.n for cell in group)
        counts = (f"{native:,}", f"{other:,}", f"{empty:,}")
        rows.append((task, f"{answers:,}", _of(foreign, lettered), _of(wrong, judged), recall, *counts))
    if not rows:
        return
    columns = (
        *("task", "answers", "wrong script", "wrong language", "identifier's recall"),
        *("native digits", "other digits", "empty"),
    )
    click.echo()
    print_table({name: name != "task" for name in columns}, rows, "Language of the answers", 1)
    click.echo()
    note(
        "Of how many answers there is a verdict stands behind each share: short ones have a script and no language. "
        "The recall is the lowest of the languages here. An answer in English to a question in English may be meant."
    )


def _pooled(cells: Sequence[Cell], count: str, share: str) -> tuple[int, float]:
    """How many answers got a verdict in all, and how many of them were wrong."""
    counts = [getattr(cell, count) or 0 for cell in cells]
    return sum(counts), sum((getattr(cell, share) or 0) * of for cell, of in zip(cells, counts, strict=True))


def _of(wrong: float, judged: int) -> str:
    return f"{wrong / judged:.1%} of {judged:,}" if judged else "-"


def _by_task(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(labelled(cell.task, asked(cell)), []).append(cell)
    return groups
