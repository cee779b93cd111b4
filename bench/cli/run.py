"""`run` and `plan`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.records import Mode, UsageError
from bench.text import slug

if TYPE_CHECKING:
    from bench.execution import Outcome
    from bench.models import Model
    from bench.plan import Block

BASELINES = ("baseline:random", "baseline:copy", "baseline:majority")
DEFAULT_TASKS = ("embedded",)

Command = TypeVar("Command", bound=Callable[..., Any])


def selection(command: Command) -> Command:
    """The options that say what is asked; `run` and `plan` share them."""
    for option in reversed(
        (
            click.option(
                "-t",
                "--task",
                "names",
                multiple=True,
                metavar="TASK|SUITE",
                help="Task, group or suite; embedded unless told.",
            ),
            click.option(
                "-l",
                "--language",
                "codes",
                multiple=True,
                metavar="LANG",
                help="Language; all of the task's unless told.",
            ),
            click.option("--vertical", metavar="V", help="Only tasks of a vertical: legal, medical."),
            click.option(
                "--limit", type=click.IntRange(1), metavar="N", help="So many items of each task and language."
            ),
            click.option(
                "--data", metavar="DIR", help="Local mirror of the datasets; also the environment's BENCH_DATA."
            ),
        )
    ):
        command = option(command)
    return command


@click.command()
@click.option(
    "-m", "--model", "models", multiple=True, metavar="MODEL", help="provider:model; the baselines unless told."
)
@selection
@click.option(
    "--mode",
    type=click.Choice(["loglikelihood", "first_token", "generate"]),
    help="How multiple choice is answered; the model's best unless told.",
)
@click.option(
    "--batch", type=click.IntRange(1, 1_000_000), metavar="N", help="Requests that a backend takes at a time."
)
@click.option(
    "--timeout",
    type=click.IntRange(1, 30 * 86400),
    metavar="S",
    default=600,
    show_default=True,
    help="Seconds that a command may take for one batch.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Run file (NAME.run.db), or a folder for them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the cells as one JSON array.")
def run(
    models: tuple[str, ...],
    names: tuple[str, ...],
    codes: tuple[str, ...],
    vertical: str | None,
    limit: int | None,
    mode: Mode | None,
    data: str | None,
    batch: int | None,
    timeout: int,
    output: Path,
    as_json: bool,
) -> int:
    """Evaluates models and writes one run file for each; run again, it goes on where it was.

    With no arguments: the built-in baselines over the embedded suite, in every language that it covers.
    """
    from bench.models import Settings, load, provider
    from bench.session import training

    named = [name for given in models or ("baseline",) for name in (BASELINES if given == "baseline" else (given,))]
    chosen = list(dict.fromkeys(named))
    paths = run_paths(chosen, output)
    settings = Settings(training, batch, timeout)
    # A wrong name is told before data are read and before another model has run for hours.
    light = {name: load(name, settings) for name in chosen if provider(name).light}
    blocks = read_blocks(names, codes, vertical, limit, data)
    code = 0
    finished: list[Path] = []
    try:
        for name in chosen:
            model = light.get(name) or load(name, settings)
            try:
                code = max(code, _one(model, blocks, mode, paths[name]))
            finally:
                model.close()
            finished.append(paths[name])
    finally:  # what is finished is shown, whatever became of the next model
        if finished:
            with contextlib.suppress(BrokenPipeError):  # who looks away does not change how the run ended
                _report(finished, as_json)
    return code


def run_paths(models: list[str], output: Path) -> dict[str, Path]:
    """Model -> its run file. Raises `UsageError` where one file is named for several models."""
    from bench.runfile import SUFFIX

    if output.suffix != ".db":
        paths = {model: output / f"{_file_name(model)}{SUFFIX}" for model in models}
        for path in paths.values():
            sharing = [model for model in models if paths[model] == path]
            if len(sharing) > 1:
                raise UsageError(f"{' and '.join(sharing)} would share {path}; run them apart, each with its --output")
        return paths
    if len(set(models)) > 1:
        raise UsageError(f"--output {output} names one file for {len(set(models))} models; name a folder")
    return {models[0]: output}


def _file_name(model: str) -> str:
    """A model's name as a file name; of a path its last part, which is what the model calls itself."""
    provider, _, rest = model.partition(":")
    if provider == "replies" or (provider == "hf" and Path(rest).is_dir()):
        rest = Path(rest).resolve().name
    return slug(f"{provider}-{rest}")


