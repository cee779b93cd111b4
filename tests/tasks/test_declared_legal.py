"""The declared legal and medical exams, against facts read from the files by other means, and the OAB reader."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import declaration, format_lawbench, format_oab
from tasks.records import DataError, Sample, Task
from tests.hostile import segments

DECLARED = Path(declaration.__file__).with_name("declared")

EXAM = """Questão 1

AREA ETHICS

Uma advogada inventada pergunta se pode
vender-
se laranjas na feira.

Assinale a opção certa.

OPTIONS

A) Não pode,
em nenhum dia.

B:CORRECT) Pode, aos sábados.

C) Só na chuva.

D) Nunca.


Questão 2 NULL

AREA

Pergunta anulada?

OPTIONS

A) Sim.

B) Não.
"""


def declared(dataset: str) -> dict[str, Task]:
    return {task.name: task for task in declaration.load(DECLARED / f"{dataset}.toml")}


def samples(task: Task, code: str = "") -> list[Sample]:
    (variety,) = [one for one in task.varieties if not code or one.code == code]
    return list(task.samples(variety))


@pytest.fixture
def mirror(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_DATA", str(data))
    return data


@pytest.mark.parametrize(
    ("dataset", "names", "vertical"),
    [
        ("frenchmedmcqa", ["frenchmedmcqa", "frenchmedmcqa-multi"], "medical"),
        ("lexam_legal_mcq", ["lexam-mcq"], "legal"),
        ("lawbench_zh", ["lawbench-knowledge", "lawbench-cases"], "legal"),
        ("oab_legal_mcq_pt", ["oab"], "legal"),
    ],
)
def test_an_exam_is_native_and_of_its_vertical(dataset: str, names: list[str], vertical: str) -> None:
    found = declared(dataset)
    assert list(found) == names
    assert {(task.area, task.vertical, task.origin) for task in found.values()} == {(vertical, vertical, "native")}


def test_oab_asks_every_question_that_was_not_annulled(mirror: Path) -> None:
    (task,) = declared("oab_legal_mcq_pt").values()
    files = sorted((mirror / "oab_legal_mcq_pt").glob("20*.txt"))
    text = "\n".join(path.read_text("utf-8") for path in files)
    asked = samples(task)
    assert len(files) == 27
    annulled = re.findall(r"^Questão +\d+ +NULL *$", text, re.MULTILINE)
    assert len(asked) == len(re.findall(r"^Questão +\d+", text, re.MULTILINE)) - len(annulled) == 2210
    assert {one.item[:-4] for one in asked} == {path.stem for path in files}
    assert not any("CORRECT" in words for one in asked for words in (one.input, *one.options))
    assert not any("OPTIONS" in words or "AREA" in words for one in asked for words in (one.input, *one.options))
    assert {len(one.options) for one in asked} == {4}
    marked = Counter(re.findall(r"^([A-D]):CORRECT\)", text, re.MULTILINE))
    marked.subtract({"D": 1, "B": 1})  # 2016-19, questions 71 and 73: annulled, and marked all the same
    assert Counter("ABCD"[one.answer or 0] for one in asked) == marked
    gold = {one.item: one.answer for one in asked}
    assert [gold[item] for item in ("2010-01-001", "2016-21-001", "2018-25-080")] == [0, 0, 0]
    assert {"2011-03-072", "2012-09-003", "2016-19-071"}.isdisjoint(gold)


def test_frenchmedmcqa_has_the_questions_with_one_right_answer_and_all(mirror: Path) -> None:
    one, multi = declared("frenchmedmcqa").values()
    rows = json.loads((mirror / "frenchmedmcqa" / "test.json").read_text("utf-8"))
    assert Counter(len(row["correct_answers"]) for row in rows) == {1: 321, 2: 97, 3: 141, 4: 56, 5: 7}
    gold = {row["id"]: tuple(sorted("abcde".index(letter) for letter in row["correct_answers"])) for row in rows}
    single, several = samples(one), samples(multi)
    assert {sample.item: sample.answers for sample in several} == gold
    assert {sample.item: (sample.answer,) for sample in single} == {
        item: right for item, right in gold.items() if len(right) == 1
    }
    assert Counter(sample.answer for sample in single) == {2: 85, 1: 73, 3: 72, 0: 48, 4: 43}
    assert [sample.options for sample in several] == [tuple(row["answers"].values()) for row in rows]
    assert (one.kind, multi.kind, multi.metrics[0]) == ("choice", "labels", "label_f1")


def test_lexam_has_the_rows_of_each_language(mirror: Path) -> None:
    (task,) = declared("lexam_legal_mcq").values()
    sheet = openpyxl.load_workbook(mirror / "lexam_legal_mcq" / "MCQs_test.xlsx").worksheets[0]
    header, *rows = [list(values) for values in sheet.iter_rows(values_only=True)]
    records = [dict(zip(header, row, strict=True)) for row in rows]
    for code, count in (("de", 1041), ("en", 619)):
        asked = samples(task, code)
        own = [record for record in records if record["language"] == code]
        assert len(asked) == count == len(own)
        assert [(one.item, one.options, one.answer) for one in asked] == [
            (record["id"], tuple(ast.literal_eval(str(record["choices"]))), record["gold"]) for record in own
        ]
    assert Counter(one.answer for one in samples(task, "en")) == {1: 168, 3: 161, 0: 153, 2: 137}


@pytest.mark.parametrize(
    ("name", "file", "gold"),
    [
        ("lawbench-knowledge", "1-2", {2: 145, 3: 140, 1: 112, 0: 102}),
        ("lawbench-cases", "3-6", {3: 146, 2: 140, 1: 116, 0: 98}),
    ],
)
def test_lawbench_has_its_options_taken_out_of_the_question(
    mirror: Path, name: str, file: str, gold: dict[int, int]
) -> None:
    task = declared("lawbench_zh")[name]
    asked = samples(task)
    rows = json.loads((mirror / "lawbench_zh" / "zero_shot" / f"{file}.json").read_text("utf-8"))
    if file == "1-2":
        del rows[188]  # two of its options are the same
    assert len(rows) == len(asked)
    assert Counter(one.answer for one in asked) == gold
    for one, row in zip(asked, rows, strict=True):
        lettered = ";".join(f"{letter}:{option}" for letter, option in zip("ABCD", one.options, strict=True))
        assert row["question"] in (f"{one.input}{lettered}", f"{one.input}{lettered}。")
        assert "ABCD"[one.answer or 0] in row["answer"]


def exam(folder: Path, content: str) -> list[dict[str, object]]:
    path = folder / "2020-99.txt"
    path.write_text(content, "utf-8")
    return list(format_oab.rows(path))


def test_an_exam_is_read_without_its_marks(tmp_path: Path) -> None:
    assert exam(tmp_path, EXAM) == [
        {
            "number": 1,
            "area": "ETHICS",
            "annulled": False,
            "question": "Uma advogada inventada pergunta se pode vender-se laranjas na feira.\nAssinale a opção certa.",
            "options": ["Não pode, em nenhum dia.", "Pode, aos sábados.", "Só na chuva.", "Nunca."],
            "answer": "B",
        },
        {
            "number": 2,
            "area": "",
            "annulled": True,
            "question": "Pergunta anulada?",
            "options": ["Sim.", "Não."],
            "answer": "",
        },
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Questão 1\n", "Pergunta 1\n", "line 1 is no question"),
        ("AREA ETHICS", "ETHICS", "line 1: a question needs one line 'AREA ...'"),
        ("OPTIONS\n\nA) Não", "A) Não", "line 1: a question needs one line 'AREA ...' and one line 'OPTIONS'"),
        ("B:CORRECT)", "B)", "line 1: options A, B, C, D, marked as correct none"),
        ("C) Só", "C:CORRECT) Só", "marked as correct B, C"),
        ("D) Nunca", "E) Nunca", "options A, B, C, E, marked"),
        ("\nA) Não pode", "\nNão pode", "'Não pode,' stands where option A should"),
        ("A) Sim.\n\nB) Não.", "", "line 23: options none"),
    ],
)
def test_what_is_no_exam_is_refused_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert EXAM.count(old) == 1
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        exam(tmp_path, EXAM.replace(old, new))
    assert "\n" not in str(caught.value)
    assert "2020-99.txt" in str(caught.value)


def encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


@given(stem=segments, option=segments)
def test_whatever_stands_in_a_question_its_mark_is_gone(
    tmp_path_factory: pytest.TempPathFactory, stem: str, option: str
) -> None:
    folder = tmp_path_factory.mktemp("oab")
    content = f"Questão 7\n\nAREA X\n\n{encodable(stem)}\n\nOPTIONS\n\nA) {encodable(option)}\n\nB:CORRECT) fim\n"
    (found,) = exam(folder, content)
    assert (found["number"], found["answer"]) == (7, "B")
    question, options = str(found["question"]), found["options"]
    assert question.split() == encodable(stem).replace("-\n", "- ").split() or "-" in question
    assert isinstance(options, list)
    assert len(options) == 2
    assert options[1] == "fim"


@given(text=st.text(st.characters(codec="utf-8")))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("oab")
    with pytest.raises(DataError, match="is no question"):
        exam(folder, text)


def lawbench(folder: Path, question: str, answer: str) -> list[dict[str, object]]:
    path = folder / "9-9.json"
    path.write_text(json.dumps([{"instruction": "x", "question": question, "answer": answer}]), "utf-8")
    return list(format_lawbench.rows(path))


def test_options_inside_a_question_are_taken_out(tmp_path: Path) -> None:
    for end in ("", "。"):
        for colon in (":", "："):
            found = lawbench(tmp_path, f"橘子可以卖吗?A:可以;B:不;可以;C:周六;D:从不{end}", f"正确答案{colon}B。")
            assert found == [
                {"question": "橘子可以卖吗?", "options": ["可以", "不;可以", "周六", "从不"], "answer": "B"}
            ]


@pytest.mark.parametrize(
    ("question", "answer", "message"),
    [
        ("问?A:一;B:二;C:三", "正确答案：A。", "record 1: the question should end in A:...;B:..."),
        ("问?A:一;B:二;C:三;D:四;A:五", "正确答案：A。", "record 1: the question should end in A:...;B:..."),
        ("问?A:一;B:二;C:三;D:四", "正确答案：AB。", "record 1: the answer is '正确答案：AB。'"),
        ("问?A:一;B:二;C:三;D:四", "正确答案：E。", "it should be 正确答案：A。"),
    ],
)
def test_what_is_no_question_of_lawbench_is_refused(tmp_path: Path, question: str, answer: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        lawbench(tmp_path, question, answer)
