"""`score`: plain text files, a segment a line."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.records import UsageError

NAMES = ("chrf", "chrf++", "bleu", "exact_match")


@click.command()
@click.option(
    "--metric", "names", multiple=True, type=click.Choice(NAMES), default=("chrf++", "bleu"), show_default=True
)
@click.option("--hypotheses", required=True, type=click.Path(path_type=Path), help="What the system wrote.")
@click.option(
    "--references",
    "streams",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Once for each reference.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array: name, score, signature.")
def score(names: tuple[str, ...], hypotheses: Path, streams: tuple[Path, ...], as_json: bool) -> None:
    """Scores a text file against references, with sacreBLEU's numbers and signatures."""
    import kernels
    from kernels.base import score as score_corpus

    written = read_segments(hypotheses)
    references = [read_segments(path) for path in streams]
    for path, stream in zip(streams, references, strict=True):
        if len(stream) != len(written):
            raise UsageError(f"{hypotheses} has {len(written)} lines, {path} has {len(stream)}; they must be parallel")
    if not written:
        raise UsageError(f"{hypotheses} is empty: nothing to score")
    results = [score_corpus(kernels.metric(name), written, references) for name in names]
    if as_json:
        click.echo(
            json.dumps(
                [{"name": r.name, "score": r.score, "signature": r.signature, "n": len(written)} for r in results]
            )
        )
        return
    for name, result in zip(names, results, strict=True):
        share = kernels.metric(name).best == 1
        click.echo(f"{result.name}|{result.signature} = {result.score:{'.2%' if share else '.2f'}}")


def read_segments(path: Path) -> list[str]:
    """The lines of a text file, cut as sacreBLEU cuts its files: at LF alone, a final CR goes. Raises `UsageError`."""
    try:
        with path.open(encoding="utf-8", newline="\n") as stream:
            return [line.removesuffix("\n").removesuffix("\r") for line in stream]
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from error
