"""The part `openai` of `backends.py`: many short answers from a service, against a bare loop and against lm_eval."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import backends_ours
from backends_measure import Failed, Row, Setup, alternating, call, column, environment, needed, note, tqdm_rate, work

PART = "openai"
REQUESTS = 4_000
CONCURRENCY = 256
WARM = 256
"""Requests that are asked before the clock runs, through connections of their own."""
MAX_TOKENS = 64

OURS = """\
name = "fifty"
dataset = "fifty"
title = "Questions to a service that takes its time"
area = "knowledge"
kind = "generation"
metrics = ["exact_match"]
languages = ["eng_Latn"]
licence = "CC0-1.0"
contamination = "Made anew each time."
max_tokens = 64

[source]
format = "jsonl"
test = "questions.jsonl"

[sample]
item = "{id}"
fields = { question = "{question}" }
references = ["{answer}"]

[prompt]
text = "{question}"
cue = "Answer:"
"""
THEIRS = """\
task: fifty
dataset_path: json
dataset_kwargs: {data_files: {test: "$QUESTIONS"}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}\\n\\nAnswer:"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 64, do_sample: false}
metric_list: [{metric: exact_match}]
"""
PLACES = ("harbour", "mountain", "market", "library", "bridge", "valley", "station", "garden", "island", "temple")


def questions(count: int) -> list[str]:
    """As many different questions, some sixty words each."""
    told = "In the {0} of town {1} there are {2} people, and each of them tells the others what was seen on day {3}."
    return [
        " ".join(
            told.format(PLACES[(number + line) % len(PLACES)], number, 3 + line, number % 365 + line)
            for line in range(3)
        )
        + f" What do they say of the {PLACES[number % len(PLACES)]}?"
        for number in range(count)
    ]


def measure(setup: Setup) -> Iterator[Row]:
    """Runs every side; rows as they are there. Raises `Failed`."""
    count = setup.count(REQUESTS, 400)
    folder = setup.folder / PART
    folder.mkdir(parents=True, exist_ok=True)
    with service() as url:
        yield from _loop(setup, folder, url, count)
        needed(setup.lm_eval, "--lm-eval")
        yield from _commands(setup, folder, url, count)


def _loop(setup: Setup, folder: Path, url: str, count: int) -> Iterator[Row]:
    """Our backend into a run file against a bare loop, each in a process of its own that is warm."""
    path = folder / "loop.run.db"

    spans: dict[str, list[Mapping[str, float]]] = {"ours": [], "bare": []}

    def timed(side: str) -> tuple[float, float]:
        path.unlink(missing_ok=True)
        found = work(sys.executable, PART, side, setup.threads, url=url, count=count, path=str(path))
        spans[side].append(found["span"])
        return count / float(found["seconds"]), 1e6 * float(found["processor"]) / count

    pairs = list(alternating(setup.pairs or setup.count(15, 2), lambda: timed("ours"), lambda: timed("bare")))
    for side, found in spans.items():
        most, mean = (statistics.median(span[figure] for span in found) for figure in ("most", "mean"))
        server = statistics.median(1e6 * span["processor"] / count for span in found)
        note(
            f"{side}: at most {most:.0f} and on average {mean:.0f} requests waited at the server, which spent "
            f"{server:.0f} us of processor time on each"
        )
    yield Row("recorded run / bare aiohttp loop", "requests/s", column(pairs, 0), wanted=0.85)
    yield Row("the same, processor time of all threads", "us/request", column(pairs, 1), time=True)


def _commands(setup: Setup, folder: Path, url: str, count: int) -> list[Row]:
    """From command to result on both sides; the steady rate of each is read off the server's clock."""
    file = folder / "questions.jsonl"
    rows = ({"id": str(number), "question": text, "answer": "it"} for number, text in enumerate(questions(count)))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (folder / "fifty.toml").write_text(OURS, "utf-8")
    (folder / "fifty.yaml").write_text(THEIRS.replace("$QUESTIONS", str(file)), "utf-8")
    path = folder / "command.run.db"
    mine = [sys.executable, "-m", "bench", "run", "-m", "openai:fifty", "-M", f"base_url={url}/v1"]
    mine += ["-t", str(folder / "fifty.toml"), "--output", str(path), "--json"]
    model = f"model=fifty,base_url={url}/v1/chat/completions,num_concurrent={CONCURRENCY},max_retries=3"
    other = [setup.lm_eval, "run", "--model", "local-chat-completions", "--model_args", model]
    other += ["--tasks", "fifty", "--include_path", str(folder), "--apply_chat_template"]
    bars: list[float] = []

    def ours() -> tuple[float, float]:
        path.unlink(missing_ok=True)
        _span(url)
        seconds, _ = call(mine, setup.threads)
        found = backends_ours.statuses(path)
        if found != {"ok": count}:
            raise Failed(f"bench run: {count} answers with status ok were to come, not {found}")
        return seconds, _rate(url, count, "bench run")

    def theirs() -> tuple[float, float]:
        _span(url)
        seconds, written = call(other, setup.threads)
        bars.append(tqdm_rate(written, "Requesting API"))
        return seconds, _rate(url, count, "lm_eval")

    for command in (mine, other):  # what a first run compiles or caches is not counted
        call([*command, "--limit", "8"], setup.threads)
    pairs = list(alternating(setup.pairs or setup.count(4, 1), ours, theirs))
    note(f"lm_eval's own progress bar said {', '.join(f'{rate:,.0f}' for rate in bars)} requests/s")
    return [
        Row(
            "bench run / lm_eval, by the server's clock",
            "requests/s",
            column(pairs, 1),
            wanted=1.0,
        ),
        Row(
            "bench run / lm_eval, command to result",
            "s",
            column(pairs, 0),
            wanted=5.0,
            time=True,
        ),
    ]


