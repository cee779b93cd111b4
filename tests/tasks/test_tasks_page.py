"""docs/tasks.md is true: its example runs as printed, and it names every key that there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import declaration_tables as tables
from tasks import encodings, formats
from tasks.declaration import load
from tests.conftest import REPOSITORY
from tests.e2e.conftest import environment
from tests.tasks.declaring import CHOICE, declare, put
from tests.test_readme import sessions

PAGE = (REPOSITORY / "docs" / "tasks.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    put(tmp_path / "questions.csv", blocks("csv")[0])
    put(tmp_path / "task.toml", blocks("toml")[0])
    return tmp_path


def test_the_example_is_read_as_it_is_meant(example: Path) -> None:
    (task,) = load(example / "task.toml")
    samples = list(task.samples(task.varieties[0]))
    assert [sample.answer for sample in samples] == [0, 2, 1, 0]
    assert [len(sample.options) for sample in samples] == [2, 3, 3, 3]
    assert samples[0].input.startswith("Agbẹjọ́rò, ")
    assert (task.vertical, task.varieties[0].language) == ("legal", "yor_Latn")


def test_the_example_runs_as_printed(example: Path) -> None:
    (block,) = blocks("console")
    for command, shown in sessions(block):
        done = subprocess.run(
            command.replace("python -m", f"{sys.executable} -m"),
            shell=True,
            cwd=example,
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
        )
        assert done.returncode == 0, done.stderr
        pattern = "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", shown.strip()))
        assert re.fullmatch(pattern, done.stdout.strip(), re.DOTALL), f"$ {command}\n{done.stdout}"


def test_the_shorter_examples_are_taken(tmp_path: Path) -> None:
    _, several, prompt = blocks("toml")
    shared = CHOICE.replace('name = "tiny"\n', "").replace('title = "Tiny"\n', "")
    assert [(one.name, one.vertical) for one in declare(tmp_path, shared + several)] == [
        ("exam-all", ""),
        ("exam-law", "legal"),
    ]
    text = CHOICE.replace('prompt = "choice"\n', "").replace("{ question =", '{ statute = "{statute}", question =')
    (task,) = declare(tmp_path, text + prompt)
    assert set(task.native) == {"yor_Latn"}


@pytest.mark.parametrize("table", [tables.Declared, tables.SourceTable, tables.SampleTable, tables.PromptTable])
def test_every_key_is_named(table: type[tables.Declared]) -> None:
    unnamed = {name for name in table.__struct_encode_fields__ if not re.search(rf"[`\[. ]{name}\b", PAGE)}
    assert unnamed <= {"cue", "review", "author", "instruction", "by_hand", "folder", "excerpt", "commit", "citation"}


def test_every_encoding_and_format_is_named() -> None:
    own = {name for name in formats.READERS if name not in ("oab", "udhr", "blend", "lawbench", "terms")}
    for name in (*own, *encodings.ANSWERS, *encodings.MEMBERS):
        assert re.search(rf"[` ]{re.escape(name)}[` ]", PAGE), name
