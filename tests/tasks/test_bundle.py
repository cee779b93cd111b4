"""Bundles: made, moved, run without a network, and every changed byte named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import bundle, lock
from tasks.records import DataError
from tests.e2e.conftest import environment
from tests.tasks.declaring import CHOICE, declare, put, put_rows

ROWS = [
    {"id": f"q{number}", "question": f"Kí ni {number}?", "a": "yes", "b": "no", "answer": "AB"[number % 2]}
    for number in range(6)
]
OF_GIT = 'kind = "files"\nrepository = "owner/tiny-set"\ncommit = "0123456789abcdef"\nformat = "jsonl"'
ISOLATED = ("unshare", "-rn")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A declaration of Git's files with its mirror, and one of files beside it."""
    declare(tmp_path / "git", CHOICE.replace('format = "jsonl"', OF_GIT))
    put(tmp_path / "git" / "tiny.toml", (tmp_path / "git" / "tiny.toml").read_text())
    put(
        tmp_path / "own" / "mine.toml", CHOICE.replace('"tiny"', '"mine"').replace("{code}.jsonl", "texts/{code}.jsonl")
    )
    for code in ("yo", "ha"):
        put_rows(tmp_path / "mirror" / "tiny-set" / f"{code}.jsonl", ROWS)
        put_rows(tmp_path / "own" / "texts" / f"{code}.jsonl", ROWS)
    return tmp_path


def bench(folder: Path, *arguments: str, before: tuple[str, ...] = (), expect: int = 0) -> str:
    """What a command says on both streams."""
    command = [*before, sys.executable, "-m", "bench", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment(), timeout=600
    )
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


BOTH = ("-t", "git/tiny.toml", "-t", "own/mine.toml")
FROM_BUNDLE = ("-t", "b/declared/tiny.toml", "-t", "b/declared/mine.toml", "--data", "b")


@pytest.fixture
def bundled(folder: Path) -> Path:
    said = bench(folder, "data", "bundle", *BOTH, "--data", "mirror", "--output", "b")
    assert "1 dataset, 6 files, 24 prompts, 2 declarations" in said
    for gone in ("git", "own", "mirror"):
        shutil.rmtree(folder / gone)
    return folder


def test_what_a_bundle_holds(bundled: Path) -> None:
    files = {path.relative_to(bundled / "b").as_posix() for path in (bundled / "b").rglob("*") if path.is_file()}
    assert files == {
        "data.lock",
        "bundle.json",
        "prompts.jsonl",
        "declared/tiny.toml",
        "declared/mine.toml",
        "declared/texts/yo.jsonl",
        "declared/texts/ha.jsonl",
        "tiny-set/yo.jsonl",
        "tiny-set/ha.jsonl",
    }
    pinned = lock.read(bundled / "b" / "data.lock")
    assert set(pinned) == {"tiny-set", "declared"}
    assert set(pinned["declared"]["files"]) == {"tiny.toml", "mine.toml", "texts/yo.jsonl", "texts/ha.jsonl"}
    facts = json.loads((bundled / "b" / "bundle.json").read_text("utf-8"))
    assert facts["tasks"]["tiny"]["codes"] == ["yo", "ha"]
    prompts = [json.loads(line) for line in (bundled / "b" / "prompts.jsonl").read_text("utf-8").splitlines()]
    assert len({prompt["id"] for prompt in prompts}) == 24
    assert all("Kí ni" in prompt["prompt"] for prompt in prompts)


def test_a_run_from_a_bundle(bundled: Path) -> None:
    cells = json.loads(bench(bundled, "run", "-m", "baseline:random", *FROM_BUNDLE, "--json"))
    assert [(cell["task"], cell["language"], cell["n"]) for cell in cells] == [
        (task, language, 6) for task in ("tiny", "mine") for language in ("yor_Latn", "hau_Latn")
    ]
    assert "4 files as locked, 0 not in the lock, 0 wrong" in bench(bundled, "data", "verify", *FROM_BUNDLE)


def test_a_run_without_any_network(bundled: Path) -> None:
    try:
        able = subprocess.run([*ISOLATED, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        able = False
    if not able:
        pytest.skip("this machine lets no process leave the network (unshare -rn)")
    said = bench(bundled, "run", "-m", "baseline:copy", *FROM_BUNDLE, "--json", before=ISOLATED)
    assert {cell["n"] for cell in json.loads(said)} == {6}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ("tiny-set/yo.jsonl", "tiny-set/yo.jsonl is not the file that data.lock pins"),
        ("declared/texts/ha.jsonl", "tiny-set/texts/ha.jsonl is not the file that data.lock pins"),
        ("declared/mine.toml", "mine.toml is not the file that the bundle's data.lock pins"),
        ("data.lock", "data.lock is no lock file"),
    ],
)
def test_a_flipped_byte_is_named(bundled: Path, changed: str, named: str) -> None:
    path = bundled / "b" / changed
    content = bytearray(path.read_bytes())
    place = 0 if changed.endswith("lock") else content.index(b'"')
    content[place] ^= 1
    path.write_bytes(content)
    said = bench(bundled, "run", "-m", "baseline:copy", *FROM_BUNDLE, expect=2)
    assert named in said
    assert said.count("\n") == 1
    verified = bench(bundled, "data", "verify", *FROM_BUNDLE, expect=1 if changed.endswith("jsonl") else 2)
    assert named in verified


