"""What a long run needs: repeats, money, an error budget, notes, older files, other file systems, flat memory."""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

import tasks
from bench import comparison, session
from bench.arrays import read as arrays_of
from bench.backend import Capabilities, ModelStopped
from bench.cli.tables import print_overview
from bench.execution import Bounds
from bench.plan import Style, choose_languages, load
from bench.prices import Price
from bench.records import BenchError, Cell, Request, Response, UsageError
from bench.runfile import RunFile
from bench.runfile_records import Identity, Planned, SampleFacts
from bench.runfile_schema import VERSION, file_system
from bench.statistics import clustered, wilson
from bench.watch import Standing
from tests.conftest import REPOSITORY
from tests.plans import drive

PRICE = Price(input=1.0, output=10.0, currency="USD", as_of="2026-01-01", source="https://example.org")
Answer = Callable[[Request], Response]


@dataclass
class Scripted:
    """A model whose answer is a function of the request."""

    answer: Answer
    name: str = "fake:one"
    revision: str = "1"
    template: str = "none"
    decoding: str = "sampled"
    capabilities: Capabilities = field(default_factory=Capabilities)
    price: Price | None = None
    asked: list[Request] = field(default_factory=list)
    together: int = 8

    def check(self, requests: Iterable[Request]) -> None:
        """Takes anything."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        source = iter(requests)
        while some := list(itertools.islice(source, self.together)):
            self.asked += some
            yield from map(self.answer, some)

    def status(self) -> str:
        return ""

    def close(self) -> None:
        """Holds nothing."""


def request(number: int, prompt: str = "ask") -> Request:
    return Request(
        f"r{number}", f"task@1/yor_Latn//{number}", "task", "yor_Latn", "", "generate", prompt, (), 8, (), "in", ()
    )


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.open(tmp_path / "a.run.db", Identity("fake:one", "1", "none", "sampled")) as opened:
        opened.add_plan(Planned(request(number), SampleFacts("hash", ""), None) for number in range(300))
        yield opened


REQUESTS = [request(number) for number in range(300)]


def paid(one: Request) -> Response:
    return Response(one.id, "ok", "yes", prompt_tokens=100, output_tokens=10, finish="stop")


# Money.


def test_the_cost_is_that_of_the_tokens_and_stands_in_the_file(run: RunFile) -> None:
    outcome = drive(Scripted(paid, price=PRICE), REQUESTS, run)
    assert outcome.cost == pytest.approx(300 * (100 * 1 + 10 * 10) / 1e6)
    assert run.spent(PRICE) == pytest.approx(outcome.cost)
    (place,) = run.places()
    assert [answer.cost for answer in run.answers(place)] == [pytest.approx(0.0002)] * 300


def test_no_more_is_spent_than_allowed_whatever_is_under_way(run: RunFile) -> None:
    limit = 0.02
    for _ in range(3):  # and another invocation spends nothing on top
        outcome = drive(Scripted(paid, price=PRICE), REQUESTS, run, bounds=Bounds(max_cost=limit))
        assert "--max-cost 0.02 USD leaves no room for more" in outcome.stopped
        assert limit - PRICE.at_most(request(0)) < run.spent(PRICE) <= limit
    more = drive(Scripted(paid, price=PRICE), REQUESTS, run, bounds=Bounds(max_cost=1.0))
    assert (more.stopped, more.answered) == ("", 300)


def test_an_answer_whose_cost_is_unknown_counts_as_the_most_that_it_can_have_cost(run: RunFile) -> None:
    dear = Scripted(lambda one: Response(one.id, "error", reason="timeout"), price=PRICE)
    outcome = drive(dear, REQUESTS, run, bounds=Bounds(max_cost=10 * PRICE.at_most(request(0)) + 1e-9))
    assert len(dear.asked) == 10
    assert outcome.stopped and outcome.cost is None


# Errors.


@pytest.mark.parametrize(("every", "ends"), [(5, True), (50, False)])
def test_a_run_ends_where_more_than_its_share_are_errors(run: RunFile, every: int, ends: bool) -> None:
    def answer(one: Request) -> Response:
        failed = int(one.id[1:]) % every == 0
        return Response(one.id, "error", reason="server_error: 500") if failed else paid(one)

    outcome = drive(Scripted(answer), REQUESTS, run, bounds=Bounds(max_errors=0.1))
    assert bool(outcome.stopped) == ends
    if ends:
        assert outcome.errors == 21
        assert outcome.stopped == "21 of 101 answers were errors, more than --max-errors 0.1 allows; server_error: 500"
    else:
        assert (outcome.answered, outcome.errors) == (294, 6)


# What a backend keeps from one invocation to the next.


def test_notes_are_on_disk_at_once_and_come_back(run: RunFile) -> None:
    @dataclass
    class Keeps(Scripted):
        def remember(self, notes: MutableMapping[str, str]) -> None:
            self.notes = notes

        def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
            self.notes["batch"] = "b1"
            with RunFile.read(run.path) as other:
                assert dict(other.notes) == {"batch": "b1"}
            raise ModelStopped("killed")
            yield

    assert drive(Keeps(paid), REQUESTS, run).stopped == "killed"
    assert dict(run.notes) == {"batch": "b1"}
    run.notes["batch"] = "b2"
    assert run.notes["batch"] == "b2" and len(run.notes) == 1
    del run.notes["batch"]
    assert not run.notes
    with pytest.raises(KeyError):
        del run.notes["batch"]


# How far a run is.


def test_progress_says_what_is_on_disk_by_place(run: RunFile) -> None:
    seen: list[tuple[int, Standing | None]] = []

    def progress(done: int, standing: Standing | None = None) -> None:
        seen.append((done, standing))

    drive(Scripted(paid, price=PRICE), REQUESTS[:100], run)
    drive(Scripted(paid, price=PRICE), REQUESTS, run, progress)
    done, last = seen[-1]
    assert seen[0][0] == 100 and done == 300
    assert last is not None
    assert (last.task, last.language, last.answered, last.asked) == ("task", "yor_Latn", 300, 300)
    assert (last.output_tokens, last.errors, last.currency) == (2000, 0, "USD")
    assert last.cost == pytest.approx(200 * 0.0002)


# Repeats.


def drawn(one: Request) -> Response:
    """Right with an item's own probability, anew at each repeat."""
    number = int.from_bytes(one.id.encode()[:4], "big")
    item = int.from_bytes(one.sample.encode()[-2:], "big")
    right = np.random.default_rng([number, item]).random() < 0.2 + 0.6 * (item % 7) / 6
    return Response(one.id, "ok", "A" if right else "B", finish="stop", prompt_tokens=50, output_tokens=1)


