"""Downloads through the real client from a server of our own, and the lock."""

from __future__ import annotations

import gc
import hashlib
import json
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pooch
import pytest

from tasks import all_tasks, lock, store
from tasks.lock import Entry
from tasks.records import DataError
from tasks.sources import Files

CONTENT = "first\nsecond\u2028line\n".encode()
SHA = hashlib.sha256(CONTENT).hexdigest()
PATH = "data/yor/test.txt"


@dataclass(frozen=True)
class Source:
    dataset: str = "tiny"
    repository: str = "owner/tiny"
    commit: str = "0123456789abcdef"
    by_hand: str = ""
    folder: str = ""


SOURCE = Source()


class Handler(BaseHTTPRequestHandler):
    """Serves one file at one address, cut short at another."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.endswith("cut.txt"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT) + 100))
            self.end_headers()
            self.wfile.write(CONTENT)
        elif self.path == f"/{SOURCE.repository}/{SOURCE.commit}/{PATH}":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""


@dataclass(frozen=True)
class Server:
    port: int
    asked: list[str]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in the place of the repository's host, and a cache folder of this test's own."""
    asked: list[str] = []
    handler = type("Counting", (Handler,), {"asked": asked})
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        port = running.server_address[1]
        monkeypatch.setattr(store, "DOWNLOAD", f"http://127.0.0.1:{port}/{{repository}}/{{commit}}/{{path}}")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Server(port, asked)
        finally:
            running.shutdown()
            thread.join()
            # pooch leaves a failed answer's socket to the collector, which would warn during some later test.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()


def pin(monkeypatch: pytest.MonkeyPatch, sha: str, path: str = PATH) -> None:
    monkeypatch.setattr(lock, "files", lambda dataset: {path: Entry(sha, 2, ())} if dataset == "tiny" else {})


def kept(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_download_is_checked_kept_and_not_repeated(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, SHA)
    found = store.fetch(SOURCE, PATH)
    assert found.path.read_bytes() == CONTENT
    assert found.path == tmp_path / "cache" / "bench" / "tiny" / SOURCE.commit / PATH
    assert (found.sha256, found.locked) == (SHA, True)
    assert store.fetch(SOURCE, PATH) == found
    assert server.asked == [f"/owner/tiny/{SOURCE.commit}/{PATH}"]


def test_a_file_without_a_lock_entry_is_said_to_be_unlocked(server: Server) -> None:
    found = store.fetch(SOURCE, PATH)
    assert (found.sha256, found.locked) == (SHA, False)


def test_another_file_than_the_locked_one_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, "0" * 64)
    with pytest.raises(DataError, match=f"tiny/{PATH}: the download is not the file that data.lock pins"):
        store.fetch(SOURCE, PATH)
    assert kept(tmp_path) == []


def test_a_spoilt_copy_is_fetched_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch, SHA)
    copy = store.fetch(SOURCE, PATH).path
    copy.write_bytes(b"spoilt")
    assert store.fetch(SOURCE, PATH).path.read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_what_is_not_there_is_said_in_one_line(server: Server, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"tiny/missing\.txt could not be downloaded \(HTTPError\).*--data DIR"
    ) as caught:
        store.fetch(SOURCE, "missing.txt")
    assert "\n" not in str(caught.value)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("sha", [SHA, None])
def test_a_download_cut_short_is_no_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha: str | None
) -> None:
    if sha:
        pin(monkeypatch, sha, "cut.txt")
    with pytest.raises(DataError, match=r"tiny/cut\.txt could not be downloaded"):
        store.fetch(SOURCE, "cut.txt")
    assert kept(tmp_path) == []


