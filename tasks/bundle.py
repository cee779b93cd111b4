"""A bundle: a folder with the data of chosen tasks and languages, and a lock that pins every file of it.

It is laid out as any data folder is, so `--data BUNDLE` reads it, and nothing needs the network any more.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tasks import lock, store
from tasks.records import DataError, Repository, Task, Variety

TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "*.model", "*.jinja")
"""Files of a model's folder that its tokenizer and chat template need."""
_OWN = {"repository": "", "commit": "", "licence": ""}


FACTS = "bundle.json"
"""What a bundle says of itself, and by which a data folder is known for one."""


def is_bundle(folder: Path) -> bool:
    """Whether a data folder is a bundle."""
    return (folder / FACTS).is_file()


def contents(folder: Path) -> dict[str, list[str]] | None:
    """Task -> codes of what a bundle was made of; None where a data folder is no bundle. Raises `DataError`."""
    if not is_bundle(folder):
        return None
    try:
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        return {name: list(task["codes"]) for name, task in facts["tasks"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder / FACTS} is no bundle's word for itself: {error}") from error


def faults(folder: Path) -> tuple[int, list[str]]:
    """How many files a bundle pins, and a line for each that is missing or not what it pins. Raises `DataError`."""
    pinned = {
        f"{dataset}/{path}": entry
        for dataset, facts in lock.read(folder / lock.LOCK.name).items()
        for path, entry in facts["files"].items()
    }
    wrong = []
    for path, entry in sorted(pinned.items()):
        local = folder / path
        if not local.is_file():
            wrong.append(f"{path} is missing")
        elif store.sha256(local) != entry.sha256:
            wrong.append(f"{path} is not the file that the bundle pins: SHA-256 {store.sha256(local)[:12]}...")
    return len(pinned), wrong


def copy(
    pairs: Iterable[tuple[Task, Variety]], folder: Path, declarations: Iterable[Path] = ()
) -> dict[str, dict[str, Any]]:
    """Copies every file that the tasks read in these languages, and the declarations that are not the package's own.

    Returns what the bundle's lock says. Raises `DataError`.
    """
    locked: dict[str, dict[str, Any]] = {}
    for declaration in declarations:
        _copy(declaration, folder / lock.DECLARED / declaration.name)
        entry = lock.Entry(store.sha256(declaration), -1, ())
        locked.setdefault(lock.DECLARED, {**_OWN, "files": {}})["files"][declaration.name] = entry
    for task, path in needed(pairs):
        source = task.source
        assert isinstance(source, Repository)
        facts = {"repository": source.repository, "commit": source.commit, "licence": task.licence}
        name = source.dataset if source.repository else lock.DECLARED
        dataset = locked.setdefault(name, {**(facts if source.repository else _OWN), "files": {}})
        _copy(source.fetch(path).path, folder / name / path)
        dataset["files"][path] = source.describe(path)
    lock.write(locked, folder / lock.LOCK.name)
    return locked


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        raise DataError(f"two files of the bundle would be {target.parent.name}/{target.name}: {source} is the second")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def needed(pairs: Iterable[tuple[Task, Variety]], *, companions: bool = True) -> Iterator[tuple[Task, str]]:
    """(task, path) of every file that the tasks read; a file of two tasks comes once. Raises `DataError`."""
    seen = set()
    for task, variety in pairs:
        source = task.source
        if not isinstance(source, Repository):
            continue
        place = source.dataset if source.repository else getattr(source, "root", None)
        paths = [path for split in source.splits for path in source.paths(variety, split)]
        for path in (*(source.companions() if companions else ()), *paths):
            if (place, path) not in seen:
                seen.add((place, path))
                yield task, path


def copy_tokenizer(model: Path, folder: Path) -> list[str]:
    """Copies the files of a model's folder that turn text into tokens. Raises `DataError` where there is none."""
    found = sorted({path for pattern in TOKENIZER for path in model.glob(pattern) if path.is_file()})
    if not found:
        raise DataError(f"{model} has no tokenizer files; name the folder that save_pretrained wrote")
    folder.mkdir(parents=True, exist_ok=True)
    for path in found:
        shutil.copyfile(path, folder / path.name)
    return [path.name for path in found]
