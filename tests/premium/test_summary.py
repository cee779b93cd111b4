"""A tokenizer in a few numbers, and every reason in words."""

from __future__ import annotations

import re

import pytest

import tasks
from bench.premium import premium as counting
from bench.premium.reasons import MISSING, meaning
from bench.premium.summary import Summary, counts, summarised
from tests.conftest import REPOSITORY
from tests.premium.made import premium, premiums, without


def test_quantiles_are_interpolated_and_both_ends_named() -> None:
    codes = ("yor_Latn", "swh_Latn", "mya_Mymr", "arb_Arab", "hin_Deva")
    rows = [premium(code, tokens, 100) for code, tokens in zip(codes, (300, 100, 500, 200, 400), strict=True)]
    found = summarised(premiums(*rows))
    assert (found.languages, found.median) == (5, 3.0)
    assert found.p90 == pytest.approx(4.6)
    assert found.lowest == rows[1] and found.highest == rows[2]


def test_english_flawed_text_and_what_is_missing_count_for_nothing() -> None:
    rows = (
        premium("eng_Latn", 900, 100, variety="GB"),
        premium("mya_Mymr", 800, 100, reasons={"text": "legacy_encoding"}),
        without("arb_Arab"),
        premium("yor_Latn", 200, 100),
    )
    assert [counts(one) for one in rows] == [False, False, False, True]
    found = summarised(premiums(*rows))
    assert (found.languages, found.median, found.p90, found.highest) == (1, 2.0, 2.0, rows[3])


def test_nothing_is_no_zero() -> None:
    assert summarised(premiums(without("yor_Latn"))) == Summary(0, None, None, None, None)


def test_every_reason_has_words() -> None:
    sources = "".join(path.read_text("utf-8") for path in (REPOSITORY / "bench" / "premium").glob("*.py"))
    used = set(re.findall(r'Ratio\(None, None, None, "(\w+)"\)|Ratio\(value, None, None, "(\w+)"\)', sources))
    codes = {one or other for one, other in used} | set(
        re.findall(r'^[A-Z_]+ = "([a-z]+_[a-z_]+)"', sources, re.MULTILINE)
    )
    assert codes == set(MISSING)
    assert all(meaning(code) == MISSING[code] for code in codes)
    assert all(meaning(code) == tasks.FLAWS[code] for code in counting._SPOILT)
    assert meaning("no_tokens: why") == "the tokenizer makes no tokens of one of the two texts (why)"
    assert meaning("never_heard_of") == "never heard of"
