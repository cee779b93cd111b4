"""`run` and `plan`."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.choosing import read_blocks, selection
from bench.records import Mode, UsageError
from bench.text import slug

if TYPE_CHECKING:
    from bench.execution import Bounds, Outcome
    from bench.models import Model
    from bench.plan import Block

BASELINES = ("baseline:random", "baseline:copy", "baseline:majority")
ERROR_SHARE = 0.05
"""So many errors and a service is given up: something is wrong that asking on will not mend."""


@click.command()
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="MODEL|FILE.toml",
    help="provider:model, or a model file (docs/models.md); the baselines unless told.",
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
    "--energy",
    "with_energy",
    is_flag=True,
    help="Measure energy too: of the run itself, then in windows of their own (docs/energy.md).",
)
@click.option(
    "-E",
    "--energy-option",
    "energy_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="How energy is measured, such as -E meter=rapl or -E seconds=60 (docs/energy.md).",
)
@click.option("--require-energy", is_flag=True, help="End at once where energy cannot be measured.")
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
    with_energy: bool,
    energy_options: tuple[str, ...],
    require_energy: bool,
    batch: int | None,
    timeout: int,
    output: Path,
    as_json: bool,
) -> int:
    """Evaluates models and writes one run file for each; run again, it goes on where it was.

    With no arguments: the built-in baselines over the embedded suite, in every language that it covers.
    """
    from bench.cards.facts import of as facts_of
    from bench.cards.facts import published, to_json
    from bench.cards.file import resolve
    from bench.cli.metering import Metering
    from bench.cli.progress import watch
    from bench.models import Settings, load, provider
    from bench.plan import Style
    from bench.session import perform, training

    if max_cost is not None and not math.isfinite(max_cost):
        raise UsageError(f"--max-cost {max_cost} is no amount")
    named = [name for given in models or ("baseline",) for name in (BASELINES if given == "baseline" else (given,))]
    chosen = list(dict.fromkeys(named))
    known = {given: resolve(given) for given in chosen}
    tuned = {
        given: {**one.options, **named_values(options, "-M", "-M temperature=0.6")} for given, one in known.items()
    }
    names_of = {given: published(one.name, tuned[given]) for given, one in known.items()}
    paths = run_paths(names_of, output)
    metering = Metering.of(energy_options, asked=with_energy, required=require_energy)
    metering.refuse(batch, max_cost)
    rows = batch or metering.concurrency

    def load_one(given: str) -> Model:
        price, measured = known[given].price, metering.asked
        settings = Settings(training, rows, timeout, reasoning_tokens, tuned[given], price, measured)
        return load(known[given].name, settings)

    early = [given for given in chosen if provider(known[given].name).light]
    finished: list[Path] = []
    with contextlib.ExitStack() as opened:
        # A wrong name is told before data are read and before another model has run for hours.
        light = {given: load_light(given, load_one, opened, alone=len(chosen) == 1) for given in early}
        code = int(None in light.values())
        chosen = [given for given in chosen if given not in early or light[given]]
        if max_cost is not None:
            _refuse_unpriced({known[given].name: light.get(given) for given in chosen})
        blocks = read_blocks(names, codes, vertical, limit, data, shots, available=available)
        style = Style(prompt_language, shots, repeats)
        _name_english(blocks, prompt_language)
        try:
            for given in chosen:
                model = light.get(given) or load_one(given)
                try:
                    with metering.instruments(model, blocks) as instruments:
                        outcome = perform(
                            model,
                            blocks,
                            mode,
                            paths[given],
                            watch,
                            style=style,
                            rotation=rotation,
                            bounds=bounds_for(model, max_cost, max_errors),
                            facts=to_json(facts_of(known[given].name, tuned[given], known[given].facts)),
                            instruments=instruments,
                        )
                    code = max(code, _verdict(model.name, outcome, paths[given]))
                finally:
                    model.close()
                finished.append(paths[given])
        finally:  # what is finished is shown, whatever became of the next model
            if finished:
                with contextlib.suppress(BrokenPipeError):  # who looks away does not change how the run ended
                    _report(finished, as_json)
    return code


def load_light(
    given: str, load_one: Callable[[str], Model], opened: contextlib.ExitStack, *, alone: bool
) -> Model | None:
    """A model that loads in no time; `opened` closes it. None for a service that is not there, if others can run."""
    from bench.models import Unavailable

    try:
        model = load_one(given)
    except Unavailable as error:
        if alone:
            raise
        click.echo(f"bench: {error}; left out for now, the same command asks it", err=True)
        return None
    opened.callback(model.close)
    return model


def _refuse_unpriced(models: Mapping[str, Model | None]) -> None:
    """Before one model has run for hours, tells of another that has no price. Raises `UsageError`."""
    for name, model in models.items():
        if model is None or model.price is None:
            service = model is not None and model.capabilities.remote
            mend = "give it in a model file, [price]" if service else "only a service has one"
            raise UsageError(f"{name} has no known price to hold --max-cost against; {mend}")


def bounds_for(model: Model, max_cost: float | None, max_errors: float | None) -> Bounds:
    """Where a run of this model ends before its time: a service that fails has an error budget even if none is set."""
    from bench.execution import Bounds

    return Bounds(max_cost, ERROR_SHARE if max_errors is None and model.capabilities.remote else max_errors)


def named_values(given: Iterable[str], option: str, example: str) -> dict[str, object]:
    """`name=value` texts as a mapping. Raises `UsageError` for a text of another form, and for a name given twice."""
    options: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            # The text itself stays unsaid: it may hold what was meant to be kept.
            raise UsageError(f"{option} takes NAME=VALUE, such as {example}")
        if name in options:
            raise UsageError(f"{option} {name} is given twice")
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


def run_paths(models: Mapping[str, str], output: Path) -> dict[str, Path]:
    """Model as given -> its run file; `models` has the name of each in results.

    Raises `UsageError` where one file is named for several models.
    """
    from bench.runfile import SUFFIX

    if output.suffix != ".db":
        paths = {given: output / f"{_file_name(model)}{SUFFIX}" for given, model in models.items()}
        for path in paths.values():
            sharing = [given for given in models if paths[given] == path]
            if len(sharing) > 1:
                raise UsageError(f"{' and '.join(sharing)} would share {path}; run them apart, each with its --output")
        return paths
    if len(models) > 1:
        raise UsageError(f"--output {output} names one file for {len(models)} models; name a folder")
    return dict.fromkeys(models, output)


def _file_name(model: str) -> str:
    """A model's name as a file name; of a file of replies its last part, which is what it calls itself."""
    provider, _, rest = model.partition(":")
    if provider == "replies":
        rest = Path(rest).resolve().name
    return slug(f"{provider}-{rest}")


def _verdict(name: str, outcome: Outcome, path: Path) -> int:
    for task, reason in outcome.left_out.items():
        click.echo(f"{name} left out {task}: {reason}", err=True)
    if not outcome.errors and not outcome.stopped:
        return 0
    missing = outcome.planned - outcome.answered
    reason = outcome.stopped or outcome.first_error
    more = "the same command asks for the rest"
    if "--max-cost" in outcome.stopped:
        more = "the same command with a larger --max-cost asks for the rest"
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
