"""Rows from a dataset repository of the Hugging Face hub at a pinned revision, or from a local mirror of one.

The library `datasets` says which files a configuration has and reads them; no code of a repository is ever executed
(`datasets` has had no way to since version 4). Files are fetched first and checked against `data.lock`, then read from
a folder in the hub's own layout, so that mirror, bundle and download are read in one way.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks import store
from tasks.lock import Entry, entry, expected
from tasks.records import DataError, Row, Split, Variety
from tasks.selection import Join, Selection
from tasks.store import Fetched

CARD = "README.md"
_BUILDERS = {
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".tsv": "csv",
}
"""Of a file's ending, the reader of `datasets`."""


@dataclass(frozen=True)
class Hub:
    """A repository of the hub. `configs` are patterns of configurations, read one after another; "" is the default one.

    `names` maps a split to what the hub calls it, or to a pattern of files ("{code}/test/*.parquet"): for the hub's own
    conversions to Parquet, on the branch refs/convert/parquet, which have no card.
    """

    dataset: str
    repository: str
    commit: str
    names: Mapping[Split, str]
    configs: tuple[str, ...] = ("",)
    selection: Selection = field(default_factory=Selection)
    join: Join | None = None

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that the dataset has."""
        return tuple(self.names)

    def paths(self, variety: Variety, split: Split) -> tuple[str, ...]:
        """The files of one split, as `datasets` resolves them. Raises `DataError`."""
        name = self._name(variety, split)
        joined = [self.join.place] if self.join else []
        configs = [config.replace("{code}", variety.code) for config in (*self.configs, *joined)]
        return tuple(dict.fromkeys(path for config in configs for path in self._files(config, name)))

    def _name(self, variety: Variety, split: Split) -> str:
        if split not in self.names:
            raise DataError(f"{self.dataset} has no {split} split; it has {', '.join(self.names)}")
        return self.names[split].replace("{code}", variety.code)

    def companions(self) -> tuple[str, ...]:
        """The card, which names the configurations."""
        folder = store.mirror()
        return (CARD,) if folder is None or (folder / self.dataset / CARD).is_file() else ()

    def describe(self, path: str) -> Entry:
        """The lock entry of a file as it lies here now. Rows are counted by configuration, not by file: none here."""
        return Entry(store.sha256(self._folder((path,)) / path), -1, ())

    def fetch(self, path: str) -> Fetched:
        """The file on this machine, checked against the lock. Raises `DataError`."""
        local = self._folder((path,)) / path
        if not local.is_file():
            raise DataError(f"data folder {local.parent} has no file {path} ({self.repository} on the hub has it)")
        found = store.sha256(local)
        pinned = expected(self.dataset, path)
        if pinned and found != pinned.sha256:
            raise DataError(store.changed(self, path, found, pinned.sha256))
        return Fetched(local, found, pinned is not None)

    def fingerprint(self, variety: Variety, split: Split) -> Mapping[str, str]:
        """Path -> SHA-256 of each file that the rows come from."""
        return {path: self.fetch(path).sha256 for path in self.paths(variety, split)}

    def is_locked(self, name: str) -> bool:
        """Whether `data.lock` has the file."""
        return entry(self.dataset, name) is not None

    def rows(self, variety: Variety, split: Split) -> Iterator[Row]:
        """The rows of the configurations, one after another. Raises `DataError`."""
        name = self._name(variety, split)
        rows = (row for config in self.configs for row in self._rows(config.replace("{code}", variety.code), name))
        if self.join:
            other = self._rows(self.join.place.replace("{code}", variety.code), name)
            rows = self.join.onto(rows, other, variety)  # type: ignore[assignment]
        return self.selection.of(rows, variety)

    def _rows(self, config: str, name: str) -> Iterator[Row]:
        import datasets

        paths = self._files(config, name)
        for path in paths:
            self.fetch(path)
        folder = self._folder(paths)
        _quiet()
        where = f"{self.dataset} {config or 'default'}"
        with _explained(self, where):
            # The files are named, since a download has only these of all that the card tells of.
            files, typed = {"rows": [str(folder / path) for path in paths]}, _as_text(folder / paths[0])
            kind = _BUILDERS[Path(paths[0]).suffix]
            found = datasets.load_dataset(kind, data_files=files, split="rows", streaming=True, **typed)
            for number, record in enumerate(found.decode(False), start=1):  # pictures and sounds stay closed
                yield Row({"line": number, "config": config, "split": name, **record}, f"{where} {name} row {number}")

    def _files(self, config: str, name: str) -> tuple[str, ...]:
        """The files of a configuration's split, relative to the repository."""
        if "/" in name:
            paths = tuple(sorted(path for path in _listed(self) if fnmatch.fnmatchcase(path, name)))
        else:
            known = _resolve(self, store.mirror(), config)
            if name not in known:
                splits = ", ".join(known)
                raise DataError(f"{self.dataset} {config or 'default'} has no split {name!r}; there are {splits}")
            paths = known[name]
        if not paths or {Path(path).suffix for path in paths} - _BUILDERS.keys():
            found = ", ".join(paths) or "no file"
            raise DataError(f"{self.dataset} {name}: {found}; readable are {', '.join(_BUILDERS)}")
        return paths

    def _folder(self, paths: tuple[str, ...]) -> Path:
        """A folder in the hub's layout that has the files."""
        folder = store.mirror()
        if folder is None:
            return _download(self, paths)
        if not (folder / self.dataset).is_dir():
            raise DataError(f"data folder {folder} has no folder {self.dataset} ({self.repository} on the hub has it)")
        return folder / self.dataset


