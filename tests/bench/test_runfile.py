"""The run file keeps what was committed, refuses what is not its own, and says so in one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.records import Cell, Request, Response, Score, UsageError
from bench.runfile import RunFile, RunFileError
from bench.runfile_records import Identity, Planned, SampleFacts
from bench.runfile_schema import APPLICATION_ID

IDENTITY = Identity("fake:one", "1", "none", "greedy")


def make_request(number: int) -> Request:
    sample = f"task@1/yor_Latn//{number}"
    return Request(f"r{number}", sample, "task", "yor_Latn", "", "generate", "ask", (), 8, (), "in", ())


def plan(run: RunFile, count: int) -> None:
    run.add_plan(Planned(make_request(number), SampleFacts(f"hash{number}", "doc"), "ask") for number in range(count))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.run.db"


@pytest.fixture
def run(path: Path) -> Iterator[RunFile]:
    with RunFile.open(path, IDENTITY) as opened:
        plan(opened, 5)
        yield opened


def test_a_response_comes_back_as_it_was_recorded(run: RunFile) -> None:
    given = Response("r1", "ok", "tab\tnul\x00 \U0001f9ec", (-1.5, -2.25), "length", "", 7, 3, 0.5)
    run.record([given])
    assert list(run.responses()) == [given]
    assert run.answered() == {"r1"}


def test_an_answer_is_never_written_over_and_an_error_is(run: RunFile) -> None:
    run.record([Response("r0", "ok", "first"), Response("r1", "error", reason="timeout")])
    run.record([Response("r0", "ok", "second"), Response("r1", "ok", "at last")])
    assert [response.text for response in run.responses()] == ["first", "at last"]


def test_an_error_is_asked_again_and_a_skipped_request_is_not(run: RunFile) -> None:
    run.record([Response("r0", "error", reason="timeout"), Response("r1", "skipped", reason="too_long")])
    assert run.answered() == {"r1"}


def test_a_response_to_nothing_that_was_asked_is_refused_and_its_whole_group_with_it(path: Path) -> None:
    with RunFile.open(path, IDENTITY) as run:
        plan(run, 1)
        run._connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(RunFileError, match="FOREIGN KEY"):
            run.record([Response("r0", "ok"), Response("r9", "ok")])
        assert run.answered() == set()


def test_a_closed_run_is_one_file(path: Path) -> None:
    with RunFile.open(path, IDENTITY) as run:
        plan(run, 5)
        run.record([Response("r1", "ok", "text")])
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_live_run_is_copied_whole(run: RunFile, tmp_path: Path) -> None:
    run.record([Response("r1", "ok", "text")])
    run.copy(tmp_path / "copy.db")
    with RunFile.read(tmp_path / "copy.db") as copied:
        assert copied.answered() == {"r1"}


def test_a_grown_plan_keeps_its_answers_and_drops_its_cells(run: RunFile) -> None:
    run.record([Response("r1", "ok", "text")])
    with run.rescoring() as keep:
        keep([Score("r1", "accuracy", "scored", (1, 1))], [])
    run._connection.execute("INSERT INTO cells (cell) VALUES ('{}')")
    plan(run, 5)
    assert run._query("SELECT count(*) FROM cells") == [(1,)]
    plan(run, 6)
    assert run._query("SELECT count(*) FROM cells") == [(0,)]
    assert len(run.planned()) == 6
    assert run.answered() == {"r1"}


def test_cells_go_when_an_answer_comes(run: RunFile) -> None:
    """A kill between the last answer and the scoring must not leave cells that count it as an error."""
    run.record([Response("r1", "error", reason="timeout")])
    run._connection.execute("INSERT INTO cells (cell) VALUES ('{}')")
    run.record([Response("r1", "ok", "at last")])
    assert run._query("SELECT count(*) FROM cells") == [(0,)]


def test_scores_and_cells_come_back(run: RunFile) -> None:
    score = Score("r1", "accuracy", "unparsed", (0, 1))
    cell = Cell(
        *(
            "fake:one",
            "task",
            "1",
            "yor_Latn",
            "",
            "",
            "topic",
            "accuracy",
            "sig",
            0.5,
            0.1,
            0.25,
            40,
            0.3,
            0.7,
            "generate",
        ),
        *("english", 0, 1, 0, 2, None, None, None, None, "none"),
        reasons={"output_tokens": "not_reported"},
    )
    with run.rescoring() as keep:
        keep([score], [cell])
    assert run.scores() == [score]
    assert run.cells() == [cell]


@pytest.mark.parametrize("field", ["model", "revision", "template", "decoding"])
def test_another_model_or_decoding_is_refused(path: Path, field: str) -> None:
    RunFile.open(path, IDENTITY).close()
    other = Identity(**{**{name: getattr(IDENTITY, name) for name in IDENTITY.__slots__}, field: "other"})
    with pytest.raises(UsageError, match=f"another {field} .*give another --output"):
        RunFile.open(path, other)
    RunFile.open(path, IDENTITY).close()  # and the refusal let go of the file


def test_a_second_writer_is_refused_and_a_reader_is_not(run: RunFile, path: Path) -> None:
    with pytest.raises(UsageError, match="another process is writing"):
        RunFile.open(path, IDENTITY)
    with RunFile.read(path) as reader:
        assert len(reader.planned()) == 5


def test_a_newer_file_is_refused(path: Path) -> None:
    RunFile.open(path, IDENTITY).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UsageError, match="newer version of this program"):
        RunFile.read(path)


def test_another_programs_database_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(UsageError, match="not a run file"):
        RunFile.open(path, IDENTITY)


@pytest.mark.parametrize("keep", [10, 100, 4096, 9000])
def test_a_truncated_file_is_refused_in_one_line(path: Path, keep: int) -> None:
    with RunFile.open(path, IDENTITY) as run:
        plan(run, 500)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsageError, match="damaged or cut short") as caught:
        RunFile.read(path)
    assert "\n" not in str(caught.value)


def test_a_text_file_is_refused(path: Path) -> None:
    path.write_text("not a database at all, but long enough to be taken for one\n" * 100)
    with pytest.raises(UsageError, match="damaged"):
        RunFile.open(path, IDENTITY)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(UsageError, match="no run file"):
        RunFile.read(path)


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(UsageError, match="cannot write"):
        RunFile.open(Path("/proc/none/a.run.db"), IDENTITY)


def test_a_full_disk_loses_nothing_that_was_recorded(path: Path) -> None:
    with RunFile.open(path, IDENTITY) as run:
        plan(run, 2000)
        (pages,) = run._connection.execute("PRAGMA page_count").fetchone()
        run._connection.execute(f"PRAGMA max_page_count = {pages + 20}")
        kept = 0
        with pytest.raises(RunFileError, match="no room left.*run again"):
            for number in range(2000):
                run.record([Response(f"r{number}", "ok", "x" * 1000)])
                kept += 1
    assert 0 < kept < 2000
    with RunFile.open(path, IDENTITY) as run:
        assert len(run.answered()) == kept
        run.record([Response("r1999", "ok", "room again")])


def test_changed_data_are_refused(run: RunFile) -> None:
    run.add_datasets([("sib200", "a.tsv", "1" * 64, True)])
    with pytest.raises(UsageError, match="not the one that"):
        run.add_datasets([("sib200", "a.tsv", "2" * 64, True)])


def test_the_file_names_its_application(path: Path) -> None:
    RunFile.open(path, IDENTITY).close()
    assert int.from_bytes(path.read_bytes()[68:72], "big") == APPLICATION_ID
