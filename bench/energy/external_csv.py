"""An outside meter's readings in a file that something else appends lines to."""

from __future__ import annotations

import csv
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.energy.external import Series, checked
from bench.energy.meter import NoMeter

MILLISECONDS = 1e11
"""No Unix time in seconds is as large before the year 5138."""
MEND = "its first line names the columns, 'time,watts' at least, and every line after it is a reading"


@dataclass(slots=True)
class CsvSource:
    """A file with a header and the columns `time` (Unix seconds, or ISO 8601 with its time zone) and `watts`.

    Columns are parted by commas or semicolons, and others are ignored. Only what was appended is read again.
    """

    path: Path
    api: str = field(default="csv", init=False)
    counter: bool = field(default=False, init=False)
    _times: list[float] = field(default_factory=list, init=False)
    _watts: list[float] = field(default_factory=list, init=False)
    _faults: list[tuple[float, str]] = field(default_factory=list, init=False)
    _columns: tuple[str, int, int] | None = field(default=None, init=False)
    _offset: int = field(default=0, init=False)
    _line: int = field(default=0, init=False)

    def read(self, begin: float, end: float) -> Sequence[Series]:
        """All readings so far. A line that cannot be read counts if it stands between those around the stretch."""
        self._continue()
        before, after = bisect_right(self._times, begin) - 1, bisect_left(self._times, end)
        earliest = self._times[before] if before >= 0 else -math.inf
        latest = self._times[after] if after < len(self._times) else math.inf
        for at, fault in self._faults:
            if earliest <= at <= latest:
                raise NoMeter("external_unreadable", fault, MEND)
        return [Series(self._times, self._watts)]

    def _continue(self) -> None:
        """Reads whole lines that were appended; all of them again if the file was begun anew."""
        try:
            with self.path.open("rb") as file:
                file.seek(0, 2)
                if file.tell() < self._offset:
                    self._times, self._watts, self._faults = [], [], []
                    self._columns, self._offset, self._line = None, 0, 0
                file.seek(self._offset)
                appended = file.read()
        except FileNotFoundError as reason:
            raise NoMeter("external_absent", f"{self.path.name} is not there", "name a file that exists") from reason
        except OSError as reason:
            raise NoMeter("external_unreadable", f"{self.path.name} cannot be opened", "make it readable") from reason
        whole = appended[: appended.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            self._line += 1
            self._take(line.removeprefix("\ufeff"))
        if self._columns is None:
            raise NoMeter("external_unreadable", f"{self.path.name} is empty", MEND)

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        if self._columns is None:
            self._columns = self._header(line)
            return
        delimiter, when, what = self._columns
        at = self._times[-1] if self._times else -math.inf
        try:
            row = next(csv.reader([line], delimiter=delimiter, strict=True))
            moment = _moment(row[when].strip())
            if moment < at:
                raise ValueError("it goes back in time")
            at = moment
            watts = checked(_number(row[what]), counter=False)
        except (ValueError, IndexError, csv.Error) as reason:
            said = "too few columns" if isinstance(reason, IndexError) else str(reason)
            self._faults.append((at, f"line {self._line} of {self.path.name}: {said}"))
            return
        self._times.append(moment)
        self._watts.append(watts)

    def _header(self, line: str) -> tuple[str, int, int]:
        delimiter = ";" if ";" in line else ","
        names = [name.strip().strip('"').casefold() for name in line.split(delimiter)]
        missing = [name for name in ("time", "watts") if name not in names]
        if missing:
            detail = f"{self.path.name} has no column {' and no column '.join(missing)}"
            raise NoMeter("external_unreadable", detail, MEND)
        return delimiter, names.index("time"), names.index("watts")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("its watts are not a number") from None


def _moment(text: str) -> float:
    """Unix seconds. Raises ValueError with what is wrong."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            told = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("its time is neither Unix seconds nor ISO 8601") from None
        if told.tzinfo is None:
            raise ValueError("its time has no time zone") from None
        return told.timestamp()
    if not math.isfinite(seconds):
        raise ValueError("its time is not a finite number")
    if abs(seconds) > MILLISECONDS:
        raise ValueError("its time is not in seconds")
    return seconds