def test_a_bundle_of_chosen_languages(folder: Path) -> None:
    """The files of other languages need not be there."""
    (folder / "own" / "texts" / "ha.jsonl").unlink()
    bench(folder, "data", "bundle", "-t", "own/mine.toml", "-l", "yor_Latn", "--limit", "2", "--output", "b")
    assert not (folder / "b" / "declared" / "texts" / "ha.jsonl").exists()
    assert len((folder / "b" / "prompts.jsonl").read_text("utf-8").splitlines()) == 2
    said = bench(folder, "data", "bundle", "-t", "own/mine.toml", "--output", "c", expect=2)
    assert "no file texts/ha.jsonl beside the declaration of tiny-set" in said
    assert not (folder / "c").exists()
    assert not list(folder.glob("*.part"))


def test_a_bundle_never_writes_over_anything(folder: Path) -> None:
    put(folder / "b" / "kept", "kept")
    for taken in ("b", "b/kept"):
        assert "is there already" in bench(
            folder, "data", "bundle", *BOTH, "--data", "mirror", "--output", taken, expect=2
        )
    assert (folder / "b" / "kept").read_text() == "kept"
    (folder / "empty").mkdir()
    bench(folder, "data", "bundle", *BOTH, "--data", "mirror", "--output", "empty")
    assert (folder / "empty" / "data.lock").is_file()


def test_a_bundle_of_what_is_not_here(folder: Path) -> None:
    (folder / "bare").mkdir()
    said = bench(folder, "data", "bundle", "-t", "git/tiny.toml", "--data", "bare", "--output", "b", expect=2)
    assert "no data of tiny-set here" in said
    assert not (folder / "b").exists()


def test_two_files_of_one_name_are_refused(folder: Path) -> None:
    text = (folder / "own" / "mine.toml").read_text().replace('"mine"', '"other"')
    put(folder / "more" / "mine.toml", text)
    put_rows(folder / "more" / "texts" / "yo.jsonl", ROWS[:2])
    two = ("-t", "own/mine.toml", "-t", "more/mine.toml")
    assert "two files of the bundle would be declared/mine.toml" in bench(
        folder, "data", "bundle", *two, "-l", "yo", "--output", "b", expect=2
    )
    (folder / "more" / "mine.toml").rename(folder / "more" / "other.toml")
    two = ("-t", "own/mine.toml", "-t", "more/other.toml")
    assert "two files of the bundle would be texts/yo.jsonl" in bench(
        folder, "data", "bundle", *two, "-l", "yo", "--output", "b", expect=2
    )


def test_a_file_that_two_tasks_read_comes_once(tmp_path: Path) -> None:
    text = CHOICE.replace('name = "tiny"', "") + '[[task]]\nname = "one"\n[[task]]\nname = "two"\n'
    made = declare(tmp_path, text)
    pairs = [(task, variety) for task in made for variety in task.varieties]
    assert [path for _, path in bundle.needed(pairs)] == ["yo.jsonl", "ha.jsonl"]


def test_the_tokenizer_of_a_model(tmp_path: Path) -> None:
    model = tmp_path / "model"
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "weights.safetensors", "modeling.py"):
        put(model / name, "{}")
    put(model / "tokenizer_folder" / "x", "{}")
    assert bundle.copy_tokenizer(model, tmp_path / "t") == ["tokenizer.json", "tokenizer_config.json", "vocab.txt"]
    for empty in (tmp_path / "nothing", tmp_path / "model" / "tokenizer_folder"):
        with pytest.raises(DataError, match="has no tokenizer files"):
            bundle.copy_tokenizer(empty, tmp_path / "u")
    assert not (tmp_path / "u").exists()


def test_locking_leaves_out_what_no_repository_has(folder: Path) -> None:
    said = bench(folder, "data", "lock", *BOTH, "--data", "mirror", "--output", "some.lock")
    assert said == "tiny-set: 2 files\n"
    assert set(lock.read(folder / "some.lock")) == {"tiny-set"}
    alone = bench(folder, "data", "lock", "-t", "own/mine.toml", "--output", "other.lock", expect=2)
    assert "there is nothing to lock" in alone
