"""Names of languages and scripts on pages in another language than English."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from flask.testing import FlaskClient

import languages
from leaderboard import local_names
from leaderboard.prefixes import DEFAULT, LOCALES
from tests.leaderboard.markup import check, words

OTHERS = [locale for locale in LOCALES if locale != DEFAULT]


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


@pytest.mark.parametrize("locale", LOCALES)
def test_no_two_languages_get_one_name(locale: str) -> None:
    named = local_names.languages_in(locale)
    shown = defaultdict(set)
    for one in languages.all_languages():
        shown[named.get(one.code, one.name).casefold()].add(one.name)
    assert not {name: found for name, found in shown.items() if len(found) > 1}


@pytest.mark.parametrize("locale", LOCALES)
def test_one_language_has_one_name_in_all_of_its_scripts(locale: str) -> None:
    named = local_names.languages_in(locale)
    shown = defaultdict(set)
    for one in languages.all_languages():
        shown[one.iso639_3].add(named.get(one.code, one.name))
    assert not {code: found for code, found in shown.items() if len(found) > 1}


@pytest.mark.parametrize("locale", LOCALES)
def test_no_two_scripts_get_one_name(locale: str) -> None:
    known = {one.script: one.script_name for one in languages.all_languages()}
    shown = {**known, **local_names.scripts_in(locale)}
    assert shown.keys() == known.keys()
    assert len({name.casefold() for name in shown.values()}) == len(shown)


def test_english_names_are_the_registry_s_own() -> None:
    assert local_names.languages_in(DEFAULT) == local_names.scripts_in(DEFAULT) == {}


@pytest.mark.parametrize("locale", OTHERS)
def test_most_languages_have_a_name_in_every_language_of_the_interface(locale: str) -> None:
    named = local_names.languages_in(locale)
    assert len(named) > 350
    assert all(name.strip() == name and name for name in named.values())


@pytest.mark.parametrize("locale", OTHERS)
@pytest.mark.parametrize("code", ["quy_Latn", "kmr_Latn", "azj_Latn", "uzn_Latn", "fuv_Latn", "acm_Arab"])
def test_the_name_of_several_languages_is_not_given_to_one(locale: str, code: str) -> None:
    # CLDR's "Quechua" may mean Cusco Quechua too, and so on.
    assert code not in local_names.languages_in(locale)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("yor_Latn", "yoruba yoruba iorubá Kiyoruba اليوروبا"),
        (
            "arb_Arab",
            "arabe~standard~moderne árabe~estándar~moderno árabe~moderno Kiarabu~sanifu العربية~الفصحى~الحديثة",
        ),
        ("prs_Arab", "dari darí dari Kiajemi~(Afganistani) الدارية"),
        ("pes_Arab", "persan persa persa Kiajemi الفارسية"),
        ("zho_Hant", "chinois chino chinês Kichina الصينية"),
        ("yue_Hant", "cantonais cantonés cantonês Kikantoni الكَنْتُونية"),
        ("tgl_Latn", "tagalog tagalo tagalo Kifilipino التاغالوغية"),
    ],
)
def test_names_are_those_of_cldr(code: str, names: str) -> None:
    expected = [name.replace("~", " ") for name in names.split()]
    assert [local_names.languages_in(locale)[code] for locale in OTHERS] == expected


def test_a_page_calls_a_language_as_its_readers_do(client: FlaskClient) -> None:
    page = text(client, "/fr/languages/amh_Ethi")
    assert "<title>Amharique –" in page
    assert '<span class="english">Amharique</span>' in page and 'lang="am"' in page
    said = words(page)
    assert "en amharique" in said and "Éthiopique" in said
    assert "Amharic" not in said and "Ethiopic" not in said
    arabic = words(text(client, "/ar/languages/amh_Ethi"))
    assert "الأمهرية" in arabic and "الأثيوبية" in arabic and "Amharic" not in arabic
    assert "Amharic" in words(text(client, "/languages/amh_Ethi"))


def test_what_cldr_does_not_name_is_english_and_says_so(client: FlaskClient) -> None:
    for locale in OTHERS:
        page = text(client, f"/{locale}/languages/kbp_Latn")
        assert '<span lang="en" dir="ltr">Kabiyè</span>' in page
        check(page)
    assert '<span lang="en" dir="ltr">Kabiyè' not in text(client, "/languages/kbp_Latn")


@pytest.mark.parametrize(
    "path", ["/languages/", "/languages/?q=yor", "/coverage", "/map", "/families/atla1278", "/tasks/sib200", "/"]
)
def test_no_page_has_an_english_name_where_there_is_another(client: FlaskClient, path: str) -> None:
    known = local_names.languages_in("fr")
    english = {one.name for one in languages.all_languages() if one.code in known}
    english -= {name[:1].upper() + name[1:] for name in (*known.values(), *local_names.scripts_in("fr").values())}
    english -= {one.autonym or "" for one in languages.all_languages()}
    # Families are named after languages, and by sources that are English.
    english -= {one.family or "" for one in languages.all_languages()}
    said = re.findall(r">([^<>]+)<", text(client, f"/fr{path}"))
    assert not english.intersection(part.strip() for part in said)


def test_filters_and_pictures_have_the_names_too(client: FlaskClient) -> None:
    board = text(client, "/fr/board?language=amh_Ethi&script=Ethi")
    assert re.search(r'<option value="Ethi" selected>Éthiopique \(', board)
    assert "<bdi>Amharique</bdi>" in board and "<bdi>Éthiopique</bdi>" in board
    listed = text(client, "/fr/languages/?script=Ethi")
    assert re.search(r'<option value="Ethi" selected>Éthiopique \(', listed)
    assert "Écriture\xa0: Éthiopique" in listed or "Éthiopique <span" in listed
    assert "Amharique" in text(client, "/fr/plots/heatmap?task=sib200")
    assert re.search(r"<title>Amharique[^<]*</title>", text(client, "/fr/map?show=evaluated"))


def test_a_name_outside_of_the_registry_is_shown_as_it_is() -> None:
    assert local_names.language_of("xyz_<b>") == "xyz_<b>"
    assert local_names.script_plain("Xxxx") == "Xxxx"


@pytest.mark.parametrize(
    ("prefix", "said"),
    [("", "Andorra, Spain, France, Italy"), ("/fr", "Andorre, Espagne, France, Italie"), ("/ar", "أندورا،")],
)
def test_countries_are_named_in_the_language_of_the_page(client: FlaskClient, prefix: str, said: str) -> None:
    assert said in words(text(client, f"{prefix}/languages/cat_Latn"))
