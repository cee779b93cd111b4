"""`data`: the lock on what tasks read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bench.cli.run import use_mirror
from bench.records import BenchError, UsageError

data_option = click.option("--data", "folder", metavar="DIR", help="Local mirror of the datasets; also BENCH_DATA.")
names_option = click.option(
    "-t", "--task", "names", multiple=True, metavar="TASK", help="Task or suite; all unless told."
)


@click.group()
def data() -> None:
    """Locks and verifies the data files that tasks read."""


@data.command()
@names_option
@data_option
@click.option("--output", type=click.Path(path_type=Path), help="Lock file to write; the package's own unless told.")
def lock(names: tuple[str, ...], folder: str | None, output: Path | None) -> None:
    """Pins SHA-256, row count and columns of every file, as it lies here now."""
    from tasks import DataError
    from tasks import lock as locked

    datasets: dict[str, dict[str, Any]] = {}
    target = output or locked.LOCK
    try:
        known = locked.read(target)  # what is not asked for stays locked as it is
        for task, path in _files(names, folder):
            source = task.source
            facts = {"repository": source.repository, "commit": source.commit, "licence": task.licence, "files": {}}
            dataset = datasets.setdefault(source.dataset, facts)
            if path not in dataset["files"]:
                dataset["files"][path] = source.describe(path)
    except DataError as error:
        raise UsageError(str(error)) from error
    if not datasets:
        raise UsageError("none of the chosen tasks reads files: there is nothing to lock")
    locked.write({**known, **datasets}, target)
    for name, dataset in sorted(datasets.items()):
        click.echo(f"{name}: {len(dataset['files'])} files")


@data.command()
@names_option
@data_option
def verify(names: tuple[str, ...], folder: str | None) -> None:
    """Checks every file against the lock, and names each that is missing or differs."""
    from tasks import DataError, store

    wrong, unlocked, right = [], 0, 0
    for task, path in _files(names, folder):
        try:
            found = store.fetch(task.source, path)
        except DataError as error:
            wrong.append(str(error))
        else:
            right += found.locked
            unlocked += not found.locked
    for message in wrong:
        click.echo(message)
    click.echo(f"{right} files as locked, {unlocked} not in the lock, {len(wrong)} wrong")
    if wrong:
        raise BenchError(f"{len(wrong)} data files are missing or not what data.lock pins")


def _files(names: tuple[str, ...], folder: str | None) -> Iterator[tuple[Any, str]]:
    """(task, path) of every file of the chosen tasks that lie in files; a file of two tasks comes once."""
    import tasks
    from tasks import store
    from tasks.sources import Files

    use_mirror(folder)
    try:
        store.mirror()
        chosen = tasks.select(names) if names else tuple(tasks.all_tasks().values())
    except (tasks.UnknownTask, tasks.DataError) as error:
        raise UsageError(str(error)) from error
    seen = set()
    for task in chosen:
        source = task.source
        if not isinstance(source, Files):
            continue
        for variety in task.varieties:
            for split in source.splits:
                for path in source.paths(variety, split).values():
                    if (source.dataset, path) not in seen:
                        seen.add((source.dataset, path))
                        yield task, path
