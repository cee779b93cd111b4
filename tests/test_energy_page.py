"""docs/energy.md is true: every reason code and option stands in it as it is, and its example prints what is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.energy import reasons
from bench.energy.options import Options
from bench.records import Cell
from tests.conftest import REPOSITORY
from tests.e2e.conftest import environment
from tests.test_readme import sessions

PAGE = (REPOSITORY / "docs" / "energy.md").read_text("utf-8")
TABLES = (
    ("Take a window's energy away", reasons.FATAL),
    ("Shown, not ranked", reasons.UNRANKED),
    ("Why a single figure is missing", reasons.MISSING),
    ("Notes on how it was measured", reasons.NOTES),
)


@pytest.mark.parametrize(("title", "codes"), TABLES, ids=[title for title, _ in TABLES])
def test_every_reason_code_is_explained(title: str, codes: dict[str, str]) -> None:
    table = "".join(f"| `{code}` | {words} |\n" for code, words in codes.items())
    wanted = f"**{title}**\n\n| code | what it means |\n|---|---|\n{table}\n"
    assert wanted in PAGE, f"docs/energy.md should have this table:\n\n{wanted}"


def test_every_option_is_named_with_its_default() -> None:
    for option in msgspec.structs.fields(Options):
        row = re.search(rf"^\| `{option.name}` \| (.+?) \|", PAGE, re.MULTILINE)
        assert row, option.name
        default = option.default
        if default is not None:
            told = (
                str(default).lower()
                if isinstance(default, bool)
                else f"{default:g}"
                if isinstance(default, float)
                else default
            )
            assert row[1].strip("`") == str(told), option.name


def test_every_figure_is_one_of_a_cell() -> None:
    section = PAGE.split("## The figures")[1].split("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert len(named) >= 7
    assert set(named) <= {*Cell.__dataclass_fields__}


def test_what_it_links_to_exists() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= anchors
    assert all((REPOSITORY / name).is_file() for name in re.findall(r"`((?:docs|benchmarks)/[\w.]+)`", PAGE))


@pytest.mark.parametrize("block", re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL))
def test_the_example_prints_what_is_shown(block: str, tmp_path: Path) -> None:
    for command, shown in sessions(block):
        done = subprocess.run(
            command.replace("python -m", f"{sys.executable} -m"),
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            env=environment(COLUMNS="200"),
        )
        pattern = "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", shown.strip()))
        assert re.fullmatch(pattern, done.stdout.strip(), re.DOTALL), f"$ {command}\n{done.stdout}"
