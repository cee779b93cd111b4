"""`energy report`: every figure, its windows, and what is missing, from runs made by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.cli.energy_report import FIELDS, METHODS, SCOPES, digits, report
from bench.energy.explaining import EQUAL, control, explain
from bench.energy.keeping import keep
from bench.energy.reasons import FATAL, MEANINGS, meaning
from bench.energy.records import Check, Reading, Share, Stretch, Subject, Window, Work
from bench.records import UsageError
from bench.runfile import RunFile
from bench.runfile_records import Identity
from tests.bench.cells import EMPTY

SETUP = "1x Scripted card, 700 W, engine 1, bfloat16, 64 at a time, gpu_board, counter"


def stretch(seconds: float, joules: float | None, tokens: int | None, requests: int = 100, **more: Any) -> Stretch:
    reading = Reading(seconds, joules, cross=joules, **more)
    return Stretch(reading, Work(requests, 2000, tokens, words=500, context_steps=1e5))


def window(
    number: int, language: str, joules: float | None = 3000.0, *, tokens: int | None = 20_000, **more: Any
) -> Window:
    """30 s at 100 W and 200 tokens an answer unless told, with a whole window that is less busy."""
    made = Window(
        kind="isolated",
        subject=Subject("topics@1", language, mode="generate", prompt_language="english"),
        repeat=number,
        number=number,
        setup=SETUP,
        scope="gpu_board",
        method="counter",
        started="2026-11-22T00:00:00Z",
        concurrency=64,
        reached=63.5,
        steady=stretch(30.0, joules, tokens),
        whole=stretch(40.0, joules and joules * 1.25, tokens and int(tokens * 1.1), requests=110),
        checks=(Check("T2", True, 0.004, "up to 5 %", ""),),
    )
    return replace(made, **more)


def idle() -> Window:
    rest = Stretch(Reading(5.0, 900.0, cross=350.0), Work(0, None, None))
    return window(
        0, "", kind="idle", subject=Subject(), steady=None, whole=rest, concurrency=0, reached=None, checks=()
    )


def controls(windows: int = 3, **joules: float | None) -> list[Window]:
    """So many windows a language of 128 tokens in and out, with so many joules for 100 answers."""
    made = []
    for number, (language, each) in enumerate(list(joules.items()) * windows, start=20):
        both = Stretch(Reading(30.0, each), Work(100, 12_800, 12_800))
        reasons = () if each is not None else ("gpu_lost",)
        subject = Subject("", language, mode="generate")
        made.append(window(number, "", kind="control", subject=subject, steady=both, whole=both, reasons=reasons))
    return made


def plenty() -> list[Window]:
    english = [
        window(number, "eng_Latn", joules, kind="sentinel")
        for number, joules in ((1, 3000.0), (5, 3010.0), (9, 3005.0), (40, 3001.0))
    ]
    yoruba = [
        window(number, "yor_Latn", joules, tokens=40_000) for number, joules in ((2, 6000.0), (3, 6090.0), (6, 5950.0))
    ]
    lost = [window(4, "amh_Ethi", None, reasons=("gpu_lost",)), window(7, "amh_Ethi", None, reasons=("shared_gpu: 1",))]
    short = window(8, "hin_Deva", 500.0, reasons=("batch_underfilled", "batch_unverified"))
    return [idle(), *english, *yoruba, *lost, short, *controls(eng_Latn=1280.0, yor_Latn=1290.0)]


def run_of(path: Path, windows: Sequence[Window], **manifest: object) -> Path:
    with RunFile.open(path, Identity("hf:small", "r", "none", "greedy")) as run:
        run.begin(
            [], {}, {"metered": [{"name": "Scripted card", "uuid_hash": "0a1b", "driver": "570", "power_limit": 700.0}]}
        )
        for key, value in manifest.items():
            run.describe(key, value)
        for one in windows:
            keep(run, one)
    return path


def reported(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(report, [str(path), *arguments], catch_exceptions=False)


def test_every_figure_is_told(tmp_path: Path) -> None:
    shown = reported(run_of(tmp_path / "a.run.db", plenty())).output
    said = " ".join(shown.split())
    assert "Setup: 1x Scripted card" in shown
    assert "Device: Scripted card 0a1b, power limit 700 W, driver 570." in shown
    assert "At rest, with the model loaded: 70 W" in said  # by power, not by the counter's 180 W
    yoruba = next(
        line.split()
        for line in shown.splitlines()
        if line.startswith("topics  yor_Latn") or line.split()[:2] == ["topics", "yor_Latn"]
    )
    assert yoruba[2:4] == ["measured", "60.1"]  # 400 tokens an answer at 0.15 J
    assert "within 0.4% of the mean" in said
    for word in ("gpu_lost", "batch_underfilled"):
        assert MEANINGS[word] in said
    assert "another process was on the GPU (1). Window 7." in said
    assert "The sentinel is topics in eng_Latn" in said
    assert "Not ranked" not in said
    assert re.search(r"drift +sentinels agree +\d+ +0 +0 +0.3%", shown)


def test_what_needs_quality_comes_from_the_cells(tmp_path: Path) -> None:
    common: dict[str, Any] = {
        "task": "topics",
        "task_version": "1",
        "energy_provenance": "measured",
        "energy_setup": SETUP,
    }
    yoruba = replace(
        EMPTY,
        **common,
        joules_per_correct=123.0,
        language_energy_ratio=2.003,
        premium=1.7,
        verbosity=1.111,
        joules_per_token_ratio=0.999,
        reasons={"joules_per_1000_words": "no_word_breaks"},
    )
    english = replace(EMPTY, **common, language="eng_Latn", reasons={"language_energy_ratio": "is_english"})
    path = run_of(tmp_path / "a.run.db", plenty())
    with RunFile.open(path, None) as run, run.rescoring() as keep_cells:
        keep_cells([], [english, yoruba])
    shown = reported(path).output
    said = " ".join(shown.split())
    (row,) = [line.split() for line in shown.splitlines() if "yor_Latn" in line and "123" in line.split()]
    assert row
    for number in ("2", "1.7", "1.11", "0.999"):
        assert number in shown.split()
    assert "joules per 1000 words: this script does not part words by spaces: yor_Latn." in said
    assert "language energy ratio: this is the English that others are compared with: eng_Latn." in said
    assert "Not scored yet" not in shown


def test_nothing_that_failed_is_ever_nought(tmp_path: Path) -> None:
    for code in FATAL:
        lost = [window(number, "amh_Ethi", None, reasons=(code,)) for number in (1, 2, 3)]
        path = run_of(tmp_path / f"{code}.run.db", [*lost, *controls(eng_Latn=None)])
        shown = reported(path).output
        assert meaning(code) in " ".join(shown.split())
        assert not any(
            cell in ("0", "0.0", "0.00")
            for line in shown.splitlines()
            if "amh" in line and "isolated" in line
            for cell in line.split()[-5:-1]
        )
        read = json.loads(reported(path, "--json").output)
        assert {one["joules"] for one in read["windows"]} == {None}
        assert [one["figures"]["joules_per_request"] for one in read["entries"]] == [None]


def test_json_has_what_the_tables_have(tmp_path: Path) -> None:
    read = json.loads(reported(run_of(tmp_path / "a.run.db", plenty()), "--json").output)
    assert read["model"] == "hf:small"
    assert [one["number"] for one in read["windows"]] == [one.number for one in plenty()]
    by_language = {one["subject"]["language"]: one for one in read["entries"]}
    english = by_language["eng_Latn"]
    assert english["figures"]["output_tokens_per_joule"] == pytest.approx(80_000 / 12016)
    assert english["whole_tokens_per_joule"] == pytest.approx(88_000 / (12016 * 1.25))
    assert english["whole_to_steady"] == pytest.approx(1.1 / 1.25)
    assert by_language["amh_Ethi"]["figures"]["reasons"]["energy"].startswith("shared_gpu")
    assert by_language["hin_Deva"]["figures"]["joules_per_request"] is None
    assert read["setups"][0]["idle_watts"] == 70
    assert read["setups"][0]["joules"] is None  # two windows are not known
    assert read["control"]["equal"] is True


def test_a_run_without_windows_says_why(tmp_path: Path) -> None:
    path = run_of(tmp_path / "a.run.db", [], energy={"unmeasured": "no_permission"})
    assert MEANINGS["no_permission"] in " ".join(reported(path).output.split())
    assert json.loads(reported(path, "--json").output)["unmeasured"] == "no_permission"
    assert "No energy was measured in this run." in reported(run_of(tmp_path / "b.run.db", [])).output


def test_a_window_that_is_none_is_one_line(tmp_path: Path) -> None:
    path = run_of(tmp_path / "a.run.db", [])
    with RunFile.open(path, None) as run:
        run.add_window('{"kind": "isolated"}')
    with pytest.raises(UsageError, match="does not read as a run of this program") as caught:
        reported(path)
    assert "\n" not in str(caught.value)


def test_lengths_that_are_equal_and_cost_the_same() -> None:
    found = control(controls(eng_Latn=1280.0, yor_Latn=1300.0, amh_Ethi=1250.0))
    assert (found.equal, found.reason) == (True, "")
    assert found.largest == pytest.approx(1 - 1250 / (3830 / 3))
    assert [one.prompt_tokens for one in found.languages] == [128, 128, 128]
    assert sum(one.relative or 0 for one in found.languages) == pytest.approx(3)


def test_a_language_that_costs_more_at_equal_lengths_is_told() -> None:
    found = control(controls(eng_Latn=1280.0, yor_Latn=1280.0, amh_Ethi=1480.0))
    assert found.equal is False
    assert found.largest is not None
    assert found.largest > EQUAL


def test_a_control_without_comparison_has_a_reason() -> None:
    assert control(controls(eng_Latn=1280.0, yor_Latn=None)).reason == "no_valid_window"
    english, yoruba = controls(1, eng_Latn=1280.0, yor_Latn=2560.0)
    longer = Stretch(Reading(30.0, 2560.0), Work(100, 12_800, 25_600))
    found = control([english, replace(yoruba, steady=longer, whole=longer)])
    assert (found.equal, found.reason) == (None, "lengths_differ")
    assert {"lengths_differ", "no_valid_window"} <= MEANINGS.keys()


def test_few_or_drifting_windows_give_no_verdict_on_the_control(tmp_path: Path) -> None:
    few = [*controls(3, eng_Latn=1280.0), *controls(2, yor_Latn=3000.0, amh_Ethi=1280.0)]
    found = control(few)
    assert (found.equal, found.reason) == (None, "too_few_repeats: yor_Latn, amh_Ethi")
    windows = controls(eng_Latn=1280.0, yor_Latn=1290.0)
    assert control(windows, {windows[0].number: "no_sentinel"}).reason == "no_sentinel"
    doubts = {windows[0].number: "no_sentinel", windows[4].number: "drift"}
    assert (control(windows, doubts).equal, control(windows, doubts).reason) == (None, "drift")
    assert control(windows, {99: "drift"}).equal is True
    drifting = [
        window(1, "eng_Latn", 3000.0, kind="sentinel"),
        *windows,
        window(50, "eng_Latn", 3200.0, kind="sentinel"),
    ]
    said = " ".join(reported(run_of(tmp_path / "a.run.db", drifting)).output.split())
    assert f"cannot be told: {MEANINGS['drift']}." in said
    assert "does not cost the same" not in said


def doubtful() -> list[Window]:
    """Two windows of Yoruba that vary, between sentinels that drifted, one with answers that ran on."""
    return [
        window(1, "eng_Latn", 9000.0, kind="sentinel"),
        window(2, "yor_Latn", 6000.0, reasons=("runaway",)),
        window(3, "yor_Latn", 8000.0),
        window(4, "eng_Latn", 3000.0, kind="sentinel"),
    ]


def test_every_reason_for_not_ranking_is_told(tmp_path: Path) -> None:
    by_language = {one.subject.language: one for one in explain(doubtful()).entries}
    assert set(by_language["yor_Latn"].unranked) == {"runaway", "drift", "too_few_repeats", "repeats_vary"}
    assert set(by_language["eng_Latn"].unranked) == {"too_few_repeats", "repeats_vary"}
    assert all(entry.unranked[0] == entry.figures.rank_reason for entry in by_language.values())
    shown = reported(run_of(tmp_path / "a.run.db", doubtful())).output
    said = " ".join(shown.split())
    for code, where in (
        ("runaway", "topics yor_Latn"),
        ("drift", "topics yor_Latn"),
        ("too_few_repeats", "topics eng_Latn, yor_Latn"),
        ("repeats_vary", "topics eng_Latn, yor_Latn"),
    ):
        assert f"Not ranked: {MEANINGS[code]}: {where}." in said
    (row,) = [line.split() for line in shown.splitlines() if "yor_Latn" in line and "measured" in line]
    assert row[-3:-1] == ["2", "no"]


def test_drift_is_among_the_windows_and_the_checks(tmp_path: Path) -> None:
    found = explain(doubtful())
    assert [(line.number, line.reasons) for line in found.windows] == [
        (1, ()),
        (2, ("runaway", "drift")),
        (3, ("drift",)),
        (4, ()),
    ]
    (drift,) = [one for one in found.checks if one.id == "drift"]
    assert (drift.passed, drift.failed, drift.not_made, drift.windows) == (2, 2, 0, (2, 3))
    assert drift.worst == pytest.approx(1.0)
    assert drift.detail == "0.45 J a token in window 1, 0.15 in 4"
    said = " ".join(reported(run_of(tmp_path / "a.run.db", doubtful())).output.split())
    assert f"drift: {MEANINGS['drift']}. Windows 2, 3." in said
    assert "drift: failed in windows 2, 3; up to 3% allowed; 0.45 J a token in window 1, 0.15 in 4." in said
    alone = explain([window(1, "yor_Latn")])
    assert [(one.failed, one.not_made, one.worst) for one in alone.checks if one.id == "drift"] == [(0, 1, None)]
    assert alone.windows[0].reasons == ("no_sentinel",)


def test_the_sentinel_is_named_in_its_language(tmp_path: Path) -> None:
    yoruba = [window(number, "yor_Latn", kind="sentinel") for number in (1, 2)]
    said = " ".join(reported(run_of(tmp_path / "a.run.db", yoruba)).output.split())
    assert "The sentinel is topics in yor_Latn: between two that differ by more than 3%" in said


def test_what_a_check_tells_is_of_one_reading(tmp_path: Path) -> None:
    watts = ((1, 300.0, True), (2, 390.0, True), (3, 340.0, True), (4, 800.0, False), (5, 900.0, False))
    windows = [
        window(number, "eng_Latn", checks=(Check("T8", passed, found, "up to 770 W", f"{found + 1:g} W at most"),))
        for number, found, passed in watts
    ]
    (whole,) = [one for one in explain(windows).checks if one.id == "T8"]
    assert (whole.worst, whole.detail, whole.windows) == (900.0, "901 W at most", (4, 5))
    (passed,) = [one for one in explain(windows[:3]).checks if one.id == "T8"]
    assert (passed.worst, passed.detail, passed.windows) == (390.0, "391 W at most", ())
    shown = reported(run_of(tmp_path / "a.run.db", windows)).output
    assert re.search(r"T8 +power under load is plausible +3 +2 +0 +900.0 W", shown)
    assert "T8: failed in windows 4, 5; up to 770 W allowed; 901 W at most." in shown


def test_no_mean_power_is_told_of_a_short_stretch(tmp_path: Path) -> None:
    short = stretch(1.0, 385.0, 100)
    lines = {line.number: line for line in explain([window(1, "eng_Latn", steady=short, whole=short)]).windows}
    assert (lines[1].joules, lines[1].watts) == (385.0, None)
    summed = window(1, "eng_Latn", steady=short, whole=short, method="integral")
    assert explain([summed]).windows[0].watts == 385.0
    assert explain([idle()]).windows[0].watts == 70.0
    path = run_of(tmp_path / "a.run.db", [window(1, "eng_Latn", steady=short, whole=short)])
    assert "W is left out under 5 s" in reported(path).output


def test_english_that_is_only_measured_has_a_reason_for_its_dashes(tmp_path: Path) -> None:
    yoruba = replace(EMPTY, task="topics", task_version="1", energy_provenance="measured", energy_setup=SETUP)
    path = run_of(tmp_path / "a.run.db", plenty())
    with RunFile.open(path, None) as run, run.rescoring() as keep_cells:
        keep_cells([], [yoruba])
    said = " ".join(reported(path).output.split())
    assert f"what a score or the premium is needed for: {MEANINGS['no_quality']}: eng_Latn." in said
    assert f"language energy ratio: {MEANINGS['is_english']}: eng_Latn." in said


def test_tables_in_a_file_are_not_too_wide(tmp_path: Path) -> None:
    shown = reported(run_of(tmp_path / "a.run.db", plenty())).output
    assert max(map(len, shown.splitlines())) <= 100
    assert all(name in shown for name in ("J/request", "x J/token", "steady s", "reached"))


def test_one_is_not_several(tmp_path: Path) -> None:
    shown = reported(run_of(tmp_path / "a.run.db", [window(1, "eng_Latn", reasons=("runaway",))])).output
    assert "1 window, 1 of them valid" in shown
    assert "Window 1." in shown
    for wrong in ("1 windows", "1 stretches", "1 shares"):
        assert wrong not in shown


def test_an_earlier_setup_is_told_apart() -> None:
    before = [replace(one, setup="another card") for one in plenty()]
    found = explain([*before, *plenty()])
    assert [one.setup for one in found.setups] == [SETUP, "another card"]
    assert len(found.windows) == 2 * len(plenty())
    assert [one.figures.windows for one in found.entries] == [one.figures.windows for one in explain(plenty()).entries]


def test_mixed_windows_are_told(tmp_path: Path) -> None:
    mixed = []
    for number, (prompt, output, steps) in enumerate(
        [(1000, 9000, 1e6), (8000, 200, 1e5), (100, 300, 9e6), (4000, 4000, 1e4), (50, 60, 3e3)]
    ):
        share = Share(Subject("topics@1", "swh_Latn"), Work(10, prompt, output, context_steps=steps))
        joules = 100 * (30.0 + number) + 0.02 * prompt + 0.1 * output + 1e-5 * steps
        whole = Stretch(Reading(30.0 + number, joules), share.work)
        mixed.append(
            window(number, "", kind="mixed", subject=Subject(), steady=None, whole=whole, reached=None, shares=(share,))
        )
    shown = " ".join(reported(run_of(tmp_path / "a.run.db", mixed)).output.split())
    assert "0.1 J for an output token" in shown
    assert "not checked: no isolated windows" in shown
    assert "(several)" in shown


def test_every_scope_method_and_field_has_words() -> None:
    from typing import get_args

    from bench.energy import records

    assert SCOPES.keys() == set(get_args(records.Scope))
    assert METHODS.keys() == set(get_args(records.Method))
    assert all(FIELDS.values())


@pytest.mark.parametrize(("value", "said"), [(None, "-"), (0.00123, "0.00123"), (12.345, "12.3"), (12_345.6, "12,346")])
def test_digits(value: float | None, said: str) -> None:
    assert digits(value) == said
