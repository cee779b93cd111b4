"""`bench compare` on real run files: what it prints, what programs read from it, and what it refuses."""

from __future__ import annotations

import csv
import json
import math
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.comparison import Comparison
from tests.e2e.conftest import Bench, environment

LANGUAGES = ("afr_Latn", "cym_Latn", "deu_Latn", "swh_Latn", "yor_Latn", "zul_Latn")
RUN = ("run", *(part for language in LANGUAGES for part in ("-l", language)), "--json")
COPY, RANDOM, MAJORITY = (f"runs/baseline-{name}.run.db" for name in ("copy", "random", "majority"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of the three baselines on two small tasks."""
    folder = tmp_path_factory.mktemp("compare")
    for arguments in (
        [*RUN, "-t", "cldr-territories", "-t", "cldr-plurals"],
        [*RUN, "-t", "cldr-currencies", "-m", "baseline:copy", "--output", "currencies.run.db"],
    ):
        command = [sys.executable, "-m", "bench", *arguments]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment())
    return folder


@pytest.fixture
def copied(runs: Path, tmp_path: Path) -> Path:
    """The same in the test's own folder, in which `bench` runs."""
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    return tmp_path


def compared(bench: Bench, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(bench("compare", *arguments, "--json").stdout)
    return found


@pytest.mark.usefixtures("copied")
def test_copying_names_of_places_is_really_better_than_guessing(bench: Bench) -> None:
    found = compared(bench, RANDOM, COPY)
    names = [one for one in found if one["task"] == "cldr-territories" and one["scope"] == "language"]
    assert [one["language"] for one in names] == list(LANGUAGES)
    better = {one["language"] for one in names if one["verdict"] == "better"}
    assert {"afr_Latn", "cym_Latn", "zul_Latn"} <= better
    assert {one["verdict"] for one in names} <= {"better", "not_separable"}
    for one in names:
        assert one["difference"] == pytest.approx(one["system_value"] - one["baseline_value"])
        assert one["ci_low"] <= one["difference"] <= one["ci_high"]
        assert one["p"] <= one["p_adjusted"] <= 1
        assert one["minimum_detectable"] == pytest.approx(2.8016 * one["standard_error"], rel=1e-4)
        assert (one["test"], one["n"], one["baseline_only"], one["system_only"]) == ("mcnemar_exact", 20, 0, 0)
    (mean,) = [one for one in found if one["task"] == "cldr-territories" and one["scope"] == "macro"]
    assert mean["languages"] == 6
    assert mean["difference"] == pytest.approx(sum(one["difference"] for one in names) / 6)
    assert 0 < mean["ci_low"] < mean["difference"] < mean["ci_high"]


@pytest.mark.usefixtures("copied")
def test_the_other_way_round_all_is_turned_round(bench: Bench) -> None:
    forth, back = compared(bench, RANDOM, COPY), compared(bench, COPY, RANDOM)
    turned = {"better": "worse", "worse": "better"}
    for one, other in zip(forth, back, strict=True):
        assert one["difference"] == -other["difference"]
        assert one["p"] == other["p"]
        assert turned.get(one["verdict"], one["verdict"]) == other["verdict"]


@pytest.mark.usefixtures("copied")
def test_every_field_is_there_and_what_is_missing_has_a_reason(bench: Bench) -> None:
    found = compared(bench, COPY, RANDOM, MAJORITY, "currencies.run.db")
    for one in found:
        assert tuple(one) == Comparison.__slots__
        assert {name for name, value in one.items() if value is None} <= one["reasons"].keys()
        assert all(math.isfinite(value) for value in one.values() if isinstance(value, float))
    (header, *rows) = csv.reader(bench("compare", COPY, RANDOM, MAJORITY, "--csv").stdout.splitlines())
    assert tuple(header) == Comparison.__slots__
    again = compared(bench, COPY, RANDOM, MAJORITY)
    assert [row[header.index("difference")] for row in rows] == [str(one["difference"]) for one in again]


@pytest.mark.usefixtures("copied")
def test_three_runs_are_two_against_the_first_and_more_comparisons_are_stricter(bench: Bench) -> None:
    three, two = compared(bench, COPY, RANDOM, MAJORITY), compared(bench, COPY, RANDOM)
    assert [one["system"] for one in three if one["scope"] == "macro"] == [
        *("baseline:random", "baseline:majority", "baseline:random", "baseline:majority"),
    ]
    assert {one["baseline"] for one in three} == {"baseline:copy"}
    tested = [[one for one in some if one["p"] is not None] for some in (three, two)]
    assert [{one["comparisons"] for one in some} for some in tested] == [{len(tested[0])}, {len(tested[1])}]
    first = {(one["task"], one["language"]): one for one in three if one["system"] == "baseline:random"}
    for one in tested[1]:
        assert first[one["task"], one["language"]]["p"] == one["p"]
        assert first[one["task"], one["language"]]["p_adjusted"] >= one["p_adjusted"]


@pytest.mark.usefixtures("copied")
def test_the_table_names_both_models_and_every_verdict(bench: Bench) -> None:
    out = bench("compare", RANDOM, COPY).stdout
    assert "cldr-territories (accuracy): baseline:copy against baseline:random" in out
    rows = [line.split() for line in out.splitlines() if line.startswith("afr_Latn")]
    assert [row[:4] for row in rows] == [["afr_Latn", "20", "5.0%", "100.0%"], ["afr_Latn", "20", "50.0%", "15.0%"]]
    assert "better" in rows[0]
    assert "95 % interval" in " ".join(out.split())
    short = bench("compare", RANDOM, COPY, "--by", "task").stdout
    assert "afr_Latn" not in short
    assert short.startswith("Summary")
    assert short.splitlines()[-1] in out
    both = bench("compare", RANDOM, COPY, MAJORITY, "--by", "task").stdout
    assert both.startswith("All against baseline:random")
    assert both.count("baseline:majority") == 2


def test_two_runs_of_one_model_are_told_apart_by_their_files(bench: Bench, copied: Path) -> None:
    shutil.copy(copied / COPY, copied / "again.run.db")
    out = bench("compare", COPY, "again.run.db").stdout
    assert "again.run.db against baseline-copy.run.db" in out
    found = compared(bench, COPY, "again.run.db")
    assert {one["verdict"] for one in found if one["scope"] == "language"} == {"not_separable"}
    assert {one["p_adjusted"] for one in found if one["scope"] == "language"} == {1.0}


def test_items_that_one_run_lacks_are_counted(bench: Bench) -> None:
    bench(*RUN, "-t", "cldr-territories", "-m", "baseline:copy", "--limit", "30")
    bench("run", "-t", "cldr-territories", "-m", "baseline:random", "-l", "yor_Latn", "--limit", "12")
    found = compared(bench, COPY, RANDOM)
    (yoruba,) = [one for one in found if one["language"] == "yor_Latn"]
    assert (yoruba["n"], yoruba["verdict"], yoruba["system_only"]) == (12, "too_few_items", 0)
    assert yoruba["baseline_only"] > 0
    others = {one["reasons"]["verdict"] for one in found if one["language"] not in ("yor_Latn", None)}
    assert others == {"only_in_baseline"}
    out = bench("compare", COPY, RANDOM).stdout
    assert f"Left out: {yoruba['baseline_only']} items" in out
    assert "Not compared: 5 languages (only the baseline has them)." in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((COPY,), "one run alone"),
        ((COPY, "./" + COPY), "baseline-copy.run.db is given twice"),
        ((COPY, "currencies.run.db"), "nothing to compare"),
        ((COPY, RANDOM, "--metric", "acuracy"), "did you mean 'accuracy'?"),
        ((COPY, "none.run.db"), "no run file none.run.db"),
        ((COPY, "text.run.db"), "damaged"),
        ((COPY, "unscored.run.db"), "not scored yet"),
    ],
)
def test_what_cannot_be_compared_gets_one_line(
    bench: Bench, copied: Path, arguments: tuple[str, ...], message: str
) -> None:
    (copied / "text.run.db").write_text("no run at all\n" * 1000)
    shutil.copy(copied / RANDOM, copied / "unscored.run.db")
    with sqlite3.connect(copied / "unscored.run.db") as connection:
        connection.execute("DELETE FROM cells")
    connection.close()
    done = bench("compare", *arguments, expect=2)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.usefixtures("copied")
def test_a_metric_that_is_named_is_the_one_that_is_compared(bench: Bench) -> None:
    assert {one["metric"] for one in compared(bench, COPY, RANDOM, "--metric", "accuracy")} == {"accuracy"}


@pytest.mark.parametrize(
    "damage",
    [
        """UPDATE cells SET cell = '{"x": 1}'""",
        "UPDATE cells SET cell = 'nojson'",
        "DELETE FROM manifest",
        "DELETE FROM samples",
        "DELETE FROM scores",
    ],
)
def test_a_run_file_of_another_shape_gets_one_line(bench: Bench, copied: Path, damage: str) -> None:
    with sqlite3.connect(copied / COPY) as connection:
        connection.execute(damage)
    connection.close()
    for arguments in (("show", COPY), ("show", COPY, "--aggregates", "--json"), ("compare", RANDOM, COPY)):
        done = bench(*arguments, expect=2)
        assert done.stderr.count("\n") == 1, done.stderr
        assert COPY in done.stderr


def test_runs_of_other_items_have_no_ranks_and_the_table_says_why(bench: Bench, data: Path) -> None:
    for name, limit in (("cat", "30"), ("tac", "25")):
        bench(
            *("run", "-m", f"command:{name}", "-t", "ntrex-from-eng", "-l", "cat", "--limit", limit),
            *("--output", f"{name}.run.db", "--data", str(data)),
        )
    out = bench("compare", "cat.run.db", "tac.run.db").stdout
    assert "No ranks for ntrex-from-eng; languages left out: 1 (other items)" in out
    assert "No ranks: fewer than two models can be ranked on the same items" in out
