"""Rows from plain files in a Git repository at a pinned commit, or from a local mirror of it.

Whatever is read is checked against `data.lock` first. Nothing of a dataset is ever executed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tasks import store
from tasks.lock import Entry, entry
from tasks.records import DataError, Row, Split, Variety


@dataclass(frozen=True)
class Files:
    """A dataset made of text files.

    `splits` maps a split to its files: column name -> path inside the repository, where `{code}` stands for what the
    dataset calls the language. With format `parallel` each file is one column, a value a line, all of equal length.
    With format `tsv` the one file (under the column name "*") has a header line, no quoting, and at least the `columns`
    named. `elsewhere` gives the path for those codes whose file lies outside the pattern.
    """

    dataset: str
    repository: str
    commit: str
    format: Literal["parallel", "tsv"]
    files: Mapping[Split, Mapping[str, str]]
    columns: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that the dataset has."""
        return tuple(self.files)

    def paths(self, variety: Variety, split: Split) -> dict[str, str]:
        """Column name -> path inside the repository. Raises `DataError` where the split does not exist."""
        if split not in self.files:
            raise DataError(f"{self.dataset} has no {split} split; it has {', '.join(self.files)}")
        return {column: self._path(pattern, variety.code) for column, pattern in self.files[split].items()}

    def _path(self, pattern: str, code: str) -> str:
        return self.elsewhere.get(code, pattern.format(code=code)) if "{code}" in pattern else pattern

    def describe(self, path: str) -> Entry:
        """The lock entry of a file as it lies here now, whatever the lock says."""
        local = store.locate(self, path)
        lines = read_lines(local)
        header = tuple(lines[0].split("\t")) if self.format == "tsv" and lines else ()
        return Entry(store.sha256(local), len(lines) - bool(header), header)

    def fingerprint(self, variety: Variety, split: Split) -> Mapping[str, str]:
        """Path -> SHA-256 of each file that the rows come from."""
        return {path: store.fetch(self, path).sha256 for path in self.paths(variety, split).values()}

    def is_locked(self, name: str) -> bool:
        """Whether `data.lock` has the file."""
        return entry(self.dataset, name) is not None

    def rows(self, variety: Variety, split: Split) -> Iterator[Row]:
        """The rows in file order. Raises `DataError` for a missing, changed or malformed file."""
        paths = self.paths(variety, split)
        if self.format == "tsv":
            return _table(store.fetch(self, paths["*"]).path, self.columns)
        return _parallel({column: store.fetch(self, path).path for column, path in paths.items()})


def read_lines(path: Path) -> list[str]:
    r"""The lines of a UTF-8 file, cut at "\n" alone: U+2028, "\x85" and a stray "\r" are text. A final "\r" goes."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start})") from error
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _table(path: Path, needed: tuple[str, ...]) -> Iterator[Row]:
    lines = read_lines(path)
    header = lines[0].split("\t") if lines else []
    if len(set(header)) != len(header):
        raise DataError(f"{path} names a column twice: {', '.join(header)}")
    missing = [column for column in needed if column not in header]
    if missing or not header:
        raise DataError(f"{path} has no column {', '.join(missing) or 'at all'}; it has {', '.join(header) or 'none'}")
    for number, line in enumerate(lines[1:], start=2):
        values = line.split("\t")
        if len(values) != len(header):
            raise DataError(f"{path} line {number}: {len(values)} columns, the header has {len(header)}")
        yield Row(dict(zip(header, values, strict=True)), f"{path.name}:{number}")


def _parallel(paths: Mapping[str, Path]) -> Iterator[Row]:
    columns = {column: read_lines(path) for column, path in paths.items()}
    lengths = {paths[column].name: len(lines) for column, lines in columns.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{name} {count}" for name, count in lengths.items())
        raise DataError(f"parallel files of unequal length: {counts}")
    names = tuple(columns)
    for number, values in enumerate(zip(*columns.values(), strict=True), start=1):
        yield Row({**dict(zip(names, values, strict=True)), "line": number}, f"line {number}")
