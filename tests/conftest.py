"""Where the real data lie, and a run of a small model of our own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parents[1]

# A busy machine is no failure: no test here is about time.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def data() -> Path:
    """The mirror of the datasets: BENCH_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("BENCH_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "linguameta").is_dir():
        pytest.skip("no mirror of the datasets: set BENCH_DATA to its folder")
    return folder.resolve()
