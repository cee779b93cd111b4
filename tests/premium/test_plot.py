"""The picture: XML that holds every language where it belongs, whatever the names are."""

from __future__ import annotations

import itertools
import math
import random
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import languages
from bench.premium import plot
from bench.premium.records import Premium, Premiums
from tests.premium.made import NAMES, premium, premiums, without

SVG = f"{{{plot.NAMESPACE}}}"


def drawn(found: Premiums, names: dict[str, str] | None = None, *, style: bool = True) -> ET.Element:
    return ET.fromstring(plot.svg(found, NAMES if names is None else names, style=style))


def texts(root: ET.Element, kind: str) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text") if kind in one.attrib["class"].split()]


def dots(root: ET.Element) -> list[float]:
    """Pixels of the premiums; the legend's dots are not in a group."""
    return [float(dot.attrib["cx"]) for group in root.iter(f"{SVG}g") for dot in group.findall(f"{SVG}circle")]


def test_a_row_a_language_the_cheapest_first_and_the_missing_last() -> None:
    found = premiums(premium("mya_Mymr", 400), without("arb_Arab", "no_sentences"), premium("yor_Latn", 150))
    root = drawn(found)
    assert texts(root, "premium-name") == ["Yoruba", "Burmese", "Standard Arabic"]
    assert texts(root, "premium-value") == ["1.50", "4.00"]
    assert "– the corpus has no sentence that both languages have" in texts(root, "premium-soft")
    assert len(dots(root)) == 2
    titles = [one.text for one in root.iter(f"{SVG}title")]
    assert titles[1:] == ["Yoruba, Latin: 1.50 (1.35 to 1.65)", "Burmese, Myanmar: 4.00 (3.60 to 4.40)"]


def test_the_axis_is_logarithmic_and_has_english_at_one() -> None:
    root = drawn(premiums(premium("yor_Latn", 100), premium("swh_Latn", 200), premium("mya_Mymr", 400)))
    one, two, four = dots(root)
    assert two - one == pytest.approx(four - two, abs=0.02)
    (parity,) = [line for line in root.iter(f"{SVG}line") if line.attrib["class"] == "premium-parity"]
    assert float(parity.attrib["x1"]) == pytest.approx(one, abs=0.01)
    assert texts(root, "premium-parity-label") == ["1×", "1×"]


@given(st.lists(st.floats(0.05, 400), min_size=1, max_size=30))
def test_everything_lies_inside_the_picture_and_labels_do_not_touch(values: list[float]) -> None:
    codes = [one.code for one in languages.all_languages()[: len(values)]]
    rows = [premium(code, max(1, int(value * 1000)), 1000) for code, value in zip(codes, values, strict=True)]
    root = drawn(premiums(*rows), {})
    _, _, width, height = (float(size) for size in root.attrib["viewBox"].split())
    for one in root.iter():
        for name, value in one.attrib.items():
            if name in ("x", "x1", "x2", "cx"):
                assert 0 <= float(value) <= width
            if name in ("y", "y1", "y2", "cy"):
                assert 0 <= float(value) <= height
    axis = plot._axis(rows, 200, 570)
    places = [axis.at(tick) for tick in axis.ticks()]
    assert 1 in axis.ticks()
    assert all(after - before >= 40 for before, after in itertools.pairwise(places))
    whiskers = [line for line in root.iter(f"{SVG}line") if "premium-whisker" in line.attrib["class"]]
    assert all(
        float(line.attrib["x1"]) < dot < float(line.attrib["x2"])
        for line, dot in zip(whiskers, dots(root), strict=True)
    )


def test_premiums_that_hardly_differ_do_not_fill_the_picture() -> None:
    left, right = dots(drawn(premiums(premium("yor_Latn", 1000, 1000), premium("swh_Latn", 1010, 1000))))
    assert right - left < 20


def test_an_interval_that_reaches_nothing_ends_at_the_axis() -> None:
    root = drawn(premiums(premium("yor_Latn", 150, low=0.0)))
    (line,) = [line for line in root.iter(f"{SVG}line") if "premium-whisker" in line.attrib["class"]]
    assert 0 < float(line.attrib["x1"]) < float(line.attrib["x2"])


