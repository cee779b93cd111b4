"""The declared questions about knowledge, reading, feeling and culture, against what plain Python reads in files."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import declaration, format_blend
from tasks.records import DataError, Sample, Split, Task
from tests.hostile import segments

DECLARED = Path(declaration.__file__).with_name("declared")
NOBODY = {"idk": 0, "no-answer": 0, "not-applicable": 0}


def declared(dataset: str) -> dict[str, Task]:
    return {task.name: task for task in declaration.load(DECLARED / f"{dataset}.toml")}


def samples(task: Task, code: str, split: Split = "test") -> list[Sample]:
    (variety,) = [one for one in task.varieties if one.code == code]
    return list(task.samples(variety, split))


def every(task: Task, code: str) -> dict[str, Sample]:
    """The samples of all splits that are parts of the scored file, by item."""
    splits: tuple[Split, ...] = ("test", "train") if task.held_out else ("test",)
    return {sample.item: sample for split in splits for sample in samples(task, code, split)}


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]


@pytest.fixture
def mirror(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_DATA", str(data))
    return data


@pytest.mark.parametrize(
    ("dataset", "names"),
    [
        ("afriqa", ["afriqa", "afriqa-closed", "afriqa-closed-wolof"]),
        ("nusax_sentiment", ["nusax-sentiment"]),
        ("afrisenti_sample", ["afrisenti"]),
        ("exams_sample", ["exams"]),
        ("belebele_jv_su", ["belebele-seahelm"]),
        ("blend_lowres", ["blend-saq"]),
    ],
)
def test_the_tasks_of_a_file(dataset: str, names: list[str]) -> None:
    found = declared(dataset)
    assert list(found) == names
    for task in found.values():
        assert all((task.citation, task.contamination, task.provenance, task.notes))


AFRIQA = {"bem": 308, "fon": 386, "hau": 300, "ibo": 409, "kin": 345, "swa": 295, "twi": 486, "yor": 253, "zul": 325}


@pytest.mark.parametrize("code", AFRIQA)
def test_afriqa(mirror: Path, code: str) -> None:
    """Rows without a passage go; the passage's language stands in the name of the file."""
    task = declared("afriqa")["afriqa"]
    found = every(task, code)
    pivot = "fr" if code == "fon" else "en"
    rows = json_lines(
        mirror / "afriqa" / "gold_passages" / code / f"gold_span_passages.afriqa.{code}.{pivot}.test.json"
    )
    asked = {f"{code}-{row['id']}": row for row in rows if (row["context"] or "").strip()}
    assert len(found) == AFRIQA[code] and found.keys() == asked.keys()
    for item, row in asked.items():
        gold = (row["answer_pivot"]["text"][0], row["answer_lang"])
        assert tuple(map(str.strip, found[item].references)) == tuple(map(str.strip, gold))
        asking = [found[item].fields["context"].strip(), found[item].fields["question"].strip()]
        assert asking == [row["context"].strip(), row["question_lang"].strip()]
    assert 18 <= len(samples(task, code, "train")) <= 21, "20, with all that share a passage, less what is left out"


def test_afriqa_has_no_wolof_and_no_pivot() -> None:
    tasks = declared("afriqa")
    assert {one.code for one in tasks["afriqa"].varieties} == set(AFRIQA)
    assert {one.code for one in tasks["afriqa-closed"].varieties} == set(AFRIQA)
    assert [one.language for one in tasks["afriqa-closed-wolof"].varieties] == ["wol_Latn"]


def test_afriqa_without_a_passage(mirror: Path) -> None:
    tasks = declared("afriqa")
    counts = {code: len(every(tasks["afriqa-closed"], code)) for code in AFRIQA}
    assert counts == AFRIQA | {"bem": 309, "yor": 254}
    wolof = every(tasks["afriqa-closed-wolof"], "wol")
    assert len(wolof) == 334 - 6 - 4
    assert not {"wol-125", "wol-175", "wol-305", "wol-325"} & wolof.keys()
    assert all(len(sample.references) == 1 and sample.references[0].strip() for sample in wolof.values())


