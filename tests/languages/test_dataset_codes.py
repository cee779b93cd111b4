"""The codes of the datasets: the table itself, and that it covers what lies on disk."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import languages
from languages import UnknownLanguage
from languages.tables import read_table

TABLE = read_table("dataset_codes.tsv")
NOT_EVALUATED = {"linguameta", "glottolog"}


def test_the_table_is_sorted_and_every_code_is_there_once() -> None:
    keys = [(row["dataset"], row["code"]) for row in TABLE]
    assert keys == sorted(set(keys))


def test_every_code_points_at_a_row() -> None:
    known = {one.code for one in languages.all_languages()}
    assert {row["language"] for row in TABLE} <= known


def test_no_two_codes_of_a_dataset_collide() -> None:
    """A sample is told apart by language and variety, so one dataset never has a pair of them twice."""
    keys = Counter((row["dataset"], row["language"], row["variety"]) for row in TABLE)
    assert [key for key, times in keys.items() if times > 1] == []


def test_a_variety_is_a_bcp47_subtag() -> None:
    subtag = re.compile(r"[A-Z]{2}|[0-9]{3}|[0-9][a-z0-9]{3}|[a-z]{5,8}|x-[a-z0-9]{1,8}")
    assert [row for row in TABLE if row["variety"] and not subtag.fullmatch(row["variety"])] == []


@pytest.mark.parametrize(
    ("dataset", "code", "language", "variety"),
    [
        ("ntrex128", "por-BR", "por_Latn", "BR"),
        ("ntrex128", "eng-IN", "eng_Latn", "IN"),
        ("ntrex128", "zho-TW", "zho_Hant", ""),
        ("ntrex128", "shi", "shi_Arab", ""),
        ("ntrex128", "hmn", "mww_Latn", ""),
        ("ntrex128", "yue", "yue_Hant", ""),
        ("udhr", "yue", "yue_Hans", ""),
        ("ntrex128", "GSW_be", "gsw_Latn", "BE"),
        ("tico19_medical_mt", "ti_ER", "tir_Ethi", "ER"),
        ("tico19_medical_mt", "es_LA", "spa_Latn", "419"),
        ("tico19_terminology", "cb_IQ", "kmr_Latn", ""),
        ("tico19_terminology", "cx_PH", "ceb_Latn", ""),
        ("tumlu_mini", "uzbek-cyrillic", "uzn_Cyrl", ""),
        ("udhr", "oci_1", "frp_Latn", "x-fribourg"),
        ("udhr", "aka_asante", "twi_Latn", "asante"),
        ("xcopa", "qu", "qve_Latn", ""),
        ("mgsm", "zh", "zho_Hans", ""),
        ("exams_sample", "Serbian", "srp_Cyrl", ""),
    ],
)
def test_traps(dataset: str, code: str, language: str, variety: str) -> None:
    found = languages.resolve(dataset, code)
    assert (found.language.code, found.variety) == (language, variety)


def test_unknown_codes_and_datasets_are_refused_in_one_line() -> None:
    with pytest.raises(UnknownLanguage, match=r"the dataset ntrex128 has no code 'por-BT'; did you mean por-BR"):
        languages.resolve("ntrex128", "por-BT")
    with pytest.raises(UnknownLanguage, match=r"'ntrex'; did you mean ntrex128\?"):
        languages.dataset_codes("ntrex")


def names(paths: Iterable[Path], pattern: str = "(.+)") -> set[str]:
    """The codes in the names of files and folders; names that do not match are no codes."""
    return {match[1] for path in paths if (match := re.fullmatch(pattern, path.name))}


def folders(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def milpac(folder: Path) -> set[str]:
    cells: set[str] = set()
    for path in folder.glob("*.xlsx"):
        with zipfile.ZipFile(path) as book:
            for sheet in (name for name in book.namelist() if re.search(r"sheet\d+\.xml|sharedStrings", name)):
                cells |= set(re.findall(r"<t[^>]*>([A-Z]{2})</t>", book.read(sheet).decode()))
    return cells & {"EN", "BN", "GU", "HI", "ML", "MR", "OR", "PA", "TA", "TE"}


def exams(folder: Path) -> set[str]:
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    return {json.loads(line)["info"]["language"] for line in lines}


ON_DISK: dict[str, Callable[[Path], set[str]]] = {
    "afriqa": lambda folder: folders(folder / "queries") | {"en", "fr"},
    "afrisenti_sample": folders,
    "americasnli": lambda folder: names(folder.glob("*/*.tsv"), r"(\w+)\.tsv"),
    "americasnlp2021_mt_test": lambda folder: names(folder.glob("test.*"), r"test\.(\w+)"),
    "belebele_jv_su": lambda folder: names(folder.iterdir(), r"(\w{2})_belebele.*\.jsonl"),
    "blend_lowres": lambda folder: names((folder / "annotations").iterdir(), r"(\w+)_data\.json"),
    "copal_id": lambda _: {"id", "colloquial"},
    "exams_sample": exams,
    "frenchmedmcqa": lambda _: {"fr"},
    "global_mmlu_lite_sea": lambda folder: names(folder.iterdir(), r"global_mmlu_lite_(\w+)_(?:dev|test)\.jsonl"),
    "language_confusion_prompts": lambda folder: names(folder.rglob("*.csv"), r"(\w+)\.csv"),
    "lawbench_zh": lambda _: {"zh"},
    "lexam_legal_mcq": lambda _: {"de", "en"},
    "mgsm": lambda folder: names(folder.iterdir(), r"mgsm_(\w+)\.tsv"),
    "milpac_legal_mt": milpac,
    "ntrex128": lambda folder: names(folder.glob("NTREX-*/*"), r"newstest2019-(?:src|ref|ref-2)\.(.+)\.txt"),
    "nusax": lambda folder: folders(folder / "sentiment"),
    "oab_legal_mcq_pt": lambda _: {"pt"},
    "sib200": lambda folder: folders(folder / "data" / "annotated") - {"nqo_Nkoo.zip"},
    "tico19_medical_mt": lambda folder: (
        names((folder / "datasets" / "tico19" / "testsets").iterdir(), r"en-(\w+)") | {"en"}
    ),
    "tico19_terminology": lambda folder: names(folder.iterdir(), r"f_en-(\w+)\.csv") | {"en"},
    "tumlu_mini": folders,
    "udhr": lambda folder: names(folder.iterdir(), r"udhr_(.+)\.xml"),
    "xcopa": lambda folder: folders(folder / "data"),
}


def test_every_dataset_on_disk_is_in_the_table(data: Path) -> None:
    assert folders(data) - NOT_EVALUATED - {row["dataset"] for row in TABLE} == set()


@pytest.mark.parametrize("dataset", sorted({row["dataset"] for row in TABLE}))
def test_the_table_has_exactly_the_codes_on_disk(dataset: str, data: Path) -> None:
    if not (data / dataset).is_dir():
        pytest.skip(f"the mirror has no {dataset}")
    assert {one.code for one in languages.dataset_codes(dataset)} == ON_DISK[dataset](data / dataset)