def repeated(path: Path, repeats: int, price: Price | None = None) -> Cell:
    blocks = load(choose_languages(tasks.select(["cldr-plurals"]), ["am"]), None)
    model = Scripted(drawn, price=price)
    session.perform(model, blocks, "generate", path, style=Style(repeats=repeats))
    with RunFile.read(path) as opened:
        (cell,) = opened.cells()
    return cell


def test_repeats_ask_again_and_are_one_cell_with_a_variance_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.run.db"
    once = repeated(path, 1)
    assert (once.repeats, once.repeat_deviation) == (1, None)
    cell = repeated(path, 5)  # the run grows: the first answers are kept
    assert (cell.n, cell.repeats) == (once.n, 5)
    with RunFile.read(path) as opened:
        (place,) = opened.places()
        answers = opened.answers(place)
        scores = {score.request: score.statistics for score in opened.scores(place) if score.metric == cell.metric}
    assert len(answers) == 5 * cell.n == len(scores)
    values = [
        np.mean([scores[one.request][0] for one in answers if one.repeat == repeat]) for repeat in range(cell.repeats)
    ]
    assert values[0] == once.value
    assert cell.value == pytest.approx(np.mean(values))
    assert cell.repeat_deviation == pytest.approx(np.std(values, ddof=1))
    # Answers to one item are no independent ones: wider than Wilson's on all answers.
    items = [one.sample for one in answers]
    rows = np.array([scores[one.request] for one in answers])
    expected = clustered(rows, items)
    assert (cell.ci_low, cell.ci_high) == pytest.approx((expected.low, expected.high))
    naive = wilson(*rows.sum(axis=0).tolist())
    assert naive.low is not None and naive.high is not None and cell.ci_low is not None and cell.ci_high is not None
    assert cell.ci_high - cell.ci_low > naive.high - naive.low


