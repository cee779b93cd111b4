"""One number has one interval, wherever it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences


def test_a_cell_has_its_own_interval_on_every_page(tmp_path: Path) -> None:
    """Near the upper end an interval is wider below its number than above."""
    run = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(9)), [sentences("amh_Ethi")])
    publish([run], tmp_path / "board")
    client = create_app(tmp_path / "board").test_client()
    page = client.get("/languages/amh_Ethi.json").get_json()
    cell = next(one["cell"] for one in page["benchmarks"][0]["models"] if one["cell"])
    scale = 1 - cell["chance"]
    own = [(cell[end] - cell["chance"]) / scale for end in ("ci_low", "ci_high")]
    assert (cell["normalised"] - own[0]) - (own[1] - cell["normalised"]) > 0.01
    (best,) = [one for one in client.get("/tasks/sib200.json").get_json()["languages"] if one["model"]]
    assert [best["low"], best["high"]] == pytest.approx(own, abs=1e-6)
    heat = client.get("/plots/heatmap.json?task=sib200").get_json()
    (shown,) = [one for row in heat["rows"] for one in row["cells"] if one["normalised"] is not None]
    assert [shown["low"], shown["high"]] == pytest.approx(own, abs=1e-6)
    assert [best["normalised"], shown["normalised"]] == pytest.approx([cell["normalised"]] * 2, abs=1e-6)
