"""The declared translation sets, against facts read from the files by other means, and the reader of the UDHR."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import declaration, format_terms, format_udhr
from tasks.records import DataError, Sample, Task

DECLARED = Path(declaration.__file__).with_name("declared")


def declared(dataset: str) -> dict[str, Task]:
    return {task.name: task for task in declaration.load(DECLARED / f"{dataset}.toml")}


def samples(task: Task, code: str) -> list[Sample]:
    (variety,) = [one for one in task.varieties if one.code == code]
    return list(task.samples(variety))


def ends(source: str, target: str) -> tuple[str, str]:
    """Two texts without the white space around them, which decides nothing."""
    return source.strip(), target.strip()


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").rstrip("\n").split("\n")


@pytest.fixture
def mirror(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_DATA", str(data))
    return data


PAIRS = [
    ("tico19_medical_mt", "tico19", 38, "medical"),
    ("americasnlp2021_mt_test", "americasnlp", 10, ""),
    ("nusax", "nusax-mt", 11, ""),
    ("milpac_legal_mt", "milpac", 9, "legal"),
    ("udhr", "udhr", 239, "legal"),
    ("ntrex128", "ntrex", 126, ""),
]


@pytest.mark.parametrize(("dataset", "group", "languages", "vertical"), PAIRS)
def test_both_directions_ask_the_same_languages(dataset: str, group: str, languages: int, vertical: str) -> None:
    outward, inward = declared(dataset).values()
    pivot = "spa_Latn" if dataset.startswith("americasnlp") else "eng_Latn"
    assert outward.varieties == inward.varieties
    assert len(outward.varieties) == languages
    assert pivot not in {variety.language for variety in outward.varieties}
    area = "legal" if dataset == "udhr" else "translation"  # a text that everybody has seen is no test of translation
    assert (outward.group, outward.vertical, outward.area) == (group, vertical, area)
    assert (inward.group, inward.vertical, inward.area) == (group, vertical, area)
    assert (outward.answer_language, inward.answer_language) == ("own", pivot)
    assert outward.raw_input and inward.raw_input
    assert "{language}" in outward.prompt.text and "{language}" in inward.prompt.text


@pytest.mark.parametrize(
    ("dataset", "code"),
    [
        ("tico19_medical_mt", "km"),
        ("americasnlp2021_mt_test", "nah"),
        ("nusax", "toba_batak"),
        ("milpac_legal_mt", "PA"),
        ("udhr", "quz"),
        ("ntrex128", "gsw-BE"),
    ],
)
def test_one_direction_is_the_other_turned_round(mirror: Path, dataset: str, code: str) -> None:
    outward, inward = (samples(task, code) for task in declared(dataset).values())
    assert len(outward) > 20
    assert [one.item for one in outward] == [one.item for one in inward]
    assert len({one.item for one in outward}) == len(outward)
    there = [ends(one.input, one.references[0]) for one in outward]
    assert there == [ends(one.references[0], one.input) for one in inward]
    assert all(one.fields == {"text": one.input} for one in outward + inward)


def test_tico_has_its_2100_lines_and_one_english_text_for_all(mirror: Path) -> None:
    folder = mirror / "tico19_medical_mt" / "datasets" / "tico19" / "testsets"
    task = declared("tico19_medical_mt")["tico19-from-eng"]
    swahili, zulu = samples(task, "sw"), samples(task, "zu")
    assert [one.references[0] for one in swahili] == lines(folder / "en-sw" / "tico19-test.sw")
    assert [one.input for one in swahili] == [one.input for one in zulu]
    assert len(swahili) == 2100
    assert swahili[2099].item == "2100"
    assert len({one.cluster for one in swahili}) == 19
    assert (swahili[0].cluster, swahili[2099].cluster) == ("CMU_1", "wiki_9")
    assert not any('""' in one.input or "&lt;" in one.input for one in swahili)


def test_tico_flags_the_languages_whose_lines_are_displaced(mirror: Path) -> None:
    task = declared("tico19_medical_mt")["tico19-from-eng"]
    flaws = {variety.code: variety.flaw for variety in task.varieties if variety.flaw}
    assert flaws == {"nus": "legacy_encoding", "fr": "misaligned", "so": "misaligned"}
    parts = {"fr": slice(424, 698), "so": slice(1500, 2100)}
    for code, part in parts.items():
        assert numbers_kept(samples(task, code)[part]) < 0.3
        assert numbers_kept(samples(task, code)[:400]) > 0.9
        assert numbers_kept(samples(task, "sw")[part]) > 0.95


def numbers_kept(asked: list[Sample]) -> float:
    """The share of the numbers of two and more digits in the sources that stand in the references too."""
    found = [(number, one.references[0]) for one in asked for number in re.findall(r"[0-9]{2,}", one.input)]
    return sum(number in reference for number, reference in found) / len(found)


def test_terms_are_the_lists_of_facebook(mirror: Path) -> None:
    (task,) = declared("tico19_terminology").values()
    assert (task.metrics, task.area, task.vertical) == (("glossary_recall", "chrf++"), "medical", "medical")
    counts = {variety.code: len(samples(task, variety.code)) for variety in task.varieties}
    assert len(counts) == 88
    assert {code: count for code, count in counts.items() if count != 306} == {"mk_MK": 305}  # one is to be removed
    with (mirror / "tico19_terminology" / "f_en-ha_NG.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    asked = samples(task, "ha_NG")
    assert [(one.fields["term"], one.references) for one in asked] == [
        (row["sourceString"], (row["targetString"],)) for row in rows
    ]
    assert asked[27].item == "028"
    assert asked[27].fields["term"] == "CDC"


def test_a_comma_too_many_belongs_to_the_rendering(mirror: Path) -> None:
    (task,) = declared("tico19_terminology").values()
    found = 0
    for path in (mirror / "tico19_terminology").glob("f_en-*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            wide = [values for values in csv.reader(file) if len(values) > 5]
        if wide:
            asked = {one.fields["term"]: one.references for one in samples(task, path.stem.removeprefix("f_en-"))}
            assert all(asked[values[3]] == (",".join(values[4:]),) for values in wide)
            found += len(wide)
    assert found == 15


def test_several_renderings_of_a_term_are_alternatives(mirror: Path) -> None:
    (task,) = declared("tico19_terminology").values()
    several = Counter(
        variety.code for variety in task.varieties for one in samples(task, variety.code) if "\t" in one.references[0]
    )
    assert several == {"as_IN": 31, "ht_HT": 4, "su_ID": 3, "pl_PL": 1, "ss_SZ": 1}


def terms(folder: Path, content: str) -> list[dict[str, str]]:
    path = folder / "f_en-xx.csv"
    path.write_text(content, "utf-8", newline="")
    return list(format_terms.rows(path))


def test_a_list_of_terms_is_read(tmp_path: Path) -> None:
    content = 'id,sourceString,targetString\r\n1,cough,a / b\r\n2,"x, y",c, d\r\n3,fever,e/f |g\r\n'
    assert terms(tmp_path, content) == [
        {"id": "1", "sourceString": "cough", "targetString": "a\tb"},
        {"id": "2", "sourceString": "x, y", "targetString": "c, d"},
        {"id": "3", "sourceString": "fever", "targetString": "e/f\tg"},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "should start with the names of its columns"),
        ("id,id\n1,2\n", "it has id, id"),
        ("id,term\n1\n", "line 2: 1 columns, the header has 2"),
        ('id,term\n1,"x\n', "unexpected end of data"),
    ],
)
def test_what_is_no_list_of_terms_is_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        terms(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_americasnlp_leaves_out_its_empty_lines(mirror: Path) -> None:
    task = declared("americasnlp2021_mt_test")["americasnlp-from-spa"]
    assert {code: len(samples(task, code)) for code in ("aym", "nah", "oto")} == {"aym": 1003, "nah": 995, "oto": 1001}
    folder = mirror / "americasnlp2021_mt_test"
    empty = [number for number, line in enumerate(lines(folder / "test.nah"), start=1) if not line.strip()]
    assert {f"{number:04}" for number in empty}.isdisjoint(one.item for one in samples(task, "nah"))
    last = samples(task, "shp")[-1]
    assert (last.item, last.input, *last.references) == (
        "1003",
        lines(folder / "test.es")[-1],
        lines(folder / "test.shp")[-1],
    )
    assert "Spanish" in task.prompt.text


def test_americasnlp_overlaps_with_americasnli(mirror: Path) -> None:
    with (mirror / "americasnli" / "test" / "shp.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    known = {row[side] for row in rows for side in ("premise", "hypothesis")}
    task = declared("americasnlp2021_mt_test")["americasnlp-from-spa"]
    assert sum(one.references[0] in known for one in samples(task, "shp")) == 1000
    assert task.content == ("xnli",)


def test_nusax_takes_the_column_of_the_language(mirror: Path) -> None:
    task = declared("nusax")["nusax-from-eng"]
    with (mirror / "nusax" / "mt" / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for code in ("buginese", "minangkabau"):
        asked = samples(task, code)
        assert [ends(one.input, *one.references) for one in asked] == [ends(row["english"], row[code]) for row in rows]
    assert [one.item for one in asked[:2]] == ["001", "002"]
    assert {one.origin or task.origin for one in task.varieties if one.code == "indonesian"} == {"native"}


def test_milpac_takes_the_rows_of_the_language_from_three_tables(mirror: Path) -> None:
    task = declared("milpac_legal_mt")["milpac-from-eng"]
    counts: Counter[str] = Counter()
    for path in (mirror / "milpac_legal_mt").glob("*.xlsx"):
        counts.update(str(row[4]) for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(2, values_only=True))
    assert counts == task.items
    asked = samples(task, "OR")
    assert len(asked) == 370
    assert Counter(one.item.split("-")[0] for one in asked) == {"Acts": 256, "IP": 114}
    assert all(any("\u0b00" <= letter <= "\u0b7f" for letter in one.references[0]) for one in asked)
    assert not any("\u0b00" <= letter <= "\u0b7f" for one in asked for letter in one.input)
    assert task.access == "non-commercial"


def test_udhr_has_whole_articles_of_whole_texts(mirror: Path) -> None:
    task = declared("udhr")["udhr-from-eng"]
    stages = {one.get("f"): one.get("stage") for one in ET.parse(mirror / "udhr" / "index.xml").getroot().iter("udhr")}
    assert {stages[variety.code] for variety in task.varieties} == {"4"}
    assert {"eng", "ckb", "chv", "tzm_tfng"}.isdisjoint(variety.code for variety in task.varieties)
    misaligned = {variety.code for variety in task.varieties if variety.flaw == "misaligned"}
    assert misaligned == {"cjk", "kmb", "umb", "ura"}
    assert {variety.flaw for variety in task.varieties} == {"memorised", "misaligned"}
    asked = {variety.code: samples(task, variety.code) for variety in task.varieties}
    assert sum(len(one) == 30 for one in asked.values()) == 239 - 18
    assert min((len(one), code) for code, one in asked.items()) == (23, "oss")
    assert "16" not in {one.item for one in asked["mag"]}
    assert "24" not in {one.item for one in asked["tso_ZW"]}
    assert not any("missing" in one.references[0].lower() for some in asked.values() for one in some)
    (fourth,) = {one.input for some in asked.values() for one in some if one.item == "04"}
    assert fourth.startswith("No one shall be held in slavery")


def test_sib200_and_ntrex_have_their_splits_and_documents(mirror: Path) -> None:
    (sib,) = declared("sib200").values()
    assert (sib.source.splits, len(sib.varieties), sib.content) == (("test", "train"), 205, ("flores200",))
    (yoruba,) = [one for one in sib.varieties if one.code == "yor_Latn"]
    assert [len(list(sib.samples(yoruba, split))) for split in sib.source.splits] == [204, 701]
    rows = [line.split("\t") for line in lines(mirror / "sib200" / "data" / "annotated" / "yor_Latn" / "test.tsv")]
    made = [(one.item, one.options[one.answer or 0], one.input) for one in sib.samples(yoruba)]
    assert made == [tuple(row) for row in rows[1:]]
    ntrex = declared("ntrex128")["ntrex-from-eng"]
    asked = samples(ntrex, "mya")
    assert len(asked) == 1997
    assert len({one.cluster for one in asked}) == 123
    assert [variety.code for variety in ntrex.varieties if variety.flaw] == ["mya", "nso"]


def udhr(body: str) -> str:
    return f'<udhr xmlns="http://efele.net/udhr" key="xxx"><preamble><para>No article.</para></preamble>{body}</udhr>'


def articles(folder: Path, content: str) -> list[dict[str, str]]:
    path = folder / "udhr_xxx.xml"
    path.write_text(content, "utf-8")
    return list(format_udhr.rows(path))


def test_an_article_is_its_paragraphs_and_list_items_a_line_each(tmp_path: Path) -> None:
    assert articles(
        tmp_path,
        udhr(
            '<article number="1"><title>Article  1</title><para>One\n  line.</para><orderedlist>'
            '<listitem tag="(a)"><para>First.</para></listitem><listitem><para> </para></listitem></orderedlist>'
            "</article>"
            '<article number="12"><para>Alone.</para></article>'
        ),
    ) == [
        {"article": "1", "title": "Article 1", "text": "One line.\nFirst."},
        {"article": "12", "title": "", "text": "Alone."},
    ]


@pytest.mark.parametrize("gap", ["[missing?]", "[Missing]", "[Missing 15.2]", "(missing)", "[?]", "a [w..d ?] lost"])
def test_an_article_with_a_gap_is_empty(tmp_path: Path, gap: str) -> None:
    (article,) = articles(tmp_path, udhr(f'<article number="1"><para>Whole.</para><para>{gap}</para></article>'))
    assert article["text"] == ""


def test_brackets_that_mark_no_gap_stay(tmp_path: Path) -> None:
    text = "A [corrected] word. Is (this) missing?"
    (article,) = articles(tmp_path, udhr(f'<article number="1"><para>{text}</para></article>'))
    assert article["text"] == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<udhr", "is no XML"),
        ("<udhr/>", "it should be <udhr> of http"),
        (udhr('<article number="1"/><article number="1"/>'), "'1' is no number from 1 or stands twice"),
        (udhr("<article/>"), "article number ''"),
        (udhr('<article number="one"/>'), "article number 'one'"),
    ],
)
def test_what_is_no_declaration_of_rights_is_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        articles(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert "udhr_xxx.xml" in str(caught.value)


@given(text=st.text(st.characters(codec="utf-8")))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("udhr")
    element = ET.Element(f"{format_udhr.NAMESPACE}udhr")
    ET.SubElement(
        ET.SubElement(element, f"{format_udhr.NAMESPACE}article", number="7"), f"{format_udhr.NAMESPACE}para"
    ).text = text
    try:
        (article,) = articles(folder, ET.tostring(element, "unicode"))
    except DataError:
        assert any(ord(letter) < 32 or letter in "\ufffe\uffff" for letter in text)  # XML has no such characters
    else:
        assert article["text"] in ("", " ".join(text.split()))
    with pytest.raises(DataError):
        articles(folder, text)
