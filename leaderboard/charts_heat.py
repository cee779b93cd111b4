"""A heat map as SVG: a row a model, a column a language; the higher the value, the larger and stronger the square."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from markupsafe import Markup

from leaderboard.drawing import SMALL, Caption, cut, done, path, picture, px, text, width

CELL = 18.0
EDGES = (0.0, 0.10, 0.25, 0.40, 0.55, 0.70, 0.85)
"""Where one class ends and the next begins: below chance first, 85 and more of 100 points last."""
CLASSES = len(EDGES) + 1
MOST = 40
"""So many rows and so many columns at most."""
LONGEST = 26
SLANT = 0.77
"""The height of a column's name that rises at fifty degrees, as a share of its length."""
KEY = 64.0


@dataclass(frozen=True, slots=True)
class HeatWords:
    """What the legend calls a value below chance, and a cell without a number."""

    below: str
    missing: str


def heat_class(value: float) -> int:
    """The class of a normalised value, from 0, below chance, to `CLASSES` - 1."""
    return sum(value >= edge for edge in EDGES)


def ranges() -> tuple[str, ...]:
    """The classes in points of 100, without the first."""
    ends = [round(edge * 100) for edge in (*EDGES, 1.0)]
    return tuple(f"{low}–{high}" for low, high in itertools.pairwise(ends))


def heatmap(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    caption: Caption,
    words: HeatWords,
) -> Markup:
    """Values (rows x columns), normalised: 0 is chance and 1 the best possible; None is not there.

    One path for each class, whatever the number of cells. Raises `ValueError` for more than `MOST` rows or columns.
    """
    if len(rows) > MOST or len(columns) > MOST:
        raise ValueError(f"at most {MOST} rows and {MOST} columns, not {len(rows)} and {len(columns)}")
    names, tops = [cut(row, LONGEST) for row in rows], [cut(column, LONGEST) for column in columns]
    left = 8 + max((width(name, SMALL) for name in names), default=0.0) + 8
    longest = max((width(top, SMALL) for top in tops), default=0.0)
    keys = [words.below, *ranges(), words.missing]
    lines = _keys(keys, max(left + CELL * len(columns) + longest * 0.64 + 12, 420.0))
    head = 8 + 20.0 * len(lines) + 8
    top = head + longest * SLANT + 14
    wide = max(left + CELL * len(columns) + longest * 0.64 + 12, 420.0)
    high = top + CELL * len(rows) + 10
    root = picture("chart-heat", wide, high, caption, fixed=True)
    for line, found in enumerate(lines):
        for x, number, said in found:
            _square(root, x, 8 + 20.0 * line, number)
            text(root, x + CELL + 4, 8 + 20.0 * line + 12, said, "chart-soft chart-small")
    _grid(root, left, top, len(rows), len(columns))
    for number, name in enumerate(names):
        text(root, left - 8, top + CELL * number + 12, name, "chart-small", "end")
    for number, name in enumerate(tops):
        made = text(root, 0, 0, name, "chart-small")
        made.set("transform", f"translate({px(left + CELL * number + 11)} {px(top - 6)}) rotate(-50)")
    steps: list[list[str]] = [[] for _ in range(CLASSES + 1)]
    for row, line_values in enumerate(values):
        for column, value in enumerate(line_values):
            number = CLASSES if value is None else heat_class(value)
            steps[number].append(_cell(left + CELL * column, top + CELL * row, number))
    for number, drawn in enumerate(steps):
        path(root, drawn, _class(number))
    return done(root)


def _keys(keys: Sequence[str], wide: float) -> list[list[tuple[float, int, str]]]:
    """The legend in lines of (x, class, words)."""
    lines: list[list[tuple[float, int, str]]] = []
    at = wide
    for number, key in enumerate(keys):
        said = cut(key, 60)
        room = CELL + 4 + max(width(said, SMALL), KEY - CELL - 24) + 14
        if not lines or at + room > wide:
            lines.append([])
            at = 8.0
        lines[-1].append((at, number, said))
        at += room
    return lines


def _class(number: int) -> str:
    return "chart-missing" if number == CLASSES else f"chart-heat-{number}"


def _square(root: ET.Element, x: float, y: float, number: int) -> None:
    path(root, [_cell(x, y, number)], _class(number))


def _cell(x: float, y: float, number: int) -> str:
    """A square that grows with its class, hollow below chance; a stroke where there is no number."""
    if number == CLASSES:
        return f"M{px(x + CELL / 2 - 3)} {px(y + CELL / 2 + 3)}l6 -6"
    if number == 0:
        return f"M{px(x + CELL / 2 - 3.5)} {px(y + CELL / 2 - 3.5)}h7v7h-7z"
    side = 6 + (CELL - 8) * (number - 1) / (CLASSES - 2)
    inset = (CELL - side) / 2
    return f"M{px(x + inset)} {px(y + inset)}h{px(side)}v{px(side)}h{px(-side)}z"


def _grid(root: ET.Element, left: float, top: float, rows: int, columns: int) -> None:
    """Thin lines between the cells, which lead the eye from a name to its square."""
    right, bottom = left + CELL * columns, top + CELL * rows
    lines = [f"M{px(left)} {px(top + CELL * row)}H{px(right)}" for row in range(rows + 1)]
    lines += [f"M{px(left + CELL * column)} {px(top)}V{px(bottom)}" for column in range(columns + 1)]
    path(root, lines, "chart-grid")
