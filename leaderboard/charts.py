"""Scatter plots as SVG made on the server: models as marks, their intervals, and the frontier of those not surpassed.

Pure functions: records in, markup out. The pictures of other forms are in `charts_heat` and `charts_map`;
each needs the sheet `static/charts.css`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from markupsafe import Markup

from leaderboard.drawing import (
    Axis,
    Box,
    Caption,
    Label,
    Scale,
    cut,
    done,
    figure,
    path,
    picture,
    placed,
    px,
    scale,
    text,
    titled,
)

WIDTH, HEIGHT = 640.0, 420.0
LEFT, RIGHT, BOTTOM = 52.0, 14.0, 46.0
HEAD, LINE = 10.0, 20.0
"""Units above the plot, and for each line of the legend."""
MARK = 5.0
LABELS, LONGEST = 20, 26
"""So many marks have their names beside them, each of so many letters."""
WITH_INTERVALS, WITH_TITLES = 60, 150
"""With more points their intervals, or their names at the pointer, are left out."""
SHAPES = ("circle", "diamond", "square", "triangle")


@dataclass(frozen=True, slots=True)
class Point:
    """A mark at (x, y) with its 95 % intervals, where it has any.

    `kind` is its place among the kinds of the chart; a `hollow` one is shown and not compared: it is never on the
    frontier.
    """

    label: str
    x: float
    y: float
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    kind: int = 0
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Legend:
    """The words of a scatter plot: its kinds (at most four), what a hollow mark is, the frontier, and a line across."""

    kinds: tuple[str, ...]
    hollow: str = ""
    frontier: str = ""
    floor: str = ""


def pareto(points: Sequence[tuple[float, float]], *, bigger_x: bool, bigger_y: bool = True) -> tuple[int, ...]:
    """The numbers of the points that no other surpasses, by x: none is as good in both and better in one.

    Points that are the same stand or fall together. Takes n log n steps.
    """
    towards_x, towards_y = (1 if bigger_x else -1), (1 if bigger_y else -1)
    best_first = sorted(range(len(points)), key=lambda one: (-towards_x * points[one][0], -towards_y * points[one][1]))
    kept: list[int] = []
    for number in best_first:
        x, y = points[number]
        if not kept or towards_y * y > towards_y * points[kept[-1]][1] or (x, y) == points[kept[-1]]:
            kept.append(number)
    return tuple(sorted(kept, key=lambda one: (points[one], one)))


def frontier_of(points: Sequence[Point], x: Axis, y: Axis) -> tuple[int, ...]:
    """The numbers of the points on the frontier, hollow ones left out."""
    compared = [number for number, point in enumerate(points) if not point.hollow]
    found = pareto(
        [(points[number].x, points[number].y) for number in compared],
        bigger_x=x.bigger_is_better,
        bigger_y=y.bigger_is_better,
    )
    return tuple(compared[number] for number in found)


def scatter(
    points: Sequence[Point], x: Axis, y: Axis, caption: Caption, legend: Legend, *, floor: float | None = None
) -> Markup:
    """Points with whiskers, the frontier as steps, and the names of as many as there is room for.

    A logarithmic axis leaves out points that are not above zero. `floor` is a line across at that height.
    """
    shown = [one for one in points if (one.x > 0 or not x.logarithmic) and (one.y > 0 or not y.logarithmic)]
    frontier = frontier_of(shown, x, y) if legend.frontier else ()
    keys = _keys(shown, legend, frontier=bool(frontier), floor=floor is not None)
    lines = _lines(keys)
    top = HEAD + LINE * len(lines) + 8
    height = HEIGHT + top
    plot = Box(LEFT, top, WIDTH - RIGHT, height - BOTTOM)
    with_intervals = len(shown) <= WITH_INTERVALS
    across = scale(_extent(shown, "x", with_intervals), plot.left, plot.right, logarithmic=x.logarithmic)
    heights = [*_extent(shown, "y", with_intervals), *([floor] if floor is not None else [])]
    up = scale(heights, plot.bottom, plot.top, logarithmic=y.logarithmic)
    root = picture("chart-scatter", WIDTH, height, caption)
    _legend(root, lines)
    _axes(root, plot, across, up, x, y)
    if floor is not None:
        path(root, [f"M{px(plot.left)} {px(up.at(floor))}H{px(plot.right)}"], "chart-floor")
    whiskers = list(_whiskers(shown, across, up)) if with_intervals else []
    path(root, map(_line, whiskers), "chart-whisker")
    places = [(across.at(one.x), up.at(one.y)) for one in shown]
    edge = _edge([places[one] for one in frontier], plot, x)
    path(root, map(_line, edge), "chart-frontier")
    _marks(root, shown, places)
    path(root, (_shape("circle", *places[one], MARK + 3.5) for one in frontier), "chart-ring")
    for number, label in _labels(shown, places, frontier, plot, [*whiskers, *edge]).items():
        kind = "chart-name chart-best" if number in frontier else "chart-name"
        text(root, label.x, label.y, label.text, kind, label.anchor)
    return done(root)


def _extent(points: Iterable[Point], name: str, with_intervals: bool) -> list[float]:
    fields = (name, f"{name}_low", f"{name}_high") if with_intervals else (name,)
    found = (getattr(point, field) for point in points for field in fields)
    return [value for value in found if value is not None]


def _keys(points: Sequence[Point], legend: Legend, *, frontier: bool, floor: bool) -> list[tuple[str, str]]:
    """(class and shape, words) of what the legend explains: what is there, and no more."""
    kinds = sorted({one.kind for one in points})
    made = [(f"kind-{kind}", legend.kinds[kind]) for kind in kinds]
    if legend.hollow and any(one.hollow for one in points):
        made.append(("hollow", legend.hollow))
    if frontier:
        made.append(("frontier", legend.frontier))
    if floor and legend.floor:
        made.append(("floor", legend.floor))
    return made


def _lines(keys: Iterable[tuple[str, str]]) -> list[list[tuple[float, str, str]]]:
    """The keys of the legend in lines: (x, kind, words)."""
    lines: list[list[tuple[float, str, str]]] = []
    at = WIDTH
    for kind, words in keys:
        said = cut(words, 70)
        wide = 24 + len(said) * 6.6 + 14
        if not lines or at + wide > WIDTH:
            lines.append([])
            at = LEFT
        lines[-1].append((at, kind, said))
        at += wide
    return lines


def _legend(root: ET.Element, lines: Iterable[Iterable[tuple[float, str, str]]]) -> None:
    for number, line in enumerate(lines):
        base = HEAD + LINE * number + 11
        for at, kind, words in line:
            _key(root, kind, at + 8, base - 4)
            text(root, at + 20, base, words, "chart-soft")


def _key(root: ET.Element, kind: str, x: float, y: float) -> None:
    if kind.startswith("kind-"):
        number = int(kind.removeprefix("kind-"))
        path(root, [_shape(SHAPES[number], x, y, MARK)], f"chart-mark chart-{kind}")
    elif kind == "hollow":
        path(root, [_shape("circle", x, y, MARK)], "chart-mark chart-kind-0 chart-hollow")
    elif kind == "frontier":
        path(root, [f"M{px(x - 8)} {px(y)}H{px(x + 8)}"], "chart-frontier")
        path(root, [_shape("circle", x, y, MARK)], "chart-ring")
    else:
        path(root, [f"M{px(x - 8)} {px(y)}H{px(x + 8)}"], "chart-floor")


def _axes(root: ET.Element, plot: Box, across: Scale, up: Scale, x: Axis, y: Axis) -> None:
    columns, rows = across.ticks(9), up.ticks(7)
    grid = [f"M{px(across.at(one))} {px(plot.top)}V{px(plot.bottom)}" for one in columns]
    grid += [f"M{px(plot.left)} {px(up.at(one))}H{px(plot.right)}" for one in rows]
    path(root, grid, "chart-grid")
    for one in columns:
        text(root, across.at(one), plot.bottom + 17, figure(one), "chart-soft", "middle")
    for one in rows:
        text(root, plot.left - 8, up.at(one) + 4, figure(one), "chart-soft", "end")
    text(root, plot.right, plot.bottom + 37, x.name, "chart-axis", "end")
    label = text(root, 0, 0, y.name, "chart-axis", "end")
    label.set("transform", f"translate(13 {px(plot.top)}) rotate(-90)")


def _whiskers(points: Iterable[Point], across: Scale, up: Scale) -> Iterator[Box]:
    """The intervals as boxes without width or height."""
    for one in points:
        x, y = across.at(one.x), up.at(one.y)
        if one.x_low is not None and one.x_high is not None and (one.x_low > 0 or not across.logarithmic):
            yield Box(across.at(one.x_low), y, across.at(one.x_high), y)
        if one.y_low is not None and one.y_high is not None and (one.y_low > 0 or not up.logarithmic):
            yield Box(x, up.at(one.y_high), x, up.at(one.y_low))


def _edge(places: Sequence[tuple[float, float]], plot: Box, x: Axis) -> list[Box]:
    """The edge of what the points surpass, as boxes without width or height; places run from left to right."""
    made = []
    if x.bigger_is_better:
        for number, (at, height) in enumerate(places):
            before = places[number - 1][0] if number else plot.left
            after = places[number + 1][1] if number + 1 < len(places) else plot.bottom
            made += [Box(before, height, at, height), Box(at, height, at, after)]
        return made
    for number, (at, height) in enumerate(places):
        before = places[number - 1][1] if number else plot.bottom
        after = places[number + 1][0] if number + 1 < len(places) else plot.right
        made += [Box(at, height, at, before), Box(at, height, after, height)]
    return made


def _line(box: Box) -> str:
    """A box without width or height as a step of a path."""
    return f"M{px(box.left)} {px(box.top)}L{px(box.right)} {px(box.bottom)}"


def _shape(name: str, x: float, y: float, size: float) -> str:
    """The outline of a mark as steps of a path."""
    if name == "circle":
        arc = f"a{px(size)} {px(size)} 0 1 0"
        return f"M{px(x - size)} {px(y)}{arc} {px(2 * size)} 0{arc} {px(-2 * size)} 0z"
    if name == "diamond":
        wide = size * 1.25
        return f"M{px(x)} {px(y - wide)}l{px(wide)} {px(wide)}l{px(-wide)} {px(wide)}l{px(-wide)} {px(-wide)}z"
    if name == "square":
        half = size * 0.88
        return f"M{px(x - half)} {px(y - half)}h{px(2 * half)}v{px(2 * half)}h{px(-2 * half)}z"
    return f"M{px(x)} {px(y - size * 1.15)}l{px(size * 1.15)} {px(size * 2)}h{px(-size * 2.3)}z"


def _classes(point: Point) -> str:
    return f"chart-mark chart-kind-{point.kind}{' chart-hollow' * point.hollow}"


def _marks(root: ET.Element, points: Sequence[Point], places: Sequence[tuple[float, float]]) -> None:
    """One element a point, with its name at the pointer; of very many points, one element a kind."""
    shapes = [_shape(SHAPES[one.kind], *place, MARK) for one, place in zip(points, places, strict=True)]
    # What is not compared lies beneath what is.
    order = sorted(range(len(points)), key=lambda number: not points[number].hollow)
    if len(points) <= WITH_TITLES:
        for number in order:
            titled(path(root, [shapes[number]], _classes(points[number])), points[number].label)
        return
    groups: dict[str, list[str]] = {}
    for number in order:
        groups.setdefault(_classes(points[number]), []).append(shapes[number])
    for kind, steps in groups.items():
        path(root, steps, kind)


def _labels(
    points: Sequence[Point],
    places: Sequence[tuple[float, float]],
    frontier: Sequence[int],
    plot: Box,
    lines: Iterable[Box],
) -> Mapping[int, Label]:
    """The names that find room, by the numbers of their points: those of the frontier first, then the highest."""
    others = sorted(set(range(len(points))) - set(frontier), key=lambda one: (points[one].hollow, -points[one].y, one))
    order = [*frontier, *others][: 2 * LABELS]
    size = MARK + 1
    taken = [Box(x - size, y - size, x + size, y + size) for x, y in places]
    taken += [Box(line.left - 1, line.top - 1, line.right + 1, line.bottom + 1) for line in lines]
    wanted = [(cut(points[number].label, LONGEST), *places[number]) for number in order]
    found = placed(wanted, plot, taken, LABELS, gap=MARK + 7)
    return {order[place]: label for place, label in found.items()}
