"""Looking for a language in any language of the interface, and the order in which languages stand there."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

import languages
from leaderboard import local_names, naming
from leaderboard.prefixes import DEFAULT, LOCALES
from tests.leaderboard.markup import check, words

OTHERS = [locale for locale in LOCALES if locale != DEFAULT]


def text(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return answer.get_data(as_text=True)


def listed(client: FlaskClient, path: str, **parameters: str) -> list[str]:
    """The codes in the table of languages of a page."""
    page = text(client, f"{path}?{urlencode(parameters)}" if parameters else path)
    return re.findall(r"<small><code>([^<]+)</code></small>", page)


def turned(client: FlaskClient, root: str) -> list[str]:
    """The codes over all pages of the list."""
    pages = -(-len(languages.all_languages()) // 100)
    return [code for number in range(1, pages + 1) for code in listed(client, f"{root}/languages/", page=str(number))]


def without_marks(name: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))


@pytest.mark.parametrize("locale", OTHERS)
def test_every_name_that_a_page_shows_finds_its_language(locale: str) -> None:
    for code, name in local_names.languages_in(locale).items():
        one = languages.get(code)
        for said in (name, name.upper(), without_marks(name)):
            assert naming.fit(one, said) is not None, (locale, code, said)


@pytest.mark.parametrize(
    ("locale", "said", "code"),
    [
        ("fr", "allemand", "deu_Latn"),
        ("fr", "ALLEMAND", "deu_Latn"),
        ("fr", "haïtien", "hat_Latn"),
        ("fr", "haitien", "hat_Latn"),
        ("fr", "arabe standard moderne", "arb_Arab"),
        ("es", "tagalo", "tgl_Latn"),
        ("es", "aleman", "deu_Latn"),
        ("sw", "Kiarabu sanifu", "arb_Arab"),
        ("sw", "amhari", "amh_Ethi"),  # the prefix ki- left out
        ("ar", "الأمهرية", "amh_Ethi"),
        ("ar", "الامهريه", "amh_Ethi"),  # as people write who leave out hamza and dots
        ("ar", "أمهرية", "amh_Ethi"),  # the article left out
        ("ar", "فارسي", "pes_Arab"),
        ("en", "tamazight", "tzm_Latn"),
        ("en", "ⵜⴰⵎⴰⵣⵉⵖⵜ", "zgh_Tfng"),
        ("en", "አማርኛ", "amh_Ethi"),
        ("en", "हिंदी", "hin_Deva"),
        ("en", "हिन्दी", "hin_Deva"),
        ("en", "ig", "ibo_Latn"),
        ("en", "ibo", "ibo_Latn"),
        ("en", "Ìgbò", "ibo_Latn"),
        ("en", "iw", "heb_Hebr"),
        ("en", "jw", "jav_Latn"),
        ("en", "mo", "ron_Latn"),
    ],
)
def test_the_search_box_finds_what_people_write(client: FlaskClient, locale: str, said: str, code: str) -> None:
    root = "" if locale == DEFAULT else f"/{locale}"
    assert listed(client, f"{root}/languages/", q=said)[0] == code
    # Which languages are found does not depend on the language of the interface.
    found = [set(listed(client, f"{each}/languages/", q=said)) for each in ("", "/fr", "/ar")]
    assert found[0] == found[1] == found[2]


def test_what_begins_a_name_that_the_reader_sees_comes_first(client: FlaskClient) -> None:
    welsh, galician = "cym_Latn", "glg_Latn"  # gallois and galicien; the English, the Galician and the own names
    orders = {root: listed(client, f"{root}/languages/", q="gal") for root in ("", "/fr")}
    assert orders["/fr"].index(galician) < orders["/fr"].index(welsh) < 6
    assert orders["/fr"].index(welsh) < orders[""].index(welsh)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("langue yoruba", "yor_Latn"),
        ("lugha ya Kiswahili", "swh_Latn"),
        ("اللغة الأمهرية", "amh_Ethi"),
        ("ภาษาไทย", "tha_Thai"),
        ("ភាសាខ្មែរ", "khm_Khmr"),
        ("yourba", "yor_Latn"),
    ],
)
def test_a_name_among_other_words_is_suggested(said: str, code: str) -> None:
    assert naming.near(said)[0].code == code


def test_words_that_name_no_language_suggest_little() -> None:
    assert naming.near("") == naming.near("́") == naming.near("x" * 5000) == ()
    assert len(naming.near("in any of the languages that are spoken by people")) <= naming.NEAR


@pytest.mark.parametrize("locale", OTHERS)
def test_the_list_stands_in_the_order_of_the_names_that_its_readers_see(client: FlaskClient, locale: str) -> None:
    named = local_names.languages_in(locale)
    found = turned(client, f"/{locale}")
    assert sorted(found) == sorted(one.code for one in languages.all_languages())
    seen = [naming.folded(named.get(code, languages.get(code).name)) for code in found]
    assert seen == sorted(seen)
    assert found != turned(client, "")
    assert "in the order of their English names" not in words(text(client, f"/{locale}/languages/"))


def test_marks_do_not_part_letters(client: FlaskClient) -> None:
    found = turned(client, "/fr")
    # "Éwé" would stand behind "Zoulou" by its code points.
    places = [found.index(code) for code in ("mlt_Latn", "ewe_Latn", "fra_Latn", "zul_Latn")]
    assert places[1] < places[2] < places[0] < places[3]


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize(("path", "query"), [("/languages", "script=Latn"), ("/languages", "q=gal"), ("/board", "")])
def test_data_are_the_same_in_every_language(client: FlaskClient, path: str, query: str, kind: str) -> None:
    assert len({text(client, f"{root}{path}.{kind}?{query}") for root in ("", "/fr", "/ar")}) == 1


def test_data_stand_in_the_order_of_the_registry_s_names(client: FlaskClient) -> None:
    told: dict[str, Any] = json.loads(text(client, "/fr/languages.json?page=2"))
    rows = list(csv.DictReader(io.StringIO(text(client, "/fr/languages.csv"))))
    names = [naming.folded(row["language.name"]) for row in rows]
    assert names == sorted(names) and len(rows) == len(languages.all_languages())
    assert [row["language"]["code"] for row in told["rows"]] == [row["language.code"] for row in rows[100:200]]


@pytest.mark.parametrize(("root", "name"), [("", "Ethiopic"), ("/fr", "Éthiopique")])
@pytest.mark.parametrize("path", ["/languages/", "/board"])
def test_scripts_to_choose_from_stand_by_name(client: FlaskClient, path: str, root: str, name: str) -> None:
    page = text(client, f"{root}{path}")
    field = re.search(r'<select id="[^"]*" name="script">(.*?)</select>', page, re.DOTALL)
    assert field
    named = re.findall(r'<option value="[A-Z][^"]*">([^<]*?) \(', field[1])
    assert name in named and named[0] != name
    assert [naming.folded(each) for each in named] == sorted(naming.folded(each) for each in named)


@pytest.mark.parametrize("address", ["/languages/{}", "/board?language={}", "/plots/size?language={}"])
def test_what_may_be_meant_has_the_names_that_readers_know(client: FlaskClient, address: str) -> None:
    for root, said in (("", "Serbian (srp_Cyrl)"), ("/fr", "Serbe (srp_Cyrl)"), ("/ar", "الصربية (srp_Cyrl)")):
        answer = client.get(f"{root}{address.format('sr')}")
        assert answer.status_code in (400, 404)
        page = answer.get_data(as_text=True)
        check(page)
        assert said in words(page)


def test_an_address_may_have_the_name_of_a_language(client: FlaskClient) -> None:
    # It has two scripts, and neither is the main one.
    assert "Vaï (vai_Vaii)" in words(text(client, "/fr/languages/vaï", 404))
    assert client.get("/fr/languages/haoussa").headers["Location"].endswith("/fr/languages/hau_Latn")
    assert client.get("/fr/languages/allemand").headers["Location"].endswith("/fr/languages/deu_Latn")
    assert "Allemand (deu_Latn)" in words(text(client, "/fr/languages/allemandd", 404))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("path", ["/map", "/coverage?sort=name", "/families/aust1307"])
def test_other_lists_stand_in_the_order_of_the_names_too(client: FlaskClient, path: str, locale: str) -> None:
    named = local_names.languages_in(locale)
    page = text(client, f"{'' if locale == DEFAULT else f'/{locale}'}{path}")
    found = re.findall(r'<th scope="row"><a href="[^"]*/languages/([^"]+)">', page)
    seen = [naming.folded(named.get(code, languages.get(code).name)) for code in found]
    assert len(seen) > 20 and seen == sorted(seen)
    assert "English name" not in words(page)
