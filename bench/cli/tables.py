"""Tables for people. Every number in them comes from a cell; nothing is computed here but means over cells."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from tabulate import tabulate
from wcwidth import wcswidth

import languages
from bench.cli.counting import counted
from bench.records import Cell

if TYPE_CHECKING:
    from bench.aggregate import Aggregate

Key = Callable[[Cell], str]
K = TypeVar("K", bound=Hashable)


def _language(cell: Cell) -> languages.Language:
    return languages.get(cell.language)


GROUPS: dict[str, Key] = {
    "language": lambda cell: cell.language + (f"-{cell.variety}" if cell.variety else ""),
    "task": lambda cell: cell.task,
    "vertical": lambda cell: cell.vertical or "(none)",
    "family": lambda cell: _language(cell).family or "(unknown)",
    "script": lambda cell: _language(cell).script_name,
    "region": lambda cell: _language(cell).macroarea or "(unknown)",
}


SHARES = frozenset(
    {"accuracy", "answer_match", "exact_match", "exact_set", "glossary_recall", "label_f1", "obeyed", "token_f1"}
)
"""Metrics from 0 to 1, which people read in percent."""


def number(value: float | None, metric: str) -> str:
    """A metric's value as people read it: a share in percent, a corpus score with one decimal, missing as a dash."""
    if value is None:
        return "-"
    return f"{value:.1%}" if metric in SHARES else f"{value:.1f}"


NARROWEST = 8
"""To how many characters a column of text is cut at most."""


def print_table(
    columns: Mapping[str, bool], rows: Sequence[Sequence[str]], title: str = "", repeat: int | None = None
) -> None:
    """Prints a table; `columns` says of each name whether its values are set right, as numbers are.

    In a terminal that is too narrow the widest columns of text are cut, each cut marked with an ellipsis. With `repeat`
    the table is split instead, and each part starts with that many of the first columns; only a column of text that is
    wider than all the room beside them is cut.
    """
    names, right = list(columns), list(columns.values())
    # tabulate pads a column that is as narrow as its header by two.
    widths = [max([len(name) + 2, *map(wcswidth, column)]) for name, *column in zip(names, *rows, strict=True)]
    parts = [list(range(len(names)))]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns
        least = [max(NARROWEST, len(name) + 2) for name in names]
        if repeat is None:
            widths = _fit(widths, least, right, room)
        else:
            beside = room - sum(widths[:repeat]) - 2 * repeat
            widths[repeat:] = [
                width if number else min(width, max(narrow, beside))
                for width, narrow, number in list(zip(widths, least, right, strict=True))[repeat:]
            ]
            parts = _split(widths, repeat, room)
    if title:
        click.echo(f"{title}\n")
    for number, part in enumerate(parts):
        body = [[_cut(row[index], widths[index]) for index in part] for row in rows]
        align = ["right" if right[index] else "left" for index in part]
        if number:
            click.echo()
        head = [names[index] for index in part]
        click.echo(tabulate(body, head, "simple", colalign=align if body else None, disable_numparse=True))


def _split(widths: Sequence[int], repeat: int, room: int) -> list[list[int]]:
    """The columns in parts that fit, each with the first `repeat` columns and at least one more."""
    first = list(range(repeat))
    taken = sum(widths[:repeat]) + 2 * repeat
    parts: list[list[int]] = []
    left = 0
    for index in range(repeat, len(widths)):
        if not parts or widths[index] + 2 > left:
            parts.append(list(first))
            left = room - taken + 2
        parts[-1].append(index)
        left -= widths[index] + 2
    return parts or [first]


def _fit(widths: list[int], least: Sequence[int], right: Sequence[bool], room: int) -> list[int]:
    """The widths cut, the widest text first, until the table fits or nothing is left to cut."""
    widths = list(widths)
    while sum(widths) + 2 * (len(widths) - 1) > room:
        text = [index for index, number in enumerate(right) if not number and widths[index] > least[index]]
        if not text:
            break
        widths[max(text, key=widths.__getitem__)] -= 1
    return widths


def _cut(text: str, width: int) -> str:
    if wcswidth(text) <= width:
        return text
    while wcswidth(text) >= width:
        text = text[:-1]
    return text + "…"