def test_a_premium_without_an_interval_has_a_dot_and_no_whisker() -> None:
    reasons = dict.fromkeys(("low", "high"), "one_sentence")
    root = drawn(premiums(premium("yor_Latn", low=None, high=None, reasons=reasons)))
    assert len(dots(root)) == 1 and not [one for one in root.iter() if "premium-whisker" in one.attrib.get("class", "")]


def test_flawed_text_has_a_hollow_dot_and_is_said() -> None:
    root = drawn(premiums(premium("mya_Mymr", reasons={"text": "legacy_encoding"}), premium("yor_Latn")))
    inside = [dot.attrib["class"] for group in root.iter(f"{SVG}g") for dot in group.findall(f"{SVG}circle")]
    assert inside == ["premium-flawed premium-other", "premium-latn"]
    titles = [one.text or "" for one in root.iter(f"{SVG}title")]
    assert titles[1].endswith(", flawed: the dataset's text in this language is in a legacy encoding, not in Unicode")
    assert any(text.endswith("hollow: flawed text") for text in texts(root, "premium-soft"))
    assert not any("hollow" in text for text in texts(drawn(premiums(premium("yor_Latn"))), "premium-soft"))


@pytest.mark.parametrize("rows", [(), (without("yor_Latn"),)])
def test_a_picture_of_nothing_is_a_picture(rows: tuple[Premium, ...]) -> None:
    root = drawn(premiums(*rows))
    assert not dots(root) and len(texts(root, "premium-name")) == len(rows)


def test_colours_are_of_scripts_and_the_same_in_every_picture() -> None:
    root = drawn(premiums(premium("yor_Latn"), premium("mya_Mymr", 300), premium("arb_Arab", 200)))
    assert [dot.attrib["class"] for dot in root.findall(f"{SVG}circle")] == [
        "premium-arab",
        "premium-latn",
        "premium-other",
    ]
    inside = [dot.attrib["class"] for group in root.iter(f"{SVG}g") for dot in group.findall(f"{SVG}circle")]
    assert inside == ["premium-latn", "premium-arab", "premium-other"]
    assert not drawn(premiums(premium("yor_Latn"), premium("swh_Latn"))).findall(
        f"{SVG}circle"
    )  # one colour: no legend


