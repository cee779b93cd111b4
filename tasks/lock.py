"""`data.lock`: commit, licence, and SHA-256, row count and columns of every file that has been seen.

The package's own lock decides what is ranked. A bundle brings a lock of its own, which pins the rest of what it holds.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.records import DataError

LOCK = Path(__file__).with_name("data.lock")
ENVIRONMENT = "BENCH_DATA"
DECLARED = "declared"
"""A bundle's folder for declarations from outside the package and the files beside them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One locked file. `rows` is -1 where rows are not counted by file."""

    sha256: str
    rows: int
    columns: tuple[str, ...]


def entry(dataset: str, path: str) -> Entry | None:
    """The package's entry for a file, or None: then the task is unlocked."""
    return files(dataset).get(path)


def expected(dataset: str, path: str) -> Entry | None:
    """What a file has to be: the package's entry, else that of the bundle which is the data folder."""
    return entry(dataset, path) or _bundled(os.environ.get(ENVIRONMENT, "")).get(dataset, {}).get("files", {}).get(path)


def beside(folder: Path, name: str) -> Entry | None:
    """What a bundle pins for a declaration in its folder `declared`, or for a file beside one; None anywhere else."""
    if folder.name != DECLARED:
        return None
    pinned: Mapping[str, Entry] = _bundled(str(folder.parent)).get(DECLARED, {}).get("files", {})
    return pinned.get(name)


@functools.cache
def _bundled(folder: str) -> Mapping[str, Mapping[str, Any]]:
    return read(Path(folder) / LOCK.name) if folder else {}


@functools.cache
def files(dataset: str) -> Mapping[str, Entry]:
    """Path -> entry, for one dataset; empty where the lock does not know it."""
    known: Mapping[str, Entry] = _locked().get(dataset, {}).get("files", {})
    return known


@functools.cache
def _locked() -> Mapping[str, Mapping[str, Any]]:
    return read(LOCK)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Dataset -> its repository, commit, licence and files; nothing where there is no lock yet. Raises `DataError`."""
    if not path.is_file():
        return {}
    try:
        locked: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
        for dataset in locked.values():
            entries = dataset["files"].items()
            dataset["files"] = {file: Entry(sha, rows, tuple(columns)) for file, (sha, rows, columns) in entries}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is no lock file: {error}") from error
    return locked


def write(datasets: Mapping[str, Mapping[str, Any]], path: Path = LOCK) -> None:
    """Writes the lock, one file a line so that a change reads well in a diff."""
    blocks = []
    for name, dataset in sorted(datasets.items()):
        lines = [
            f"   {json.dumps(file)}: {json.dumps([made.sha256, made.rows, list(made.columns)], ensure_ascii=False)}"
            for file, made in sorted(dataset["files"].items())
        ]
        head = "".join(
            f"  {json.dumps(key)}: {json.dumps(dataset[key])},\n" for key in ("repository", "commit", "licence")
        )
        blocks.append(f" {json.dumps(name)}: {{\n{head}" + '  "files": {\n' + ",\n".join(lines) + "\n  }\n }")
    path.write_text("{\n" + ",\n".join(blocks) + "\n}\n", "utf-8")
