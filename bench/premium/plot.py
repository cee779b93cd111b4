"""A tokenizer's premiums as a picture: SVG that needs no script, a row a language on a logarithmic axis.

The same picture stands in a file and in a page. Colours come from classes alone: with `style` they are defined inside
the picture, for light and dark; a page that forbids styles inside it takes `STYLE` into a sheet of its own.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import languages
from bench.premium.reasons import meaning
from bench.premium.records import Premium, Premiums
from bench.premium.summary import Summary, summarised
from bench.text import slug

STYLE = """
.premium-plot {
  --premium-paper: #fcfcfa; --premium-ink: #1b2326; --premium-soft: #536066; --premium-line: #dfe3e2;
  --premium-faint: #f1f4f3; --premium-parity: #b4531a; --premium-latn: #17565d; --premium-cyrl: #8a3b8f;
  --premium-arab: #2f6fb5; --premium-deva: #b0324a; --premium-ethi: #55741c; --premium-other: #6b645e;
}
@media screen and (prefers-color-scheme: dark) {
  .premium-plot {
    --premium-paper: #12181a; --premium-ink: #e7ecec; --premium-soft: #a3b0b3; --premium-line: #2d383b;
    --premium-faint: #192124; --premium-parity: #f0a06a; --premium-latn: #86cdd0; --premium-cyrl: #d79be0;
    --premium-arab: #86b6ef; --premium-deva: #f28d9f; --premium-ethi: #b3d06c; --premium-other: #b5aca5;
  }
}
.premium-plot text {
  font-family: system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif;
  font-size: 13px; fill: var(--premium-ink); font-variant-numeric: tabular-nums; unicode-bidi: isolate;
}
.premium-plot .premium-title { font-size: 19px; font-weight: 650; }
.premium-plot .premium-soft { fill: var(--premium-soft); font-size: 12px; }
.premium-paper { fill: var(--premium-paper); }
.premium-stripe { fill: var(--premium-faint); }
.premium-tick { stroke: var(--premium-line); stroke-width: 1; }
.premium-parity { stroke: var(--premium-parity); stroke-width: 1.5; }
.premium-plot .premium-parity-label { fill: var(--premium-parity); font-weight: 600; }
.premium-whisker { stroke-width: 2; stroke-linecap: round; opacity: 0.55; }
.premium-plot .premium-flawed { fill: var(--premium-paper); stroke-width: 2; }
.premium-latn { fill: var(--premium-latn); stroke: var(--premium-latn); }
.premium-cyrl { fill: var(--premium-cyrl); stroke: var(--premium-cyrl); }
.premium-arab { fill: var(--premium-arab); stroke: var(--premium-arab); }
.premium-deva { fill: var(--premium-deva); stroke: var(--premium-deva); }
.premium-ethi { fill: var(--premium-ethi); stroke: var(--premium-ethi); }
.premium-other { fill: var(--premium-other); stroke: var(--premium-other); }
"""
"""The classes of a picture. The colours are the board's, and each has a contrast of 4.5 to 1 to the ground."""

NAMESPACE = "http://www.w3.org/2000/svg"
SCRIPTS = ("Latn", "Cyrl", "Arab", "Deva", "Ethi")
"""The scripts with a colour of their own, the same in every picture; the others share one."""
TICKS = (
    *(1.0, 2.0, 5.0, 10.0, 0.5, 20.0, 50.0, 0.2, 100.0, 0.1, 1000.0),
    *(3.0, 1.5, 0.7, 7.0, 30.0, 0.3, 15.0, 70.0, 200.0, 500.0),
    *(1.2, 4.0, 0.8, 0.9, 1.1, 1.3, 1.7, 2.5, 3.5, 6.0, 8.0),
)
"""Premiums that may stand at the axis, the most welcome first."""
WIDTH = 760
ROW = 19
AXIS = 50
"""Pixels that the axis takes below the last dot; what has no premium stands below that."""
MARGIN = 16
LETTER = 7.2
"""Pixels that a letter of a label takes at most, on average; a font's true widths are not known here."""
LONGEST = 30
VALUE = 52
"""Pixels of the premium in figures, between name and axis: where only the left of a picture is seen, both are."""
RIGHT = 138
"""Pixels right of the axis, for the name of the script."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis: `low` and `high` premium, from pixel `left` to pixel `right`."""

    low: float
    high: float
    left: float
    right: float

    def at(self, premium: float) -> float:
        """The pixel of a premium."""
        share = math.log(premium / self.low) / math.log(self.high / self.low)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> list[float]:
        """Premiums to write at the axis, far enough apart for their labels, 1 always among them."""
        kept = [1.0]
        for tick in TICKS:
            if self.low <= tick <= self.high and all(abs(self.at(tick) - self.at(other)) >= 44 for other in kept):
                kept.append(tick)
        return sorted(kept)


