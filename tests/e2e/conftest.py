"""The program as a user starts it: another process, its exit code, what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

Bench = Callable[..., subprocess.CompletedProcess[str]]


def environment(**more: str) -> dict[str, str]:
    """This process's environment without a mirror, and what is given."""
    kept = {name: value for name, value in os.environ.items() if name != "BENCH_DATA"}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", **more}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Runs `python -m bench ARGUMENTS` in an empty folder."""

    def run(*arguments: str, expect: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment(**more), timeout=600
        )
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run
