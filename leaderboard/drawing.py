"""What every chart is made of: elements of SVG, scales with their ticks, and labels that keep out of each other's way.

No style stands in a picture: colours come from the classes of `static/charts.css`, so light and dark both work.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from markupsafe import Markup

from leaderboard import numerals
from leaderboard.wording import plain

LETTER, WIDE = 0.58, 1.0
"""Widths of a letter in em: of most scripts and of East Asia's; a font's true widths are not known here."""
LABEL, SMALL = 12.0, 11.0
"""Sizes of text in the units of the picture."""
MARKS = 2
"""Marks on one letter: more of them, as hardly any script has, would be drawn over what stands above and beneath."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What a picture is called, and what it says in the place of the picture to those who do not see it."""

    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a chart: its name, whether it is logarithmic, and which end is the good one."""

    name: str
    logarithmic: bool = False
    bigger_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the units of the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether the other lies wholly inside."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on the pixels from `start` to `end`, which may run either way."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; one beyond an end lies at it."""
        held = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(held / self.low) / math.log(self.high / self.low)
        else:
            share = (held - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 8) -> tuple[float, ...]:
        """Round values in ascending order, at least two of them and about `most` at most."""
        return _log_ticks(self.low, self.high, most) if self.logarithmic else _ticks(self.low, self.high, most)


def scale(values: Iterable[float], start: float, end: float, *, logarithmic: bool = False) -> Scale:
    """A scale that holds all of these values with room beside them; of no values, any. A logarithmic one takes only
    values above zero."""
    found = [value for value in values if math.isfinite(value) and (value > 0 or not logarithmic)]
    low, high = min(found, default=1.0), max(found, default=1.0)
    if logarithmic:
        # At least a factor of four, or a difference of a percent would fill the picture and no round number be in it.
        middle, half = math.sqrt(low) * math.sqrt(high), max(math.sqrt(high / low) * 1.15, 2.0)
        return Scale(max(middle / half, 1e-300), min(middle * half, 1e300), start, end, logarithmic=True)
    # At least a twentieth of what is shown, or the rounding of one value would fill the picture.
    room = max((high - low) * 0.06, 0.05 * max(abs(low), abs(high)) - (high - low), 1e-6)
    return Scale(low - room, high + room, start, end)


def _log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        made = tuple(
            value
            for power in range(first, last + 1)
            for step in steps
            if low <= (value := float(f"{step}e{power}")) <= high
        )
        if len(made) <= most:
            return made if len(made) >= 2 else (low, high)
    every = -(-(last - first + 1) // most)
    return tuple(value for power in range(first, last + 1, every) if low <= (value := float(f"1e{power}")) <= high)


def _ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Rounded, the outermost may lie beyond the end that it stands on by the last bit.
    made = tuple(min(max(round(place * step, 12) + 0.0, low), high) for place in range(first, last + 1))
    return made if len(made) >= 2 else (low, high)


def picture(kind: str, width: float, height: float, caption: Caption, *, fixed: bool = False) -> ET.Element:
    """An empty picture with its name and description. A `fixed` one keeps its size, others are as wide as the page.

    It is one image to a screen reader, so nothing in it is a link: those stand in the table beneath every chart.
    """
    digest = hashlib.sha256(f"{kind}\0{caption.title}\0{caption.description}".encode(errors="replace")).hexdigest()
    name = f"{kind}-{digest[:10]}"
    size = {"width": px(width), "height": px(height)} if fixed else {}
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": f"chart {kind}{' chart-fixed' * fixed}",
            "viewBox": f"0 0 {px(width)} {px(height)}",
            **size,
            "role": "img",
            "direction": "ltr",
            "aria-labelledby": f"{name}-title {name}-text",
        },
    )
    ET.SubElement(root, "title", {"id": f"{name}-title"}).text = clean(caption.title)
    ET.SubElement(root, "desc", {"id": f"{name}-text"}).text = clean(caption.description)
    return root


def done(root: ET.Element) -> Markup:
    """A picture as it stands in a page."""
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree escapes every text