def svg(premiums: Premiums, names: Mapping[str, str], *, style: bool = True) -> str:
    """The premiums of one tokenizer as an SVG document, the cheapest language first.

    A row is a language: a dot at its premium, a whisker over the 95 % interval, the colour its script; the dot is
    hollow where the corpus's text is flawed. A language without a premium comes last, with the reason in words and no
    dot. `names` has the name of each language by its code; one that is not there is shown by its code. Without `style`
    the picture holds no `<style>` (see `STYLE`).
    """
    rows = ordered(premiums.languages)
    summary = summarised(premiums)
    labels = labelled(rows, names)
    left = MARGIN + 12 + VALUE + LETTER * max(map(_columns, labels), default=0)
    axis = _axis(rows, left, WIDTH - RIGHT)
    legend = _legend(rows)
    head = 68 + 20 * (legend is not None) + 34
    foot = head + ROW * sum(one.premium is not None for one in rows)
    height = head + ROW * len(rows) + AXIS + 6
    root = ET.Element(
        "svg",
        {
            "xmlns": NAMESPACE,
            "class": "premium-plot",
            "viewBox": f"0 0 {WIDTH} {height}",
            "role": "img",
            "direction": "ltr",
            **_labelled(premiums),
        },
    )
    _describe(root, premiums, summary, dict(zip(map(_key, rows), labels, strict=True)))
    if style:
        ET.SubElement(root, "style").text = STYLE
        ET.SubElement(root, "rect", {"class": "premium-paper", "width": str(WIDTH), "height": str(height)})
    _text(root, MARGIN, 32, _cut(premiums.tokenizer, 62), "premium-title")
    _text(root, MARGIN, 54, _subtitle(premiums, summary), "premium-soft")
    if legend:
        _draw_legend(root, legend, 76)
    _draw_stripes(root, head, foot)
    _draw_axis(root, axis, head, foot, hollow=any("text" in one.reasons for one in rows))
    for number, (one, label) in enumerate(zip(rows, labels, strict=True)):
        _draw_row(root, one, label, axis, head + ROW * number + (0 if one.premium is not None else AXIS))
    return ET.tostring(root, encoding="unicode") + "\n"


def ordered(found: Iterable[Premium]) -> list[Premium]:
    """By premium, the lowest first; then those that have none, by code."""
    place = ((one.premium is None, one.premium or 0.0, one.language, one.variety, one) for one in found)
    return [one for *_, one in sorted(place, key=lambda known: known[:4])]


def place_of(premium: Premium, names: Mapping[str, str]) -> str:
    """A language's name with its variety: "Portuguese (BR)"."""
    name = names.get(premium.language, premium.language)
    return f"{name} ({premium.variety})" if premium.variety else name


def labelled(rows: Sequence[Premium], names: Mapping[str, str]) -> list[str]:
    """What stands beside each row: the language's name, with its script where another row would have the same."""
    bare = [place_of(one, names) for one in rows]
    held = Counter(bare)
    return [
        _cut(f"{name} ({_script(one)[1]})" if held[name] > 1 else name, LONGEST)
        for one, name in zip(rows, bare, strict=True)
    ]


def _key(premium: Premium) -> tuple[str, str]:
    return premium.language, premium.variety


def _columns(label: str) -> float:
    """Letters' widths of a label: those of East Asia take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in label)


def _axis(rows: Sequence[Premium], left: float, right: float) -> Axis:
    """The axis holds every premium, every interval, and English's 1."""
    ends = [value for one in rows for value in (one.premium, one.low, one.high) if value]
    low, high = min([1.0, *ends]), max([1.0, *ends])
    if high / low < 1.5:  # else differences of a percent would fill the picture
        low, high = min(low, 0.9), max(high, 1.5)
    return Axis(low / 1.06, high * 1.06, left, right)


def _subtitle(premiums: Premiums, summary: Summary) -> str:
    return f"Tokens of a text ÷ tokens of the same text in English · {premiums.corpus} · {_count(summary)}"


def _count(summary: Summary) -> str:
    """How many languages count, as in the list of tokenizers: those of sound text, without English."""
    return f"{summary.languages:,} language{'s' * (summary.languages != 1)}"


def _labelled(premiums: Premiums) -> dict[str, str]:
    """The names of title and description: of this picture, for a page may hold several."""
    name = slug(f"premium-{premiums.tokenizer}-{premiums.corpus}-{premiums.revision[:12]}")
    return {"aria-labelledby": f"{name}-title {name}-desc"}


def _describe(root: ET.Element, premiums: Premiums, summary: Summary, labels: Mapping[tuple[str, str], str]) -> None:
    """What a screen reader says in the place of the picture."""
    title, description = root.attrib["aria-labelledby"].split()
    ET.SubElement(root, "title", {"id": title}).text = _clean(f"Tokenizer premium of {premiums.tokenizer}")
    said = f"How many times more tokens a text takes than in English, on {premiums.corpus}, {_count(summary)}."
    if summary.median is not None and summary.lowest and summary.highest:
        lowest, highest = (
            f"{labels[_key(one)]} with {one.premium or 0.0:.2f}" for one in (summary.lowest, summary.highest)
        )
        said += f" Median {summary.median:.2f}; lowest {lowest}, highest {highest}."
    ET.SubElement(root, "desc", {"id": description}).text = _clean(said)


