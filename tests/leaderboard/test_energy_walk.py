"""A fault of the meter, all the way: from the device through windows, run file and snapshot to the page."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from bench.energy.cells import FIELDS
from bench.energy.options import Options
from bench.energy.reasons import FATAL, meaning
from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.energy.test_session import Run, blocks
from tests.leaderboard.powered import as_english

FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # code -> what is wrong with the GPU, and with the model
    "gpu_lost": ({"lost_at": 1020.0}, {}),
    "counter_stuck": ({"stuck_from": 1020.0}, {}),
    "counter_disagrees": ({"counted": 0.5}, {}),
    "no_permission": ({"denied_from": 1020.0}, {}),
    "shared_gpu": ({"pids": [(1, 1000.0, 9e9)]}, {}),
    "throttled": ({"bits": [(0x20, 1000.0, 9e9)]}, {}),
    "power_implausible": ({"limit": 300.0}, {}),
    "nvml_failed": ({"errors": {"nvmlDeviceGetTotalEnergyConsumption": (999, 1020.0, 9e9)}}, {}),
    "no_steady": ({}, {"rows": 2}),
    "requests_failed": ({}, {"fails": lambda number: number > 100}),
    "window_short": ({}, {"options": Options(seconds=5, repeats=1, concurrency=8, warmup=1, control=False)}),
}
"""The faults of a meter or a window that a scripted GPU can have in the middle of a run."""


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_is_told_on_the_page_and_no_number_is(tmp_path: Path, code: str) -> None:
    gpu, how = FAULTS[code]
    run = Run(tmp_path, **gpu)
    run.go(blocks("yor_Latn"), **how)
    cell = run.cells()["yor_Latn"]
    assert all(getattr(cell, name) is None for name in FIELDS if name != "premium")
    assert code in FATAL
    publish([run.path], tmp_path / "board")
    client = create_app(tmp_path / "board").test_client()
    for page in ("/languages/yor_Latn", "/models/hf-scripted"):
        text = html.unescape(client.get(page).get_data(as_text=True))
        assert as_english(meaning(cell.reasons["energy"]).partition(" (")[0]) in text, page
        assert not re.search(r"\b0(\.0+)? J\b|\b0(\.0+)? joules", text), page
    assert cell.reasons["energy"].partition(":")[0] == code


def test_without_a_fault_the_page_has_the_figure(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.go(blocks("yor_Latn"))
    publish([run.path], tmp_path / "board")
    client = create_app(tmp_path / "board").test_client()
    assert run.cells()["yor_Latn"].joules_per_request == pytest.approx(62.5, rel=0.02)
    assert re.search(r"\b6[123]\.\d\b", client.get("/languages/yor_Latn").get_data(as_text=True))
