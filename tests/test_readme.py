"""The sessions of the README and the docs are real: every command in a console block is run, and prints what is shown.

In what is shown, `...` stands for anything.
"""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.e2e.conftest import environment

README = (REPOSITORY / "README.md").read_text("utf-8")
PAGES = (README, *((REPOSITORY / "docs" / name).read_text("utf-8") for name in ("running.md", "board.md")))
BLOCKS = [block for page in PAGES for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL)]


def sessions(block: str) -> list[tuple[str, str]]:
    """(command, what it prints) of each command in a block."""
    return [
        (part.split("\n", 1)[0], part.split("\n", 1)[1]) for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]


def test_there_are_sessions() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("block", BLOCKS, ids=[sessions(block)[0][0][:50] for block in BLOCKS])
def test_session(block: str, tmp_path: Path) -> None:
    for command, shown in sessions(block):
        done = subprocess.run(
            command.replace("python -m", f"{sys.executable} -m"),
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            env=environment(),
        )
        pattern = "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", shown.strip()))
        assert re.fullmatch(pattern, done.stdout.strip(), re.DOTALL), f"$ {command}\n{done.stdout}"


def test_the_examples_of_the_scoring_page() -> None:
    found = doctest.testfile(str(REPOSITORY / "docs" / "scoring.md"), module_relative=False)
    assert found.attempted >= 8
    assert not found.failed


def test_what_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (REPOSITORY / target).is_file(), target


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]
)
def test_files_that_a_page_names_exist(page: str) -> None:
    named = r"`((?:bench|benchmarks|docs|kernels|languages|leaderboard|tasks|tests)/[\w./-]+)`"
    for path in re.findall(named, (REPOSITORY / page).read_text("utf-8")):
        assert (REPOSITORY / path).exists(), path
