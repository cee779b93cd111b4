"""What `run` and `plan` choose from: the options that say what is asked, and the blocks that they come to."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.records import UsageError

if TYPE_CHECKING:
    from bench.plan import Block
    from tasks.records import Task, Variety

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
