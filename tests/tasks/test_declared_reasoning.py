"""The declared arithmetic, causes, inferences and language rules, against what plain Python reads in the files."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks import declaration
from tasks.records import Sample, Split, Task

DECLARED = Path(declaration.__file__).with_name("declared")
CAUSE, EFFECT = "What was the cause?", "What happened as a result?"


def declared(dataset: str) -> dict[str, Task]:
    return {task.name: task for task in declaration.load(DECLARED / f"{dataset}.toml")}


def samples(task: Task, code: str, split: Split = "test") -> list[Sample]:
    (variety,) = [one for one in task.varieties if one.code == code]
    return list(task.samples(variety, split))


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def mirror(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_DATA", str(data))
    return data


@pytest.mark.parametrize("dataset", ["mgsm", "xcopa", "copal_id", "americasnli", "language_confusion_prompts"])
def test_what_a_reader_of_the_scores_must_know_is_said(dataset: str) -> None:
    for task in declared(dataset).values():
        assert all((task.citation, task.contamination, task.provenance, task.notes)) and task.licence != "unknown"


def test_mgsm(mirror: Path) -> None:
    task = declared("mgsm")["mgsm"]
    assert len(task.varieties) == 11
    gold = {variety.code: [sample.references for sample in task.samples(variety)] for variety in task.varieties}
    lines = (mirror / "mgsm" / "mgsm_sw.tsv").read_text("utf-8").rstrip("\n").split("\n")
    assert gold["sw"] == [(line.rpartition("\t")[2].strip(),) for line in lines]
    assert all(answers == gold["sw"] for answers in gold.values())
    assert {answer for (answer,) in gold["bn"] if "," in answer} == {"2,125", "5,600", "114,200", "276,000"}
    first, *_, last = samples(task, "te")
    assert (first.item, first.references, last.item) == ("001", ("18",), "250")
    assert [one.code for one in task.varieties if task.origin_in(one) == "native"] == ["en"]


def test_xcopa(mirror: Path) -> None:
    """The same labels in every language, and where the files say cause for effect."""
    task = declared("xcopa")["xcopa"]
    estonian = json_lines(mirror / "xcopa" / "data" / "et" / "test.et.jsonl")
    wrong = {}
    for variety in task.varieties:
        found = samples(task, variety.code)
        assert [(s.item, s.answer) for s in found] == [(str(row["idx"]), row["label"]) for row in estonian]
        rows = json_lines(mirror / "xcopa" / "data" / variety.code / f"test.{variety.code}.jsonl")
        assert [s.options for s in found] == [(row["choice1"].strip(), row["choice2"].strip()) for row in rows]
        asked = [{CAUSE: "cause", EFFECT: "effect"}[s.fields["asked"]] for s in found]
        wrong[variety.code] = sum(one != row["question"] for one, row in zip(asked, estonian, strict=True))
        assert len(samples(task, variety.code, "train")) == 100
    assert {code: count for code, count in wrong.items() if count} == {"id": 4, "it": 4, "sw": 37, "tr": 51, "th": 250}
    assert {one.code: one.flaw for one in task.varieties if one.flaw} == {"th": "wrong_questions"}


def test_xcopa_by_hand(mirror: Path) -> None:
    (first, second, *_) = samples(declared("xcopa")["xcopa"], "qu")
    assert (first.language, first.fields["asked"], first.answer) == ("qve_Latn", CAUSE, 0)
    assert (second.item, second.fields["asked"], second.answer) == ("1", EFFECT, 0)


def test_copal_in_two_registers(mirror: Path) -> None:
    task = declared("copal_id")["copal-id"]
    assert {(one.language, one.variety) for one in task.varieties} == {("ind_Latn", ""), ("ind_Latn", "x-colloq")}
    standard, spoken = samples(task, "id"), samples(task, "colloquial")
    for found, name in ((standard, "test_copal"), (spoken, "test_copal_colloquial")):
        rows = table(mirror / "copal_id" / "v1" / f"{name}.csv")
        assert [(s.item, str(s.answer)) for s in found] == [(row["idx"], row["label"]) for row in rows]
        assert [s.fields["premise"].strip() for s in found] == [row["premise"].strip() for row in rows]
        assert len(rows) == 559 and Counter(s.fields["asked"] for s in found) == {CAUSE: 279, EFFECT: 280}
    assert [(s.item, s.answer) for s in standard] == [(s.item, s.answer) for s in spoken]
    assert [s.fields["premise"] for s in standard] != [s.fields["premise"] for s in spoken]


def test_americasnli(mirror: Path) -> None:
    task = declared("americasnli")["americasnli"]
    counts = {}
    for variety in task.varieties:
        for split, folder in (("test", "test"), ("train", "dev")):
            lines = (mirror / "americasnli" / folder / f"{variety.code}.tsv").read_text("utf-8").split("\n")
            rows = [line.rstrip("\r").split("\t") for line in lines[1:] if line]
            labels = {row[0]: row[4] for row in rows if row[2].strip() and row[3].strip()}
            found = samples(task, variety.code, split)  # type: ignore[arg-type]
            assert {s.item: s.options[s.answer or 0] for s in found} == labels
            if split == "test":
                counts[variety.code] = len(found)
                assert len(rows) == task.items[variety.code]
    assert counts == dict.fromkeys(counts, 750) | {"nah": 735, "oto": 748}
    assert len(counts) == 10


def test_americasnli_asks_three_times_of_one_sentence(mirror: Path) -> None:
    found = samples(declared("americasnli")["americasnli"], "quy")
    assert Counter(Counter(s.cluster for s in found).values()) == {3: 250}


CONFUSION = {
    "lcb-monolingual-aya": (("aya",), 5, 100),
    "lcb-monolingual-dolly": (("dolly",), 5, 100),
    "lcb-monolingual-native": (("native",), 4, 100),
    "lcb-monolingual-okapi": (("okapi",), 10, 100),
    "lcb-crosslingual": (("okapi", "sharegpt"), 14, 200),
}


@pytest.mark.parametrize("name", CONFUSION)
def test_language_confusion(mirror: Path, name: str) -> None:
    """The prompts of every file, and the file's language as the one rule."""
    task = declared("language_confusion_prompts")[name]
    sources, languages, items = CONFUSION[name]
    part = mirror / "language_confusion_prompts" / "test_sets" / name.split("-")[1]
    there = {path.stem for source in sources for path in (part / source).glob("*.csv")}
    assert {one.code for one in task.varieties} == there and len(there) == languages
    for variety in task.varieties:
        rows = [row for source in sources for row in table(part / source / f"{variety.code}.csv")]
        found = samples(task, variety.code)
        assert [s.input.strip() for s in found] == [row["prompt"].strip() for row in rows] and len(found) == items
        assert {row["language"] for row in rows} == {variety.code}
        rules = {s.references for s in found}
        assert rules == {(json.dumps([{"id": "language:only", "kwargs": {"language": variety.language}}]),)}


def test_language_confusion_asks_the_same_in_english_of_all_languages(mirror: Path) -> None:
    task = declared("language_confusion_prompts")["lcb-crosslingual"]
    french, turkish = samples(task, "fr"), samples(task, "tr")
    assert [s.item for s in french] == [s.item for s in turkish]
    assert [s.input.replace("French", "Turkish") for s in french] == [s.input for s in turkish]
    assert [french[0].item, french[100].item] == ["okapi-001", "sharegpt-001"]
    assert {s.cluster for s in french} == {""}
