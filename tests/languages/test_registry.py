"""The rows of the registry, and finding one by anything that people and datasets write."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import languages
from languages import AmbiguousLanguage, Language, LanguageError, UnknownLanguage
from languages.scripts import SCRIPTS, is_written_in
from languages.tables import normalise, read_table

ROWS = languages.all_languages()
RIGHT_TO_LEFT = {"Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Mand", "Samr", "Rohg"}
MACROAREAS = {"Africa", "Australia", "Eurasia", "North America", "Papunesia", "South America", None}


def test_there_are_enough_rows_in_order_and_each_once() -> None:
    codes = [one.code for one in ROWS]
    assert len(codes) >= 420
    assert codes == sorted(set(codes))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_every_field_is_valid(row: Language) -> None:
    assert row.code == f"{row.iso639_3}_{row.script}"
    assert len(row.iso639_3) == 3 and row.iso639_3.isalpha() and row.iso639_3.islower()
    assert row.script in SCRIPTS and len(row.script) == 4 and row.script.istitle()
    assert row.direction == ("rtl" if row.script in RIGHT_TO_LEFT else "ltr")
    assert row.name and row.name != row.iso639_3
    assert row.autonym is None or is_written_in(row.autonym, row.script)
    assert all(len(country) == 2 and country.isupper() for country in row.countries)
    assert list(row.countries) == sorted(set(row.countries))
    assert row.macroarea in MACROAREAS
    assert (row.latitude is None) == (row.longitude is None)
    assert row.latitude is None or -90 <= row.latitude <= 90
    assert row.longitude is None or -180 <= row.longitude <= 180
    assert row.speakers is None or row.speakers > 0
    assert row.resource_class in {"5", "4", "3", "2", "0-1"}
    assert (row.family is None) == (row.family_id is None)
    assert languages.get(row.code) is row
    assert languages.get(row.bcp47) is row


def test_tags_and_locales_belong_to_one_row_each() -> None:
    for values in ([one.bcp47 for one in ROWS], [one.cldr for one in ROWS if one.cldr]):
        assert [value for value, times in Counter(values).items() if times > 1] == []


def test_most_rows_have_data_in_cldr() -> None:
    assert sum(one.cldr is not None for one in ROWS) >= 300


def test_an_isolate_is_its_own_family() -> None:
    basque = languages.get("eus")
    assert (basque.family, basque.family_id) == ("Basque (isolate)", "basq1248")
    assert languages.get("yor").family_id == "atla1278"


@pytest.mark.parametrize(
    "text", ["yo", "yor", "Yoruba", "yor_Latn", "YOR-latn", " yoruba ", "Èdè Yorùbá", "ÈDÈ YORÙBÁ"]
)
def test_one_language_is_found_by_all_its_names(text: str) -> None:
    assert languages.get(text).code == "yor_Latn"


# The line of the facts on one language with several codes; those that several scripts share are below.
ONE_LANGUAGE = """
arb ar ara: arb_Arab | azj az aze: azj_Latn | swh swa sw: swh_Latn | gaz orm om: gaz_Latn | npi ne nep: npi_Deva
zsm ms msa: zsm_Latn | khk mn mon: khk_Cyrl | pbt ps pus: pbt_Arab | plt mg mlg: plt_Latn | lvs lv lav: lvs_Latn
als sq sqi: als_Latn | ydd yi yid: ydd_Hebr | fil tgl tl: tgl_Latn | nob no nb nor: nob_Latn | ekk est et: est_Latn
kmr ku kur: kmr_Latn | pes fa fas: pes_Arab | prs: prs_Arab | quy qu que: quy_Latn | ory or ori: ory_Orya
fuv: fuv_Latn | dik din: dik_Latn | aka ak: aka_Latn | twi tw: twi_Latn
"""
SPELLINGS = """
zho_Hans cmn_Hans zh-Hans zho-CN zh_CN zh-Hans-CN: zho_Hans | zho_Hant cmn_Hant zh_Hant zho-TW zh-TW zh-HK: zho_Hant
ckb-Arab ckb: ckb_Arab | aze-Latn: azj_Latn | gsw-BE gsw-ZH: gsw_Latn | ti_ER ti_ET: tir_Ethi | es_LA: spa_Latn
pt_BR por-BR pt-PT: por_Latn | srp-Latn sr_Latn sr-ME: srp_Latn | ms_Arab: zsm_Arab | hi_Latn: hin_Latn
pa pan: pan_Guru | pa_Arab pa-PK: pnb_Arab | uz_Arab uz-AF: uzs_Arab | az_Arab az-IR: azb_Arab | az_Cyrl: azj_Cyrl
fil_Latn: tgl_Latn | gug_Latn: grn_Latn | nah: nah_Latn | oto: oto_Latn | mni: mni_Beng | en en-US: eng_Latn
iw he: heb_Hebr | ger: deu_Latn | la: lat_Latn | apc_Arab_sout3123: ajp_Arab | arb_Latn: arb_Latn | or_IN: ory_Orya
"""
NAMES = {
    "North Macedonian": "mkd_Cyrl",
    "Persian": "pes_Arab",
    "Malay": "zsm_Latn",
    "Tagalog": "tgl_Latn",
    "Filipino": "tgl_Latn",
    "Odia": "ory_Orya",
    "Northern Sotho": "nso_Latn",
    "Central Kurdish": "ckb_Arab",
    "South Azerbaijani": "azb_Arab",
    "Azerbaijani": "azj_Latn",
    "Albanian": "als_Latn",
    "Nepali": "npi_Deva",
    "Hindi": "hin_Deva",
    "हिन्दी": "hin_Deva",
    "Akan": "aka_Latn",
    "Twi": "twi_Latn",
    "srpski": "srp_Latn",
    "српски": "srp_Cyrl",
    "繁體中文": "zho_Hant",
    "norsk": "nob_Latn",
}


def spelled(lines: str) -> list[tuple[str, str]]:
    groups = [group.split(":") for group in lines.replace("\n", "|").split("|") if group.strip()]
    return [(text, code.strip()) for texts, code in groups for text in texts.split()]


@pytest.mark.parametrize(("text", "code"), [*spelled(ONE_LANGUAGE), *spelled(SPELLINGS), *NAMES.items()])
def test_aliases_resolve(text: str, code: str) -> None:
    assert languages.get(text).code == code
    assert languages.get(text.swapcase()).code == code
    assert languages.get(text.replace("_", "-")).code == code


INCLUDE = (
    "Albanian Arabic Armenian Azerbaijani Basque Belarusian Bengali Bulgarian Croatian Dutch Estonian Finnish French "
    "Georgian German Greek Hebrew Hindi Hungarian Indonesian Italian Japanese Kazakh Korean Lithuanian Malay Malayalam "
    "Nepali Persian Polish Portuguese Russian Spanish Tagalog Tamil Telugu Turkish Ukrainian Urdu Vietnamese"
)


@pytest.mark.parametrize("name", [*INCLUDE.split(), "Gujarati", "Kannada", "Marathi", "Odia", "Punjabi"])
def test_english_names_resolve(name: str) -> None:
    assert languages.get(name)


AMBIGUOUS = """
kas ks Kashmiri: kas_Arab kas_Deva | taq Tamasheq: taq_Latn taq_Tfng | ace: ace_Arab ace_Latn | bjn: bjn_Arab bjn_Latn
knc kr kau: knc_Arab knc_Latn | zh zho zh chi cmn Chinese 中文: zho_Hans zho_Hant | srp sr Serbian: srp_Cyrl srp_Latn
uz uzb uzn Uzbek: uzn_Cyrl uzn_Latn | min: min_Arab min_Latn | ff ful Fula: fuc_Latn fuf_Adlm fuv_Latn
hmn Hmong: hnj_Hmnp mww_Latn | yue Cantonese: yue_Hans yue_Hant | shi: shi_Arab shi_Latn shi_Tfng
"""


@pytest.mark.parametrize(("text", "codes"), spelled(AMBIGUOUS))
def test_what_is_ambiguous_is_refused_with_the_candidates(text: str, codes: str) -> None:
    with pytest.raises(AmbiguousLanguage) as caught:
        languages.get(text)
    assert {one.code for one in caught.value.candidates} == set(codes.split())
    assert all(code in str(caught.value) for code in codes.split())


def test_messages_say_what_would_be_right() -> None:
    with pytest.raises(UnknownLanguage) as unknown:
        languages.get("Yorubaa")
    assert str(unknown.value) == "unknown language 'Yorubaa'; did you mean Yoruba (yor_Latn)?"
    assert [one.code for one in unknown.value.candidates] == ["yor_Latn"]
    with pytest.raises(AmbiguousLanguage) as ambiguous:
        languages.get("Kashmiri")
    assert str(ambiguous.value) == (
        "'Kashmiri' is ambiguous: kas_Arab (Kashmiri, Arabic script), kas_Deva (Kashmiri, Devanagari script): "
        "give the code"
    )


@pytest.mark.parametrize("row", read_table("aliases.tsv"), ids=lambda row: row["alias"])
def test_every_reviewed_alias_says_what_it_does(row: dict[str, str]) -> None:
    assert row["note"]
    if row["note"].startswith("refused"):
        with pytest.raises(AmbiguousLanguage):
            languages.get(row["alias"])
    elif row["target"]:
        known = {one.code for one in ROWS} | {one.iso639_3 for one in ROWS}
        assert set(row["target"].split()) <= known
    else:
        with pytest.raises(UnknownLanguage):
            languages.get(row["alias"])


def test_no_default_is_taken_but_by_the_table() -> None:
    """A bare code of a language in several scripts is refused unless aliases.tsv names the script."""
    scripts = Counter(one.iso639_3 for one in ROWS)
    reviewed = {row["alias"]: row["target"] for row in read_table("aliases.tsv")}
    for base in (base for base, times in scripts.items() if times > 1):
        if base in reviewed:
            assert languages.get(base).code == reviewed[base]
        else:
            with pytest.raises(AmbiguousLanguage):
                languages.get(base)


def test_aliases_are_listed_once() -> None:
    keys = Counter(normalise(row["alias"]) for row in read_table("aliases.tsv"))
    assert [key for key, times in keys.items() if times > 1] == []


hostile = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="yor_-LatnArbz \u200d\u202e\u0301\x00\n\u2028'\"", max_size=20),
    st.builds(str.__add__, st.sampled_from([one.name for one in ROWS]), st.text(max_size=3)),
)


@settings(max_examples=150, deadline=None)
@given(hostile)
@example("")
@example("yor\u200d")
@example("\u202eyor")
@example("y\u0301" * 30)
@example("a\x00b")
@example("line\nbreak\u2028\u0085")
@example("\ud800")
@example("x" * 1_000_000)
@example("yor-Latn-" * 100_000)
def test_any_text_gives_a_language_or_one_line(text: str) -> None:
    try:
        assert isinstance(languages.get(text), Language)
    except LanguageError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        assert message.isprintable() and len(message) < 1000


def test_a_huge_text_is_refused_at_once() -> None:
    start = time.perf_counter()
    with pytest.raises(UnknownLanguage):
        languages.get("yoruba " * 100_000)
    assert time.perf_counter() - start < 1


def test_using_the_registry_imports_nothing_heavy() -> None:
    program = "import sys, languages; languages.get('yo'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"languages"} == {"languages", "babel", "numpy", "pandas", "datasets"} & set(loaded)
    assert "languages.build" not in loaded
