"""What is read of CLDR, checked against Babel's own merged reading and against what is known of the languages.

Babel's reading depends on what was read before: an alias resolved for one locale is written into the data that others
share (after `aa`, `aa_DJ` has months of `aa`; after any locale without months, Yoruba dates have "M01"). So Babel's
cache is emptied before it is asked.
"""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from datetime import date
from decimal import Decimal

import pytest
from babel import Locale, localedata
from babel.dates import format_date
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from tasks import cldr, cldr_items, embedded

LOCALES = sorted(localedata.locale_identifiers())
BASES = [identifier for identifier in LOCALES if "_" not in identifier]
SCRIPTS = [identifier for identifier in LOCALES if len(identifier.partition("_")[2]) == 4]


def babel(identifier: str) -> Locale:
    """The locale as Babel reads it when it has read nothing else."""
    localedata._cache.clear()
    return Locale.parse(identifier)


def test_version_is_the_pinned_one() -> None:
    assert cldr.version() == embedded.CLDR_VERSION


@pytest.mark.parametrize(
    ("identifier", "chain"),
    [
        ("nb", ("nb", "no")),
        ("nn", ("nn", "no")),
        ("sr_Cyrl", ("sr_Cyrl", "sr")),
        ("sr_Latn", ("sr_Latn",)),  # the usual script of Serbian is Cyrillic
        ("zh_Hant_MO", ("zh_Hant_MO", "zh_Hant_HK", "zh_Hant")),
        ("es_MX", ("es_MX", "es_419", "es")),
        ("en_AT", ("en_AT", "en_150", "en_001", "en")),
        ("ht", ("ht",)),  # CLDR falls back to French
        ("hi_Latn", ("hi_Latn",)),  # CLDR falls back to English
    ],
)
def test_chain(identifier: str, chain: tuple[str, ...]) -> None:
    assert cldr.chain(identifier) == chain


def test_bokmal_inherits_norwegian() -> None:
    bokmal = cldr.read("nb")
    assert bokmal.territories["DE"] == "Tyskland"
    assert bokmal.months[0] == "januar"


def test_unknown_locale() -> None:
    with pytest.raises(LookupError, match="qqq"):
        cldr.read("qqq")


@pytest.mark.parametrize("identifier", [*BASES, *SCRIPTS])
def test_names_agree_with_babel(identifier: str) -> None:
    merged = babel(identifier)
    own = cldr.read(identifier)
    assert all(merged.territories[code] == name for code, name in own.territories.items())
    assert all(merged.languages[code] == name for code, name in own.languages.items())
    assert all(merged.currencies[code] == name for code, name in own.currencies.items())
    for context, width, names in (
        ("stand-alone", "wide", own.months),
        ("format", "wide", own.months_in_dates),
        ("format", "abbreviated", own.months_abbreviated),
    ):
        assert names in ((), tuple(merged.months[context][width][month] for month in range(1, 13)))
    assert own.weekdays in ((), tuple(merged.days["stand-alone"]["wide"][day] for day in range(7)))


def test_nothing_of_root_is_taken_for_a_name() -> None:
    root = babel("root").months["format"]["wide"].values()
    for identifier in (*BASES, *SCRIPTS):
        own = cldr.read(identifier)
        assert not {*own.months, *own.months_in_dates, *own.months_abbreviated} & {*root}, identifier
    assert cldr.read("mzn").weekdays == ()
    assert cldr.read("kkj").months == ()  # its November is an explicit "M11"


def test_the_shared_cache_of_babel_changes_nothing() -> None:
    program = (
        "import sys; from babel import localedata; from tasks import cldr\n"
        "if sys.argv[1] != 'none': localedata.load('nb', merge_inherited=sys.argv[1] == 'merged')\n"
        "print(repr(cldr.read('nb')).encode('unicode_escape'), repr(cldr.read('mzn')).encode('unicode_escape'))"
    )
    said = {
        subprocess.run([sys.executable, "-c", program, before], capture_output=True, check=True).stdout
        for before in ("none", "merged", "unmerged")
    }
    assert len(said) == 1


def test_reading_leaves_the_cache_of_babel_alone() -> None:
    localedata._cache.clear()
    before = localedata.load("nb")["months"]["format"]["wide"][1]
    cldr.read.cache_clear()
    cldr.read("nb")
    assert localedata.load("nb")["months"]["format"]["wide"][1] == before == "januar"


