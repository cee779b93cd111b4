"""Answers reach the disk as they come, each once, and a stopped run goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench import execution
from bench.backend import Capabilities, ModelStopped
from bench.prices import Price
from bench.records import BenchError, Request, Response
from bench.runfile import RunFile
from bench.runfile_records import Identity, Planned, SampleFacts
from bench.watch import Standing
from tests.plans import drive

IDENTITY = Identity("fake:one", "1", "none", "greedy")


def requests(count: int) -> list[Request]:
    return [
        Request(
            f"r{number}", f"task@1/yor_Latn//{number}", "task", "yor_Latn", "", "generate", "ask", (), 8, (), "in", ()
        )
        for number in range(count)
    ]


@dataclass
class Scripted:
    """A model that does as its script says: a response, a pause in seconds, or an exception."""

    script: list[Response | float | Exception]
    name: str = "fake:one"
    revision: str = "1"
    template: str = "none"
    decoding: str = "greedy"
    price: Price | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    asked: list[str] = field(default_factory=list)

    def check(self, requests: Iterable[Request]) -> None:
        """Takes anything."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        self.asked = [request.id for request in requests]
        for step in self.script:
            if isinstance(step, Response):
                yield step
            elif isinstance(step, Exception):
                raise step
            else:
                time.sleep(step)

    def status(self) -> str:
        return ""

    def close(self) -> None:
        """Holds nothing."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.open(tmp_path / "a.run.db", IDENTITY) as opened:
        opened.add_plan(Planned(request, SampleFacts("hash", ""), None) for request in requests(600))
        yield opened


def ok(number: int) -> Response:
    return Response(f"r{number}", "ok", f"answer {number}")


def test_every_answer_is_recorded_and_progress_counts_only_what_is_on_disk(run: RunFile) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, standing: Standing | None = None) -> None:
        seen.append((done, len(run.answered())))

    outcome = drive(Scripted([ok(number) for number in range(600)]), requests(600), run, progress)
    assert (outcome.planned, outcome.answered, outcome.errors) == (600, 600, 0)
    assert [response.text for response in run.responses()] == [f"answer {number}" for number in range(600)]
    assert all(committed == on_disk for committed, on_disk in seen)
    assert seen[-1] == (600, 600)


def test_an_answer_does_not_wait_for_the_next_one(run: RunFile, tmp_path: Path) -> None:
    """A slow model: what it said is on disk while it thinks about the next, as another process sees it."""

    class Slow(Scripted):
        def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
            list(requests)
            yield ok(0)
            deadline = time.monotonic() + 10
            with RunFile.read(tmp_path / "a.run.db") as other:
                while not other.answered() and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert other.answered() == {"r0"}
            yield ok(1)

    assert drive(Slow([]), requests(2), run).answered == 2


def test_a_second_invocation_asks_only_what_is_missing(run: RunFile) -> None:
    stopped = drive(Scripted([ok(0), ModelStopped("gone")]), requests(3), run)
    assert (stopped.answered, stopped.stopped) == (1, "gone")
    again = Scripted([Response("r1", "error", reason="timeout"), ok(2)])
    outcome = drive(again, requests(3), run)
    assert again.asked == ["r1", "r2"]
    assert (outcome.answered, outcome.errors, outcome.first_error) == (2, 1, "timeout")
    last = Scripted([ok(1)])
    assert drive(last, requests(3), run).answered == 3
    assert last.asked == ["r1"]


@pytest.mark.parametrize("extra", [ok(0), ok(599), Response("unknown", "ok")])
def test_an_answer_given_twice_or_unasked_is_a_fault_of_the_backend(run: RunFile, extra: Response) -> None:
    with pytest.raises(BenchError, match="answered a request twice, or one it was not asked"):
        drive(Scripted([ok(0), extra]), requests(2), run)
    assert run.answered() == {"r0"}


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("bug")])
def test_whatever_ends_the_run_what_came_before_is_kept(run: RunFile, failure: BaseException) -> None:
    class Ends(Scripted):
        def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
            list(requests)
            yield from (ok(number) for number in range(300))
            raise failure

    with pytest.raises(type(failure)):
        drive(Ends([]), requests(600), run)
    assert len(run.answered()) == 300


def test_a_full_disk_stops_the_run_and_keeps_what_was_written(run: RunFile) -> None:
    (pages,) = run._connection.execute("PRAGMA page_count").fetchone()
    run._connection.execute(f"PRAGMA max_page_count = {pages + 30}")
    long = [Response(f"r{number}", "ok", "x" * 2000) for number in range(600)]
    script: list[Response | float | Exception] = [step for one in long for step in (one, 0.0005)]
    with pytest.raises(BenchError, match="no room left"):
        drive(Scripted(script), requests(600), run)
    assert 0 <= len(run.answered()) < 600


def test_groups_are_bounded(run: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    record = RunFile.record

    def watched(self: RunFile, group: list[Response], costs: list[tuple[float | None, float | None]]) -> None:
        sizes.append(len(group))
        record(self, group, costs)

    monkeypatch.setattr(RunFile, "record", watched)
    drive(Scripted([ok(number) for number in range(600)]), requests(600), run)
    assert sum(sizes) == 600
    assert max(sizes) <= execution.GROUP_ROWS


def test_a_bug_in_writing_ends_the_run_and_hangs_nothing(run: RunFile) -> None:
    """Half a character is nothing that SQLite can hold; more answers follow than the queue takes."""
    script: list[Response | float | Exception] = [Response("r0", "ok", "\ud800"), 0.3]
    script += [ok(number) for number in range(1, 600)]
    with pytest.raises(UnicodeEncodeError):
        drive(Scripted(script), requests(600), run)


def test_what_ended_the_run_is_told_and_not_the_full_disk_that_followed(run: RunFile) -> None:
    run._connection.execute("PRAGMA max_page_count = 1")

    class Ends(Scripted):
        def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
            list(requests)
            yield Response("r0", "ok", "x" * 100_000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(Ends([]), requests(600), run)
