"""`data`: the lock on what tasks read, and bundles that need no network."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bench.cli.choosing import use_mirror
from bench.cli.counting import counted
from bench.records import BenchError, UsageError

data_option = click.option("--data", "folder", metavar="DIR", help="Local mirror of the datasets; also BENCH_DATA.")
names_option = click.option(
    "-t", "--task", "names", multiple=True, metavar="TASK", help="Task or suite; all unless told."
)
codes_option = click.option(
    "-l", "--language", "codes", multiple=True, metavar="LANG", help="Language; all of the tasks' unless told."
)


@click.group()
def data() -> None:
    """Locks, verifies and bundles the data files that tasks read."""


@data.command()
@names_option
@codes_option
@data_option
@click.option("--output", type=click.Path(path_type=Path), help="Lock file to write; the package's own unless told.")
def lock(names: tuple[str, ...], codes: tuple[str, ...], folder: str | None, output: Path | None) -> None:
    """Pins SHA-256, row count and columns of every file, as it lies here now.

    Datasets of which nothing lies here stay as they are.
    """
    from tasks import DataError
    from tasks import lock as locked

    datasets: dict[str, dict[str, Any]] = {}
    target = output or locked.LOCK
    absent: set[str] = set()
    try:
        known = locked.read(target)  # what is not asked for stays locked as it is
        for task, path in _files(names, codes, folder, absent):
            source = task.source
            if not source.repository:
                continue  # files beside a declaration: a bundle pins them
            if getattr(source, "excerpt", False):
                absent.add(f"{source.dataset} (an excerpt)")
                continue
            facts = {"repository": source.repository, "commit": source.commit, "licence": task.licence, "files": {}}
            dataset = datasets.setdefault(source.dataset, facts)
            if path not in dataset["files"]:
                dataset["files"][path] = source.describe(path)
    except DataError as error:
        raise UsageError(str(error)) from error
    if not datasets:
        raise UsageError("none of the chosen tasks reads files that lie here: there is nothing to lock")
    locked.write({**known, **datasets}, target)
    for name, dataset in sorted(datasets.items()):
        click.echo(f"{name}: {counted(len(dataset['files']), 'file')}")
    if absent:
        click.echo(f"not here, or not to be locked: {', '.join(sorted(absent))}", err=True)


@data.command()
@names_option
@codes_option
@data_option
def verify(names: tuple[str, ...], codes: tuple[str, ...], folder: str | None) -> None:
    """Checks every file against the lock, and names each that is missing or differs; of a bundle, all that it holds.

    Datasets of which nothing lies in the data folder are named, and are no fault: nobody needs all of them.
    """
    from tasks import DataError, store
    from tasks import bundle as bundled

    use_mirror(folder)
    try:
        mirror = store.mirror()
        if mirror and bundled.is_bundle(mirror) and not names and not codes:
            pinned, faults = bundled.faults(mirror)
            _verdict(pinned - len(faults), 0, faults)
            return
    except DataError as error:
        raise UsageError(str(error)) from error
    wrong, unlocked, right = [], 0, 0
    absent: set[str] = set()
    try:
        for task, path in _files(names, codes, folder, absent):
            try:
                found = task.source.fetch(path)
            except DataError as error:
                wrong.append(str(error))
            else:
                right += found.locked
                unlocked += not found.locked
    except DataError as error:  # which files there are could not be found out
        raise UsageError(str(error)) from error
    if absent:
        click.echo(f"not here: {', '.join(sorted(absent))}", err=True)
    _verdict(right, unlocked, wrong)
    if names and absent:
        raise BenchError(f"no data of {', '.join(sorted(absent))} here")


def _verdict(right: int, unlocked: int, wrong: list[str]) -> None:
    """Says how many files are right, and each that is wrong. Raises `BenchError` where any is."""
    for message in wrong:
        click.echo(message)
    click.echo(f"{counted(right, 'file')} as locked, {unlocked} not in the lock, {len(wrong)} wrong")
    if wrong:
        raise BenchError(f"{counted(len(wrong), 'data file')} missing or not what data.lock pins")


@data.command()
@names_option
@codes_option
@data_option
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to make.")
@click.option(
    "--tokenizer", type=click.Path(path_type=Path), metavar="DIR", help="Model folder whose tokenizer goes in too."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="So many prompts of each task and language.")
@click.option("--available", is_flag=True, help="Leave out, and name, the tasks of which no data lie here.")
def bundle(
    names: tuple[str, ...],
    codes: tuple[str, ...],
    folder: str | None,
    output: Path,
    tokenizer: Path | None,
    limit: int | None,
    available: bool,
) -> None:
    """Makes a folder with data, lock, prompts and tokenizer that needs no network: `--data FOLDER` reads it.

    The texts stay under their own licences: a bundle is for moving data inside your walls, not for publishing them.
    """
    from tasks import DataError
    from tasks import bundle as bundled
    from tasks.lock import DECLARED

    output = output.absolute()
    if output.exists() and any(output.iterdir()) if output.is_dir() else output.exists():
        raise UsageError(f"--output {output} is there already; name a folder that is not")
    pairs, missing = _present(names, codes, folder)
    if missing and names and not available:
        lacking = ", ".join(sorted(missing))
        raise UsageError(f"no data of {lacking} here; fetch them first, or --available leaves them out")
    if missing:
        click.echo(f"left out, no data here: {', '.join(sorted(missing))}", err=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        own = list(dict.fromkeys(Path(name) for name in names if name.endswith(".toml")))
        locked = bundled.copy(pairs, part, own)
        files = bundled.copy_tokenizer(tokenizer, part / "tokenizer") if tokenizer else []
        count = _write_prompts(pairs, limit, part / "prompts.jsonl")
        _write_facts(pairs, part / bundled.FACTS)
        part.replace(output)
    except DataError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise BenchError(f"cannot make the bundle {output}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    copied = sum(len(dataset["files"]) for dataset in locked.values())
    datasets = len(locked.keys() - {DECLARED})
    held = f"{counted(datasets, 'dataset')}, {counted(copied, 'file')}, {counted(count, 'prompt')}"
    click.echo(f"{output}: {held}" + _and(files, own))
    restricted = sorted({task.source.dataset for task, _ in pairs if task.access != "open"})
    if restricted:
        click.echo(f"not to be passed on freely: {', '.join(restricted)}", err=True)


def _and(files: list[str], own: list[Path]) -> str:
    more = (files, "tokenizer file"), (own, "declaration")
    return "".join(f", {counted(len(some), noun)}" for some, noun in more if some)


def _write_prompts(pairs: list[tuple[Any, Any]], limit: int | None, path: Path) -> int:
    """What each item is asked, a JSON object a line, as `plan` prints it."""
    from bench.cli.progress import watch
    from bench.models import Capabilities
    from bench.plan import load, requests
    from bench.prompting import Asker

    count = 0
    with path.open("w", encoding="utf-8") as stream:
        asker = Asker("", "none", "unknown")
        for _, planned in requests(load(pairs, limit, watch), Capabilities(), asker, None):
            for request in planned:
                line = {"id": request.sample, "prompt": request.prompt, "prompt_language": request.prompt_language}
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += len(planned)
    return count


def _write_facts(pairs: list[tuple[Any, Any]], path: Path) -> None:
    from bench.session import versions

    found: dict[str, Any] = {}
    for task, variety in pairs:
        facts = {"version": task.version, "dataset": task.source.dataset, "licence": task.licence}
        found.setdefault(task.name, {**facts, "access": task.access, "codes": []})["codes"].append(variety.code)
    path.write_text(json.dumps({"tasks": found, "versions": versions()}, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _files(
    names: tuple[str, ...], codes: tuple[str, ...], folder: str | None, absent: set[str]
) -> Iterator[tuple[Any, str]]:
    """(task, path) of every file of the chosen tasks; `absent` collects the datasets of which nothing lies here."""
    from tasks import bundle as bundled

    pairs, missing = _present(names, codes, folder)
    absent |= missing
    yield from bundled.needed(pairs, companions=False)


def _present(
    names: tuple[str, ...], codes: tuple[str, ...], folder: str | None
) -> tuple[list[tuple[Any, Any]], set[str]]:
    """The chosen tasks and languages whose dataset has a folder in the mirror, and the datasets that have none.

    Without a mirror everything counts as present: what is missing is downloaded.
    """
    import tasks
    from bench.plan import available, choose_languages

    use_mirror(folder)
    try:
        chosen = tasks.select(names) if names else tuple(tasks.all_tasks().values())
        pairs, missing = available(choose_languages(chosen, codes))
    except (tasks.UnknownTask, tasks.DataError, tasks.DeclarationError) as error:
        raise UsageError(str(error)) from error
    return pairs, set(missing)