def test_repeated_runs_are_compared_item_by_item_and_only_with_as_many_repeats(tmp_path: Path) -> None:
    paths = {repeats: tmp_path / f"{repeats}.run.db" for repeats in (1, 3)}
    for repeats, path in paths.items():
        repeated(path, repeats)
    scored = {}
    for repeats, path in paths.items():
        with RunFile.read(path) as opened:
            scored[repeats] = comparison.read(opened, opened.cells(), path.name)
            (array,) = arrays_of(opened).arrays.values()
            assert set(array.statistics[:, 1].tolist()) == {repeats}
    (same, *_) = comparison.compare(scored[3], [replace(scored[3], name="b", model="other")])
    assert (same.n, same.difference, same.test) == (20, 0.0, "approximate_randomisation")
    (other, *_) = comparison.compare(scored[1], [scored[3]])
    assert (other.verdict, other.reasons["verdict"]) == ("not_comparable", "other_repeats")


def test_a_cell_says_what_it_cost_and_what_each_right_answer_did(tmp_path: Path) -> None:
    cell = repeated(tmp_path / "a.run.db", 2, PRICE)
    assert cell.value is not None
    assert cell.cost == pytest.approx(2 * cell.n * 60e-6)
    assert cell.currency == "USD"
    assert cell.cost_per_correct == pytest.approx(60e-6 / cell.value)
    free = repeated(tmp_path / "b.run.db", 1)
    assert (free.cost, free.currency, free.cost_per_correct) == (None, "", None)
    assert free.reasons["cost"] == free.reasons["cost_per_correct"] == "no_price"


def test_a_limit_on_cost_needs_a_price(tmp_path: Path) -> None:
    blocks = load(choose_languages(tasks.select(["cldr-plurals"]), ["am"]), None)
    with pytest.raises(UsageError, match="fake:one has no known price to hold --max-cost against"):
        session.perform(Scripted(paid), blocks, None, tmp_path / "a.run.db", bounds=Bounds(max_cost=1.0))
    assert not list(tmp_path.iterdir())


def test_room_for_thinking_is_another_run_and_an_answer_cut_off_is_no_wrong_reading(tmp_path: Path) -> None:
    blocks = load(choose_languages(tasks.select(["cldr-plurals"]), ["am"]), None)

    def thinks(one: Request) -> Response:
        cut = int(one.id[0], 16) < 4
        return Response(one.id, "ok", "" if cut else "A", finish="length" if cut else "stop", reasoning="well")

    path = tmp_path / "a.run.db"
    model = Scripted(thinks, capabilities=Capabilities(reasoning_tokens=500))
    session.perform(model, blocks, None, path)
    assert {one.max_tokens for one in model.asked} == {tasks.get("cldr-plurals").max_tokens + 500}
    with RunFile.read(path) as opened:
        assert opened.manifest()["decoding"] == "sampled|reasoning:500"
        (cell,) = opened.cells()
        assert {response.reasoning for response in opened.responses()} == {"well"}
    cut = sum(int(one.id[0], 16) < 4 for one in model.asked)
    assert 0 < cut == cell.unfinished == cell.truncated
    assert (cell.unparsed, cell.empty) == (0, 0)
    with pytest.raises(UsageError, match="another decoding"):
        session.perform(Scripted(thinks), blocks, None, path)


# Files of an older version, and file systems that machines share.

FORMAT_1 = """
PRAGMA application_id = 1111838275; PRAGMA user_version = 1;
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE invocations (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, ended TEXT, outcome TEXT, command_line TEXT NOT NULL,
    versions TEXT NOT NULL, hardware TEXT NOT NULL) STRICT;
CREATE TABLE datasets (
    dataset TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, locked INTEGER NOT NULL,
    PRIMARY KEY (dataset, file)) STRICT;
CREATE TABLE samples (id TEXT PRIMARY KEY, hash TEXT NOT NULL, cluster TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sample TEXT NOT NULL REFERENCES samples(id),
    mode TEXT NOT NULL, prompt TEXT, prompt_language TEXT NOT NULL, shots INTEGER NOT NULL) STRICT;
CREATE TABLE responses (
    request TEXT PRIMARY KEY REFERENCES requests(id), status TEXT NOT NULL, finish TEXT NOT NULL, text TEXT NOT NULL,
    loglikelihoods TEXT, reason TEXT NOT NULL, prompt_tokens INTEGER, output_tokens INTEGER, seconds REAL,
    received REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE scores (
    request TEXT NOT NULL REFERENCES requests(id), metric TEXT NOT NULL, outcome TEXT NOT NULL,
    statistics TEXT NOT NULL, PRIMARY KEY (request, metric)) STRICT, WITHOUT ROWID;
CREATE TABLE cells (position INTEGER PRIMARY KEY, cell TEXT NOT NULL) STRICT;
"""