def print_overview(cells: Sequence[Cell], paths: Sequence[Path]) -> None:
    """One row a model and task: what `run` prints at its end."""
    from bench.aggregate import macro

    rows = []
    for (model, task, *way), group in _grouped(cells, lambda cell: (cell.model, cell.task, *asked(cell))).items():
        headline = [cell for cell in group if cell.headline]
        valued = [cell for cell in headline if cell.value is not None]
        metric = headline[0].metric
        rows.append(
            (
                model,
                labelled(task, way),
                metric,
                f"{len({cell.language for cell in valued}):,}",
                f"{sum(_answers(cell) for cell in valued):,}",
                number(macro(valued, "value"), metric) if valued else headline[0].reasons.get("value", "-"),
                number(macro(valued, "chance"), metric),
                f"{sum(cell.errors for cell in headline):,}",
            )
        )
    text, numbers = ("model", "task", "metric"), ("languages", "answers", "mean", "chance", "errors")
    print_table(dict.fromkeys(text, False) | dict.fromkeys(numbers, True), rows)
    covered = {cell.language for cell in cells if cell.value is not None}
    answers = sum(_answers(cell) for cell in cells if cell.headline)
    sizes = (counted(len(covered), "language"), counted(answers, "scored answer"), counted(len(paths), "run file"))
    click.echo(f"\n{', '.join(sizes)}:")
    for path in paths:
        click.echo(f"  {path}")
    print_costs(cells)
    print_energy(cells)


def _answers(cell: Cell) -> int:
    """About how many answers a cell counts: an item that was asked several times has several."""
    return cell.n * cell.repeats


def print_costs(cells: Sequence[Cell]) -> None:
    """What the answers of each model cost, where that is known; cells of which it is not are counted."""
    for model, group in _grouped(cells, lambda cell: cell.model).items():
        headline = [cell for cell in group if cell.headline]
        known = [cell for cell in headline if cell.cost is not None]
        if known:
            cost = sum(cell.cost or 0.0 for cell in known)
            unknown = (
                f", and {len(headline) - len(known):,} cells of unknown cost" if len(known) < len(headline) else ""
            )
            click.echo(f"{model} cost {cost:,.4f} {known[0].currency}{unknown}")


def print_energy(cells: Sequence[Cell]) -> None:
    """How much of each model's energy is known, where somebody asked for it, and what answers take."""
    from bench.energy.reasons import meaning

    for model, group in _grouped(cells, lambda cell: cell.model).items():
        headline = [cell for cell in group if cell.headline]
        known = [cell for cell in headline if cell.energy_provenance != "none"]
        lacking = Counter(why for cell in headline if (why := cell.reasons.get("energy", "not_measured")))
        if known:
            joules = [cell.joules_per_request for cell in known if cell.joules_per_request is not None]
            attributed = sum(cell.energy_provenance == "attributed" for cell in known)
            apart = f", {attributed:,} of them attributed" if attributed else ""
            click.echo(
                f"{model} took {min(joules):,.3g} to {max(joules):,.3g} J an answer ({known[0].energy_scope}), known "
                f"in {len(known):,} of {len(headline):,} cells{apart}; `python -m bench energy report` explains"
            )
        elif set(lacking) != {"not_measured"}:
            click.echo(f"{model}: no energy: {'; '.join(meaning(why) for why in lacking)}")


def asked(cell: Cell | Aggregate) -> tuple[str, str]:
    """How a cell was asked, where that is not the usual way: in native prompts, after solved examples."""
    shots = f"{cell.shots} {'examples' if cell.shots > 1 else 'example'}" if cell.shots else ""
    return ("" if cell.prompt_language == "english" else f"{cell.prompt_language} prompt", shots)


def labelled(task: str, way: Iterable[str]) -> str:
    """A task's name, and how it was asked in parentheses."""
    said = ", ".join(filter(None, way))
    return f"{task} ({said})" if said else task


def print_cells(cells: Sequence[Cell], by: str, title: str) -> None:
    """The cells of a run, one row a group and a column a task; of families and so on the mean over languages."""
    headline = [cell for cell in cells if cell.headline]
    if by == "task":
        _print_tasks(cells, title)
        return
    tasks = list(dict.fromkeys((cell.task, cell.mode, *asked(cell)) for cell in headline))
    several = len({mode for _, mode, *_ in tasks}) > 1
    columns = [labelled(task, [*([mode] if several else []), *way]) for task, mode, *way in tasks]
    counted = () if by == "language" else ("languages",)
    rows = []
    for key, group in sorted(_grouped(headline, GROUPS[by]).items()):
        values = []
        for place in tasks:
            same = (cell for cell in group if (cell.task, cell.mode, *asked(cell)) == place)
            found = [cell for cell in same if cell.value is not None]
            values.append(_entry(found, single=by == "language"))
        extra = [_language(group[0]).name] if by == "language" else [f"{len({cell.language for cell in group}):,}"]
        rows.append((key, *extra, *values))
    text = (by, "name") if by == "language" else (by,)
    print_table(
        dict.fromkeys(text, False) | dict.fromkeys((*counted, *columns), True), rows, title, len(text) + len(counted)
    )
    click.echo(
        "\nValue with its 95 % interval; a dash where there is none, and `show --json` says why."
        if by == "language"
        else "\nMeans over languages of each task's headline metric; tasks are not averaged with one another."
    )


