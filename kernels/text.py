"""Text for the kernels: segments as flat arrays of code points, encoded once and reused by every metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

BEYOND = 0x3001
"""What `str.split` cuts at lies below; the last entry of `WHITE` stands for everything from here on."""
WHITE = np.array([chr(code).isspace() for code in range(BEYOND + 1)])
"""What `str.split` cuts at, as this interpreter has it: the highest such code point is U+3000."""


@dataclass(frozen=True, slots=True)
class Units:
    """The code points of all segments in a row; segment i is `units[offsets[i]:offsets[i + 1]]`.

    `units` is uint16 where every code point fits (lone surrogates do), else uint32; `offsets` is int64, one longer
    than there are segments, and need not start at 0 where this is a part of more.
    """

    units: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def wide(self) -> Units:
        """The same from offset 0 on and in uint32, the one type that the compiled kernels read."""
        first, last = int(self.offsets[0]), int(self.offsets[-1])
        return Units(self.units[first:last].astype(np.uint32), self.offsets - first)


def encode(segments: Sequence[str | None]) -> Units:
    """Segments to code points; None is empty. Raises `TypeError` naming the first segment that is no text.

    UTF-16 costs a third of UTF-32, and is the code points themselves unless one lies beyond U+FFFF. Segments are
    told apart by length, never by a separator: answers of models hold every character there is.
    """
    try:
        strings = ["" if segment is None else segment for segment in segments] if None in segments else segments
        joined = "".join(strings)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(_not_text(segments)) from None
    offsets = np.zeros(len(segments) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, strings), np.int64, len(segments)), out=offsets[1:])  # type: ignore[arg-type]
    narrow = joined.encode("utf-16-le", "surrogatepass")
    if len(narrow) == 2 * len(joined):
        return Units(np.frombuffer(narrow, np.uint16), offsets)
    return Units(np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32), offsets)


def _not_text(segments: Sequence[Any]) -> str:
    for number, segment in enumerate(segments, start=1):
        if segment is not None and not isinstance(segment, str):
            return f"segment {number} is {type(segment).__name__}, not text"
    raise AssertionError(segments)


class Text(Sequence[str | None]):
    """Segments that remember their code points and their lower case. A slice shares what was made already.

    Wrap references in it once to score many systems, or one system by many metrics; every metric takes plain lists
    as well and then keeps nothing.
    """

    __slots__ = ("_kinds", "_lower", "_units", "strings")

    def __init__(self, strings: Sequence[str | None], units: Units | None = None) -> None:
        self.strings: Sequence[str | None] = strings.strings if isinstance(strings, Text) else strings
        self._units = units
        self._lower: Text | None = None
        self._kinds: set[type] | None = None

    @classmethod
    def of(cls, segments: Sequence[str | None]) -> Text:
        """The segments themselves where they are a `Text` already."""
        return segments if isinstance(segments, Text) else cls(segments)

    def __len__(self) -> int:
        return len(self.strings)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.strings)

    def __contains__(self, segment: object) -> bool:
        return segment in self.strings

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> Text: ...
    def __getitem__(self, index: int | slice) -> str | Text | None:
        if not isinstance(index, slice):
            return self.strings[index]
        part = Text(self.strings[index])
        start, stop, step = index.indices(len(self))
        if self._units is not None and step == 1:  # other steps leave gaps, and are encoded anew
            part._units = Units(self._units.units, self._units.offsets[start : max(start, stop) + 1])
        if self._lower is not None:
            part._lower = self._lower[index]
        return part

    @property
    def units(self) -> Units:
        """The code points, made at the first use."""
        if self._units is None:
            self._units = encode(self.strings)
        return self._units

    @property
    def lower(self) -> Text:
        """Python's lower case, the only one that sacreBLEU's numbers can be had from: it looks at whole strings."""
        if self._lower is None:
            self._lower = self.mapped(str.lower)
        return self._lower

    @property
    def kinds(self) -> set[type]:
        """The types that occur among the segments."""
        if self._kinds is None:
            self._kinds = set(map(type, self.strings))
        return self._kinds

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where there is a segment at all; false for None."""
        if type(None) not in self.kinds:
            return np.ones(len(self), dtype=np.bool_)
        return np.fromiter((segment is not None for segment in self.strings), np.bool_, len(self))

    def mapped(self, function: Callable[[str], str]) -> Text:
        """Every segment through a function; None stays None."""
        return Text([None if segment is None else function(segment) for segment in self.strings])
