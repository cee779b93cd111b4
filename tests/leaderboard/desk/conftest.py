"""What the tests of the desk share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A board that nothing was published to, on a machine without data."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    folder = tmp_path / "board"
    folder.mkdir()
    return folder