def print_aggregates(made: Sequence[Aggregate]) -> None:
    """The aggregates over languages, one row a task and way of asking."""
    modes = {one.mode for one in made}
    rows = [
        (
            labelled("+".join(one.tasks), [*([one.mode] if len(modes) > 1 else []), *asked(one)]),
            *(estimate(one, field) for field in ("macro", "speaker_weighted", "worst_decile")),
            f"{len(one.languages):,}",
            left_out(one.left_out),
        )
        for one in made
    ]
    columns = {"task": False, "macro mean": True, "speaker-weighted": True, "worst decile": True, "languages": True}
    print_table(columns | {"left out": False}, rows, "Over languages, with 95 % intervals", 1)
    click.echo()
    note(
        "Normalised scores: 0 is chance, 1 the best there is. A language counts with 20 items or more; the worst decile"
        " is the mean of the lowest tenth of them."
    )
    unknown = {name for one in made for name in one.speakers_unknown}
    if unknown:
        note(f"Not in the speaker-weighted mean, as their speakers are not known: {counted(len(unknown), 'language')}.")


def note(text: str) -> None:
    """Prints running text in lines of at most 100 characters, shorter in a narrower terminal."""
    click.echo(textwrap.fill(text, min(100, shutil.get_terminal_size((100, 24)).columns)))


def estimate(aggregate: Aggregate, field: str) -> str:
    """An aggregate's field with its interval, or the reason why it has none."""
    value, low, high = (getattr(aggregate, name) for name in (field, f"{field}_low", f"{field}_high"))
    if value is None:
        return aggregate.reasons[field].replace("_", " ")
    if low is None:
        return f"{value:.3f} ({aggregate.reasons[f'{field}_low'].replace('_', ' ')})"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def left_out(why: Mapping[str, str]) -> str:
    """How many languages are left out and the commonest reason: of equally common ones the first by name."""
    if not why:
        return "0"
    counted = sorted(Counter(why.values()).items(), key=lambda pair: (-pair[1], pair[0]))
    mostly = "mostly " if len(counted) > 1 else ""
    return f"{len(why):,} ({mostly}{counted[0][0].replace('_', ' ')})"


def _entry(found: Sequence[Cell], *, single: bool) -> str:
    from bench.aggregate import macro

    if not found:
        return "-"
    metric = found[0].metric
    mean = number(macro(found, "value"), metric)
    if single and len(found) == 1 and found[0].ci_low is not None:
        return f"{mean} [{number(found[0].ci_low, metric)}, {number(found[0].ci_high, metric)}]"
    return mean


def _print_tasks(cells: Sequence[Cell], title: str) -> None:
    from bench.aggregate import by_language, macro

    rows = []
    key = _grouped(cells, lambda cell: (cell.task, cell.mode, cell.metric, *asked(cell)))
    for (task, mode, metric, *way), group in key.items():
        valued = [cell for cell in group if cell.value is not None]
        values = list(by_language(valued, "value").values())
        normalised = macro(valued, "normalised")
        rows.append(
            (
                labelled(task, way),
                mode,
                metric,
                f"{len({cell.language for cell in valued}):,}",
                f"{sum(cell.n for cell in valued):,}",
                number(macro(valued, "value"), metric) if values else group[0].reasons.get("value", "-"),
                number(min(values, default=None), metric),
                number(max(values, default=None), metric),
                number(macro(valued, "chance"), metric),
                "-" if normalised is None else f"{normalised:.3f}",
                f"{sum(cell.errors for cell in group):,}",
                f"{sum(cell.unparsed for cell in group):,}",
            )
        )
    numbers = ("languages", "items", "mean", "lowest", "highest", "chance", "normalised", "errors", "unparsed")
    text = ("task", "mode", "metric")
    print_table(dict.fromkeys(text, False) | dict.fromkeys(numbers, True), rows, title, len(text))


def _grouped(cells: Iterable[Cell], key: Callable[[Cell], K]) -> dict[K, list[Cell]]:
    groups: dict[K, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return groups