def test_each_class_of_the_picture_has_a_colour_and_each_colour_two_grounds() -> None:
    named = set(re.findall(r"--(premium-\w+):", plot.STYLE))
    light, dark = plot.STYLE.split("@media")
    assert all(light.count(f"--{name}:") == 1 == dark.count(f"--{name}:") for name in named)
    assert {f"premium-{code.lower()}" for code in plot.SCRIPTS} < named


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_and_dots_stand_out_from_the_ground(scheme: int) -> None:
    known = dict(re.findall(r"--premium-(\w+): (#\w{6})", plot.STYLE.split("@media")[scheme]))
    for ground in ("paper", "faint"):
        for name in set(known) - {"paper", "faint", "line"}:
            bright, dim = sorted((_luminance(known[name]), _luminance(known[ground])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (name, ground)


def test_a_page_that_forbids_styles_and_scripts_can_hold_it() -> None:
    found = premiums(*(premium(code, 100 + number) for number, code in enumerate(NAMES)))
    root = drawn(found, style=False)
    assert not list(root.iter(f"{SVG}style"))
    for one in root.iter():
        assert one.tag.removeprefix(SVG) in {"svg", "title", "desc", "g", "rect", "line", "circle", "text"}
        assert not {name for name in one.attrib if name == "style" or name.startswith("on") or "href" in name}
    assert next(drawn(found).iter(f"{SVG}style")).text == plot.STYLE


def test_picture_and_list_of_tokenizers_count_the_same_languages() -> None:
    found = premiums(
        premium("eng_Latn", 101, variety="GB"),
        premium("yor_Latn", 150),
        premium("swh_Latn", 200),
        premium("mya_Mymr", 480, reasons={"text": "legacy_encoding"}),
    )
    root = drawn(found)
    assert any(text.endswith("2 languages") for text in texts(root, "premium-soft"))
    (said,) = [one.text or "" for one in root.iter(f"{SVG}desc")]
    assert said.endswith("2 languages. Median 1.75; lowest Yoruba with 1.50, highest Swahili with 2.00.")


def test_two_languages_of_one_name_are_told_apart_by_their_scripts() -> None:
    names = {"zho_Hans": "Chinese", "zho_Hant": "Chinese", "yor_Latn": "Yoruba"}
    rows = premiums(premium("zho_Hans", 110), premium("zho_Hant", 120), premium("yor_Latn", 150))
    shown = texts(drawn(rows, names), "premium-name")
    assert shown == ["Chinese (Simplified Han)", "Chinese (Traditional Han)", "Yoruba"]


def test_a_premium_stands_between_name_and_axis() -> None:
    root = drawn(premiums(premium("yor_Latn", 150), premium("mya_Mymr", 400)))
    (parity,) = [line for line in root.iter(f"{SVG}line") if line.attrib["class"] == "premium-parity"]
    names, values = (
        [float(one.attrib["x"]) for one in root.iter(f"{SVG}text") if one.attrib["class"] == kind]
        for kind in ("premium-name", "premium-value")
    )
    assert max(names) + 30 <= min(values) <= max(values) < float(parity.attrib["x1"])


def test_a_screen_reader_hears_what_the_picture_says() -> None:
    root = drawn(premiums(premium("yor_Latn", 150), premium("mya_Mymr", 400), premium("swh_Latn", 200)))
    said = {one.attrib["id"]: one.text for one in root if "id" in one.attrib}
    title, description = (said[name] for name in root.attrib["aria-labelledby"].split())
    assert title == "Tokenizer premium of hf:example/one"
    assert description == (
        "How many times more tokens a text takes than in English, on ntrex, 3 languages. "
        "Median 2.00; lowest Yoruba with 1.50, highest Burmese with 4.00."
    )
    assert root.attrib["role"] == "img"


@given(st.text(st.characters(), max_size=80), st.text(st.characters(), max_size=80))
def test_any_name_is_text(name: str, tokenizer: str) -> None:
    found = premiums(premium("yor_Latn"), without("mya_Mymr", name or "odd"), tokenizer=tokenizer, corpus=name)
    root = drawn(found, {"yor_Latn": name})
    assert len(texts(root, "premium-name")) == 2


def test_markup_in_a_name_is_no_markup_and_a_turn_of_direction_turns_nothing() -> None:
    made = plot.svg(premiums(premium("yor_Latn")), {"yor_Latn": "<b onload=x>&\u202e\x1b]]>"})
    assert "<b" not in made and "\u202e" not in made and "\x1b" not in made
    assert texts(ET.fromstring(made), "premium-name") == ["<b onload=x>&��]]>"]


def test_a_variety_and_a_language_without_a_name_are_told_apart() -> None:
    root = drawn(premiums(premium("eng_Latn", 100), premium("eng_Latn", 101, variety="GB")), {})
    assert texts(root, "premium-name") == ["eng_Latn", "eng_Latn (GB)"]


def test_two_hundred_languages_have_a_row_each() -> None:
    chosen = random.Random(1).sample(languages.all_languages(), 205)
    rows = [premium(one.code, 90 + 7 * number, 100) for number, one in enumerate(chosen)]
    root = drawn(premiums(*rows), {one.code: one.name for one in chosen})
    middles = sorted(float(dot.attrib["cy"]) for group in root.iter(f"{SVG}g") for dot in group.findall(f"{SVG}circle"))
    assert len(middles) == 205
    assert all(math.isclose(after - before, plot.ROW) for before, after in itertools.pairwise(middles))
    assert all(len(name) <= plot.LONGEST for name in texts(root, "premium-name"))