def test_afriqa_answers_that_are_no_list(mirror: Path) -> None:
    """Why the answers come from the files with passages: those of the others are lists only where no quote stands."""
    broken = {"bem": 1, "fon": 12, "hau": 18, "ibo": 8, "kin": 61, "swa": 1, "twi": 9, "wol": 4, "yor": 5, "zul": 3}
    for code, expected in broken.items():
        pivot = "fr" if code in ("fon", "wol") else "en"
        rows = json_lines(mirror / "afriqa" / "queries" / code / f"queries.afriqa.{code}.{pivot}.test.json")
        inner = [row["answers"].removeprefix("['").removesuffix("']") for row in rows if row["answers"][:2] == "['"]
        assert sum("'" in answer for answer in inner) == expected


@pytest.mark.parametrize("code", ["acehnese", "ngaju", "toba_batak", "english"])
def test_nusax_sentiment(mirror: Path, code: str) -> None:
    found = every(declared("nusax_sentiment")["nusax-sentiment"], code)
    with (mirror / "nusax" / "sentiment" / code / "test.csv").open(encoding="utf-8", newline="") as file:
        labels = {row["id"]: row["label"] for row in csv.DictReader(file)}
    assert {item: sample.options[sample.answer or 0] for item, sample in found.items()} == labels
    assert Counter(labels.values()) == {"positive": 151, "neutral": 96, "negative": 153}


def test_nusax_is_parallel(mirror: Path) -> None:
    task = declared("nusax_sentiment")["nusax-sentiment"]
    assert len(task.varieties) == 12
    (native,) = [one for one in task.varieties if task.origin_in(one) == "native"]
    assert native.language == "ind_Latn"
    items = {one.code: [(s.item, s.answer) for s in task.samples(one)] for one in task.varieties}
    assert all(given == items["indonesian"] for given in items.values())


def test_afrisenti(mirror: Path) -> None:
    task = declared("afrisenti_sample")["afrisenti"]
    assert len(task.varieties) == 14
    one_label = set()
    for variety in task.varieties:
        found = every(task, variety.code)
        lines = (mirror / "afrisenti_sample" / variety.code / "test.tsv").read_text("utf-8").rstrip("\n").split("\n")
        labels = {f"{variety.code}-{place}": line.split("\t")[-1] for place, line in enumerate(lines[1:], start=1)}
        assert {item: sample.options[sample.answer or 0] for item, sample in found.items()} == labels
        assert len(labels) == 200
        if len(set(labels.values())) == 1:
            one_label.add(variety.code)
    assert one_label == {variety.code for variety in task.varieties if variety.flaw == "one_label"}
    assert one_label == {"hau", "ibo", "pcm", "yor"}


def test_exams(mirror: Path) -> None:
    task = declared("exams_sample")["exams"]
    rows = {row["id"]: row for row in json_lines(mirror / "exams_sample" / "test_sample.jsonl")}
    seen: set[str] = set()
    for variety in task.varieties:
        found = every(task, variety.code)
        assert len(found) == 150
        for item, sample in found.items():
            assert rows[item]["info"]["language"] == variety.code
            choices = {choice["label"]: choice["text"].strip() for choice in rows[item]["question"]["choices"]}
            assert sample.options == tuple(choices.values())
            assert sample.options[sample.answer or 0] == choices[rows[item]["answerKey"]]
        seen |= found.keys()
    assert seen == rows.keys() and len(rows) == 2400
    without = {one.code for one in task.varieties if not samples(task, one.code, "train")}
    assert without == {"Arabic", "French", "German", "Lithuanian", "Spanish"}


TUMLU = {
    "tumlu-azerbaijani": {"azerbaijani": 700},
    "tumlu-crimean-tatar": {"crimean-tatar": 345, "crimean-tatar-cyrillic": 345},
    "tumlu-karakalpak": {"karakalpak": 215},
    "tumlu-kazakh": {"kazakh": 897, "kazakh-latin": 897},
    "tumlu-tatar": {"tatar": 794},
    "tumlu-turkish": {"turkish": 900},
    "tumlu-uyghur": {"uyghur": 494, "uyghur-latin": 494},
    "tumlu-uzbek": {"uzbek": 700, "uzbek-cyrillic": 698},
}


