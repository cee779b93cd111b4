"""The charts of pages in the language of the request: a page's record -> its picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flask_babel import gettext as _
from markupsafe import Markup

from leaderboard import charts, charts_heat, charts_map, local_names, numerals
from leaderboard.charts import Legend, Point
from leaderboard.charts_heat import HeatWords
from leaderboard.charts_map import Place, State
from leaderboard.drawing import Axis, Caption
from leaderboard.energy_wording import times
from leaderboard.maps import MapPage
from leaderboard.pages import LanguageName
from leaderboard.plots import EnergyPlot, QualityPoint, SizePlot
from leaderboard.plots_heat import HeatMap
from leaderboard.site import Site
from leaderboard.wording import plain

GENERAL, SPECIALISED, UNSTATED = range(3)
KINDS = {"general": GENERAL, "language": SPECIALISED, "vertical": SPECIALISED, "institution": SPECIALISED}
BILLION = 1e9


def state_name(state: State) -> str:
    """How far a language is evaluated, in words."""
    words = {
        "evaluated": _("evaluated in benchmarks"),
        "self_test": _("the self-test alone"),
        "none": _("no evaluation at all"),
    }
    return str(words[state])


def billions(parameters: float) -> str:
    """A number of parameters in billions, to three digits."""
    return times(parameters / BILLION)


def energy_chart(page: EnergyPlot) -> Markup:
    """Quality against English-equivalent tokens per joule."""
    title = _("Quality against energy: %(task)s", task=plain(page.task.title) if page.task else "")
    axis = Axis(str(_("English-equivalent output tokens per joule, logarithmic")), logarithmic=True)
    legend = _legend(_("not compared: the table says why"), _("frontier: none is better in both"))
    return charts.scatter(_points(page.points, 1.0), axis, _quality(), _caption(title, page.points), legend)


def size_chart(page: SizePlot) -> Markup:
    """Quality against parameters."""
    title = _("Quality against size: %(task)s", task=plain(page.task.title) if page.task else "")
    axis = Axis(str(_("Parameters in billions, logarithmic")), logarithmic=True, bigger_is_better=False)
    legend = _legend(_("not ranked: the table says why"), _("frontier: none is smaller and better"))
    floor = None if page.floor is None else page.floor * 100
    points = _points(page.points, BILLION)
    return charts.scatter(points, axis, _quality(), _caption(title, page.points), legend, floor=floor)


def _quality() -> Axis:
    return Axis(str(_("Points: 0 is chance, 100 the best possible")))


def _legend(hollow: str, frontier: str) -> Legend:
    kinds = (str(_("general model")), str(_("specialised model")), str(_("specialisation not stated")))
    return Legend(kinds, str(hollow), str(frontier), str(_("the highest floor")))


def _points(points: Sequence[QualityPoint], unit: float) -> list[Point]:
    """The marks of a chart: the figure over `unit` against points of 100."""

    def over(value: float | None, by: float) -> float | None:
        return None if value is None else value / by

    return [
        Point(
            one.model.name,
            one.figure / unit,
            one.normalised * 100,
            over(one.figure_low, unit),
            over(one.figure_high, unit),
            over(one.low, 0.01),
            over(one.high, 0.01),
            KINDS.get(one.level, UNSTATED),
            not one.compared,
        )
        for one in points
    ]


def _caption(title: str, points: Sequence[QualityPoint]) -> Caption:
    names = [plain(one.model.name) for one in points if one.frontier]
    if not names:
        return Caption(title, str(_("No model can be compared here. The table beneath has every number.")))
    said = _(
        "%(count)s models; on the frontier are %(names)s. The table beneath has every number.",
        count=numerals.count(len(points)),
        names=", ".join(names[:12]),
    )
    return Caption(title, str(said))


def heat_chart(page: HeatMap) -> Markup:
    """Models x languages."""
    title = _("Heat map: %(task)s", task=plain(page.task.title) if page.task else "")
    said = _("The larger and stronger a square, the more points. The table beneath has every number.")
    words = HeatWords(str(_("below chance")), str(_("no number")))
    values = [[cell.normalised for cell in row.cells] for row in page.rows]
    names = [row.model.name for row in page.rows]
    return charts_heat.heatmap(names, _apart(page.languages), values, Caption(title, str(said)), words)


def _apart(found: Sequence[LanguageName]) -> list[str]:
    """Names, with the script where another language here has the same."""
    names = [local_names.language_plain(one) for one in found]
    held = Counter(names)
    return [
        f"{name} ({local_names.script_plain(one)})" if held[name] > 1 else name
        for name, one in zip(names, found, strict=True)
    ]


def map_chart(page: MapPage) -> Markup:
    """The languages as dots."""
    places = [
        Place(f"{local_names.language_plain(one)}: {state_name(row.state)}", one.latitude, one.longitude, row.state)
        for row in page.rows
        if (one := row.language).latitude is not None and one.longitude is not None
    ]
    states: tuple[State, ...] = ("none", "self_test", "evaluated")
    words = {state: state_name(state) for state in states}
    said = _("A dot a language. The table beneath names them, with how far each is evaluated.")
    return charts_map.points_map(places, Caption(str(_("Map of languages")), str(said)), words)


def register(site: Site) -> None:
    """Makes the charts known to the templates."""
    site.app.jinja_env.filters.update(
        energy_chart=energy_chart,
        size_chart=size_chart,
        heat_chart=heat_chart,
        map_chart=map_chart,
        state_name=state_name,
        billions=billions,
    )
