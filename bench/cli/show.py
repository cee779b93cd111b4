"""`show`, `rescore` and `export`: what a run file holds."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
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
        cells = opened.cells()
        manifest = opened.manifest()
        answered, planned = len(opened.answered()), len(opened.planned())
    if not cells:
        raise UsageError(
            f"{run} is not scored yet: {answered} of {planned} answered; run again, or `bench rescore {run}`"
        )
    if as_json:
        json.dump([asdict(cell) for cell in cells], sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    elif as_csv:
        write_csv(cells, sys.stdout)
    else:
        from bench.cli.tables import print_cells

        print_cells(cells, by, f"{manifest['model']}, {answered:,} of {planned:,} answered")


def write_csv(cells: list[Cell], stream: Any) -> None:
    """The cells with a header line; what is missing is empty, and the column `reasons` says why as JSON."""
    names = [field.name for field in fields(Cell)]
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(cell), "reasons": json.dumps(cell.reasons)} for cell in cells)


@click.command()
@run_argument
def rescore(run: Path) -> None:
    """Scores the answers of a run anew from the locked data, and asks no model anything."""
    from bench import session
    from bench.cli.progress import watch

    if not run.is_file():
        raise UsageError(f"no run file {run}")
    with RunFile.read(run) as opened:
        identity = opened.identity()
    with RunFile.open(run, identity) as opened:
        cells = session.rescore(opened, watch=watch)
    click.echo(f"{run}: {len(cells):,} cells")


@click.command()
@run_argument
@click.option("--format", "to", type=click.Choice(["parquet", "csv", "jsonl", "db"]), required=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; the run's name with the format's suffix unless told.",
)
def export(run: Path, to: str, output: Path | None) -> None:
    """Writes a run: its cells as parquet or csv, its answers as jsonl, or a copy of a file that may be in use as db."""
    target = output or run.with_name(run.name.removesuffix(".run.db") + {"db": ".copy.db"}.get(to, f".{to}"))
    if target.resolve() == run.resolve():
        raise UsageError(f"--output {target} is the run itself")
    with RunFile.read(run) as opened:
        if to == "db":
            opened.copy(target)
        elif to == "jsonl":
            with target.open("w", encoding="utf-8") as stream:
                for line in answers(opened):
                    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        elif to == "csv":
            with target.open("w", encoding="utf-8", newline="") as stream:
                write_csv(opened.cells(), stream)
        else:
            _write_parquet(opened.cells(), target)
    click.echo(str(target))


def answers(run: RunFile) -> Iterator[dict[str, Any]]:
    """Every answer with its sample, prompt and scores."""
    samples = {request: (sample, mode) for request, sample, mode, _, _ in run.planned()}
    prompts = run.prompts()
    scores: dict[str, dict[str, Any]] = {}
    for score in run.scores():
        scores.setdefault(score.request, {})[score.metric] = {"outcome": score.outcome, "statistics": score.statistics}
    for response in run.responses():
        sample, mode = samples[response.request]
        yield {
            "request": response.request,
            "id": sample,
            "mode": mode,
            "prompt": prompts[response.request],
            **{name: value for name, value in asdict(response).items() if name != "request"},
            # JSON has no infinity: an option that the model holds impossible is null.
            "loglikelihoods": [value if math.isfinite(value) else None for value in response.loglikelihoods],
            "scores": scores.get(response.request, {}),
        }


def _write_parquet(cells: list[Cell], target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{**asdict(cell), "reasons": json.dumps(cell.reasons)} for cell in cells]
    pq.write_table(pa.Table.from_pylist(rows), target)