@pytest.mark.parametrize("name", TUMLU)
def test_tumlu(mirror: Path, name: str) -> None:
    """All files of a folder are named, and every letter means the option at its place."""
    task = declared("tumlu_mini")[name]
    assert {one.code: len(samples(task, one.code)) for one in task.varieties} == TUMLU[name]
    for variety in task.varieties:
        folder = mirror / "tumlu_mini" / variety.code
        for split, part in (("test", "test"), ("train", "dev")):
            there = {f"{variety.code}/{part}/{path.name}" for path in (folder / part).glob("*.jsonl")}
            assert set(task.source.paths(variety, split)) == there  # type: ignore[attr-defined]
        rows = {path.stem: json_lines(path) for path in (folder / "test").glob("*.jsonl")}
        for sample in samples(task, variety.code):
            file, line = sample.item.rsplit("/", 2)[-2:]
            row = rows[file][int(line) - 1]
            assert sample.options[sample.answer or 0] == row["choices"]["ABCD".index(row["answer"])].strip()


def test_tumlu_in_two_scripts(mirror: Path) -> None:
    """Items are matched between the scripts of a language only where both files have the same ones."""
    tasks = declared("tumlu_mini")
    for name in ("tumlu-crimean-tatar", "tumlu-kazakh", "tumlu-uyghur"):
        one, other = ([(s.item, s.answer) for s in tasks[name].samples(v)] for v in tasks[name].varieties)
        assert one == other
    latin, cyrillic = ({s.item for s in tasks["tumlu-uzbek"].samples(v)} for v in tasks["tumlu-uzbek"].varieties)
    assert not latin & cyrillic
    flawed = {one.code for task in tasks.values() for one in task.varieties if one.flaw}
    assert flawed == {"uyghur-latin", "uzbek-cyrillic"}


def test_belebele_of_sea_helm(mirror: Path) -> None:
    task = declared("belebele_jv_su")["belebele-seahelm"]
    one, other = (list(task.samples(variety)) for variety in task.varieties)
    assert [(s.item, s.answer) for s in one] == [(s.item, s.answer) for s in other]
    for variety, found in zip(task.varieties, (one, other), strict=True):
        rows = json_lines(mirror / "belebele_jv_su" / f"{variety.code}_belebele.jsonl")
        assert [s.options[s.answer or 0] for s in found] == [
            row["prompts"][0][f"choice{'ABCD'.index(row['label']) + 1}"].strip() for row in rows
        ]
        assert Counter(s.answer for s in found) == dict.fromkeys(range(4), 70)
        assert len({s.cluster for s in found}) == 245
        examples = samples(task, variety.code, "train")
        assert len(examples) == 5 and not {s.cluster for s in examples} & {s.cluster for s in found}


SLICES = {"": 400, "-medical": 36, "-legal": 30, "-cs": 200, "-ca": 200}


@pytest.mark.parametrize("part", SLICES)
def test_global_mmlu_lite_of_sea_helm(mirror: Path, part: str) -> None:
    task = declared("global_mmlu_lite_sea")["global-mmlu-lite-seahelm" + part]
    lacking = part in ("", "-ca")  # management/test/5 has no question in Burmese
    english = {s.item: s.answer for s in samples(task, "en")}
    assert len(english) == SLICES[part] == task.items[""]
    for variety in task.varieties:
        found = {s.item: s.answer for s in samples(task, variety.code)}
        missing = {"management/test/5"} if lacking and variety.code == "my" else set()
        assert found == {item: answer for item, answer in english.items() if item not in missing}
        assert samples(task, variety.code, "train")


def test_global_mmlu_lite_has_its_gold_and_its_parts(mirror: Path) -> None:
    tasks = declared("global_mmlu_lite_sea")
    rows = json_lines(mirror / "global_mmlu_lite_sea" / "global_mmlu_lite_en_test.jsonl")
    by_item = {row["metadata"]["sample_id"]: row for row in rows}
    for sample in samples(tasks["global-mmlu-lite-seahelm"], "my"):
        assert "abcd"[sample.answer or 0].upper() == by_item[sample.item]["label"]
    parts = {name: {s.item for s in samples(task, "vi")} for name, task in tasks.items()}
    sensitive, agnostic = parts["global-mmlu-lite-seahelm-cs"], parts["global-mmlu-lite-seahelm-ca"]
    assert sensitive | agnostic == by_item.keys() and not sensitive & agnostic
    law = {"international_law", "jurisprudence", "professional_law"}
    assert {item.split("/")[0] for item in parts["global-mmlu-lite-seahelm-legal"]} == law
    categories = {by_item[item]["metadata"]["subject_category"] for item in parts["global-mmlu-lite-seahelm-medical"]}
    assert categories == {"Medical"}
    assert {tasks[f"global-mmlu-lite-seahelm-{vertical}"].vertical for vertical in ("legal", "medical")} == {
        "legal",
        "medical",
    }