def test_zeros_are_zeros_and_every_default_is_known() -> None:
    for system, zero in cldr.ZEROS.items():
        assert [unicodedata.digit(chr(ord(zero) + value)) for value in range(10)] == list(range(10)), system
    defaults = {cldr._own(identifier).get("default_numbering_system", "latn") for identifier in (*BASES, *SCRIPTS)}
    assert defaults == set(cldr.ZEROS)


@pytest.mark.parametrize(
    ("identifier", "number", "written"),
    [
        ("fa", "1234567.8", "۱٬۲۳۴٬۵۶۷٫۸"),
        ("mr", "1234567.8", "१२,३४,५६७.८"),
        ("ne", "1234567.8", "१२,३४,५६७.८"),
        ("my", "1234567.8", "၁,၂၃၄,၅၆၇.၈"),
        ("bn", "1234567.8", "১২,৩৪,৫৬৭.৮"),
        ("hi", "1234567.8", "12,34,567.8"),
        ("de", "1234567.8", "1.234.567,8"),
        ("fr", "12345", "12\u202f345"),
        ("ar_EG", "12345.6", "١٢٬٣٤٥٫٦"),
        ("ff_Adlm", "12345", "𞥑𞥒⹁𞥓𞥔𞥕"),  # Babel drops root's alias of adlm to latn and writes a comma
    ],
)
def test_numbers_by_the_rules_of_the_language(identifier: str, number: str, written: str) -> None:
    numbers = cldr.read(identifier).numbers
    assert numbers is not None
    assert numbers.write(number) == written


def test_a_sign_that_another_language_would_lend_is_not_known() -> None:
    """CLDR's Haitian Creole names its group sign, and leaves the decimal sign to French."""
    assert cldr.read("ht").numbers is None


@given(
    st.sampled_from(
        [i for i in (*BASES, *SCRIPTS, "ar_EG", "en_IN", "de_CH") if i != "ff_Adlm" and cldr.read(i).numbers]
    ),
    st.integers(10_000, 10**12),
    st.integers(0, 999),
)
def test_numbers_agree_with_babel(identifier: str, whole: int, thousandths: int) -> None:
    fraction = f"{thousandths:03}".rstrip("0")
    number = f"{whole}.{fraction}" if fraction else str(whole)
    own = cldr.read(identifier)
    assert own.numbers is not None
    theirs = format_decimal(Decimal(number), locale=babel(identifier), numbering_system="default")
    assert own.numbers.write(number) == cldr.localise(theirs, own.digits)


@given(st.sampled_from([*BASES, *SCRIPTS]), st.dates(date(1000, 1, 1), date(9999, 12, 31)))
def test_dates_agree_with_babel(identifier: str, day: date) -> None:
    own = cldr.read(identifier)
    written = cldr_items.write_date(own, day)
    if written is not None:
        assert written == cldr.localise(format_date(day, "long", locale=babel(identifier)), own.digits)


@pytest.mark.parametrize("identifier", BASES)
def test_each_language_dates_as_babel_does(identifier: str) -> None:
    own = cldr.read(identifier)
    for month in range(1, 13):
        day = date(1987, month, month + 3)
        written = cldr_items.write_date(own, day)
        assert written in (None, cldr.localise(format_date(day, "long", locale=babel(identifier)), own.digits))


@pytest.mark.parametrize(
    ("identifier", "alone", "written"),
    [
        ("ru", "март", "5 марта 1987\u202fг."),
        ("pl", "marzec", "5 marca 1987"),
        ("cs", "březen", "5. března 1987"),
        ("hr", "ožujak", "5. ožujka 1987."),
        ("fa", "مارس", "۵ مارس ۱۹۸۷"),
        ("ne", "मार्च", "१९८७ मार्च ५"),
        ("yo", "Oṣù Ẹrẹ̀nà", "5 Oṣù Ẹrẹ̀nà 1987"),
    ],
)
def test_months_alone_and_in_dates(identifier: str, alone: str, written: str) -> None:
    own = cldr.read(identifier)
    assert own.months[2] == alone
    assert cldr_items.write_date(own, date(1987, 3, 5)) == written


@pytest.mark.parametrize("identifier", ["ht", "kkj", "mzn", "vai_Latn"])
def test_a_locale_without_pattern_or_months_writes_no_date(identifier: str) -> None:
    assert cldr_items.write_date(cldr.read(identifier), date(1987, 3, 5)) is None


@given(st.sampled_from(BASES), st.decimals(0, 10_000_000, places=1))
def test_plural_categories_agree_with_babel(identifier: str, number: Decimal) -> None:
    rule = cldr.read(identifier).plurals
    if rule is not None:
        assert rule(number) == babel(identifier).plural_form(number)
