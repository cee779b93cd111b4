"""`show` and `rescore`: what a run file holds."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.counting import counted
from bench.cli.declarations import add_declarations, declarations
from bench.prompting import rotation
from bench.records import Cell, UsageError
from bench.runfile import RunFile, reading

if TYPE_CHECKING:
    from bench.aggregate import Aggregate

run_argument = click.argument("run", type=click.Path(path_type=Path))


@click.command()
@run_argument
@click.option(
    "--by",
    type=click.Choice(["task", "language", "vertical", "family", "script", "region"]),
    default="task",
    show_default=True,
)
@click.option("--aggregates", "only_aggregates", is_flag=True, help="Only the means over languages, not the cells.")
@click.option("--json", "as_json", is_flag=True, help="Print the cells, or aggregates, as one JSON array.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the cells, or aggregates, as CSV.")
def show(run: Path, by: str, only_aggregates: bool, as_json: bool, as_csv: bool) -> None:
    """Prints the results of a run, by task unless told."""
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    with RunFile.read(run) as opened, reading(run):
        cells = scored_cells(opened)
        about = opened.manifest()
        turned = rotation(about["decoding"])
        order = f", options {turned} {'places' if turned > 1 else 'place'} further on" if turned else ""
        planned, answered = opened.counts()
        title = f"{about['model']}{order}, {answered:,} of {planned:,} answered"
        if only_aggregates:
            _show_aggregates(over_languages(opened), title, as_json=as_json, as_csv=as_csv)
        elif as_json:
            json.dump([asdict(cell) for cell in cells], sys.stdout, ensure_ascii=False)
            sys.stdout.write("\n")
        elif as_csv:
            write_csv(cells, sys.stdout)
        else:
            from bench.cli.answers import print_answers
            from bench.cli.tables import print_aggregates, print_cells, print_costs, print_energy

            print_cells(cells, by, title)
            if by == "task":  # the other views are of single languages and groups of them
                print_answers(cells)
                sys.stdout.flush()  # the scores of a large run take a few seconds to read
                click.echo()
                print_aggregates(over_languages(opened))
                print_costs(cells)
                print_energy(cells)


def over_languages(run: RunFile) -> list[Aggregate]:
    """The run's aggregates over languages, one a task and way of asking, as `show` and the leaderboard have them."""
    from bench import arrays
    from bench.aggregate import aggregates, by_way

    found = arrays.read(run)
    return [one for cells in by_way(found.cells).values() for one in aggregates(cells, found.arrays).models]


def _show_aggregates(made: list[Aggregate], title: str, *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        json.dump([asdict(one) for one in made], sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    elif as_csv:
        rows = [asdict(one) for one in made]
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            lists = {name: json.dumps(value) for name, value in row.items() if isinstance(value, (tuple, dict))}
            writer.writerow({**row, **lists})
    else:
        from bench.cli.tables import print_aggregates

        click.echo(f"{title}\n")
        print_aggregates(made)


def scored_cells(run: RunFile) -> list[Cell]:
    """The run's cells. Raises `UsageError` where it is not scored yet."""
    cells = run.cells()
    if not cells:
        planned, answered = run.counts()
        state = f"{run.path} is not scored yet: {answered} of {planned} answered"
        raise UsageError(f"{state}; run again, or `python -m bench rescore {run.path}`")
    return cells


def write_csv(cells: list[Cell], stream: Any) -> None:
    """The cells with a header line; what is missing is empty, and the column `reasons` says why as JSON."""
    names = [field.name for field in fields(Cell)]
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(cell), "reasons": json.dumps(cell.reasons)} for cell in cells)


@click.command()
@run_argument
@click.option("--data", metavar="DIR", help="Local mirror of the datasets; also the environment's BENCH_DATA.")
@declarations
def rescore(run: Path, data: str | None, files: tuple[str, ...]) -> None:
    """Scores the answers of a run anew from the locked data, and asks no model anything."""
    from bench import session
    from bench.cli.choosing import use_mirror
    from bench.cli.progress import watch

    use_mirror(data)
    add_declarations(files)
    with RunFile.open(run, None) as opened:
        count = session.rescore(opened, watch=watch)
    click.echo(f"{run}: {counted(count, 'cell')} scored anew")
