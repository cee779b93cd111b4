"""A whole run with energy on a virtual clock: answers, windows, figures in cells, and what a second invocation does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.energy.agenda import QUESTIONS
from bench.energy.cells import FIELDS
from bench.energy.keeping import windows
from bench.energy.measuring import Instruments
from bench.energy.options import Options
from bench.energy.reasons import FATAL
from bench.energy.records import Window
from bench.plan import Block, load
from bench.premium.records import Premium, Premiums
from bench.records import Cell, Request
from bench.runfile import RunFile
from bench.session import perform, rescore
from bench.watch import Progress, unwatched
from tasks import get
from tests.energy.modelled import Batching
from tests.energy.test_window import Bench

OPTIONS = Options(seconds=30, repeats=3, concurrency=8, warmup=1, control=False)
LENGTH = {"eng_Latn": 10, "yor_Latn": 20, "deu_Latn": 15}


def blocks(*languages: str, limit: int = 20) -> list[Block]:
    task = get("cldr-dates")
    return load([(task, one) for one in task.varieties if one.language in languages], limit)


def length(request: Request) -> int:
    return LENGTH[request.language]


class Run:
    """One run file and the GPU beside it."""

    def __init__(self, path: Path, **gpu: object) -> None:
        self.path = path / "a.run.db"
        self.bench = Bench(**gpu)

    def go(self, plan: list[Block], watch: Any = unwatched, options: Options = OPTIONS, **how: Any) -> Batching:
        model = self.bench.model(length=length, prompt_seconds=0.0, **how)
        instruments = Instruments(self.bench.meter, self.bench.clock, options)
        perform(model, plan, None, self.path, watch, instruments=instruments)
        return model

    def cells(self) -> dict[str, Cell]:
        with RunFile.read(self.path) as run:
            return {cell.language: cell for cell in run.cells() if cell.headline}

    def windows(self) -> list[Window]:
        with RunFile.read(self.path) as run:
            return windows(run)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_every_cell_has_its_energy_and_english_is_measured_beside(run: Run) -> None:
    run.go(blocks("yor_Latn", "deu_Latn"))
    cells = run.cells()
    assert set(cells) == {"yor_Latn", "deu_Latn"}  # English was measured and not scored
    for language, cell in cells.items():
        # 500 W, 8 rows, 20 steps a second.
        assert cell.joules_per_request == pytest.approx(3.125 * LENGTH[language], rel=0.03)
        assert cell.language_energy_ratio == pytest.approx(LENGTH[language] / LENGTH["eng_Latn"], rel=0.03)
        assert cell.energy_provenance == "measured"
        assert "energy_rank" not in cell.reasons
        assert cell.joules_per_request_low is not None
        assert all(getattr(cell, name) is not None or name in cell.reasons for name in FIELDS)
    assert {window.kind for window in run.windows()} == {"idle", "isolated", "sentinel", "mixed"}
    before = run.cells()
    with RunFile.open(run.path, None) as opened:
        rescore(opened)
    assert run.cells() == before


def test_a_second_invocation_measures_only_what_is_new(run: Run) -> None:
    run.go(blocks("yor_Latn"))
    first, cells = run.windows(), run.cells()
    assert len(run.go(blocks("yor_Latn")).asked) == 0
    assert run.windows() == first
    run.go(blocks("yor_Latn", "deu_Latn"))
    assert run.windows()[: len(first)] == first
    assert run.cells()["yor_Latn"].joules_per_request == pytest.approx(cells["yor_Latn"].joules_per_request, rel=0.02)
    assert run.cells()["deu_Latn"].energy_provenance == "measured"


def test_a_plan_with_more_items_asks_other_questions(run: Run) -> None:
    run.go(blocks("yor_Latn", limit=10))
    old = {window.questions for window in run.windows() if window.kind == "isolated"}
    run.go(blocks("yor_Latn", limit=20))
    new = {window.questions for window in run.windows() if window.kind == "isolated"} - old
    assert len(new) == 1
    assert run.cells()["yor_Latn"].energy_windows == 3
    assert run.cells()["yor_Latn"].language_energy_ratio == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize(
    ("gpu", "code"),
    [
        ({"lost_at": 1020.0}, "gpu_lost"),
        ({"stuck_from": 1020.0}, "counter_stuck"),
        ({"denied_from": 1020.0}, "no_permission"),
        ({"pids": [(1, 1000.0, 9e9)]}, "shared_gpu"),
        ({"bits": [(0x20, 1000.0, 9e9)]}, "throttled"),
        ({"counted": 0.5}, "counter_disagrees"),
        ({"limit": 300.0}, "power_implausible"),
    ],
)
def test_a_fault_of_the_meter_reaches_the_cell_as_its_reason(tmp_path: Path, gpu: dict[str, Any], code: str) -> None:
    run = Run(tmp_path, **gpu)
    run.go(blocks("yor_Latn"))
    cell = run.cells()["yor_Latn"]
    assert cell.reasons["energy"].partition(":")[0] == code
    assert code in FATAL
    assert cell.value is not None
    assert all(getattr(cell, name) is None for name in FIELDS if name != "premium")


def test_a_model_that_dies_while_measured_keeps_its_scores(run: Run) -> None:
    run.go(blocks("yor_Latn"), stops_after=60)
    cell = run.cells()["yor_Latn"]
    assert cell.n == 20
    assert cell.errors == 0
    run.go(blocks("yor_Latn"))
    assert run.cells()["yor_Latn"].energy_provenance == "measured"


def test_an_interruption_while_measuring_hides_no_score(run: Run) -> None:
    class Interrupting:
        def __call__(self, title: str, total: int) -> AbstractContextManager[Progress]:
            @contextlib.contextmanager
            def watched() -> Iterator[Progress]:
                def progress(done: int, standing: object = None) -> None:
                    if "(energy)" in title and done == 2:
                        raise KeyboardInterrupt

                yield progress

            return watched()

    with pytest.raises(KeyboardInterrupt):
        run.go(blocks("yor_Latn"), Interrupting())
    assert run.cells()["yor_Latn"].n == 20
    assert [window.kind for window in run.windows() if window.kind in ("sentinel", "isolated")]


def test_premiums_of_an_earlier_invocation_stay(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(_: object, places: Any, *__: object) -> list[Premiums]:
        made = [
            Premium(code, variety, 10, 200, 100, 2.0, 1.9, 2.1, 3.0, 2.0, 1.2, 0.0, 0.0)
            for code, variety in places
            if code != "eng_Latn"
        ]
        return [Premiums("hf:a", "sha256:1", "ntrex-from-eng", "sha256:2", 0.1, tuple(made))]

    monkeypatch.setattr("bench.session.premiums_of", counted)
    run.go(blocks("yor_Latn"))
    assert run.cells()["yor_Latn"].premium == 2.0
    assert run.cells()["yor_Latn"].english_equivalent_tokens_per_joule == pytest.approx(1 / 3.125 / 2, rel=0.03)
    run.go(blocks("deu_Latn"))
    assert {cell.premium for cell in run.cells().values()} == {2.0}
    monkeypatch.setattr("bench.session.premiums_of", lambda *_: [])
    run.go(blocks("yor_Latn"))
    assert {cell.premium for cell in run.cells().values()} == {2.0}


def test_no_more_questions_are_held_than_are_asked(run: Run) -> None:
    model = run.go(
        blocks("yor_Latn"), options=Options(seconds=30, repeats=1, concurrency=4, warmup=1, control=False), rows=4
    )
    asked = {request.sample for request in model.asked if "/" in request.id and request.language == "eng_Latn"}
    assert len(asked) == QUESTIONS * 4


def test_where_nothing_was_answered_nothing_is_measured(run: Run) -> None:
    run.go(blocks("yor_Latn"), fails=lambda _: True)
    assert run.cells()["yor_Latn"].reasons["energy"] == "no_answers"


def test_what_could_not_be_measured_before_can_be_now(run: Run) -> None:
    model = run.bench.model(length=length)
    perform(model, blocks("yor_Latn"), None, run.path, instruments="no_driver: gone")
    assert run.cells()["yor_Latn"].reasons["energy"] == "no_driver: gone"
    run.go(blocks("yor_Latn"))
    assert run.cells()["yor_Latn"].energy_provenance == "measured"
    assert replace(run.cells()["yor_Latn"]).reasons.get("energy") is None
