"""Every verb does its job, and every bad input gets one line and the right exit code."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Bench, environment

SMALL = ("-t", "cldr-territories", "-l", "yor_Latn", "-l", "sw")

CELL = (
    "model task task_version language variety vertical area metric signature value normalised chance n ci_low ci_high "
    "mode prompt_language shots errors truncated unparsed wrong_language output_tokens output_tokens_per_joule "
    "energy_scope energy_provenance reasons"
).split()
LANGUAGE = (
    "code iso639_3 script bcp47 cldr name autonym family macroarea countries latitude longitude direction speakers "
    "resource_class"
).split()
TASK = (
    "name version title area vertical dataset languages metric metrics chance modes origin licence access suites"
).split()


def test_run_show_rescore_export(bench: Bench, tmp_path: Path) -> None:
    cells = json.loads(bench("run", *SMALL, "--json").stdout)
    assert len(cells) == 6
    assert set(CELL) <= cells[0].keys()
    assert {cell["language"] for cell in cells} == {"yor_Latn", "swh_Latn"}
    path = "runs/baseline-copy.run.db"
    shown = json.loads(bench("show", path, "--json").stdout)
    assert shown == [cell for cell in cells if cell["model"] == "baseline:copy"]
    for by in ("task", "language", "vertical", "family", "script", "region"):
        assert "cldr-territories" in bench("show", path, "--by", by).stdout
    assert "Yoruba" in bench("show", path, "--by", "language").stdout
    (header, *rows) = csv.reader(bench("show", path, "--csv").stdout.splitlines())
    assert len(rows) == 2
    assert rows[0][header.index("value")] == str(shown[0]["value"])
    (aggregate,) = json.loads(bench("show", path, "--aggregates", "--json").stdout)
    assert aggregate["macro"] == pytest.approx(sum(cell["normalised"] for cell in shown) / 2)
    assert aggregate["macro_low"] < aggregate["macro"] < aggregate["macro_high"]
    assert aggregate["languages"] == ["swh_Latn", "yor_Latn"]
    assert f"{aggregate['macro']:.3f} [{aggregate['macro_low']:.3f}" in bench("show", path).stdout
    (row,) = csv.DictReader(bench("show", path, "--aggregates", "--csv").stdout.splitlines())
    assert row["macro"] == str(aggregate["macro"])
    assert "cldr-territories" in bench("show", path, "--aggregates").stdout
    bench("rescore", path)
    assert json.loads(bench("show", path, "--json").stdout) == shown
    for to in ("parquet", "csv", "jsonl", "db"):
        bench("export", path, "--format", to)
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "runs/baseline-copy.parquet").column("value").to_pylist() == [
        c["value"] for c in shown
    ]
    assert json.loads(bench("show", "runs/baseline-copy.copy.db", "--json").stdout) == shown
    runs = json.loads(bench("list", "runs", "--json").stdout)
    assert {run["last"] for run in runs if "copy.copy" not in run["run"]} == {"complete"}


def test_a_second_run_asks_nothing_and_says_the_same(bench: Bench) -> None:
    first = bench("run", *SMALL, "--json").stdout
    assert bench("run", *SMALL, "--json").stdout == first


def test_a_grown_plan_extends_the_run(bench: Bench) -> None:
    bench("run", "-m", "baseline:copy", *SMALL, "--limit", "5")
    cells = json.loads(bench("run", "-m", "baseline:copy", *SMALL, "-t", "cldr-dates", "--json").stdout)
    assert {(cell["task"], cell["n"]) for cell in cells} == {("cldr-territories", 20), ("cldr-dates", 20)}


def test_lists(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert set(TASK) <= json.loads(bench("list", "tasks", "--json").stdout)[0].keys()
    languages = json.loads(bench("list", "languages", "--json").stdout)
    assert len(languages) >= 420
    assert set(LANGUAGE) <= languages[0].keys()
    assert json.loads(bench("list", "models", "--json").stdout)[0].keys() == {"provider", "usage", "summary"}
    for what in ("tasks", "languages", "models", "runs"):
        assert bench("list", what).stdout
    assert {found["what"] for found in json.loads(bench("doctor", "--json").stdout)} >= {
        "hf:",
        "GPU",
        "scoring on the GPU",
        "scoring by COMET",
        "data",
    }
    assert bench("doctor").stdout


def test_answers_made_elsewhere(bench: Bench, tmp_path: Path) -> None:
    planned = [json.loads(line) for line in bench("plan", *SMALL).stdout.splitlines()]
    assert {"id", "prompt", "input", "max_tokens"} == planned[0].keys()
    replies = [{"id": line["id"], "text": "A"} for line in planned]
    (tmp_path / "replies.jsonl").write_text("".join(json.dumps(reply) + "\n" for reply in replies))
    cells = json.loads(bench("run", "-m", "replies:replies.jsonl", *SMALL, "--json").stdout)
    assert [cell["n"] for cell in cells] == [20, 20]
    assert all(0 < cell["value"] < 0.6 for cell in cells)


def test_missing_replies_leave_an_incomplete_run_with_bounds(bench: Bench, tmp_path: Path) -> None:
    planned = [json.loads(line) for line in bench("plan", *SMALL, "-l", "yor_Latn").stdout.splitlines()]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps({"id": p["id"], "text": "A"}) + "\n" for p in planned[:-3]))
    done = bench("run", "-m", "replies:r.jsonl", *SMALL, "--json", expect=1)
    assert done.stderr.count("\n") == 1
    assert "3 of 40 requests have no answer: missing_reply: cldr-territories@" in done.stderr
    cell = json.loads(done.stdout)[-1]
    assert (cell["n"], cell["errors"], cell["reasons"]["value"]) == (17, 3, "incomplete")
    assert cell["worst"] < cell["value"] < cell["best"]


def test_score_takes_text_files(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "h.txt").write_text("the cat sat\nሰላም ለዓለም\n", "utf-8")
    (tmp_path / "r.txt").write_text("the cat sits\nሰላም ለዓለም\n", "utf-8")
    made = json.loads(bench("score", "--hypotheses", "h.txt", "--references", "r.txt", "--json").stdout)
    import sacrebleu

    hypotheses, references = ["the cat sat", "ሰላም ለዓለም"], [["the cat sits", "ሰላም ለዓለም"]]
    assert made[1]["score"] == sacrebleu.CHRF(word_order=2).corpus_score(hypotheses, references).score
    assert made[0]["score"] == sacrebleu.BLEU().corpus_score(hypotheses, references).score
    assert "BLEU|nrefs:1|" in bench("score", "--hypotheses", "h.txt", "--references", "r.txt").stdout


def test_a_reader_that_goes_away_is_no_failure(bench: Bench, tmp_path: Path) -> None:
    for arguments in ("plan -t cldr-dates", "list languages", "list languages --json"):
        line = f"{sys.executable} -m bench {arguments} | head -n 1; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["/bin/bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment()
        )
        assert done.stdout.splitlines()[-1] == "0"
        assert not done.stderr


def test_progress_that_nobody_reads_ends_no_run(tmp_path: Path) -> None:
    line = f"{sys.executable} -m bench run {' '.join(SMALL)} 2>&1 >/dev/null | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["/bin/bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.split() == ["0"]


def test_an_incomplete_run_is_no_success_because_nobody_reads_it(bench: Bench, tmp_path: Path) -> None:
    planned = [json.loads(line) for line in bench("plan", *SMALL).stdout.splitlines()]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps({"id": p["id"], "text": "A"}) + "\n" for p in planned[:-3]))
    line = f"{sys.executable} -m bench run -m replies:r.jsonl {' '.join(SMALL)} 2>&1 | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["/bin/bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_are_no_failure(tmp_path: Path, closed: str) -> None:
    for arguments in (f"run {' '.join(SMALL)}", "doctor", "list tasks"):
        line = f"{sys.executable} -m bench {arguments} {closed}"
        done = subprocess.run(
            ["/bin/bash", "-c", line], cwd=tmp_path, capture_output=True, check=False, env=environment()
        )
        assert done.returncode == 0, done.stderr


def test_names_in_every_script_are_printed_in_any_locale(bench: Bench) -> None:
    found = bench("list", "languages", "--json", PYTHONUTF8="0", LC_ALL="C", PYTHONIOENCODING="latin-1")
    assert "አማርኛ" in {language["autonym"] for language in json.loads(found.stdout)}


def test_an_export_never_takes_the_place_of_a_run(bench: Bench, tmp_path: Path) -> None:
    bench("run", "-m", "baseline:copy", "-m", "baseline:random", *SMALL)
    mine, other = "runs/baseline-copy.run.db", "runs/baseline-random.run.db"
    before = (tmp_path / other).read_bytes()
    for to in ("csv", "jsonl", "parquet", "db"):
        for target in (mine, other):
            assert "is a run file" in bench("export", mine, "--format", to, "--output", target, expect=2).stderr
        assert "no file" in bench("export", mine, "--format", to, "--output", "runs", expect=2).stderr
    assert (tmp_path / other).read_bytes() == before
    for _ in range(2):  # a copy may be made anew
        bench("export", mine, "--format", "db", "--output", "copy.db")
    assert not list(tmp_path.rglob("*.part"))


def test_data_that_an_extended_run_needs_are_missed_before_anything_is_asked(
    bench: Bench, data: Path, tmp_path: Path
) -> None:
    first = ("-m", "baseline:copy", "-t", "sib200", "-l", "sw", "--limit", "30", "--output", "a.db")
    cells = json.loads(bench("run", *first, "--data", str(data), "--json").stdout)
    (tmp_path / "empty").mkdir()
    more = ("run", "-m", "baseline:copy", *SMALL, "--output", "a.db", "--data", "empty")
    assert "has no folder sib200" in bench(*more, expect=2).stderr
    assert json.loads(bench("show", "a.db", "--json").stdout) == cells


def test_a_model_named_twice_is_asked_once(bench: Bench) -> None:
    cells = json.loads(bench("run", "-m", "baseline", "-m", "baseline:copy", *SMALL, "--json").stdout)
    assert len(cells) == 6


BAD = [
    (["rnu"], "no command 'rnu'; did you mean 'run'?"),
    (["run", "-m", "hff:x"], "unknown model 'hff:x'; did you mean 'hf'?"),
    (["run", "-m", "gpt"], "unknown model 'gpt'"),
    (["run", "-m", "baseline:magic"], "unknown baseline 'magic'"),
    (["run", "-t", "sib20"], "unknown task 'sib20'; did you mean 'sib200'?"),
    (["run", "-l", "Yorubaa"], "unknown language 'Yorubaa'"),
    (["run", "-l", "zh"], "zho_Hans"),
    (["run", "-t", "cldr-plurals", "-l", "taq_Tfng"], "has no "),
    (["run", "-t", "sib200", "--data", "nowhere"], "data folder nowhere does not exist"),
    (["run", "-t", "sib200", "-l", "yor_Latn", "--data", "."], "has no folder sib200"),
    (["run", "--limit", "0"], "--limit"),
    (["run", "--limt", "3"], "--limt"),
    (["run", "-m", "command:no-such-thing", "-t", "ntrex"], "command not found: no-such-thing"),
    (["run", "-m", "command:cat", *SMALL], "cannot be asked without a prompt"),
    (["run", "-m", "replies:none.jsonl"], "cannot read replies file none.jsonl"),
    (["run", "--vertical", "legl"], "no chosen task has the vertical 'legl'"),
    (["run", *SMALL, "--output", "one.db"], "names one file for 3 models"),
    (["run", *SMALL, "--output", "/proc/nowhere"], "cannot write in /proc/nowhere"),
    (["run", "-m", "baseline:copy", *SMALL, "--mode", "loglikelihood"], "cannot answer in mode loglikelihood"),
    (["run", "-m", "command:sed s/a/b/", "-m", "command:sed s-a-b-", "-t", "ntrex"], "would share"),
    (["run", "-m", "command:"], "nothing after 'command'"),
    (["run", "--timeout", "nan"], "--timeout"),
    (["run", "--batch", "99999999999999999999"], "--batch"),
    (["run", "--data", ""], "--data is empty"),
    (["data", "verify", "--data", "nowhere"], "data folder nowhere does not exist"),
    (["data", "verify", "-t", "afrimedqa"], "afrimedqa default could not be read"),
    (["data", "lock", "-t", "embedded"], "nothing to lock"),
    (["list", "runs", "nowhere"], "no folder nowhere"),
    (["export", ".", "--format", "csv"], "no run file ."),
    (["show", "none.run.db"], "no run file none.run.db"),
    (["export", "none.run.db", "--format", "csv"], "no run file none.run.db"),
    (["score", "--hypotheses", "none", "--references", "none"], "cannot read none"),
    (["publish", "none.run.db"], "none.run.db"),
    (["serve", "--board", "none"], "none"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(arguments)[:40] for arguments, _ in BAD])
def test_bad_input_is_one_line_and_exit_2(bench: Bench, arguments: list[str], message: str) -> None:
    done = bench(*arguments, expect=2)
    assert done.stderr.startswith("bench: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert message in done.stderr
    assert not done.stdout


def test_damaged_newer_and_foreign_runs(bench: Bench, tmp_path: Path) -> None:
    bench("run", "-m", "baseline:copy", *SMALL, "--output", "good.db")
    good = tmp_path / "good.db"
    (tmp_path / "cut.db").write_bytes(good.read_bytes()[:20000])
    assert "damaged or cut short" in bench("show", "cut.db", expect=2).stderr
    shutil.copy(good, tmp_path / "newer.db")
    with sqlite3.connect(tmp_path / "newer.db") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    assert "newer version of this program" in bench("show", "newer.db", expect=2).stderr
    other = bench("run", "-m", "baseline:random", *SMALL, "--output", "good.db", expect=2)
    assert "holds a run of another model (baseline:copy, now baseline:random); give another --output" in other.stderr
    assert json.loads(bench("show", "good.db", "--json").stdout)


def test_unequal_files_are_named(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "h.txt").write_text("one\n")
    (tmp_path / "r.txt").write_text("one\ntwo\n")
    done = bench("score", "--hypotheses", "h.txt", "--references", "r.txt", expect=2)
    assert "h.txt has 1 line, r.txt has 2" in done.stderr


def test_a_command_that_dies_keeps_what_came_before(bench: Bench, data: Path) -> None:
    command = "command:awk '/[0-9]/ {exit 1} {print}'"
    chosen = ("-t", "ntrex-from-eng", "-l", "cat_Latn", "--limit", "30", "--batch", "1", "--data", str(data))
    done = bench("run", "-m", command, *chosen, "--json", "--output", "a.db", expect=1)
    cells = json.loads(done.stdout)
    assert cells[0]["n"] + cells[0]["errors"] == 30
    assert cells[0]["errors"] > 0
    assert (cells[0]["worst"], cells[0]["reasons"]["worst"]) == (None, "corpus_metric")
    assert "requests have no answer: " in done.stderr