def older(new: Path, path: Path) -> None:
    """The content of a run file as format 1 held it."""
    with sqlite3.connect(path) as old:
        old.executescript(FORMAT_1)
        old.execute("ATTACH ? AS new", (str(new),))
        for table in ("manifest", "invocations", "datasets", "samples", "scores", "cells"):
            old.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
        old.execute(
            "INSERT INTO requests SELECT position, r.id, sample, mode, prompt, prompt_language, shots"
            " FROM new.requests AS r JOIN new.places AS p ON p.id = r.place"
        )
        old.execute(
            "INSERT INTO responses SELECT request, status, finish, text, loglikelihoods, reason, prompt_tokens,"
            " output_tokens, seconds, received FROM new.responses"
        )
    old.close()


def test_a_file_of_an_older_version_is_refused_by_readers_and_brought_up_to_date_by_rescore(tmp_path: Path) -> None:
    new, old = tmp_path / "new.run.db", tmp_path / "old.run.db"
    cell = repeated(new, 1)
    older(new, old)
    with pytest.raises(UsageError, match=r"older version .*rescore .*old\.run\.db` brings it up to date"):
        RunFile.read(old)
    with RunFile.open(old, None) as opened:
        assert session.rescore(opened) == 1
        assert opened.cells() == [cell]
    with RunFile.read(new) as one, RunFile.read(old) as other:
        assert list(one.responses()) == list(other.responses())
        assert one.planned() == other.planned()
        assert one.scores() == other.scores()
        (version,) = other._connection.execute("PRAGMA user_version").fetchone()
        assert version == VERSION
        tables = "SELECT name, replace(replace(sql, char(10), ' '), ' ', '') FROM sqlite_master ORDER BY name"
        assert other._query(tables) == one._query(tables)


MOUNTS = """/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
tmpfs /home/a/fast tmpfs rw 0 0
//box/share /mnt/with\\040space cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/runs/a.run.db", "ext4"),
        ("/home/a/a.run.db", "nfs4"),
        ("/home/a/fast/a.run.db", "tmpfs"),
        ("/homes/a.run.db", "ext4"),
        ("/mnt/with space/a.run.db", "cifs"),
    ],
)
def test_the_file_system_of_a_run_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_on_a_shared_file_system_there_is_no_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.runfile_schema.file_system", lambda path, mounts: "nfs4")
    with RunFile.open(tmp_path / "a.run.db", Identity("fake:one", "1", "none", "sampled")) as opened:
        opened.add_plan(Planned(one, SampleFacts("hash", ""), None) for one in REQUESTS)
        opened.record([paid(REQUESTS[0])])
        assert opened._query("PRAGMA journal_mode") == [("delete",)]
        assert [found.name for found in tmp_path.iterdir()] == ["a.run.db"]


FLAT = """
import resource, sys
from bench.execution import Bounds
from bench.runfile import RunFile
from bench.runfile_records import Identity, Planned, SampleFacts
from tests.bench.test_running import Scripted, paid
from tests.plans import NO_BOUNDS, unseen
from bench.execution import Totals, execute
from bench.records import Request
from pathlib import Path

def group(number, size=500):
    return [Request(f"r{number}-{at}", f"task@1/yor_Latn/v{number}/{at}", "task", "yor_Latn", f"v{number}", "generate",
            "a prompt of some length " * 20, (), 8, (), "in", ()) for at in range(size)]

class Plan:
    def __init__(self, groups): self.groups = groups
    def __iter__(self): return map(group, range(self.groups))

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

with RunFile.open(Path(sys.argv[1]), Identity("fake:one", "1", "none", "sampled")) as run:
    found = []
    for groups in (20, 220):
        for number in range(groups):
            run.add_plan(Planned(one, SampleFacts("hash", ""), one.prompt) for one in group(number))
        total = groups * 500
        outcome = execute(Scripted(paid, together=256), Plan(groups), run, unseen, Totals(total, run.counts()[1]))
        assert outcome.answered == total, outcome
        found.append(peak())
    print(found[1] - found[0])
