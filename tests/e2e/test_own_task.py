"""A task in a file of the user's own: run, scored anew and published; and how its answers are told apart."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from leaderboard.app import create_app
from tests.e2e.conftest import Bench
from tests.tasks.declaring import put, put_rows

TEXTS = """
name = "clinic-notes"
dataset = "clinic"
title = "Notes of a clinic"
area = "translation"
vertical = "medical"
kind = "generation"
access = "{access}"
prompt = "translation-from-eng"
raw_input = true
languages = ["hi"]

[source]
format = "jsonl"
test = "notes-{{code}}.jsonl"

[sample]
item = "{{id}}"
fields = {{ text = "{{english}}" }}
references = ["{{hindi}}"]
"""
ENGLISH = "The child has had a fever of unusual height since yesterday morning."
HINDI = "बच्चे को कल सुबह से बहुत तेज़ बुखार है और उसकी माँ उसे अस्पताल लेकर आई है क्योंकि वह कुछ भी खा नहीं रहा था।"
ANSWERS = {
    "right": HINDI,
    "wrong language": "The child has been running a high fever ever since yesterday in the morning.",
    "native digits": f"{HINDI} तापमान १०२ है।",
    "other digits": f"{HINDI} तापमान 102 है।",
    "empty": "",
}


def declared(folder: Path, access: str = "open") -> Path:
    """The declaration, with its data beside it."""
    rows = [{"id": name.replace(" ", "-"), "english": f"{ENGLISH} ({name})", "hindi": HINDI} for name in ANSWERS]
    put_rows(folder / "notes-hi.jsonl", rows)
    return put(folder / "notes.toml", TEXTS.format(access=access))


@pytest.fixture
def replies(tmp_path: Path, bench: Bench) -> str:
    """Answers made elsewhere to what `plan` printed."""
    declared(tmp_path)
    planned = [json.loads(line) for line in bench("plan", "-t", "notes.toml").stdout.splitlines()]
    assert len(planned) == len(ANSWERS)
    texts = {name.replace(" ", "-"): text for name, text in ANSWERS.items()}
    put_rows(tmp_path / "r.jsonl", [{"id": one["id"], "text": texts[one["id"].split("/")[-1]]} for one in planned])
    return "replies:r.jsonl"


def test_what_is_wrong_with_an_answer_is_told_apart(bench: Bench, tmp_path: Path, replies: str) -> None:
    """One run with a wrong language, native digits, other digits and an empty answer."""
    bench("run", "-m", replies, "-t", "notes.toml", "--output", "a.run.db")
    cells = json.loads(bench("show", "a.run.db", "--json").stdout)
    assert {cell["metric"] for cell in cells} == {"chrf++", "bleu"}
    for cell in cells:
        assert (cell["n"], cell["errors"], cell["unparsed"], cell["refused"]) == (5, 0, 0, 0)
        assert cell["language_verdicts"] == 4
        assert cell["wrong_language"] == 0.25
        assert (cell["native_digits"], cell["other_digits"]) == (1, 1)
        assert cell["empty"] == 1
        assert cell["identifier_recall"] > 0.95

    bench("export", "a.run.db", "--format", "jsonl", "--output", "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    told = {line["id"].split("/")[-1]: line for line in lines}
    outcomes = {name: {score["outcome"] for score in line["scores"].values()} for name, line in told.items()}
    assert {name for name, found in outcomes.items() if found == {"empty"}} == {"empty"}
    assert Counter(map(tuple, outcomes.values())) == {("scored",): 4, ("empty",): 1}
    # judged, in the right language, judged by words, without stray words, native digits, other digits, judged by
    # script, in the right one
    verdicts = {name: line["scores"].get("fidelity", {}).get("statistics") for name, line in told.items()}
    assert verdicts == {
        "right": [1, 1, 1, 1, 0, 0, 1, 1],
        "wrong-language": [1, 0, 0, 0, 0, 0, 1, 0],
        "native-digits": [1, 1, 1, 1, 1, 0, 1, 1],
        "other-digits": [1, 1, 1, 1, 0, 1, 1, 1],
        "empty": None,
    }
    said = bench("show", "a.run.db").stdout
    assert "Language of the answers" in said and "25.0%" in said


def test_a_task_of_ones_own_is_scored_anew_and_published(bench: Bench, tmp_path: Path, replies: str) -> None:
    bench("run", "-m", replies, "-t", "notes.toml", "--output", "a.run.db")
    shown = bench("show", "a.run.db", "--json").stdout
    for verb in (("rescore", "a.run.db"), ("publish", "a.run.db")):
        failed = bench(*verb, expect=2)
        assert failed.stderr.count("\n") == 1 and "-t FILE.toml" in failed.stderr and "clinic-notes" in failed.stderr
        bench(*verb, "-t", "notes.toml")
    assert bench("show", "a.run.db", "--json").stdout == shown
    visitor = create_app(tmp_path / "board").test_client()
    page = visitor.get("/tasks/clinic-notes")
    assert page.status_code == 200 and "Notes of a clinic" in page.get_data(as_text=True)
    assert visitor.get("/languages/hin_Deva").status_code == 200


def test_changed_data_are_noticed(bench: Bench, tmp_path: Path, replies: str) -> None:
    bench("run", "-m", replies, "-t", "notes.toml", "--output", "a.run.db")
    path = tmp_path / "notes-hi.jsonl"
    path.write_text(path.read_text("utf-8").replace("unusual", "usual"), "utf-8")
    failed = bench("rescore", "a.run.db", "-t", "notes.toml", expect=2)
    assert failed.stderr.count("\n") == 1 and "the data of clinic-notes changed" in failed.stderr


@pytest.mark.parametrize("access", ["open", "gated", "non-commercial", "no-derivatives"])
def test_text_of_restricted_data_is_in_no_run_file_and_in_no_snapshot(
    bench: Bench, tmp_path: Path, access: str
) -> None:
    declared(tmp_path, access)
    bench("run", "-m", "command:sed s/.*/nothing/", "-t", "notes.toml", "--output", "a.run.db")
    bench("publish", "a.run.db", "-t", "notes.toml")
    bench("export", "a.run.db", "--format", "jsonl", "--output", "a.jsonl")
    copies = [path.read_bytes() for path in (tmp_path / "board" / "runs").iterdir()]
    board = [
        path.read_bytes() for path in (tmp_path / "board").rglob("*") if path.is_file() and path.parent.name != "runs"
    ]
    assert board and copies
    hidden = [text.encode() for text in ("of unusual height", HINDI)]
    run = (tmp_path / "a.run.db").read_bytes()
    assert (hidden[0] in run) == (access == "open")
    assert hidden[1] not in run, "no gold answer, whatever the licence"
    assert not any(text in content for text in hidden for content in board)
    assert all((hidden[0] in copy, hidden[1] in copy) == (access == "open", False) for copy in copies)
    answers: list[dict[str, Any]] = [
        json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    ]
    assert all((one["prompt"] is not None) == (access == "open") for one in answers)


CHOICES = """
name = "beds"
dataset = "beds"
title = "Beds"
area = "knowledge"
kind = "choice"
access = "open"
languages = ["yo", "ha"]