BLEND = {"Assam": 477, "Azerbaijan": 469, "Ethiopia": 472, "Northern_Nigeria": 455, "West_Java": 458}


@pytest.mark.parametrize("code", BLEND)
def test_blend(mirror: Path, code: str) -> None:
    task = declared("blend_lowres")["blend-saq"]
    found = every(task, code)
    entries = json.loads((mirror / "blend_lowres" / "annotations" / f"{code}_data.json").read_text("utf-8"))
    assert len(entries) == 500 and len(found) == BLEND[code]
    for item, sample in found.items():
        commonest = entries[item]["annotations"][0]
        assert sample.references[0] == commonest["answers"][0].strip()
        accepted = {answer.strip() for one in entries[item]["annotations"] for answer in one["answers"]}
        assert set(sample.references) == accepted - {""}
        assert sample.fields["question"].strip() == entries[item]["question"].strip()
    assert len(samples(task, code)) == BLEND[code] - 20


def blend(tmp_path: Path, content: str) -> list[dict[str, Any]]:
    path = tmp_path / "Nowhere_data.json"
    path.write_text(content, "utf-8")
    return list(format_blend.rows(path))


def entry(annotations: list[tuple[list[str], int]], **idks: int) -> dict[str, Any]:
    made = [{"answers": answers, "en_answers": ["rice"], "count": count} for answers, count in annotations]
    counts = NOBODY | {name.replace("_", "-"): count for name, count in idks.items()}
    return {"question": "Naon?", "en_question": "What?", "annotations": made, "idks": counts}


def test_the_answers_of_most_annotators_come_first(tmp_path: Path) -> None:
    (row,) = blend(tmp_path, json.dumps({"Xx-01": entry([(["teh"], 1), (["sangu", " sangu ", "nasi", ""], 4)])}))
    assert row == {
        "id": "Xx-01",
        "question": "Naon?",
        "en_question": "What?",
        "answers": ["sangu", "nasi", "teh"],
        "en_answers": ["rice"],
        "answerable": True,
    }


@pytest.mark.parametrize(
    ("idks", "answerable"),
    [
        ({"no_answer": 2}, True),
        ({"no_answer": 1, "not_applicable": 1}, True),
        ({"no_answer": 2, "not_applicable": 1}, False),
        ({"not_applicable": 3}, False),
        ({"idk": 4, "no_answer": 2}, True),
        ({"idk": 5}, False),
        ({"unsure": 9}, True),
    ],
)
def test_which_questions_have_an_answer(tmp_path: Path, idks: dict[str, int], answerable: bool) -> None:
    (row,) = blend(tmp_path, json.dumps({"a": entry([(["teh"], 1)], **idks)}))
    assert row["answerable"] is answerable


def test_a_question_that_nobody_answered(tmp_path: Path) -> None:
    (row,) = blend(tmp_path, json.dumps({"a": entry([])}))
    assert (row["answers"], row["answerable"]) == ([], False)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"a": 1}',
        '{"a": {"question": "?"}}',
        '{"a": {"question": "?", "en_question": "?", "annotations": [{"answers": "teh"}], "idks": {}}}',
        '{"a": {"question": "?", "en_question": "?", "annotations": [], "idks": {"idk": "many"}}}',
        '{"a": {"question": "\\ud800", "en_question": "?", "annotations": [], "idks": {}}}',
        "[" * 100_000,
    ],
)
def test_what_is_not_blend_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="Nowhere_data.json should be a JSON object of questions") as caught:
        blend(tmp_path, content)
    assert "\n" not in str(caught.value)


encodable = segments.map(lambda text: text.encode("utf-8", "ignore").decode())  # no lone surrogates


@given(st.lists(st.tuples(st.lists(encodable, max_size=3), st.integers(1, 5)), max_size=4))
def test_any_answers(tmp_path_factory: pytest.TempPathFactory, annotations: list[tuple[list[str], int]]) -> None:
    (row,) = blend(tmp_path_factory.getbasetemp(), json.dumps({"a": entry(annotations)}))
    given_ = {answer.strip() for answers, _ in annotations for answer in answers} - {""}
    assert set(row["answers"]) == given_ and len(row["answers"]) == len(given_)