def text(parent: ET.Element, x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> ET.Element:
    """Writes a text with its baseline at `y`."""
    made = ET.SubElement(parent, "text", {"x": px(x), "y": px(y)})
    if kind:
        made.set("class", kind)
    if anchor != "start":
        made.set("text-anchor", anchor)
    made.text = clean(said)
    return made


def titled(element: ET.Element | None, said: str) -> None:
    """Gives an element, where there is one, a name that shows at the pointer."""
    if element is not None:
        ET.SubElement(element, "title").text = clean(said)


def path(parent: ET.Element, steps: Iterable[str], kind: str) -> ET.Element | None:
    """Draws steps of a path in one element; nothing where there are none."""
    drawn = "".join(steps)
    return ET.SubElement(parent, "path", {"class": kind, "d": drawn}) if drawn else None


def px(value: float) -> str:
    """A length, to a tenth."""
    said = f"{value:.1f}".removesuffix(".0")
    return "0" if said == "-0" else said


def figure(value: float) -> str:
    """A number at an axis, as short as it can be said in the language of the request.

    A label stands by itself, so that it needs none of the marks that keep a number apart within a sentence.
    """
    said = f"{value:,.4f}".rstrip("0").rstrip(".") if 1e-3 <= abs(value) < 1e6 or not value else f"{value:.3g}"
    shown = numerals.local(said).strip(numerals.ISOLATE + numerals.END)
    return shown.replace("-", "\N{MINUS SIGN}")


def clean(said: str) -> str:
    """A text without what could disguise it or what XML cannot hold."""
    return plain(said).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def cut(said: str, most: float) -> str:
    """A text on one line, no wider than so many letters, with no more marks on a letter than any script has."""
    line = _few_marks(" ".join(clean(said).split()))
    if letters(line) <= most:
        return line
    kept = line
    while kept and letters(kept) > most - 1:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def letters(said: str) -> float:
    """How wide a text is, in letters of a script that is not East Asia's."""
    return sum(
        WIDE / LETTER if unicodedata.east_asian_width(one) in "WF" else 0.0 if _bare(one) else 1.0 for one in said
    )


def _few_marks(said: str) -> str:
    kept: list[str] = []
    run = 0
    for one in said:
        run = run + 1 if _bare(one) else 0
        if run <= MARKS:
            kept.append(one)
    return "".join(kept)


def _bare(one: str) -> bool:
    """Whether a character is a mark that takes no room of its own."""
    return unicodedata.category(one) in ("Mn", "Me")


def width(said: str, size: float = LABEL) -> float:
    """About how wide a text is in the units of the picture."""
    return letters(said) * LETTER * size


@dataclass(frozen=True, slots=True)
class Label:
    """A text beside a mark at (x, y), where it was placed, and the rectangle that it takes."""

    text: str
    x: float
    y: float
    anchor: str
    box: Box


def placed(
    wanted: Sequence[tuple[str, float, float]],
    within: Box,
    taken: Iterable[Box],
    most: int,
    size: float = LABEL,
    gap: float = 8.0,
) -> dict[int, Label]:
    """Places texts beside their marks, the first ones first; by their number, without those for which is no room.

    Greedy: each takes the first of eight places in which it lies inside and meets nothing that is there already.
    """
    blocked = list(taken)
    made: dict[int, Label] = {}
    for number, (said, x, y) in enumerate(wanted):
        if len(made) >= most:
            break
        wide = width(said, size)
        for across, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1)):
            left = x + (gap if across > 0 else -gap - wide if across < 0 else -wide / 2)
            base = y + size * 0.35 + down * (gap + size * (0.35 if across else 0.6))
            box = Box(left, base - size * 0.9, left + wide, base + size * 0.3)
            if within.holds(box) and not any(map(box.meets, blocked)):
                anchor = {1: "start", -1: "end", 0: "middle"}[across]
                made[number] = Label(said, {1: left, -1: left + wide, 0: x}[across], base, anchor, box)
                blocked.append(box)
                break
    return made
