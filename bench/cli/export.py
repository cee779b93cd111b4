"""`export`: a run in other formats. What is written takes its place whole or not at all, and never that of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bench.cli.show import run_argument, scored_cells, write_csv
from bench.records import BenchError, Cell, UsageError
from bench.runfile import RunFile

SQLITE = b"SQLite format 3\0"


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
    with RunFile.read(run) as opened:
        target = output or run.with_name(run.name.removesuffix(".run.db") + {"db": ".copy.db"}.get(to, f".{to}"))
        _refuse_to_overwrite(target, opened, to)
        part = target.with_name(f"{target.name}.part")
        try:
            _write(opened, to, part)
            part.replace(target)
        except OSError as error:
            raise BenchError(f"cannot write {target}: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
    click.echo(str(target))


def _refuse_to_overwrite(target: Path, run: RunFile, to: str) -> None:
    """Raises `UsageError` where the target is no file, or a run: another one, or for another format than a copy."""
    if target.is_dir() or (target.exists() and not target.is_file()):
        raise UsageError(f"--output {target} is no file that can be written over; name a file")
    if not target.exists():
        return
    with target.open("rb") as stream:
        database = stream.read(len(SQLITE)) == SQLITE
    if target.samefile(run.path) or (database and not (to == "db" and _is_copy(target, run))):
        raise UsageError(f"--output {target} is a run file; give another --output")


def _is_copy(target: Path, run: RunFile) -> bool:
    try:
        with RunFile.read(target) as other:
            return other.identity() == run.identity()
    except BenchError:
        return False


def _write(run: RunFile, to: str, target: Path) -> None:
    match to:
        case "db":
            target.touch()  # where that is not possible Python says why, and SQLite does not
            run.copy(target)
        case "jsonl":
            with target.open("w", encoding="utf-8") as stream:
                for line in answers(run):
                    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        case "csv":
            with target.open("w", encoding="utf-8", newline="") as stream:
                write_csv(scored_cells(run), stream)
        case _:
            _write_parquet(scored_cells(run), target)


def answers(run: RunFile) -> Iterator[dict[str, Any]]:
    """Every answer with its sample, prompt and scores, one task and language after the other."""
    for place in run.places():
        scores: dict[str, dict[str, Any]] = {}
        for score in run.scores(place):
            made = {"outcome": score.outcome, "statistics": score.statistics}
            scores.setdefault(score.request, {})[score.metric] = made
        prompts = run.prompts(place)
        for answer in run.answers(place):
            response = answer.response
            if response is None:
                continue
            yield {
                "request": answer.request,
                "id": answer.sample,
                "mode": place.mode,
                "repeat": answer.repeat,
                "prompt": prompts[answer.request],
                **{name: value for name, value in asdict(response).items() if name != "request"},
                # JSON has no infinity: an option that the model holds impossible is null.
                "loglikelihoods": [value if math.isfinite(value) else None for value in response.loglikelihoods],
                "cost": answer.cost,
                "scores": scores.get(answer.request, {}),
            }


def _write_parquet(cells: list[Cell], target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{**asdict(cell), "reasons": json.dumps(cell.reasons)} for cell in cells]
    with target.open("wb") as stream:  # given a path, pyarrow removes it where writing fails
        pq.write_table(pa.Table.from_pylist(rows), stream)
