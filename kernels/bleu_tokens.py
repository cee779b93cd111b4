"""sacreBLEU's tokenizers as one compiled pass over code points, told by a table what each one is.

Their regular expressions insert blanks around punctuation. What these come to, mark by mark, is a function of a
mark's class, of the run of marks that it stands in, and of whether digits stand beside the run, so that no text is
rewritten: a token is a span of the segment.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import compiled
from kernels.text import WHITE, Units

Classes = NDArray[np.uint8]
"""What each of the 0x110000 code points is, one of the classes below."""
LETTER, DIGIT, SPACE, ALONE, MARK, DASH = range(6)
"""Part of a word; part of one and a digit to the marks beside it; never part of one; a word by itself; split off unless
digits stand on both sides; split off after a digit."""

PADDED, TRIMMED, STRIPPED = range(3)
"""What a segment's ends are to a mark. Padded: no digits. Trimmed: white space is cut off at the end, then nothing is
there that a pattern could match, as if a digit were. Stripped: the same at both ends."""


@functools.cache
def none_classes() -> Classes:
    """Words between white space, as `str.split` has them."""
    return _table()


@functools.cache
def char_classes() -> Classes:
    """Every code point but white space is a word."""
    return _table(ALONE)


@functools.cache
def latin_classes() -> Classes:
    """mteval-v13a's: ASCII punctuation, `.` and `,` between digits kept, `-` split off after a digit."""
    classes = _table()
    for first, last in (" &", "(+", "//", ":@", "[`", "{~"):
        classes[ord(first) : ord(last) + 1] = ALONE
    classes[[ord(mark) for mark in ".,"]] = MARK
    classes[ord("0") : ord("9") + 1] = DIGIT
    classes[ord("-")] = DASH
    classes[ord(" ")] = SPACE
    return classes


@functools.cache
def chinese_classes() -> Classes:
    """The same with a word for each character that sacreBLEU takes for Chinese.

    Its table writes U+20000 as four digits and a zero, and text is compared with text, so that all from U+2001 to
    U+2A6D are in it (dashes, arrows, the euro) and the ideographs beyond U+FFFF are not. Numbers that are published
    hold this, and so does the table here, which is read off sacreBLEU's.
    """
    from sacrebleu.tokenizers.tokenizer_zh import _UCODE_RANGES

    classes = latin_classes().copy()
    for first, last in _UCODE_RANGES:
        classes[ord(first[0]) + len(first) - 1 : ord(last[0]) + 1] = ALONE
    return _white(classes)


@functools.cache
def international_classes() -> Classes:
    """mteval-v14's: all Unicode punctuation is a mark, all numbers are digits, symbols are words by themselves.

    The classes of characters are those of the `regex` module, which brings its own version of Unicode.
    """
    import regex  # type: ignore[import-untyped]

    every = np.arange(0x110000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    classes = _table()
    for pattern, kind in ((r"\p{P}+", MARK), (r"\p{N}+", DIGIT), (r"\p{S}+", ALONE)):
        for run in regex.finditer(pattern, every):
            classes[run.start() : run.end()] = kind
    return classes


def _table(kind: int = LETTER) -> Classes:
    return _white(np.full(0x110000, kind, dtype=np.uint8))


def _white(classes: Classes) -> Classes:
    classes[np.flatnonzero(WHITE)] = SPACE
    return classes


def spans(segments: Units, classes: Classes, ends: int) -> list[list[tuple[int, int]]]:
    """The tokens of each segment as (start, end) in it. `segments` is `Units.wide()`."""
    room = np.empty(2 * (int(np.diff(segments.offsets).max(initial=0)) + 1), dtype=np.int64)
    found = []
    for start, end in zip(segments.offsets[:-1].tolist(), segments.offsets[1:].tolist(), strict=True):
        count = tokens(segments.units, start, end, classes, ends, room)
        flat = (room[: 2 * count] - start).tolist()
        found.append(list(zip(flat[::2], flat[1::2], strict=True)))
    return found


@compiled
def tokens(units: Any, start: int, end: int, classes: Any, ends: int, spans: Any) -> int:
    """Writes the token spans of `units[start:end]` flat into `spans`; returns how many there are.

    There are no more of them than code points.
    """
    start, end = _trim(units, start, end, classes, ends)
    count = 0
    begun = -1
    i = start
    while i < end:
        kind = classes[units[i]]
        if kind <= DIGIT:
            if begun < 0:
                begun = i
            i += 1
            continue
        if kind == MARK:
            count, begun, i = _marks(units, i, start, end, classes, ends, spans, count, begun)
            continue
        if kind == DASH:
            kind = ALONE if i > start and classes[units[i - 1]] == DIGIT else LETTER
        if kind != LETTER and begun >= 0:
            count = _put(spans, count, begun, i)
            begun = -1
        if kind == ALONE:
            count = _put(spans, count, i, i + 1)
        elif kind == LETTER and begun < 0:
            begun = i
        i += 1
    return _put(spans, count, begun, end) if begun >= 0 else count


@compiled
def _trim(units: Any, start: int, end: int, classes: Any, ends: int) -> Any:
    while ends != PADDED and end > start and classes[units[end - 1]] == SPACE:
        end -= 1
    while ends == STRIPPED and end > start and classes[units[start]] == SPACE:
        start += 1
    return start, end


@compiled
def _put(spans: Any, count: int, start: int, end: int) -> int:
    spans[2 * count] = start
    spans[2 * count + 1] = end
    return count + 1


@compiled
def _marks(
    units: Any, first: int, start: int, end: int, classes: Any, ends: int, spans: Any, count: int, begun: int
) -> Any:
    """A run of marks: each is a token but the first and the last, which may stay with a number beside them.

    The patterns take two characters at a time from the left, which is why the run's length decides on its last mark.
    """
    last = first + 1
    while last < end and classes[units[last]] == MARK:
        last += 1
    after_digit = classes[units[first - 1]] == DIGIT if first > start else ends != PADDED
    before_digit = classes[units[last]] == DIGIT if last < end else ends != PADDED
    odd = (last - first) & 1 == 1
    if begun >= 0 and not (after_digit and before_digit and last == first + 1):
        count = _put(spans, count, begun, first)
        begun = -1
    if begun < 0:
        begun = first
    for i in range(first + 1, last):
        count = _put(spans, count, begun, i)
        begun = i
    if not before_digit or after_digit != odd:
        count = _put(spans, count, begun, last)
        begun = -1
    return count, begun, last
