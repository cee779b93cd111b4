"""Repositories in the hub's layout: what can be missing, changed or hostile in them, through the real library."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import huggingface_hub
import pytest
from huggingface_hub import errors

from tasks import hub, lock
from tasks.hub import Hub
from tasks.lock import Entry
from tasks.records import DataError, Row, Variety
from tasks.selection import Join, Selection
from tests.tasks.declaring import HAUSA, YORUBA, put, put_rows

SOURCE = Hub("small", "owner/small", "main", {"test": "test", "train": "validation"}, ("{code}",))
CARD = """---
configs:
- config_name: yo
  data_files:
  - split: test
    path: data/yo/test.jsonl
  - split: validation
    path: data/yo/dev.jsonl
- config_name: en
  data_files:
  - split: test
    path: data/en/test.jsonl
---
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub._resolve_cached.cache_clear()
    yield
    hub._resolve_cached.cache_clear()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    small = tmp_path / "small"
    put(small / "README.md", CARD)
    put_rows(
        small / "data" / "yo" / "test.jsonl", [{"id": "1", "text": "ọ̀kan", "n": 1}, {"id": "2", "text": None, "n": 2}]
    )
    put_rows(small / "data" / "yo" / "dev.jsonl", [{"id": "9", "text": "dev", "n": 9}])
    put_rows(small / "data" / "en" / "test.jsonl", [{"id": "2", "text": "two"}, {"id": "1", "text": "one"}])
    return tmp_path


def refusal(source: Hub, variety: Variety = YORUBA, split: Any = "test") -> str:
    with pytest.raises(DataError) as caught:
        list(source.rows(variety, split))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_rows(mirror: Path) -> None:
    first, second = SOURCE.rows(YORUBA, "test")
    known = {"line": 1, "config": "yo", "split": "test"}
    assert first == Row({**known, "id": "1", "text": "ọ̀kan", "n": 1}, "small yo test row 1")
    assert second.values["text"] is None
    assert [row.values["id"] for row in SOURCE.rows(YORUBA, "train")] == ["9"]
    assert SOURCE.paths(YORUBA, "test") == ("data/yo/test.jsonl",)
    assert SOURCE.companions() == ("README.md",)
    digest = hashlib.sha256((mirror / "small" / "data" / "yo" / "test.jsonl").read_bytes()).hexdigest()
    assert SOURCE.fingerprint(YORUBA, "test") == {"data/yo/test.jsonl": digest}
    assert SOURCE.describe("data/yo/test.jsonl") == Entry(digest, -1, ())


def test_several_configurations_a_filter_and_a_join(mirror: Path) -> None:
    both = Hub("small", "owner/small", "main", {"test": "test"}, ("yo", "en"))
    assert [row.values["text"] for row in both.rows(YORUBA, "test")] == ["ọ̀kan", None, "two", "one"]
    assert both.paths(YORUBA, "test") == ("data/yo/test.jsonl", "data/en/test.jsonl")
    some = Hub("small", "owner/small", "main", {"test": "test"}, ("{code}",), Selection(where={"n": ("2",)}))
    assert [row.values["id"] for row in some.rows(YORUBA, "test")] == ["2"]
    english = Variety("eng_Latn", code="en")
    for place in ("en", "{code}"):
        joined = Hub(
            "small", "owner/small", "main", {"test": "test"}, ("yo",), join=Join(place, "id", {"english": "text"})
        )
        assert [(row.values["text"], row.values["english"]) for row in joined.rows(english, "test")] == [
            ("ọ̀kan", "one"),
            (None, "two"),
        ]
        assert set(joined.paths(english, "test")) == {"data/yo/test.jsonl", "data/en/test.jsonl"}


def test_what_is_missing_is_named(mirror: Path) -> None:
    said = refusal(SOURCE, HAUSA)
    assert said.startswith("small ha: ")
    assert "yo" in said, "the configurations there are"
    assert refusal(Hub("small", "o/small", "main", {"test": "dev"}, ("yo",))) == (
        "small yo has no split 'dev'; there are test, validation"
    )
    only = Hub("small", "o/small", "main", {"test": "test"}, ("yo",))
    assert refusal(only, split="train") == "small has no train split; it has test"
    assert "has no folder large (o/large on the hub has it)" in refusal(
        Hub("large", "o/large", "main", {"test": "test"})
    )
    wrong = Hub("small", "o/small", "main", {"test": "test"}, ("yo",), Selection(where={"topic": ("x",)}))
    assert refusal(wrong) == "small yo test row 1: no column 'topic'; there are line, config, split, id, text, n"
    (mirror / "small" / "data" / "yo" / "dev.jsonl").unlink()
    assert refusal(SOURCE, split="train").startswith("small yo: ")


@pytest.mark.parametrize("content", ["{", "[1, 2]\n", "\x00", "not JSON at all\n"])
def test_a_spoilt_file(mirror: Path, content: str) -> None:
    put(mirror / "small" / "data" / "yo" / "test.jsonl", content)
    assert refusal(SOURCE).startswith("small yo: ")


@pytest.mark.parametrize("card", ["---\nconfigs: [a: {\n---\n", "---\nconfigs: 7\n---\n", "---\nconfigs:\n- x\n---\n"])
def test_a_spoilt_card(mirror: Path, card: str) -> None:
    put(mirror / "small" / "README.md", card)
    assert refusal(SOURCE).startswith("small yo: ")


