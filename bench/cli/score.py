"""`score`: plain text files, a segment a line; sacreBLEU's options, numbers and output, faster."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bench.cli.counting import counted
from bench.cli.score_metrics import NAMES, OPTIONS, metric
from bench.records import UsageError

THREADS = ("BENCH_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
Command = Callable[..., Any]
MOST_ROUNDS = 10_000_000


def _rounds(*names: str, least: int, usual: int) -> Callable[[Command], Command]:
    limits = click.IntRange(least, MOST_ROUNDS)
    return click.option(*names, type=limits, default=usual, show_default=True, metavar="N")


TEST_OPTIONS = (
    click.option("--confidence", "-ci", is_flag=True, help="95 % interval by the bootstrap, for one system."),
    click.option(
        "--confidence-n", "-cin", type=click.IntRange(2, MOST_ROUNDS), default=1000, show_default=True, metavar="N"
    ),
    click.option("--paired-bs", "-pbs", is_flag=True, help="Paired bootstrap of each system against the first."),
    click.option(
        "--paired-bs-n", "-pbsn", type=click.IntRange(1, MOST_ROUNDS), default=1000, show_default=True, metavar="N"
    ),
    click.option("--paired-ar", "-par", is_flag=True, help="Paired approximate randomisation against the first."),
    click.option(
        "--paired-ar-n", "-parn", type=click.IntRange(1, MOST_ROUNDS), default=10_000, show_default=True, metavar="N"
    ),
)
REPORT_OPTIONS = (
    click.option("--sentence-level", "-sl", is_flag=True, help="A score for each line, by one metric."),
    click.option(
        "--format", "-f", "form", type=click.Choice(["json", "text", "latex"]), help="sacreBLEU's output to the byte."
    ),
    click.option("--json", "as_json", is_flag=True, help="JSON in sacreBLEU's shape with every digit."),
    click.option(
        "--width",
        "-w",
        type=click.IntRange(0, 60),
        metavar="N",
        help="Digits after the point. [default: 2; with --format 1, as sacreBLEU; with --json all]",
    ),
    click.option("--score-only", "-b", is_flag=True, help="Numbers without names and signatures."),
    click.option("--short", "-sh", is_flag=True, help="Shorter signatures, in text."),
)


def _with(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.command()
@click.option(
    "-m",
    "--metric",
    "names",
    multiple=True,
    type=click.Choice(NAMES),
    default=("chrf++", "bleu"),
    show_default=True,
    help="Once for each.",
)
@click.option(
    "-i", "--hypotheses", "systems", required=True, multiple=True, type=click.Path(), help="Once for each system."
)
@click.option(
    "--references", "streams", required=True, multiple=True, type=click.Path(), help="Once for each reference."
)
@click.option("--encoding", "-e", default="utf-8", show_default=True, help="Of all files.")
@_with(TEST_OPTIONS)
@_with(REPORT_OPTIONS)
@_with(OPTIONS)
@click.option("--threads", type=click.IntRange(1, 4096), metavar="N", help="[default: every core]")
def score(
    names: tuple[str, ...],
    systems: tuple[str, ...],
    streams: tuple[str, ...],
    encoding: str,
    threads: int | None,
    **options: Any,
) -> None:
    """Scores text files against references: sacreBLEU's options, numbers, signatures and output.

    Files hold a segment a line; those named *.gz are unpacked. One system gives a line for each metric, several a
    table. SACREBLEU_SEED is the seed of the tests.
    """
    if threads is not None:
        os.environ.update(dict.fromkeys(THREADS, str(threads)))  # before NumPy is there to read it
    names = tuple(dict.fromkeys(names))
    _check(names, systems, options)
    written, references = read_parallel(systems, streams, encoding)

    from bench.cli import score_output
    from bench.cli.progress import say_when_compiling

    say_when_compiling()
    try:
        # sacreBLEU prints metrics by name, but those of a paired test in the order in which they were asked for.
        paired = options["paired_bs"] or options["paired_ar"]
        metrics = [metric(name, options) for name in (names if paired else sorted(names, key=str.upper))]
        made = score_output.Corpus(metrics, dict(zip(systems, written, strict=True)), references)
        if options["sentence_level"]:
            score_output.print_sentences(made, options)
        elif len(systems) == 1:
            score_output.print_scores(made, options)
        else:
            score_output.print_systems(made, options)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check(names: Sequence[str], systems: Sequence[str], options: Mapping[str, Any]) -> None:
    """Raises `UsageError` for options that do not go together."""
    twice = next((name for number, name in enumerate(systems) if name in systems[:number]), None)
    if twice is not None:
        raise UsageError(f"{twice} is given twice; each system needs a file of its own")
    tests = [name for name in ("--confidence", "--paired-bs", "--paired-ar") if options[name[2:].replace("-", "_")]]
    if options["as_json"] and options["form"] not in (None, "json"):
        raise UsageError(f"--json and --format {options['form']} exclude each other")
    if options["sentence_level"]:
        _check_sentences(names, systems, tests)
    if len(tests) > 1:
        raise UsageError(f"{' and '.join(tests)} exclude each other: choose one test")
    if tests and tests != ["--confidence"] and len(systems) == 1:
        raise UsageError(f"{tests[0]} compares systems: give --hypotheses at least twice, the baseline first")
    if tests == ["--confidence"] and len(systems) > 1:
        raise UsageError("--confidence is for one system; for several use --paired-bs or --paired-ar")


def _check_sentences(names: Sequence[str], systems: Sequence[str], tests: Sequence[str]) -> None:
    if len(names) > 1:
        raise UsageError("--sentence-level takes one metric: give --metric once")
    if len(systems) > 1:
        raise UsageError("--sentence-level takes one system: give --hypotheses once")
    if tests:
        raise UsageError(f"--sentence-level and {tests[0]} exclude each other: a test is of a corpus")


def read_parallel(
    systems: Sequence[str], streams: Sequence[str], encoding: str = "utf-8"
) -> tuple[list[list[str]], list[list[str]]]:
    """The segments of each system and of each stream of references.

    Raises `UsageError` for a file that cannot be read, an empty one, and files of unequal length.
    """
    written = [read_segments(Path(path), encoding) for path in systems]
    references = [read_segments(Path(path), encoding) for path in streams]
    for system, segments in zip(systems, written, strict=True):
        for path, stream in zip(streams, references, strict=True):
            if len(stream) != len(segments):
                lines = counted(len(segments), "line")
                raise UsageError(f"{system} has {lines}, {path} has {len(stream):,}; they must be parallel")
    if not written[0]:
        raise UsageError(f"{systems[0]} is empty: nothing to score")
    return written, references


def read_segments(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a text file, cut as sacreBLEU cuts its files: at LF alone, and white space at their ends goes.

    A file named *.gz is unpacked. Raises `UsageError`.
    """
    try:
        content = path.read_bytes()
        lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode(encoding).split("\n")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is no gzip file, or one that is cut short") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except LookupError as error:
        raise UsageError(f"--encoding {encoding} is no text encoding that Python knows") from error
    except UnicodeError as error:
        where = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise UsageError(f"{path} is not {encoding.upper()} text{where}") from error
    if not lines[-1]:
        lines.pop()
    return [line.rstrip() for line in lines]
