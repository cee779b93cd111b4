"""Values with their intervals as SVG, one beneath the other: a dot, a whisker, and a line at zero or wherever asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leaderboard.drawing import Caption, cut, done, figure, path, picture, px, scale, text, titled, width

WIDTH, ROW, RADIUS = 640.0, 24.0, 4.5
LONGEST = 30
MOST = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """A row: its name, the value with the ends of its 95 % interval, and the value in words.

    A value that is None has no dot; `said` then says why.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    said: str


def intervals(rows: Sequence[Interval], name: str, caption: Caption, *, zero: float | None = 0.0) -> Markup:
    """Rows in the order given over an axis called `name`. A dot is filled where the interval excludes `zero`, hollow
    where it does not or is not known. Raises `ValueError` for more than `MOST` rows."""
    if len(rows) > MOST:
        raise ValueError(f"at most {MOST} rows, not {len(rows)}")
    labels = [cut(row.label, LONGEST) for row in rows]
    # A reason stands where the dot would, so it has the room of the axis too.
    said = [cut(row.said, LONGEST if row.value is not None else 2 * LONGEST) for row in rows]
    left = 12 + max((width(label) for label in labels), default=0.0) + 14
    right = (
        WIDTH
        - 12
        - max((width(one) for one, row in zip(said, rows, strict=True) if row.value is not None), default=0.0)
    )
    top, bottom = 12.0, 12.0 + ROW * len(rows)
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    axis = scale([*ends, *([zero] if zero is not None else [])], left, right - 14)
    root = picture("chart-intervals", WIDTH, bottom + 44, caption)
    path(
        root,
        [
            f"M8 {px(top + ROW * place)}h{px(WIDTH - 16)}v{px(ROW)}h{px(16 - WIDTH)}z"
            for place in range(1, len(rows), 2)
        ],
        "chart-stripe",
    )
    ticks = axis.ticks(7)
    path(root, [f"M{px(axis.at(tick))} {px(top)}V{px(bottom)}" for tick in ticks], "chart-grid")
    for tick in ticks:
        text(root, axis.at(tick), bottom + 17, figure(tick), "chart-soft", "middle")
    text(root, axis.end, bottom + 37, name, "chart-axis", "end")
    if zero is not None:
        path(root, [f"M{px(axis.at(zero))} {px(top)}V{px(bottom)}"], "chart-floor")
    for place, row in enumerate(rows):
        middle = top + ROW * (place + 0.5)
        text(root, left - 14, middle + 4, labels[place], "", "end")
        if row.value is None:
            text(root, left, middle + 4, said[place], "chart-soft chart-name")
            continue
        text(root, right, middle + 4, said[place], "chart-soft")
        if row.low is not None and row.high is not None:
            path(root, [f"M{px(axis.at(row.low))} {px(middle)}H{px(axis.at(row.high))}"], "chart-whisker chart-strong")
        kind = "chart-mark chart-kind-0" if _apart(row, zero) else "chart-mark chart-kind-0 chart-hollow"
        x, half = axis.at(row.value), f"a{RADIUS} {RADIUS} 0 1 0"
        dot = f"M{px(x - RADIUS)} {px(middle)}{half} {px(2 * RADIUS)} 0{half} {px(-2 * RADIUS)} 0z"
        titled(path(root, [dot], kind), f"{row.label}: {row.said}")
    return done(root)


def _apart(row: Interval, zero: float | None) -> bool:
    """Whether the interval lies wholly on one side of zero."""
    if zero is None:
        return True
    return row.low is not None and row.high is not None and (row.low > zero or row.high < zero)
