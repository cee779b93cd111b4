"""A map of points as SVG: a dot a language on the Equal Earth projection (Šavrič, Patterson and Jenny 2018).

Areas are true to each other. There are no coasts and no borders: nobody's territory is claimed by a dot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from markupsafe import Markup

from leaderboard.drawing import Caption, cut, done, path, picture, px, text, titled

State = Literal["none", "self_test", "evaluated"]
STATES: tuple[State, ...] = get_args(State)
"""Drawn in this order, so that the best lies on top."""

_A = (1.340264, -0.081106, 0.000893, 0.003796)
_M = math.sqrt(3) / 2
WIDTH, MARGIN, HEAD = 720.0, 10.0, 34.0
TITLES = 120
"""Of no more languages than this each dot says its name at the pointer."""


@dataclass(frozen=True, slots=True)
class Place:
    """A language's point: degrees north and east, its name, and how far it is evaluated."""

    label: str
    latitude: float
    longitude: float
    state: State


def equal_earth(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees north and east -> x from -2.7 to 2.7 eastwards and y from -1.3 to 1.3 northwards, in radii of the Earth.

    Longitudes beyond 180 degrees are taken round the globe.
    """
    east = math.radians((longitude + 180.0) % 360.0 - 180.0 if abs(longitude) != 180.0 else longitude)
    theta = math.asin(_M * math.sin(math.radians(max(-90.0, min(90.0, latitude)))))
    a1, a2, a3, a4 = _A
    square = theta * theta
    sixth = square**3
    slope = a1 + 3 * a2 * square + sixth * (7 * a3 + 9 * a4 * square)
    return east * math.cos(theta) / (_M * slope), theta * (a1 + a2 * square + sixth * (a3 + a4 * square))


_EAST, _NORTH = equal_earth(0, 180)[0], equal_earth(90, 0)[1]
_UNIT = (WIDTH - 2 * MARGIN) / (2 * _EAST)
HEIGHT = HEAD + 2 * _NORTH * _UNIT + MARGIN


def at(latitude: float, longitude: float) -> tuple[float, float]:
    """Degrees north and east -> the pixels of the picture."""
    x, y = equal_earth(latitude, longitude)
    return MARGIN + (x + _EAST) * _UNIT, HEAD + (_NORTH - y) * _UNIT


def points_map(points: Sequence[Place], caption: Caption, words: dict[State, str]) -> Markup:
    """Dots in three forms: small rings for `none`, triangles for `self_test`, filled discs for `evaluated`."""
    root = picture("chart-map", WIDTH, HEIGHT, caption)
    x = MARGIN
    for state in reversed(STATES):
        said = cut(words[state], 60)
        path(root, [_mark(state, x + 6, 14)], f"chart-{_css(state)}")
        text(root, x + 16, 18, said, "chart-soft")
        x += 16 + len(said) * 6.6 + 18
    path(root, _outline(), "chart-globe")
    path(root, _graticule(), "chart-grid")
    path(root, [_line((0, east) for east in range(-180, 181, 6))], "chart-equator")
    for state in STATES:
        own = [one for one in points if one.state == state]
        path(root, (_mark(state, *at(one.latitude, one.longitude)) for one in own), f"chart-{_css(state)}")
    # What has the names lies over all dots, and shows nothing of itself.
    if len(points) <= TITLES:
        for one in points:
            dot = path(root, [_disc(*at(one.latitude, one.longitude), 5.0)], "chart-touch")
            titled(dot, one.label)
    return done(root)


def _css(state: State) -> str:
    return state.replace("_", "-")


def _disc(x: float, y: float, radius: float) -> str:
    half = f"a{px(radius)} {px(radius)} 0 1 0"
    return f"M{px(x - radius)} {px(y)}{half} {px(2 * radius)} 0{half} {px(-2 * radius)} 0z"


def _mark(state: State, x: float, y: float) -> str:
    if state == "self_test":
        return f"M{px(x)} {px(y - 4.5)}l4.2 7.4h-8.4z"
    return _disc(x, y, 4.5 if state == "evaluated" else 2.6)


def _line(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{px(x)} {px(y)}" for x, y in (at(*point) for point in points))


def _outline() -> list[str]:
    """The edge of the globe, as seen on the map."""
    west = [(north, -180.0) for north in range(-90, 91, 5)]
    east = [(north, 180.0) for north in range(90, -91, -5)]
    return [f"{_line([*west, *east])}z"]


def _graticule() -> list[str]:
    """A line every thirty degrees, the equator left out."""
    made = [_line((north, east) for north in range(-90, 91, 5)) for east in range(-150, 151, 30)]
    return made + [_line((north, east) for east in range(-180, 181, 6)) for north in (-60, -30, 30, 60)]