"""


def test_asking_takes_no_more_memory_for_a_longer_plan(tmp_path: Path) -> None:
    """100,000 requests more, of 480 characters each, in the same process."""
    command = [sys.executable, "-c", FLAT, str(tmp_path / "a.run.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert float(done.stdout) < 50, "MB"


def test_what_is_known_of_a_model_is_kept(tmp_path: Path) -> None:
    blocks = load(choose_languages(tasks.select(["cldr-plurals"]), ["am"]), 5)
    path = tmp_path / "a.run.db"
    session.perform(Scripted(paid, price=PRICE), blocks, None, path, facts={"licence": "mit"})
    with RunFile.read(path) as opened:
        manifest = opened.manifest()
    assert manifest["facts"] == {"licence": "mit"}
    assert manifest["price"]["input"] == 1.0
    assert json.dumps(manifest)


def test_items_that_were_asked_unequally_often_are_told_and_not_compared(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.run.db", tmp_path / "b.run.db"
    pairs = choose_languages(tasks.select(["cldr-plurals"]), ["am"])
    session.perform(Scripted(drawn), load(pairs, 5), "generate", path, style=Style(repeats=3))
    session.perform(Scripted(drawn), load(pairs, None), "generate", path)
    repeated(whole, 3)
    found = []
    for each in (whole, path):
        with RunFile.read(each) as opened:
            found.append(comparison.read(opened, opened.cells(), each.name))
            cell = opened.cells()[0]
    assert (cell.n, cell.repeats, cell.reasons["rank"]) == (20, 3, "uneven_repeats")
    (other, *_) = comparison.compare(found[0], [found[1]])
    assert (other.verdict, other.reasons["verdict"]) == ("not_comparable", "uneven_repeats")


def test_what_could_not_be_priced_still_counts_in_the_next_invocation(run: RunFile) -> None:
    untold = Scripted(lambda one: Response(one.id, "ok", "yes", finish="stop"), price=PRICE)
    limit = Bounds(max_cost=10 * PRICE.at_most(request(0)) + 1e-9)
    for _ in range(3):
        assert drive(untold, REQUESTS, run, bounds=limit).stopped
    assert len(untold.asked) == 10
    assert run.spent(PRICE) == pytest.approx(10 * PRICE.at_most(request(0)))


def test_answers_from_before_there_was_a_price_count_by_their_tokens(run: RunFile) -> None:
    drive(Scripted(paid), REQUESTS[:50], run)
    assert run.spent(None) == 0
    assert run.spent(PRICE) == pytest.approx(50 * 0.0002)


def test_what_was_never_sent_costs_nothing(run: RunFile) -> None:
    gone = Scripted(lambda one: Response(one.id, "error", reason="unreachable: 8 attempts"), price=PRICE)
    outcome = drive(gone, REQUESTS, run, bounds=Bounds(max_cost=PRICE.at_most(request(0)) * 10))
    assert (outcome.stopped, outcome.errors, run.spent(PRICE)) == ("", 300, 0)


@pytest.mark.parametrize("bounds", [Bounds(), Bounds(max_cost=1.0)])
def test_a_model_that_forgets_a_request_is_told(run: RunFile, bounds: Bounds) -> None:
    class Forgets(Scripted):
        def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
            yield from (paid(one) for one in requests if one.id != "r7")

    with pytest.raises(BenchError, match="left 1 requests without an answer"):
        drive(Forgets(paid, price=PRICE), REQUESTS, run, bounds=bounds)
    assert run.counts() == (300, 299)


def test_costs_are_kept_in_one_currency(tmp_path: Path) -> None:
    blocks = load(choose_languages(tasks.select(["cldr-plurals"]), ["am"]), 5)
    path = tmp_path / "a.run.db"
    session.perform(Scripted(paid, price=PRICE), blocks, None, path)
    with pytest.raises(UsageError, match="keeps its costs in USD, and the price is in EUR now"):
        session.perform(Scripted(paid, price=replace(PRICE, currency="EUR")), blocks, None, path)


def test_what_was_never_asked_is_told_apart_from_what_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = load(choose_languages(tasks.select(["cldr-plurals"]), ["am"]), None)

    def answer(one: Request) -> Response:
        return Response(one.id, "error", reason="timeout") if one.id[0] == "0" else paid(one)

    path = tmp_path / "a.run.db"
    model = Scripted(answer, price=PRICE, together=1)
    session.perform(model, blocks, "generate", path, bounds=Bounds(max_cost=0.003))
    with RunFile.read(path) as opened:
        (cell,) = opened.cells()
        planned, answered = opened.counts()
        failed = sum(response.status == "error" for response in opened.responses())
    assert 0 < cell.unasked == planned - answered - failed
    assert cell.errors == cell.unasked + failed
    assert cell.cost is not None
    print_overview([cell], [path])
    assert f"fake:one cost {cell.cost:.4f} USD\n" in capsys.readouterr().out
