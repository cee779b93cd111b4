"""Rows from plain files: of a Git repository at a pinned commit, of a local mirror of it, or beside a declaration.

Whatever is read of a repository is checked against `data.lock` first. Nothing of a dataset is ever executed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from tasks import formats, store
from tasks.lock import Entry, beside, entry
from tasks.records import DataError, Row, Split, Variety
from tasks.selection import Join, Selection
from tasks.store import Fetched

Patterns = tuple[str, ...] | Mapping[str, str]


@dataclass(frozen=True)
class Files:
    """A dataset made of files of one format (`formats.READERS`, or `parallel`).

    `files` maps a split to patterns of paths, in which `{code}` stands for what the dataset calls the language; the
    rows of several come one file after another. With format `parallel` it maps column names to patterns: each file is
    one column, a value a line, all of equal length. `columns` names the columns of a table without a header.
    `elsewhere` gives the path for those codes whose file lies outside the pattern. `root` is the folder of a
    declaration's own files, which no lock knows. `by_hand` says how to get files that no program can fetch. `folder`
    is where in the repository the paths begin, for a mirror that holds that folder's content alone. An `excerpt` is
    never locked: a mirror with the first rows of each file stands in for the whole, and no hash fits both.
    """

    dataset: str
    repository: str
    commit: str
    format: str
    files: Mapping[Split, Patterns]
    columns: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    selection: Selection = field(default_factory=Selection)
    join: Join | None = None
    root: Path | None = None
    by_hand: str = ""
    folder: str = ""
    excerpt: bool = False

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that the dataset has."""
        return tuple(self.files)

    def paths(self, variety: Variety, split: Split) -> tuple[str, ...]:
        """The paths inside the repository. Raises `DataError` where the split does not exist."""
        patterns = self._patterns(split)
        named = patterns.values() if isinstance(patterns, Mapping) else patterns
        joined = [self.join.place] if self.join else []
        return tuple(self._path(pattern, variety.code) for pattern in (*named, *joined))

    def _patterns(self, split: Split) -> Patterns:
        if split not in self.files:
            raise DataError(f"{self.dataset} has no {split} split; it has {', '.join(self.files)}")
        return self.files[split]

    def _path(self, pattern: str, code: str) -> str:
        return self.elsewhere.get(code, pattern.replace("{code}", code)) if "{code}" in pattern else pattern

    def companions(self) -> tuple[str, ...]:
        """Nothing: the files are all there is."""
        return ()

    def describe(self, path: str) -> Entry:
        """The lock entry of a file as it lies here now, whatever the lock says."""
        local = store.locate(self, path) if self.root is None else self.fetch(path).path
        format_ = "lines" if self.format == "parallel" else self.format
        header: tuple[str, ...] = ()
        count = 0
        for record in formats.read(format_, local, self.columns):
            count += 1
            header = header or (() if format_ == "lines" else tuple(record))
        return Entry(store.sha256(local), count, header)

    def fetch(self, path: str) -> Fetched:
        """The file on this machine, checked against the lock. Raises `DataError`."""
        if self.root is None:
            return store.fetch(self, path)
        local = self.root / path
        if not local.is_file():
            raise DataError(f"there is no file {path} beside the declaration of {self.dataset}")
        found, pinned = store.sha256(local), beside(self.root, path)
        if pinned and found != pinned.sha256:
            raise DataError(store.changed(self, path, found, pinned.sha256))
        return Fetched(local, found, pinned is not None)

    def fingerprint(self, variety: Variety, split: Split) -> Mapping[str, str]:
        """Path -> SHA-256 of each file that the rows come from."""
        return {path: self.fetch(path).sha256 for path in self.paths(variety, split)}

    def is_locked(self, name: str) -> bool:
        """Whether `data.lock` has the file."""
        return self.root is None and entry(self.dataset, name) is not None

    def rows(self, variety: Variety, split: Split) -> Iterator[Row]:
        """The rows in file order. Raises `DataError` for a missing, changed or malformed file."""
        patterns = self._patterns(split)
        if isinstance(patterns, Mapping):
            rows = self._parallel({column: self._path(one, variety.code) for column, one in patterns.items()})
        else:
            rows = chain.from_iterable(self._records(self._path(one, variety.code)) for one in patterns)
        if self.join:
            rows = self.join.onto(rows, self._records(self._path(self.join.place, variety.code)), variety)
        return self.selection.of(rows, variety)

    def _records(self, path: str) -> Iterator[Row]:
        name = path.rsplit("/", 1)[-1]
        known = {"file": name.rsplit(".", 1)[0]}
        for number, record in enumerate(formats.read(self.format, self.fetch(path).path, self.columns), start=1):
            yield Row({"line": number, **known, **record}, f"{name} row {number}")

    def _parallel(self, paths: Mapping[str, str]) -> Iterator[Row]:
        columns = {column: formats.read_lines(self.fetch(path).path) for column, path in paths.items()}
        lengths = {paths[column].rsplit("/", 1)[-1]: len(lines) for column, lines in columns.items()}
        if len(set(lengths.values())) != 1:
            counts = ", ".join(f"{name} {count}" for name, count in lengths.items())
            raise DataError(f"parallel files of unequal length: {counts}")
        for number, values in enumerate(zip(*columns.values(), strict=True), start=1):
            yield Row({"line": number, **dict(zip(columns, values, strict=True))}, f"line {number}")