def _listed(source: Hub) -> list[str]:
    """Every file of a repository. Raises `DataError`."""
    folder = store.mirror()
    if folder is not None:
        root = source._folder(())
        return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    from huggingface_hub import list_repo_files

    with _explained(source, source.dataset):
        return list(list_repo_files(source.repository, repo_type="dataset", revision=source.commit))


def _as_text(path: Path) -> dict[str, Any]:
    """Options that make every cell of a CSV file a text: else "NA" is read as nothing, "10" beside a gap as 10.0."""
    import csv

    import datasets

    if path.suffix not in (".csv", ".tsv"):
        return {}
    separator = "\t" if path.suffix == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream, delimiter=separator), [])
    features = datasets.Features({name: datasets.Value("string") for name in header})
    return {"features": features, "keep_default_na": False, "sep": separator}


@lru_cache(maxsize=4096)
def _resolve_cached(repository: str, commit: str, folder: str, config: str) -> dict[str, tuple[str, ...]]:
    import datasets

    _quiet()
    options = {} if folder else {"revision": commit}
    builder = datasets.load_dataset_builder(folder or repository, name=config or None, **options)
    prefix = f"{_absolute(folder)}/" if folder else f"hf://datasets/{repository}@"
    found: dict[str, tuple[str, ...]] = {}
    for name, files in (builder.config.data_files or {}).items():
        found[str(name)] = tuple(_relative(str(file), prefix, bool(folder)) for file in files)
    return found


def _relative(file: str, prefix: str, local: bool) -> str:
    if not local:
        return file.removeprefix(prefix).split("/", 1)[1]  # after the commit
    found = _absolute(file)
    if not found.startswith(prefix):
        raise DataError(f"the card {prefix}{CARD} names a file outside its folder: {file}")
    return found.removeprefix(prefix)


def _absolute(path: str) -> str:
    """The path without "..", with its links as they are: the hub's own cache keeps every file behind one."""
    return os.path.abspath(path)  # noqa: PTH100 - `Path.resolve` follows links


def _resolve(source: Hub, mirror: Path | None, config: str) -> dict[str, tuple[str, ...]]:
    """Split -> files of one configuration. Raises `DataError`."""
    folder = str(source._folder(())) if mirror else ""
    if folder and (Path(folder) / CARD).is_file():
        source.fetch(CARD)  # it says which files are read
    with _explained(source, f"{source.dataset} {config or 'default'}"):
        return _resolve_cached(source.repository, source.commit, folder, config)


def _download(source: Hub, paths: tuple[str, ...]) -> Path:
    with _explained(source, source.dataset):
        return _snapshot(source.repository, source.commit, paths)


@lru_cache(maxsize=4096)
def _snapshot(repository: str, commit: str, paths: tuple[str, ...]) -> Path:
    """The files on this machine; the hub is asked once a process, however often they are read."""
    from huggingface_hub import snapshot_download

    patterns = [CARD, *paths]
    return Path(snapshot_download(repository, repo_type="dataset", revision=commit, allow_patterns=patterns))


@contextmanager
def _explained(source: Hub, where: str) -> Iterator[None]:
    """One line for whatever the hub or a file can do wrong. Raises `DataError`."""
    import datasets
    import pyarrow as pa
    import yaml
    from huggingface_hub import errors

    at = f"https://huggingface.co/datasets/{source.repository}"
    try:
        yield
    except (
        *(ValueError, TypeError, KeyError, RuntimeError, ImportError, StopIteration, OSError),
        *(datasets.exceptions.DatasetsError, errors.HfHubHTTPError, pa.ArrowException, yaml.YAMLError),
    ) as error:
        told = _told(error)
        if isinstance(told, errors.GatedRepoError):
            raise DataError(
                f"{where} is gated: accept its licence at {at} with your account, then put a token into the "
                "environment variable HF_TOKEN (or run `hf auth login`)"
            ) from error
        if isinstance(told, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError)):
            raise DataError(f"{where}: the hub has no {source.repository} at {source.commit}") from error
        if not isinstance(error, (OSError, errors.HfHubHTTPError)) or store.mirror():
            raise DataError(f"{where}: {_line(error)}") from error
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
        why = "HF_HUB_OFFLINE is set" if offline else _line(error)
        raise DataError(
            f"{where} could not be read ({why}); give a local copy with --data DIR, laid out as {source.repository} "
            f"in a folder {source.dataset}"
        ) from error


def _told(error: BaseException) -> BaseException:
    """What the hub said, where `datasets` has put words of its own around it."""
    from huggingface_hub import errors

    while not isinstance(error, errors.HfHubHTTPError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else f"{text[:159]}…"


def _quiet() -> None:
    """Progress bars and advice would stand in the program's own output; errors still come as exceptions."""
    import datasets
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    datasets.disable_progress_bars()
    logging: Any = datasets.logging
    logging.set_verbosity_error()