def use_mirror(data: str | None) -> None:
    """Makes `--data` the mirror. Raises `UsageError` for an empty name: a variable that is not set, most often."""
    from tasks import store

    if data == "":
        raise UsageError("--data is empty; name a folder, or leave it out")
    if data is not None:
        os.environ[store.ENVIRONMENT] = data


def read_blocks(
    names: tuple[str, ...], codes: tuple[str, ...], vertical: str | None, limit: int | None, data: str | None
) -> list[Block]:
    """The samples that the options choose. Raises `UsageError`."""
    import tasks
    from bench.cli.progress import watch
    from bench.plan import choose_languages, load
    from tasks import store

    use_mirror(data)
    try:
        chosen = tasks.select(names or DEFAULT_TASKS)
        store.mirror()
    except (tasks.UnknownTask, tasks.DataError) as error:
        raise UsageError(str(error)) from error
    if vertical:
        kept = tuple(task for task in chosen if task.vertical == vertical)
        if not kept:
            known = sorted({task.vertical for task in tasks.all_tasks().values() if task.vertical}) or ["none yet"]
            raise UsageError(f"no chosen task has the vertical {vertical!r}; known verticals: {', '.join(known)}")
        chosen = kept
    return load(choose_languages(chosen, codes), limit, watch)


def _one(model: Model, blocks: list[Block], mode: Mode | None, path: Path) -> int:
    from bench.cli.progress import watch
    from bench.session import perform

    return _verdict(model.name, perform(model, blocks, mode, path, watch), path)


def _verdict(name: str, outcome: Outcome, path: Path) -> int:
    for task, reason in outcome.left_out.items():
        click.echo(f"{name} left out {task}: {reason}", err=True)
    if not outcome.errors and not outcome.stopped:
        return 0
    missing = outcome.planned - outcome.answered
    reason = outcome.stopped or outcome.first_error
    more = "the same command asks for the rest"
    if name.startswith("replies:"):
        more = "add the missing ids to the file and give another --output"
    with contextlib.suppress(BrokenPipeError):
        click.echo(
            f"bench: {name}: {missing:,} of {outcome.planned:,} requests have no answer: {reason}; "
            f"what was answered is in {path}; {more}",
            err=True,
        )
    return 1


def _report(paths: list[Path], as_json: bool) -> None:
    from bench.cli.tables import print_overview
    from bench.runfile import RunFile

    cells = []
    for path in paths:
        with RunFile.read(path) as found:
            cells.extend(found.cells())
    if as_json:
        json.dump([asdict(cell) for cell in cells], sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        print_overview(cells, paths)


@click.command()
@selection
def plan(
    names: tuple[str, ...], codes: tuple[str, ...], vertical: str | None, limit: int | None, data: str | None
) -> None:
    """Prints what a model would be asked, a JSON object a line: for answering elsewhere, then `run -m replies:FILE`.

    Each line has the sample's id, the prompt and the sample's bare input. A reply is {"id": ..., "text": ...}.
    """
    from bench.models import Capabilities
    from bench.plan import requests
    from bench.prompting import Asker

    blocks = read_blocks(names, codes, vertical, limit, data)
    planned, _ = requests(blocks, Capabilities(modes=("generate",)), Asker("", "none", "unknown"), None)
    for request in planned:
        line = {
            "id": request.sample,
            "prompt": request.prompt,
            "input": request.input,
            "max_tokens": request.max_tokens,
        }
        click.echo(json.dumps(line, ensure_ascii=False))
