"""The cache of compiled kernels: never stale, and never a reason to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import compiled

SCORE = "import kernels; print(kernels.edit_distance(['abc'], ['abd']).tolist())"


def scored(cache: Path, limit: str = "") -> str:
    """What a fresh process prints that scores with this cache."""
    command = f'{limit}{sys.executable} -c "{SCORE}"'
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        cwd=Path(compiled.__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("ending", ["*.nbi", "*.nbc"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, ending: str) -> None:
    assert scored(tmp_path) == "[1]"
    files = list(tmp_path.rglob(ending))
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:20])
    assert scored(tmp_path) == "[1]"
    assert all(path.stat().st_size > 20 for path in tmp_path.rglob("*.nbi"))


def test_a_cache_without_room_keeps_nothing(tmp_path: Path) -> None:
    assert scored(tmp_path, limit="ulimit -f 1; ") == "[1]"


def test_the_cache_is_that_of_the_sources_and_of_what_they_import(tmp_path: Path) -> None:
    for name, text in (("one", "from kernels.two import x\n"), ("two", "from kernels import three\n"), ("three", "")):
        (tmp_path / f"{name}.py").write_text(text)
    before = compiled._cache(tmp_path / "one.py")
    compiled._cache.cache_clear()
    (tmp_path / "three.py").write_text("changed = 1\n")
    assert compiled._cache(tmp_path / "one.py") != before
