"""Per cents on pages: as close to their number as each language writes them, and never at the end of a line."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from leaderboard import numerals, translation
from leaderboard.prefixes import LOCALES

NO_BREAK = "\u00a0"
MARK = "\u200e"
"""Keeps the sign to the right of its number in Arabic, where digits behind letters are no left-to-right text."""
BEFORE = {"en": "", "fr": NO_BREAK, "es": NO_BREAK, "pt": "", "sw": "", "ar": MARK}
BEHIND = dict.fromkeys(LOCALES, "") | {"ar": MARK}
PAGES = ("/", "/languages/yor_Latn", "/tasks/sib200", "/board", "/method", "/compare", "/plots/heatmap")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("between", ["", " ", NO_BREAK, "\u202f"])
def test_a_percent_stands_as_cldr_says(locale: str, between: str) -> None:
    texts = ("95{}%[]", "95{}%%[] interval", "by %(share)s{}%%[] of %(n)s", "< 0.1{}%[]", "from 1{}%[] to 2{}%[].")
    for written in texts:
        right = written.replace("{}", BEFORE[locale]).replace("[]", BEHIND[locale])
        assert numerals.percents(written.replace("{}", between).replace("[]", ""), locale) == right
        assert numerals.percents(right, locale) == right


@pytest.mark.parametrize("said", ["%(a)s %(b)s", "n 5 %(unit)s", "%(n)s%(unit)s", "40 %s", "a % sign", "no number"])
def test_what_is_no_percent_stays(said: str) -> None:
    assert numerals.percents(said, "en") == numerals.percents(said, "fr") == said


def test_catalogues_say_it_so() -> None:
    said = {locale: translation.catalogue(locale).ugettext("95 %% interval") for locale in LOCALES}
    assert said["en"] == "95%% interval" and f"95{NO_BREAK}%%" in said["fr"] and f"95{MARK}%%{MARK}" in said["ar"]
    assert translation.catalogue("en").ungettext("%(n)s model", "%(n)s models", 1) == "%(n)s model"
    assert translation.catalogue("en").ungettext("%(n)s model", "%(n)s models", 2) == "%(n)s models"


@pytest.mark.parametrize("locale", LOCALES)
def test_every_percent_of_a_page(client: FlaskClient, locale: str) -> None:
    prefix = "" if locale == "en" else f"/{locale}"
    answers = [client.get(f"{prefix}{path}") for path in PAGES]
    assert {answer.status_code for answer in answers} == {200}
    pages = "\n".join(answer.get_data(as_text=True) for answer in answers)
    seen = re.findall(rf"[0-9]([\s{MARK}]?)%({MARK}?)", re.sub(r"(?s)<(style|script).*?</\1>|<[^>]+>", " ", pages))
    assert len(seen) > 10 and set(seen) == {(BEFORE[locale], BEHIND[locale])}
