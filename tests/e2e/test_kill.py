"""SIGKILL at any moment and a full disk lose nothing that was answered, and change no score."""

from __future__ import annotations

import functools
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.runfile import RunFile
from tests.e2e.conftest import environment
from tests.processes import started
from tests.slow_server import Asked, Service, serving
from tests.tasks.declaring import put, put_rows

ROOM = 128 << 10
"""Bytes that a full disk has left at first."""
EVERYTHING = 1_000_000
"""More requests than any test here makes."""
PATIENCE = 120
"""Seconds until a test stops waiting for what should have come long before."""

TEXTS = """
name = "texts"
dataset = "texts"
title = "Texts"
area = "translation"
kind = "generation"
prompt = "translation-from-eng"
raw_input = true
languages = ["ca", "yo"]
licence = "CC0-1.0"
answer_language = "none"

[source]
format = "jsonl"
test = "{code}.jsonl"

[sample]
item = "{id}"
fields = { text = "{english}" }
references = ["{other}"]
"""


def declared(folder: Path, texts: int) -> Path:
    """A task that asks for `texts` translations in two languages, each text another one."""
    for code in ("ca", "yo"):
        rows = [{"id": n, "english": f"Text {n} for {code}.", "other": f"{n} {code}"} for n in range(texts // 2)]
        put_rows(folder / f"{code}.jsonl", rows)
    return put(folder / "texts.toml", TEXTS)


def answers(path: Path) -> dict[str, str]:
    if not path.is_file() or not path.stat().st_size:
        return {}
    with RunFile.read(path) as run:
        return {response.request: response.text for response in run.responses() if response.status != "error"}


def count(path: Path) -> int:
    if not path.is_file() or not path.stat().st_size:
        return 0
    with RunFile.read(path) as run:
        return run.counts()[1]


def prompts(path: Path) -> dict[str, str | None]:
    with RunFile.read(path) as run:
        return {request: text for place in run.places() for request, text in run.prompts(place).items()}


START = [sys.executable, "-m", "bench", "run"]

ON_A_SMALL_DISK = """
size=$1; folder=$2; name=$3; shift 3
mount -t tmpfs -o size="$size" tmpfs /mnt && cp "$folder/$name"* /mnt && rm -f /mnt/*-shm || exit 9
"$@" --output "/mnt/$name"; code=$?
cp /mnt/* "$folder" && exit $code
"""
"""What is on the run's disk is copied to a small one and, after the program has ended, back."""


class Run:
    """`python -m bench run ARGUMENTS`, over and over into one file, and what was seen in that file."""

    def __init__(self, path: Path, arguments: list[str]) -> None:
        self.path = path
        self.seen: dict[str, str] = {}
        self._command = [*START, *arguments]

    @contextmanager
    def started(self) -> Iterator[subprocess.Popen[str]]:
        """The program at work; killed at the end, if it still runs."""
        with subprocess.Popen(
            [*self._command, "--output", str(self.path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def look(self) -> set[str]:
        """The requests that have an answer now; asserts that what was seen before is still there, unchanged."""
        found = answers(self.path)
        assert {request: found.get(request) for request in self.seen} == self.seen, (
            "an answer that was on disk is gone or changed"
        )
        self.seen = found
        return set(found)

    def wait_for_news(self, process: subprocess.Popen[Any], answers: int = 1) -> None:
        """Returns when so many answers are on disk that were not there before, or when the program has ended."""
        deadline = time.monotonic() + PATIENCE
        while count(self.path) < len(self.seen) + answers and process.poll() is None:
            assert time.monotonic() < deadline, "no answer came"
            time.sleep(0.02)

    def whole(self, limit: int | None = None) -> subprocess.CompletedProcess[str]:
        """The program from its start to its end; `limit` is the most bytes that it may write to one file."""
        command = [*self._command, "--output", str(self.path)]
        limited = limit and functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment(), preexec_fn=limited or None
        )

    def finish(self) -> None:
        """Runs to the end."""
        done = self.whole()
        assert done.returncode == 0, done.stderr
        self.look()

    def _files(self) -> list[Path]:
        return [path for path in self.path.parent.glob(f"{self.path.name}*") if not path.name.endswith("-shm")]

    def on_a_small_disk(self) -> tuple[int, str]:
        """(exit code, what it complained of) of the program on a disk that has room for little more than there is."""
        size = sum(path.stat().st_size for path in self._files()) + ROOM
        script = [
            "unshare",
            "-Urm",
            "sh",
            "-c",
            ON_A_SMALL_DISK,
            "sh",
            str(size),
            str(self.path.parent),
            self.path.name,
        ]
        done = subprocess.run([*script, *self._command], check=False, capture_output=True, text=True, env=environment())
        return done.returncode, done.stderr

    def in_small_files(self) -> tuple[int, str]:
        """The same where no file may become much larger, which is what a quota does."""
        done = self.whole(limit=max(path.stat().st_size for path in self._files()) + ROOM)
        return done.returncode, done.stderr


def assert_same(whole: Path, broken: Path) -> None:
    with RunFile.read(whole) as one, RunFile.read(broken) as other:
        assert other.scores() == one.scores()
        assert other.cells() == one.cells()
        assert {a.request: a.text for a in other.responses()} == {a.request: a.text for a in one.responses()}
        recorded = Counter(response.request for response in other.responses())
        assert set(recorded.values()) == {1}
        assert recorded.keys() == {request for request, *_ in one.planned()}
    assert not [*whole.parent.glob("*-wal"), *broken.parent.glob("*-wal")]


LANGUAGES = "-l yor_Latn -l swh_Latn -l cat_Latn -l hau_Latn -l quy_Latn -l isl_Latn -l mkd_Cyrl".split()


def test_ten_kills_of_a_baseline(tmp_path: Path) -> None:
    """Answers come at once, so that the kills fall into the planning and the scoring too."""
    arguments = ["-m", "baseline:copy", "-t", "cldr-dates", "-t", "cldr-territories", *LANGUAGES]
    whole, broken = (Run(tmp_path / f"{name}.run.db", arguments) for name in ("whole", "broken"))
    whole.finish()
    generator = random.Random(1)
    for number in range(10):
        with broken.started() as process:
            if number % 2:
                broken.wait_for_news(process)
            time.sleep(generator.uniform(0.0, 0.2) if number % 2 else generator.uniform(0.1, 1.5))
        broken.look()
    broken.finish()
    assert_same(whole.path, broken.path)


def test_five_kills_of_a_slow_program(tmp_path: Path) -> None:
    task = declared(tmp_path, 600)
    arguments = ["-m", "command:sleep 0.1; cat", "-t", str(task), "--batch", "10"]
    whole, broken = (Run(tmp_path / f"{name}.run.db", arguments) for name in ("whole", "broken"))
    whole.finish()
    generator = random.Random(2)
    kept = []
    for _ in range(5):
        with broken.started() as process:
            broken.wait_for_news(process)
            time.sleep(generator.uniform(0.0, 0.4))
        kept.append(len(broken.look()))
    broken.finish()
    assert_same(whole.path, broken.path)
    assert len(set(kept)) > 3, f"the kills were to fall amid the answers, and left {kept}"


KILLS = 25


def endpoint(service: Service, task: Path, concurrency: int) -> list[str]:
    options = ["-m", "openai:test", "-M", f"base_url={service.url}/v1", "--batch", str(concurrency)]
    return [*options, "-t", str(task)]


@pytest.mark.parametrize(
    ("concurrency", "seconds", "most", "until_full"), [(1, 0.005, 20, 400), (256, 0.25, 250, 1500)]
)
def test_twenty_five_kills_of_an_endpoint_and_a_full_disk(
    tmp_path: Path, concurrency: int, seconds: float, most: int, until_full: int
) -> None:
    """Each kill comes after 1 to `most` new answers, and the service gives few more: the plan outlasts the kills.

    So no more is lost than was under way, and those few that may not have reached the disk yet.

    With many at a time the program begins with a few and finds out that more are welcome. `until_full` answers are more
    than the small disk has room for.
    """
    generator = random.Random(concurrency)
    moments = [generator.randint(1, most) for _ in range(KILLS)]
    more = [generator.randint(0, 20) for _ in range(KILLS)]
    planned = 2 * ((sum(moments) + sum(more) + until_full) // 2 + 50)
    task = declared(tmp_path, planned)
    again = 0
    with serving(seconds) as service:
        whole = Run(tmp_path / "whole.run.db", endpoint(service, task, 256))
        broken = Run(tmp_path / "broken.run.db", endpoint(service, task, concurrency))
        service.allow(EVERYTHING)
        whole.finish()
        for kill in range(KILLS):
            service.allow(moments[kill] + more[kill])
            recorded = set(broken.seen)
            with broken.started() as process:
                broken.wait_for_news(process, moments[kill])
                time.sleep(generator.uniform(0.0, 0.05))
                assert process.poll() is None, process.communicate()
            lost = asked_again(service.allow(0), recorded, broken, concurrency)
            assert lost <= concurrency + more[kill]
            again += lost
            if kill == KILLS // 2:
                service.allow(until_full)
                recorded = set(broken.seen)
                fill_the_disk(broken)
                again += asked_again(service.allow(0), recorded, broken, concurrency)
        left = planned - len(broken.seen)
        service.allow(EVERYTHING)
        broken.finish()
        assert len(service.allow(0).requests) == left > 0
    assert_same(whole.path, broken.path)
    assert again >= KILLS, "every kill was to fall while a request was under way"


def asked_again(asked: Asked, recorded: set[str], run: Run, concurrency: int) -> int:
    """How many requests will be sent again, as one invocation left none of them on disk.

    Asserts that it asked for nothing that was on disk, for nothing twice, and for no more at a time than it should.
    """
    now = run.look()
    known = prompts(run.path)
    sent = Counter(prompt for _, prompt in asked.requests)
    assert not sent.keys() & {known[request] for request in recorded}, "asked for an answer that it had"
    assert set(sent.values()) <= {1}
    assert asked.most <= concurrency
    assert {known[request] for request in now - recorded} <= sent.keys()
    return len(sent) - len(now - recorded)


def fill_the_disk(run: Run) -> None:
    """Goes on with the run on a disk that has no room for what is left; there it ends, in one line."""
    if namespaces():
        code, complaint = run.on_a_small_disk()
        assert "no room left on the disk" in complaint
    else:
        code, complaint = run.in_small_files()
    assert code == 1
    assert complaint.startswith("bench: ")
    assert complaint.count("\n") == 1
    run.look()


@functools.cache
def namespaces() -> bool:
    """Whether a user may mount a disk of his own here, which nobody else sees."""
    tried = ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return bool(shutil.which("unshare")) and not subprocess.run(tried, check=False, capture_output=True).returncode


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(0.005) as started:
        yield started


def test_two_processes_never_write_one_run(tmp_path: Path, service: Service) -> None:
    run = Run(tmp_path / "a.run.db", endpoint(service, declared(tmp_path, 40), 4))
    service.allow(10)
    with run.started() as process:
        run.wait_for_news(process)
        second = run.whole()
        assert second.returncode == 2
        assert second.stderr.count("\n") == 1
        assert f"another process is writing {run.path}" in second.stderr
        assert process.poll() is None
    run.look()
    service.allow(EVERYTHING)
    run.finish()  # a killed process holds no lock
    assert len(run.seen) == 40


def test_models_are_asked_one_after_another_and_killed_in_the_middle(tmp_path: Path, service: Service) -> None:
    task = declared(tmp_path, 40)
    one, *options = endpoint(service, task, 8)[1:]
    first, second = (Run(tmp_path / f"openai-{name}.run.db", []) for name in ("one", "two"))
    command = [*START, "-m", "openai:one", "-m", "openai:two", *options, "--output", str(tmp_path)]
    assert one
    service.allow(60)
    with started(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment()) as process:
        second.wait_for_news(process)
    asked = [model for model, _ in service.allow(EVERYTHING).requests]
    assert asked == sorted(asked)
    assert Counter(asked)["one"] == 40
    assert len(first.look()) == 40
    assert 0 < len(second.look()) <= 20
    subprocess.run(command, check=True, capture_output=True, env=environment())
    assert {model for model, _ in service.allow(0).requests} == {"two"}
    assert len(first.look()) == len(second.look()) == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_was_answered_and_says_so(
    tmp_path: Path, service: Service, number: signal.Signals
) -> None:
    task = declared(tmp_path, 400)
    for arguments in (endpoint(service, task, 16), ["-m", "command:sleep 0.1; cat", "-t", str(task), "--batch", "10"]):
        run = Run(tmp_path / f"{len(arguments)}.run.db", arguments)
        service.allow(20)
        with run.started() as process:
            run.wait_for_news(process)
            process.send_signal(number)
            _, complaint = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert complaint == "bench: interrupted; a run goes on where it was when the same command is given again\n"
        assert run.look()
        with RunFile.read(run.path) as read:
            assert [made["outcome"] for made in read.invocations()] == ["interrupted"]
