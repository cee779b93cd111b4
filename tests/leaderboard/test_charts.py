"""Charts as SVG: well-formed whatever the names, inside their frame, few elements, and labels apart from each other."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leaderboard import charts, charts_heat, charts_map, drawing, prefixes
from leaderboard.charts import Legend, Point, frontier_of, pareto, scatter
from leaderboard.charts_heat import CLASSES, HeatWords, heat_class, heatmap
from leaderboard.charts_map import Place, State, equal_earth, points_map
from leaderboard.drawing import Axis, Box, Caption, cut, letters, placed, scale
from leaderboard.prefixes import Prefix

SVG = "{http://www.w3.org/2000/svg}"
X, Y = Axis("Parameters", logarithmic=True, bigger_is_better=False), Axis("Points")
LEGEND = Legend(("general", "specialised", "not stated"), "not compared", "frontier", "floor")
CAPTION = Caption("A chart", "What it shows")
HOSTILE = (
    '<script>alert("x")</script>',
    "\u202egpj.exe",
    "a\x00b\x0bc\ufffe\uffff\ud800",
    "نموذج اللغة العربية الكبير جدا للحكومة",
    "แบบจำลองภาษาไทยขนาดใหญ่มากสำหรับรัฐบาล",
    "中文大型语言模型测试名称很长很长很长很长",
    "x" * 500,
    "z" + "\u0301" * 200,
    "",
)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def parsed(markup: str) -> ET.Element:
    """The picture, after what holds for every one: no code, no style, a name, and nothing that takes the focus."""
    root = ET.fromstring(markup)
    assert root.tag == f"{SVG}svg"
    assert root.attrib["role"] == "img" and root.attrib["direction"] == "ltr"
    title, description = root.attrib["aria-labelledby"].split()
    assert [(one.tag, one.get("id")) for one in root[:2]] == [(f"{SVG}title", title), (f"{SVG}desc", description)]
    assert all(one.text for one in root[:2])
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {"svg", "title", "desc", "path", "text"}
        assert not [name for name in element.attrib if name in ("style", "fill") or name.startswith("on")]
        assert "nan" not in " ".join(element.attrib.values()) and "inf" not in " ".join(element.attrib.values())
        assert element.tag != f"{SVG}path" or element.get("d", "").startswith("M")
    return root


def size_of(root: ET.Element) -> tuple[float, float]:
    _, _, wide, high = map(float, root.attrib["viewBox"].split())
    return wide, high


def starts(root: ET.Element) -> list[tuple[float, float]]:
    """Where each stroke of each path begins."""
    found = (re.findall(r"M(-?[\d.]+) (-?[\d.]+)", path.get("d", "")) for path in root.iter(f"{SVG}path"))
    return [(float(x), float(y)) for places in found for x, y in places]


def inside(root: ET.Element, slack: float = 10.0) -> bool:
    """Whether marks and texts lie in the frame; a text that is turned has a place of its own."""
    wide, high = size_of(root)
    texts = [(float(one.get("x", "0")), float(one.get("y", "0"))) for one in root.iter(f"{SVG}text")]
    return all(-slack <= x <= wide + slack and -slack <= y <= high + slack for x, y in [*starts(root), *texts])


def some(number: int) -> list[Point]:
    """Points that lie all over the place, the same ones each time."""
    made = []
    for place in range(number):
        x, y = 0.5 + (place * 7919 % 997) / 10, (place * 104729 % 1009) / 10.09
        name = HOSTILE[place % len(HOSTILE)] if place % 3 else f"hf:maker/model-{place}"
        made.append(Point(name, x, y, x * 0.9, x * 1.1, y - 3, y + 3, place % 3, place % 7 == 6))
    return made


@pytest.mark.parametrize("number", [0, 1, 3, 30, 150, 151, 500])
def test_a_scatter_plot_of_any_size(number: int) -> None:
    root = parsed(scatter(some(number), X, Y, CAPTION, LEGEND, floor=12.0))
    assert inside(root)
    assert len(list(root.iter())) < 1200
    names = [one for one in root.iter(f"{SVG}text") if "chart-name" in one.get("class", "")]
    assert len(names) <= charts.LABELS and (not number or names)


def test_whiskers_and_names_at_the_pointer_are_for_few_points() -> None:
    def whiskers(number: int) -> int:
        root = parsed(scatter(some(number), X, Y, CAPTION, LEGEND))
        return sum(
            one.get("d", "").count("M") for one in root.iter(f"{SVG}path") if one.get("class") == "chart-whisker"
        )

    assert whiskers(60) == 120 and whiskers(61) == 0
    few, many = (ET.fromstring(scatter(some(number), X, Y, CAPTION, LEGEND)) for number in (150, 151))
    assert len(list(few.iter(f"{SVG}title"))) == 151
    assert len(list(many.iter(f"{SVG}title"))) == 1


def test_kinds_differ_by_shape_and_hollow_marks_are_not_compared() -> None:
    points = [Point("a", 1, 50, kind=0), Point("b", 2, 60, kind=1), Point("c", 4, 99, kind=2, hollow=True)]
    root = parsed(scatter(points, X, Y, CAPTION, LEGEND))
    marks = {one.get("class", ""): one.get("d", "") for one in root.iter(f"{SVG}path")}
    shapes = {re.sub(r"[\d.\s-]", "", marks[f"chart-mark chart-kind-{kind}"]) for kind in (0, 1)}
    assert len(shapes) == 2
    assert "chart-mark chart-kind-2 chart-hollow" in marks
    assert frontier_of(points, X, Y) == (0, 1)
    rings = next(one for one in reversed(list(root.iter(f"{SVG}path"))) if one.get("class") == "chart-ring")
    assert rings.get("d", "").count("M") == 2


def test_a_value_that_a_logarithm_does_not_take_is_left_out() -> None:
    root = parsed(scatter([Point("a", 0, 50), Point("b", -1, 50), Point("c", 1, 50)], X, Y, CAPTION, LEGEND))
    assert [one.text for one in root.iter(f"{SVG}title")] == ["A chart", "c"]


POINT = st.tuples(st.integers(-5, 5).map(float), st.integers(-5, 5).map(float))


@given(st.lists(POINT, max_size=30), st.booleans(), st.booleans())
def test_the_frontier_is_what_nothing_surpasses(
    points: Sequence[tuple[float, float]], bigger_x: bool, bigger_y: bool
) -> None:
    def surpasses(one: tuple[float, float], other: tuple[float, float]) -> bool:
        across = (one[0] - other[0]) * (1 if bigger_x else -1)
        up = (one[1] - other[1]) * (1 if bigger_y else -1)
        return across >= 0 and up >= 0 and (across > 0 or up > 0)

    found = pareto(points, bigger_x=bigger_x, bigger_y=bigger_y)
    assert set(found) == {
        number for number, own in enumerate(points) if not any(surpasses(other, own) for other in points)
    }
    xs = [points[number][0] for number in found]
    assert xs == sorted(xs)


VALUE = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
POSITIVE = st.floats(min_value=1e-9, max_value=1e15, allow_nan=False)


@given(
    st.one_of(
        st.lists(VALUE, min_size=1).map(lambda own: (own, False)), st.lists(POSITIVE).map(lambda own: (own, True))
    )
)
@example(given_values=([1.3532016643772877e-16], False))
def test_a_scale_holds_its_values_and_its_ticks_rise(given_values: tuple[list[float], bool]) -> None:
    values, logarithmic = given_values
    made = scale(values, 40, 600, logarithmic=logarithmic)
    assert all(40 - 1e-6 <= made.at(value) <= 600 + 1e-6 for value in values)
    assert all(made.low <= value <= made.high for value in values)
    ticks = made.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(one < other for one, other in pairwise(ticks))
    assert made.low <= ticks[0] and ticks[-1] <= made.high
    places = [made.at(tick) for tick in ticks]
    assert all(one < other for one, other in pairwise(places))


def test_ticks_are_round() -> None:
    assert scale([0.5, 70], 0, 600, logarithmic=True).ticks(9) == (0.5, 1, 2, 5, 10, 20, 50)
    assert scale([0, 100], 0, 600).ticks(7) == (0, 20, 40, 60, 80, 100)


TEXTS = st.lists(st.tuples(st.text(max_size=20), st.floats(50, 600), st.floats(20, 400)), max_size=40)


@settings(deadline=None)
@given(TEXTS)
def test_labels_never_meet_each_other_or_a_mark(wanted: list[tuple[str, float, float]]) -> None:
    frame = Box(40, 10, 620, 420)
    marks = [Box(x - 5, y - 5, x + 5, y + 5) for _, x, y in wanted]
    found = placed([(cut(text, 20), x, y) for text, x, y in wanted], frame, marks, 20)
    assert len(found) <= 20
    boxes = [label.box for label in found.values()]
    assert all(map(frame.holds, boxes))
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    assert not any(label.box.meets(mark) for label in found.values() for mark in marks)


@given(st.text(), st.integers(2, 30))
def test_a_text_is_cut_to_its_room_and_stays_text_of_xml(text: str, most: int) -> None:
    made = cut(text, most)
    assert letters(made) <= most
    assert ET.fromstring(f"<a>{made.replace('&', '&amp;').replace('<', '&lt;')}</a>") is not None


def test_a_letter_carries_no_tower_of_marks() -> None:
    assert cut("z" + "\u0301" * 200, 10) == "z\u0301\u0301"


HEAT = HeatWords("below chance", "no number")


def heat(rows: int, columns: int) -> list[list[float | None]]:
    values = [[(row * 31 + column * 17) % 120 / 100 - 0.1 for column in range(columns)] for row in range(rows)]
    return [[None if value > 1 else value for value in row] for row in values]


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (1, 1), (3, 4), (40, 40)])
def test_a_heat_map_takes_one_path_a_class(rows: int, columns: int) -> None:
    names = [HOSTILE[row % len(HOSTILE)] for row in range(rows)]
    root = parsed(
        heatmap(names, [f"Language {column}" for column in range(columns)], heat(rows, columns), CAPTION, HEAT)
    )
    assert inside(root)
    assert len(list(root.iter())) < 150
    cells = [one for one in root.iter(f"{SVG}path") if one.get("class") != "chart-grid"]
    # The legend has each class once.
    assert sum(one.get("d", "").count("M") for one in cells) == rows * columns + CLASSES + 1


def test_every_cell_of_a_heat_map_is_in_the_class_of_its_value() -> None:
    values: list[list[float | None]] = [[-0.2, 0.0, 0.05, 0.3, 0.5, 0.6, 0.8, 0.9, 1.0, None]]
    root = parsed(heatmap(["m"], [str(place) for place in range(10)], values, CAPTION, HEAT))
    drawn: dict[str, int] = {}
    for one in root.iter(f"{SVG}path"):
        kind = one.get("class", "")
        drawn[kind] = drawn.get(kind, -1) + one.get("d", "").count("M")
    del drawn["chart-grid"]
    wanted = {f"chart-heat-{number}": 0 for number in range(CLASSES)} | {"chart-missing": 1}
    for value in values[0]:
        if value is not None:
            wanted[f"chart-heat-{heat_class(value)}"] += 1
    assert drawn == wanted
    assert [heat_class(value) for value in (-0.001, 0.0, 0.85, 1.0)] == [0, 1, CLASSES - 1, CLASSES - 1]


def test_a_heat_map_has_an_end() -> None:
    with pytest.raises(ValueError, match="at most 40"):
        heatmap(["m"] * 41, ["l"], [[0.5]] * 41, CAPTION, HEAT)


WORDS: dict[State, str] = {"none": "none", "self_test": "self-test", "evaluated": "evaluated"}
STATE = st.sampled_from(charts_map.STATES)
PLACE = st.builds(Place, st.text(max_size=10), st.floats(-90, 90), st.floats(-180, 180), STATE)


@settings(deadline=None)
@given(st.lists(PLACE, max_size=30))
def test_every_place_is_on_the_map(points: list[Place]) -> None:
    root = parsed(points_map(points, CAPTION, WORDS))
    assert inside(root, slack=0.1)
    marks = sum(
        one.get("d", "").count("M")
        for one in root.iter(f"{SVG}path")
        if one.get("class") in ("chart-none", "chart-self-test", "chart-evaluated")
    )
    assert marks == len(points) + len(WORDS)


def test_a_map_of_all_languages_has_few_elements() -> None:
    states = charts_map.STATES
    places = [Place(str(one), one % 170 - 85, one * 7 % 360 - 180, states[one % 3]) for one in range(462)]
    assert len(list(parsed(points_map(places, CAPTION, WORDS)).iter())) < 40


def test_numbers_at_an_axis_are_those_of_the_readers_language_without_marks() -> None:
    said = {}
    for locale in ("en", "fr", "ar"):
        with Flask(__name__).test_request_context(environ_overrides={prefixes.KEY: Prefix("", locale, "")}):
            chart = parsed(scatter([Point("a", 0.5, -1000.0), Point("b", 2.0, 1000.0)], X, Y, CAPTION, LEGEND))
        said[locale] = {one.text or "" for one in chart.iter(f"{SVG}text")}
    assert {"0.5", "1,000", "−500"} <= said["en"]
    assert {"0,5", "1\u202f000", "−500"} <= said["fr"]
    assert {"0.5", "−500"} <= said["ar"]
    assert not any("\ufffd" in text for texts in said.values() for text in texts)


def test_the_projection_is_equal_earth() -> None:
    assert equal_earth(0, 0) == (0, 0)
    x, y = equal_earth(0, 180)
    assert x == pytest.approx(2.7066, abs=1e-4)
    assert y == 0
    assert equal_earth(90, 0)[1] == pytest.approx(1.3173, abs=1e-4)
    assert equal_earth(10, 190) == pytest.approx(equal_earth(10, -170))
    # Areas are true: strips of the same area on the globe have the same on the map.
    for low, high in ((0.0, 30.0), (30.0, 90.0)):
        steps = 2000
        area = 0.0
        for step in range(steps):
            south, north = (low + (high - low) * part / steps for part in (step, step + 1))
            middle = equal_earth((south + north) / 2, 180)[0]
            area += 2 * middle * (equal_earth(north, 0)[1] - equal_earth(south, 0)[1])
        assert area == pytest.approx(math.pi, rel=1e-3)


def test_every_class_of_the_charts_has_its_colour_in_the_sheet() -> None:
    sheet = Path(drawing.__file__).parent / "static/charts.css"
    known = set(re.findall(r"\.(chart[\w-]*)", sheet.read_text("utf-8")))
    pictures = (
        scatter(some(20), X, Y, CAPTION, LEGEND, floor=3.0),
        heatmap(["m"] * 12, ["l"] * 12, heat(12, 12), CAPTION, HEAT),
        points_map([Place("a", 0, 0, state) for state in charts_map.STATES], CAPTION, WORDS),
    )
    used = {name for one in pictures for element in parsed(one).iter() for name in element.get("class", "").split()}
    assert used - known <= {"chart-scatter", "chart-heat", "chart-map"}
    assert charts_heat.CLASSES == 8