@pytest.mark.parametrize("path", ["../outside.jsonl", "data/../../outside.jsonl", "{absolute}"])
def test_a_card_names_no_file_outside_its_folder(mirror: Path, path: str) -> None:
    outside = put_rows(mirror / "outside.jsonl", [{"id": "1", "text": "secret", "n": 1}])
    path = path.replace("{absolute}", str(outside))
    put(mirror / "small" / "README.md", CARD.replace("data/yo/test.jsonl", path))
    said = refusal(SOURCE)
    assert "outside its folder" in said
    assert "secret" not in said


def test_files_behind_links_are_the_folders_own(mirror: Path) -> None:
    """The hub's own cache keeps each file behind a link; a mirror may be made of such folders."""
    file = mirror / "small" / "data" / "yo" / "test.jsonl"
    file.rename(mirror / "blob")
    file.symlink_to(mirror / "blob")
    (mirror / "small").rename(mirror / "elsewhere")
    (mirror / "small").symlink_to(mirror / "elsewhere")
    assert SOURCE.paths(YORUBA, "test") == ("data/yo/test.jsonl",)
    assert len(list(SOURCE.rows(YORUBA, "test"))) == 2


def test_nothing_of_a_dataset_is_executed(mirror: Path) -> None:
    ran = mirror / "ran"
    code = f"open({str(ran)!r}, 'w')\n"
    for name in ("small.py", "data/yo/test.py", "__init__.py", "conftest.py"):
        put(mirror / "small" / name, code)
    said = refusal(SOURCE)
    assert "Dataset scripts are no longer supported" in said
    (mirror / "small" / "small.py").unlink()
    hub._resolve_cached.cache_clear()
    assert len(list(SOURCE.rows(YORUBA, "test"))) == 2
    assert not ran.exists()


def test_a_pickle_is_no_data(mirror: Path) -> None:
    shutil.copyfile(mirror / "small" / "data" / "yo" / "test.jsonl", mirror / "small" / "data" / "yo" / "test.pkl")
    put(mirror / "small" / "README.md", CARD.replace("yo/test.jsonl", "yo/test.pkl"))
    assert "readable are .parquet" in refusal(SOURCE) or "small yo: " in refusal(SOURCE)


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    monkeypatch.setattr(lock, "files", lambda dataset: entries if dataset == "small" else {})
    return entries


def test_a_changed_file_is_refused_and_named(mirror: Path, locked: dict[str, Entry]) -> None:
    path = mirror / "small" / "data" / "yo" / "test.jsonl"
    locked["data/yo/test.jsonl"] = Entry(hashlib.sha256(path.read_bytes()).hexdigest(), -1, ())
    assert len(list(SOURCE.rows(YORUBA, "test"))) == 2
    assert SOURCE.is_locked("data/yo/test.jsonl")
    assert not SOURCE.is_locked("data/yo/dev.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"n": 1', b'"n": 7'))
    assert "small/data/yo/test.jsonl is not the file that data.lock pins" in refusal(SOURCE)
    with pytest.raises(DataError, match="is not the file"):
        SOURCE.fingerprint(YORUBA, "test")


@pytest.mark.parametrize(("ending", "mark"), [("csv", ","), ("tsv", "\t")])
def test_cells_of_a_table_are_texts(mirror: Path, ending: str, mark: str) -> None:
    put(mirror / "small" / "README.md", CARD.replace("jsonl", ending))
    put(mirror / "small" / "data" / "yo" / f"dev.{ending}", "id\n")
    lines = [["id", "answer", "n"], ["NA", "null", "10"], ["007", "", ""], ["nan", '"two\nlines"', "1.50"]]
    put(
        mirror / "small" / "data" / "yo" / f"test.{ending}",
        "\ufeff" + "".join(mark.join(line) + "\n" for line in lines),
    )
    assert [[row.values[column] for column in ("id", "answer", "n")] for row in SOURCE.rows(YORUBA, "test")] == [
        ["NA", "null", "10"],
        ["007", "", ""],
        ["nan", "two\nlines", "1.50"],
    ]


def test_nothing_cached_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    absent = Hub("small", "nobody-here/no-such-set", "main", {"test": "test"}, ("{code}",))
    said = refusal(absent)
    assert "HF_HUB_OFFLINE is set" in said
    assert "--data DIR" in said
    assert "nobody-here/no-such-set" in said


def refused(kind: type[errors.HfHubHTTPError], status: int) -> errors.HfHubHTTPError:
    response: Any = SimpleNamespace(headers={}, request=None, status_code=status)
    return kind("said by the server,\nin two lines", response=response)


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        (errors.GatedRepoError, 403, "accept its licence at https://huggingface.co/datasets/owner/small .* HF_TOKEN"),
        (errors.RepositoryNotFoundError, 404, "the hub has no owner/small at main"),
        (errors.RevisionNotFoundError, 404, "the hub has no owner/small at main"),
        (errors.HfHubHTTPError, 500, "could not be read .*--data DIR"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_the_hub_refuses(
    monkeypatch: pytest.MonkeyPatch, kind: type[errors.HfHubHTTPError], status: int, said: str, wrapped: bool
) -> None:
    """`datasets` puts an error of its own around some of them."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def resolve(*_: Any, **__: Any) -> None:
        error = refused(kind, status)
        if wrapped:
            raise datasets.exceptions.DatasetNotFoundError("not found or gated") from error
        raise error

    monkeypatch.setattr(datasets, "load_dataset_builder", resolve)
    with pytest.raises(DataError, match=said) as caught:
        SOURCE.paths(YORUBA, "test")
    assert "\n" not in str(caught.value)