@contextmanager
def service() -> Iterator[str]:
    """The server in a process of its own: its address. It ends with this process, however that ends."""
    command = [sys.executable, str(Path(__file__).parent / "fifty_milliseconds.py"), "--attached"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(1)
    ) as process:
        assert process.stdout
        assert process.stdin
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise Failed("the server with 50 ms did not start")
            yield url
        finally:
            process.stdin.close()


def _span(url: str) -> dict[str, Any]:
    with urlopen(f"{url}/span", timeout=10) as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def _rate(url: str, count: int, side: str) -> float:
    """Requests per second from the first one's arrival to the last answer. Raises `Failed` where others came."""
    span = _span(url)
    if span["requests"] != count:
        raise Failed(f"{side} was to ask {count} requests and asked {span['requests']}")
    return count / float(span["seconds"])


def run_side(side: str, url: str, count: int, path: str) -> dict[str, Any]:
    """One measurement, in this process: seconds by the clock, and of processor time; and what the server saw."""
    if side == "bare":
        asyncio.run(_bare(url, questions(WARM)))
        _span(url)
        wall, spent = time.perf_counter(), time.process_time()
        asyncio.run(_bare(url, questions(count)))
        wall, spent = time.perf_counter() - wall, time.process_time() - spent
    else:
        options = {"base_url": f"{url}/v1"}
        asked = [f"{text}\n\nAnswer:" for text in questions(count)]
        warm = Path(path).with_name("warm.run.db")
        warm.unlink(missing_ok=True)
        backends_ours.generate("openai:fifty", options, asked[:WARM], MAX_TOKENS, warm)
        _span(url)
        wall, spent = backends_ours.generate("openai:fifty", options, asked, MAX_TOKENS, Path(path))
    return {"seconds": wall, "processor": spent, "span": _span(url)}


async def _bare(url: str, asked: list[str]) -> None:
    """What a loop that only asks and reads costs: as many workers as requests at a time, nothing kept."""
    import aiohttp

    pending = iter(asked)
    texts = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal texts
        for text in pending:
            message = {"role": "user", "content": f"{text}\n\nAnswer:"}
            body = {"model": "fifty", "messages": [message], "max_tokens": MAX_TOKENS, "temperature": 0}
            async with session.post(f"{url}/v1/chat/completions", json=body) as reply:
                reply.raise_for_status()
                answer = await reply.json()
            texts += bool(answer["choices"][0]["message"]["content"])

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(worker(session) for _ in range(CONCURRENCY)))
    if texts != len(asked):
        raise Failed(f"the bare loop got {texts} texts for {len(asked)} requests")
