"""Files to records: one reader a format, each `(path, columns) -> dicts`. Nothing of a dataset is ever executed."""

from __future__ import annotations

import csv
import functools
import importlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.records import DataError

Record = dict[str, Any]
Reader = Callable[[Path, Sequence[str]], Iterator[Record]]


def read(format_: str, path: Path, columns: Sequence[str] = ()) -> Iterator[Record]:
    """The records of a file. `columns` names the columns of a table without a header line. Raises `DataError`."""
    return READERS[format_](path, columns)


def text(path: Path) -> str:
    """The whole of a UTF-8 file, line ends as they are. Raises `DataError`."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def read_lines(path: Path) -> list[str]:
    r"""The lines of a UTF-8 file, cut at "\n" alone: U+2028, "\x85" and a stray "\r" are text. A final "\r" goes."""
    lines = text(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _tsv(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    """Tab-separated and unquoted: a quotation mark is text."""
    lines = read_lines(path)
    header = list(columns) or (lines[0].split("\t") if lines else [])
    _check_header(path, header)
    for number, line in enumerate(lines if columns else lines[1:], start=1 if columns else 2):
        yield _record(path, number, header, line.split("\t"))


def _quoted(delimiter: str) -> Reader:
    def rows(path: Path, columns: Sequence[str]) -> Iterator[Record]:
        csv.field_size_limit(2**31 - 1)  # a judgment is longer than the 128 KiB that a cell may have
        reader = csv.reader(io.StringIO(text(path), newline=""), delimiter=delimiter, strict=True)
        try:
            header = list(columns) or next(reader, [])
            _check_header(path, header)
            for values in reader:
                if values:
                    yield _record(path, reader.line_num, header, values)
        except csv.Error as error:
            raise DataError(f"{path} line {reader.line_num}: {error}") from error

    return rows


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not any(header):
        raise DataError(f"{path} has no column at all; the first line should name them")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(f"{path} names a column twice: {twice[0]!r}")


def _record(path: Path, number: int, header: Sequence[str], values: Sequence[str]) -> Record:
    if len(values) != len(header):
        raise DataError(f"{path} line {number}: {len(values)} columns, the header has {len(header)}")
    return dict(zip(header, values, strict=True))


def _json_lines(path: Path, _: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            yield _object(f"{path} line {number}", line)


def _object(where: str, line: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise DataError(f"{where} is no JSON object but a {type(record).__name__}")
    return record


def _json(path: Path, _: Sequence[str]) -> Iterator[Record]:
    try:
        records = json.loads(text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(f"{path} should be one JSON array of objects")
    yield from records


def _lines(path: Path, _: Sequence[str]) -> Iterator[Record]:
    for line in read_lines(path):
        yield {"text": line}


def _xlsx(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    """The first sheet; a cell without a value is None. The last few files are kept: each language reads them anew."""
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    yield from map(dict, _sheet(path, tuple(columns), state.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _sheet(path: Path, columns: tuple[str, ...], modified: int) -> tuple[Record, ...]:
    return tuple(_read_sheet(path, columns))


def _read_sheet(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    import warnings
    import zipfile
    import zlib

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    # SyntaxError is what XML's errors are, and RuntimeError what an encrypted archive's is.
    spoilt = (OSError, EOFError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError)
    try:
        with warnings.catch_warnings(), path.open("rb") as stream:
            warnings.simplefilter("ignore", UserWarning)  # styles and extensions that it does not know
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            rows = list(book.worksheets[0].iter_rows(values_only=True))
    except (*spoilt, zlib.error, zipfile.BadZipFile, InvalidFileException) as error:
        raise DataError(f"{path} is no XLSX file: {' '.join(str(error).split())}") from error
    header = list(columns) or ["" if name is None else str(name) for name in (rows.pop(0) if rows else ())]
    while header and not header[-1]:
        header.pop()
    _check_header(path, header)
    for values in rows:
        if any(value is not None for value in values):
            yield dict(zip(header, (*values, *[None] * len(header)), strict=False))


def _elsewhere(module: str) -> Reader:
    """A reader in a file of its own, imported when first used."""

    def rows(path: Path, _: Sequence[str]) -> Iterator[Record]:
        found: Callable[[Path], Iterator[Record]] = importlib.import_module(module).rows
        return found(path)

    return rows


READERS: dict[str, Reader] = {
    "tsv": _tsv,
    "tsv-quoted": _quoted("\t"),
    "csv": _quoted(","),
    "jsonl": _json_lines,
    "json": _json,
    "lines": _lines,
    "xlsx": _xlsx,
    "oab": _elsewhere("tasks.format_oab"),
    "udhr": _elsewhere("tasks.format_udhr"),
    "blend": _elsewhere("tasks.format_blend"),
    "lawbench": _elsewhere("tasks.format_lawbench"),
    "terms": _elsewhere("tasks.format_terms"),
}
"""Format -> reader. `parallel` (a file a column) is put together in `sources`."""
