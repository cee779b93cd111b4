"""A service that misbehaves on purpose changes no answer and no score, and costs no memory."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.backend import Settings
from bench.models import openai
from bench.records import Request
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Bench, environment
from tests.misbehaving import FAULTS, answer, served

REQUESTS = 20_000
WARM = 5_000
"""Responses until caches and connections are what they will be."""
KEY = "sk-NeverToBeSeenAnywhere"
MOST_GROWTH = 50_000_000
"""Bytes that 100,000 requests may add to what the process holds."""


def prompt_of(number: int) -> str:
    """The prompt of one request."""
    return f"Question {number}: which is right?\nA. one\nB. two\nC. three\nD. four\nAnswer with the letter alone."


def requests(count: int) -> Iterator[Request]:
    """So many requests, each with a prompt of its own."""
    for number in range(count):
        prompt = prompt_of(number)
        yield Request(f"r{number}", f"s{number}", "t", "l", "", "generate", prompt, (), 16, (), prompt, ())


def held() -> int:
    """Bytes of memory that this process has in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ask(url: str, count: int, warm: int) -> dict[str, Any]:
    """Asks everything and tells what came of it: the only thing that runs in the process whose memory is measured."""
    options = {"base_url": url, "attempts": "20"}
    model = openai.load("m", Settings(lambda *_: (), batch=64, timeout=2.0, options=options))
    came = bytearray(count)
    wrong, twice, reasons, before = 0, 0, [], 0
    with contextlib.closing(model):
        for done, response in enumerate(model.respond(requests(count)), start=1):
            number = int(response.request.removeprefix("r"))
            twice += came[number]
            came[number] = 1
            if response.status != "ok":
                reasons.append(response.reason)
            elif response.text != answer(prompt_of(number)):
                wrong += 1
            if done == warm:
                before = held()
        grown = held() - before
    return {"answered": sum(came), "twice": twice, "wrong": wrong, "reasons": reasons, "grown": grown}


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is read from /proc")
@pytest.mark.parametrize("manners", [["--faults", ""], ["--rate", "0.12", "--delay", "0.001"]], ids=["well", "badly"])
def test_every_request_is_answered_rightly_and_memory_stays_flat(manners: list[str]) -> None:
    with served(*manners) as url:
        command = [sys.executable, "-m", "tests.e2e.test_misbehaving", url, str(REQUESTS), str(WARM)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env=environment())
        assert done.returncode == 0, done.stderr
        with urllib.request.urlopen(f"{url}/faults") as reply:
            suffered = json.load(reply)
    found = json.loads(done.stdout)
    growth = found.pop("grown") * 100_000 / (REQUESTS - WARM)
    print(f"{manners}: {growth / 1e6:.1f} MB for 100,000 requests; {suffered}")
    assert found == {"answered": REQUESTS, "twice": 0, "wrong": 0, "reasons": []}
    assert growth < MOST_GROWTH
    assert set(suffered) - {"none"} == (set(FAULTS) if "--rate" in manners else set())


def test_scores_are_those_of_a_service_that_behaves(bench: Bench, tmp_path: Path) -> None:
    asked = ["-m", "openai:m", "-t", "cldr-territories", "-t", "cldr-dates", "--timeout", "3"]
    asked += [part for code in ("yor", "swh", "hau", "ibo", "zul", "amh") for part in ("-l", code)]
    found = {}
    for name, rate in (("well", "0"), ("badly", "0.5")):
        with served("--rate", rate) as url:
            ran = bench("run", *asked, "--output", f"{name}.run.db", OPENAI_BASE_URL=url, OPENAI_API_KEY=KEY)
        assert KEY not in ran.stdout + ran.stderr
        assert KEY.encode() not in (tmp_path / f"{name}.run.db").read_bytes()
        found[name] = [_score(cell) for cell in json.loads(bench("show", f"{name}.run.db", "--json").stdout)]
    assert {cell["language"][:3] for cell in found["well"]} == {"yor", "swh", "hau", "ibo", "zul", "amh"}
    assert all(cell["errors"] == 0 and cell["n"] > 0 for cell in found["well"])
    assert found["badly"] == found["well"]


def _score(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell without its count of tokens, which the service sometimes leaves out."""
    return {name: value for name, value in cell.items() if "tokens" not in name and name != "reasons"}


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