[prompt]
text = "Q: {question}"

[prompt.native.yo]
text = "Ìbéèrè: {question}"
cue = "Ìdáhùn:"

[source]
format = "jsonl"
test = "beds-{code}.jsonl"
train = "beds-{code}-dev.jsonl"

[sample]
item = "{id}"
fields = { question = "{question}" }
options = ["{a}", "{b}", "{c}"]
answer = { column = "answer", as = "letter" }
"""


@pytest.fixture
def beds(tmp_path: Path) -> Path:
    """A choice of three, the right one going round, with solved examples."""
    for code in ("yo", "ha"):
        for word, count in (("", 30), ("-dev", 3)):
            rows = [
                {"id": str(one), "question": f"{word} {one}?", "a": "x", "b": "y", "c": "z", "answer": "ABC"[one % 3]}
                for one in range(count)
            ]
            put_rows(tmp_path / f"beds-{code}{word}.jsonl", rows)
    return put(tmp_path / "beds.toml", CHOICES)


def test_ways_of_asking_on_the_command_line(bench: Bench, beds: Path) -> None:
    plain = [json.loads(line)["prompt"] for line in bench("plan", "-t", "beds.toml", "-l", "yo").stdout.splitlines()]
    asked = bench("plan", "-t", "beds.toml", "-l", "yo", "--shots", "2", "--prompt-language", "native").stdout
    shown = [json.loads(line)["prompt"] for line in asked.splitlines()]
    assert len(plain) == len(shown) == 30
    assert all(prompt.count("Q: ") == 1 and "Answer:" in prompt for prompt in plain)
    assert all(prompt.count("Ìbéèrè: -dev") == 2 and prompt.count("Ìdáhùn:") == 3 for prompt in shown)
    too_many = bench("run", "-m", "baseline:copy", "-t", "beds.toml", "--shots", "4", expect=2)
    assert too_many.stderr.count("\n") == 1 and "4 examples are asked for, and beds has 3" in too_many.stderr

    way = ("-t", "beds.toml", "--shots", "2", "--prompt-language", "native", "--rotate-options", "1", "--json")
    cells = json.loads(bench("run", "-m", "baseline:random", *way).stdout)
    found = {(cell["language"], cell["prompt_language"], cell["shots"], cell["n"]) for cell in cells}
    assert found == {("yor_Latn", "native", 2, 30), ("hau_Latn", "english", 2, 30)}
    assert all(cell["position_bias"] is not None for cell in cells)
    assert json.loads(bench("run", "-m", "baseline:random", *way).stdout) == cells, "asked again, nothing changes"
    other = bench("run", "-m", "baseline:random", "-t", "beds.toml", expect=2)
    assert other.stderr.count("\n") == 1 and "options:+1" in other.stderr
    (copied, *_) = json.loads(bench("run", "-m", "baseline:copy", *way).stdout)
    assert copied["model"] == "baseline:copy" and copied["n"] == 30