def test_no_server_at_all(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_address[1]
    monkeypatch.setattr(store, "DOWNLOAD", f"http://127.0.0.1:{port}/{{repository}}/{{commit}}/{{path}}")
    with pytest.raises(DataError, match="could not be downloaded .*a folder tiny"):
        store.fetch(SOURCE, PATH)


def test_a_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(DataError, match=f"tiny/{PATH} could not be kept in"):
        store.fetch(SOURCE, PATH)


def test_a_mirror_keeps_us_offline(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match="has no folder tiny"):
        store.fetch(SOURCE, PATH)
    local = tmp_path / "tiny" / PATH
    local.parent.mkdir(parents=True)
    local.write_bytes(b"local")
    assert store.fetch(SOURCE, PATH).path == local
    assert server.asked == []


def test_paths_begin_in_a_folder_of_the_repository(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(folder="data/")
    assert store.fetch(source, "yor/test.txt").path.read_bytes() == CONTENT
    assert server.asked == [f"/owner/tiny/{SOURCE.commit}/{PATH}"]
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    for inside in (PATH, "yor/test.txt"):  # a mirror of the whole repository, and of that folder alone
        local = tmp_path / "tiny" / inside
        local.parent.mkdir(parents=True)
        local.write_bytes(b"local")
        assert store.fetch(source, "yor/test.txt").path == local


def test_what_a_person_has_to_fetch_is_never_asked_for(server: Server) -> None:
    with pytest.raises(DataError, match="tiny .* fetched by hand: fill in the form; then name .* --data"):
        store.fetch(Source(by_hand="fill in the form"), PATH)
    assert server.asked == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"a": 1}',
        '{"a": {}}',
        '{"a": {"files": {"f": ["sha"]}}}',
        '{"a": {"files": {"f": [1, 2, null]}}}',
        "\ufeff",
    ],
)
def test_a_spoilt_lock_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "data.lock"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=r"data\.lock is no lock file: ") as caught:
        lock.read(path)
    assert "\n" not in str(caught.value)


def test_a_lock_that_is_not_there_pins_nothing(tmp_path: Path) -> None:
    assert lock.read(tmp_path / "data.lock") == {}


def test_a_lock_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.lock"
    entries = {"b.tsv": Entry(SHA, 2, ("id", "ọ̀rọ̀", 'a"b')), "a.txt": Entry("0" * 64, 0, ())}
    facts = {"repository": "owner/tiny", "commit": "c", "licence": "CC0-1.0"}
    lock.write({"two": {**facts, "files": {}}, "one": {**facts, "files": entries}}, path)
    assert json.loads(path.read_text("utf-8"))["one"]["commit"] == "c"
    monkeypatch.setattr(lock, "LOCK", path)
    lock.files.cache_clear()
    lock._locked.cache_clear()
    try:
        assert lock.files("one") == entries
        assert lock.files("two") == {}
        assert lock.files("three") == {}
        assert lock.entry("one", "b.tsv") == entries["b.tsv"]
        assert lock.entry("one", "c.tsv") is None
    finally:
        lock.files.cache_clear()
        lock._locked.cache_clear()
    first = path.read_bytes()
    lock.write({"one": {**facts, "files": dict(reversed(entries.items()))}, "two": {**facts, "files": {}}}, path)
    assert path.read_bytes() == first, "the order in which files were seen must not show"


def files_of_all_tasks() -> dict[tuple[str, str], Files]:
    locked = lock.read(lock.LOCK)
    return {
        (task.source.dataset, path): task.source
        for task in all_tasks().values()
        if isinstance(task.source, Files) and not task.source.excerpt and task.source.dataset in locked
        for variety in task.varieties
        for split in task.source.splits
        for path in task.source.paths(variety, split)
    }


def test_what_stands_for_a_part_of_a_dataset_is_never_locked() -> None:
    for task in all_tasks().values():
        if isinstance(task.source, Files) and task.source.excerpt:
            assert not lock.files(task.source.dataset)


def test_the_committed_lock_names_every_file_of_every_task_and_no_other() -> None:
    found = files_of_all_tasks()
    datasets = {dataset for dataset, _ in found}
    assert {(dataset, path) for dataset in datasets for path in lock.files(dataset)} == set(found)


def test_the_committed_lock_pins_the_commits_that_the_sources_name() -> None:
    written = json.loads(lock.LOCK.read_text("utf-8"))
    for source in files_of_all_tasks().values():
        assert written[source.dataset]["commit"] == source.commit
        assert written[source.dataset]["repository"] == source.repository


def test_the_committed_lock_is_what_the_data_hold(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    written: dict[str, dict[str, Any]] = json.loads(lock.LOCK.read_text("utf-8"))
    made: dict[str, dict[str, Any]] = {name: {**one, "files": {}} for name, one in written.items()}
    for (dataset, path), source in files_of_all_tasks().items():
        made[dataset]["files"][path] = source.describe(path)
    lock.write(made, tmp_path / "data.lock")
    assert (tmp_path / "data.lock").read_bytes() == lock.LOCK.read_bytes()
