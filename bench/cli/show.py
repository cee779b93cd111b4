"""`show` and `rescore`: what a run file holds."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click

from bench.records import Cell, UsageError
from bench.runfile import RunFile

run_argument = click.argument("run", type=click.Path(path_type=Path))


@click.command()
@run_argument
@click.option(
    "--by",
    type=click.Choice(["task", "language", "vertical", "family", "script", "region"]),
    default="task",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="Print the cells as one JSON array.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the cells as CSV.")
def show(run: Path, by: str, as_json: bool, as_csv: bool) -> None:
    """Prints the results of a run, by task unless told."""
    with RunFile.read(run) as opened:
        cells = scored_cells(opened)
        manifest = opened.manifest()
        answered, planned = len(opened.answered()), len(opened.planned())
    if as_json:
        json.dump([asdict(cell) for cell in cells], sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    elif as_csv:
        write_csv(cells, sys.stdout)
    else:
        from bench.cli.tables import print_cells

        print_cells(cells, by, f"{manifest['model']}, {answered:,} of {planned:,} answered")


def scored_cells(run: RunFile) -> list[Cell]:
    """The run's cells. Raises `UsageError` where it is not scored yet."""
    cells = run.cells()
    if not cells:
        answered, planned = len(run.answered()), len(run.planned())
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
def rescore(run: Path, data: str | None) -> None:
    """Scores the answers of a run anew from the locked data, and asks no model anything."""
    from bench import session
    from bench.cli.progress import watch
    from bench.cli.run import use_mirror

    use_mirror(data)
    with RunFile.read(run) as opened:
        identity = opened.identity()
    with RunFile.open(run, identity) as opened:
        cells = session.rescore(opened, watch=watch)
    click.echo(f"{run}: {len(cells):,} cells")