def _legend(rows: Iterable[Premium]) -> list[tuple[str, str]] | None:
    """(class, name) of each colour in the picture; None where there is one colour only."""
    found = {_script(one) for one in rows if one.premium is not None}
    known = [(f"premium-{code.lower()}", name) for code, name in sorted(found) if code in SCRIPTS]
    if any(code not in SCRIPTS for code, _ in found):
        known.append(("premium-other", "Other scripts"))
    return known if len(known) > 1 else None


def _script(premium: Premium) -> tuple[str, str]:
    """Code and name of the script."""
    found = languages.get(premium.language)
    return found.script, found.script_name


def _colour(premium: Premium) -> str:
    code, _ = _script(premium)
    return f"premium-{code.lower() if code in SCRIPTS else 'other'}"


def _draw_legend(root: ET.Element, legend: Iterable[tuple[str, str]], y: float) -> None:
    x = float(MARGIN)
    for colour, name in legend:
        ET.SubElement(root, "circle", {"class": colour, "cx": _px(x + 5), "cy": _px(y - 4), "r": "4"})
        _text(root, x + 15, y, name, "premium-soft")
        x += 15 + LETTER * len(name) + 14


def _draw_stripes(root: ET.Element, top: int, bottom: int) -> None:
    """The ground of every other row, which leads the eye from a name to its dot."""
    group = ET.SubElement(root, "g")
    for y in range(top + ROW, bottom, 2 * ROW):
        size = {"x": _px(MARGIN / 2), "width": _px(WIDTH - MARGIN), "y": str(y), "height": str(ROW)}
        ET.SubElement(group, "rect", {"class": "premium-stripe", "rx": "3", **size})


def _draw_axis(root: ET.Element, axis: Axis, top: float, bottom: float, *, hollow: bool) -> None:
    """Lines over the whole height, with their labels above and below: a long picture is read at either end."""
    group = ET.SubElement(root, "g")
    for tick in axis.ticks():
        x, parity = _px(axis.at(tick)), tick == 1
        label = "premium-soft premium-parity-label" if parity else "premium-soft"
        kind = "premium-parity" if parity else "premium-tick"
        ET.SubElement(group, "line", {"class": kind, "x1": x, "x2": x, "y1": _px(top - 4), "y2": _px(bottom + 4)})
        for y in (top - 10, bottom + 18):
            _text(group, axis.at(tick), y, f"{tick:g}×", label, "middle")
    middle = (axis.left + axis.right) / 2
    said = "premium (1 = English), logarithmic; bars: 95 % interval" + ("; hollow: flawed text" if hollow else "")
    _text(group, middle, bottom + 40, said, "premium-soft", "middle")


def _draw_row(root: ET.Element, one: Premium, label: str, axis: Axis, top: float) -> None:
    group = ET.SubElement(root, "g")
    middle = top + ROW / 2
    baseline = middle + 4.5
    _text(group, axis.left - 10 - VALUE, baseline, label, "premium-name", "end")
    script = _script(one)[1]
    if one.premium is None:
        why = meaning(one.reasons.get("premium", "not known"))
        _text(group, axis.left, baseline, f"– {_cut(why, 80)}", "premium-soft")
        return
    y, colour = _px(middle), _colour(one)
    said = f"{label}, {script}: {one.premium:.2f}"
    if one.low is not None and one.high is not None:
        whisker = {"x1": _px(axis.at(max(one.low, axis.low))), "x2": _px(axis.at(one.high)), "y1": y, "y2": y}
        ET.SubElement(group, "line", {"class": f"premium-whisker {colour}", **whisker})
        said += f" ({one.low:.2f} to {one.high:.2f})"
    if "text" in one.reasons:
        colour = f"premium-flawed {colour}"
        said += f", flawed: {meaning(one.reasons['text'])}"
    ET.SubElement(group, "circle", {"class": colour, "cx": _px(axis.at(one.premium)), "cy": y, "r": "4"})
    _text(group, axis.left - 14, baseline, f"{one.premium:.2f}", "premium-value", "end")
    _text(group, axis.right + 12, baseline, _cut(script, 17), "premium-soft")
    ET.SubElement(group, "title").text = _clean(said)


def _text(parent: ET.Element, x: float, y: float, text: str, kind: str, anchor: str = "start") -> None:
    made = ET.SubElement(parent, "text", {"class": kind, "x": _px(x), "y": _px(y)})
    if anchor != "start":
        made.set("text-anchor", anchor)
    made.text = _clean(text)


def _px(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _cut(text: str, most: int) -> str:
    text = " ".join(_clean(text).split())
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


_NO_TEXT = re.compile(
    "[^\\t\\n\\x20-\\x7e\\xa0-\\u200d\\u2010-\\u2027\\u202f-\\u2065\\u206a-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]"
)


def _clean(text: str) -> str:
    """Text without what XML cannot hold, and without marks that turn the direction of what comes after."""
    return _NO_TEXT.sub("�", text)
