"""`run` and `plan`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.records import Mode, UsageError
from bench.text import slug

if TYPE_CHECKING:
    from bench.execution import Outcome
    from bench.plan import Block
    from tasks.records import Task, Variety

BASELINES = ("baseline:random", "baseline:copy", "baseline:majority")
DEFAULT_TASKS = ("embedded",)
ERROR_SHARE = 0.05
"""So many errors and a service is given up: something is wrong that asking on will not mend."""

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
                metavar="TASK|SUITE|FILE.toml",
                help="Task, group, suite, or a declaration of your own; embedded unless told.",
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
                "--shots",
                type=click.IntRange(0, 64),
                metavar="K",
                default=0,
                help="Solved examples before each question, from a split that is not scored.",
            ),
            click.option(
                "--prompt-language",
                type=click.Choice(["english", "native"]),
                default="english",
                show_default=True,
                help="Native falls back to English, and says so, where a language has no text yet.",
            ),
            click.option(
                "--available",
                is_flag=True,
                help="Leave out, and name, the tasks of which no data lie in the data folder.",
            ),
            click.option("--data", metavar="DIR", help="Local mirror of the datasets, or a bundle; also BENCH_DATA."),
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
    "--rotate-options",
    "rotation",
    type=click.IntRange(0, 25),
    metavar="N",
    default=0,
    help="Show the options of a choice N places further on: what the place of an option does to a model.",
)
@click.option(
    "-M",
    "--model-option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of the backend (docs/backends.md); never a secret: those come from the environment.",
)
@click.option(
    "--reasoning-tokens",
    type=click.IntRange(0, 1_000_000),
    metavar="N",
    default=0,
    help="Room for thinking, on top of what a task's answers may take.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 1000),
    metavar="R",
    default=1,
    show_default=True,
    help="How often every answer is asked for that a model generates.",
)
@click.option(
    "--max-cost",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="End before all answers of a run cost more, in the price's currency.",
)
@click.option(
    "--max-errors",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="End where a larger share of answers are errors; 0.05 for services, no end for other models, unless told.",
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
    help="Seconds that a command may take for one batch, or a service for one request.",
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
    shots: int,
    prompt_language: str,
    available: bool,
    mode: Mode | None,
    rotation: int,
    options: tuple[str, ...],
    reasoning_tokens: int,
    repeats: int,
    max_cost: float | None,
    max_errors: float | None,
    data: str | None,
    batch: int | None,
    timeout: int,
    output: Path,
    as_json: bool,
) -> int:
    """Evaluates models and writes one run file for each; run again, it goes on where it was.

    With no arguments: the built-in baselines over the embedded suite, in every language that it covers.
    """
    from bench.cli.progress import watch
    from bench.execution import Bounds
    from bench.models import Settings, load, provider
    from bench.plan import Style
    from bench.session import perform, training

    named = [name for given in models or ("baseline",) for name in (BASELINES if given == "baseline" else (given,))]
    chosen = list(dict.fromkeys(named))
    paths = run_paths(chosen, output)
    settings = Settings(training, batch, timeout, reasoning_tokens, model_options(options))
    # A wrong name is told before data are read and before another model has run for hours.
    light = {name: load(name, settings) for name in chosen if provider(name).light}
    blocks = read_blocks(names, codes, vertical, limit, data, shots, available=available)
    style = Style(prompt_language, shots, repeats)
    _name_english(blocks, prompt_language)
    code = 0
    finished: list[Path] = []
    try:
        for name in chosen:
            model = light.get(name) or load(name, settings)
            try:
                share = ERROR_SHARE if max_errors is None and model.capabilities.remote else max_errors
                bounds = Bounds(max_cost, share)
                outcome = perform(
                    model, blocks, mode, paths[name], watch, style=style, rotation=rotation, bounds=bounds
                )
                code = max(code, _verdict(model.name, outcome, paths[name]))
            finally:
                model.close()
            finished.append(paths[name])
    finally:  # what is finished is shown, whatever became of the next model
        if finished:
            with contextlib.suppress(BrokenPipeError):  # who looks away does not change how the run ended
                _report(finished, as_json)
    return code


def model_options(given: Iterable[str]) -> dict[str, object]:
    """`name=value` texts as a mapping. Raises `UsageError` for a text of another form, and for a name given twice."""
    options: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            # The text itself stays unsaid: it may hold what was meant to be kept.
            raise UsageError("-M takes NAME=VALUE, such as -M temperature=0.6")
        if name in options:
            raise UsageError(f"-M {name} is given twice")
        options[name] = value
    return options


def _name_english(blocks: list[Block], prompt_language: str) -> None:
    """Says which tasks are asked in English all the same, where native prompts were asked for."""
    from tasks.prompts import choose

    lacking: dict[str, int] = {}
    for block in blocks:
        if choose(block.task, block.variety.language, prompt_language).language != prompt_language:
            lacking[block.task.name] = lacking.get(block.task.name, 0) + 1
    if lacking:
        told = ", ".join(
            f"{name} ({count:,} {'languages' if count > 1 else 'language'})" for name, count in lacking.items()
        )
        click.echo(f"no native prompt, asked in English: {told}", err=True)


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
    names: tuple[str, ...],
    codes: tuple[str, ...],
    vertical: str | None,
    limit: int | None,
    data: str | None,
    shots: int = 0,
    *,
    available: bool = False,
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
    except (tasks.UnknownTask, tasks.DataError, tasks.DeclarationError) as error:
        raise UsageError(str(error)) from error
    if vertical:
        kept = tuple(task for task in chosen if task.vertical == vertical)
        if not kept:
            known = sorted({task.vertical for task in tasks.all_tasks().values() if task.vertical}) or ["none yet"]
            raise UsageError(f"no chosen task has the vertical {vertical!r}; known verticals: {', '.join(known)}")
        chosen = kept
    pairs = choose_languages(chosen, codes)
    if not codes:
        pairs = _of_the_bundle(pairs)
    if available:
        pairs = name_missing(pairs)
    else:
        _refuse_missing(pairs)
    return load(pairs, limit, watch, limits=_suite_limits(names), shots=shots)


def _of_the_bundle(pairs: list[tuple[Task, Variety]]) -> list[tuple[Task, Variety]]:
    """Where the data folder is a bundle and no language is named: those that it was made of."""
    from tasks import DataError, Repository, bundle, store

    mirror = store.mirror()
    try:
        held = bundle.contents(mirror) if mirror else None
    except DataError as error:
        raise UsageError(str(error)) from error
    if held is None:
        return pairs
    kept = [
        (task, variety)
        for task, variety in pairs
        if variety.code in held.get(task.name, ())
        or (task.name not in held and not isinstance(task.source, Repository))
    ]
    if not kept:
        raise UsageError(f"the bundle {mirror} has none of the chosen tasks; it has {', '.join(sorted(held))}")
    return kept


def _refuse_missing(pairs: list[tuple[Task, Variety]]) -> None:
    """Names every dataset that is not here, where a suite would else stop at the first. Raises `UsageError`."""
    from bench.plan import available

    _, missing = available(pairs)
    if len(missing) > 1:
        raise UsageError(f"no data here of {', '.join(missing)}; fetch them, or leave their tasks out with --available")


def name_missing(pairs: list[tuple[Task, Variety]]) -> list[tuple[Task, Variety]]:
    """The pairs whose data are here; says of which datasets there are none. Raises `UsageError` where none is left."""
    from bench.plan import available

    kept, missing = available(pairs)
    if missing:
        click.echo(f"left out, no data here: {', '.join(missing)}", err=True)
    if not kept:
        raise UsageError("none of the chosen tasks has data in the data folder; name another with --data")
    return kept


def _suite_limits(names: tuple[str, ...]) -> dict[str, int]:
    """Task -> how many items of each language the suites among the names take: the most that one of the names takes.

    A task that is named by itself, or by a suite without a limit, has none.
    """
    import tasks

    limits: dict[str, int] = {}
    for name in names:
        suite = tasks.suites().get(name)
        if suite and suite.limit:
            limits |= {task.name: max(suite.limit, limits.get(task.name, 0)) for task in tasks.select([name])}
    whole = [name for name in names if name not in tasks.suites() or tasks.suites()[name].limit is None]
    unlimited = {task.name for name in whole for task in tasks.select([name])}
    return {name: limit for name, limit in limits.items() if name not in unlimited}


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
    names: tuple[str, ...],
    codes: tuple[str, ...],
    vertical: str | None,
    limit: int | None,
    shots: int,
    prompt_language: str,
    available: bool,
    data: str | None,
) -> None:
    """Prints what a model would be asked, a JSON object a line: for answering elsewhere, then `run -m replies:FILE`.

    Each line has the sample's id, the prompt and the sample's bare input. A reply is {"id": ..., "text": ...}.
    """
    from bench.models import Capabilities
    from bench.plan import Style, requests
    from bench.prompting import Asker

    blocks = read_blocks(names, codes, vertical, limit, data, shots, available=available)
    asker, style = Asker("", "none", "unknown"), Style(prompt_language, shots)
    left_out: dict[str, str] = {}
    for _, planned in requests(blocks, Capabilities(modes=("generate",)), asker, None, style, left_out):
        for request in planned:
            line = {
                "id": request.sample,
                "prompt": request.prompt,
                "input": request.input,
                "max_tokens": request.max_tokens,
            }
            click.echo(json.dumps(line, ensure_ascii=False))
    for task, reason in left_out.items():
        click.echo(f"left out {task}: {reason}", err=True)
