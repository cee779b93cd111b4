"""The part `vllm` of `backends.py`: generation through the backend against `LLM.generate` on the same engine."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import backends_models
import backends_ours
from backends_measure import Failed, Row, Setup, needed, note, work

PART = "vllm"
PROMPTS = 256
PROMPT_TOKENS = 100
MAX_TOKENS = 64


def measure(setup: Setup) -> Iterator[Row]:
    """Runs all sides in one process of the Python that has vLLM. Raises `Failed`."""
    needed(setup.vllm_python, "--vllm-python")
    folder = setup.folder / PART
    folder.mkdir(parents=True, exist_ok=True)
    model = backends_models.llama(setup.folder / "llama-11m")
    made = backends_models.texts(model)
    prompts = [made(number, PROMPT_TOKENS) for number in range(setup.count(PROMPTS, 16))]
    (folder / "prompts.json").write_text(json.dumps(prompts, ensure_ascii=False), "utf-8")
    found = work(
        setup.vllm_python,
        PART,
        "pairs",
        setup.threads,
        model=str(model),
        prompts=str(folder / "prompts.json"),
        path=str(folder / "loop.run.db"),
        rounds=setup.pairs or setup.count(12, 2),
    )
    ours, theirs = found["tokens"]["ours"], found["tokens"]["theirs"]
    note(
        f"{len(prompts)} prompts; {theirs:,} tokens of answers, {ours:,} through the backend; {found['equal']} of "
        f"{found['texts']} texts equal; the engine was ready after {found['loading']:.0f} s"
    )
    if abs(ours - theirs) > 0.01 * theirs:
        raise Failed(f"the backend's answers have {ours:,} tokens, those of LLM.generate {theirs:,}: not the same work")
    respond, record = (tuple(zip(found[side], found["theirs"], strict=True)) for side in ("ours", "recorded"))
    yield Row("Model.respond / LLM.generate", "tokens/s", respond, wanted=0.97, above=0.93)
    yield Row("recorded run / LLM.generate", "tokens/s", record)


def run_side(side: str, model: str, prompts: str, path: str, rounds: int) -> dict[str, Any]:
    """All measurements, in this process: tokens per second of each side in each round."""
    os.environ["VLLM_NO_USAGE_STATS"] = "1"
    texts: list[str] = json.loads(Path(prompts).read_text("utf-8"))
    requests = [backends_ours.request(number, text, MAX_TOKENS) for number, text in enumerate(texts)]
    began = time.perf_counter()
    with _both(model) as (ours, llm):
        loading = time.perf_counter() - began
        from vllm import SamplingParams

        greedy = SamplingParams(temperature=0.0, max_tokens=MAX_TOKENS)
        said: dict[str, list[str]] = {}
        counted: dict[str, int] = {}

        def respond() -> float:
            began = time.perf_counter()
            answers = {answer.request: answer for answer in ours.respond(iter(requests))}
            seconds = time.perf_counter() - began
            said["ours"] = [answers[request.id].text for request in requests]
            # The token that ends an answer is not counted by the backend, and it was made.
            counted["ours"] = sum((one.output_tokens or 0) + (one.finish == "stop") for one in answers.values())
            return seconds

        def generate() -> float:
            began = time.perf_counter()
            outputs = llm.generate(texts, greedy, use_tqdm=False)
            seconds = time.perf_counter() - began
            said["theirs"] = [output.outputs[0].text for output in outputs]
            counted["theirs"] = sum(len(output.outputs[0].token_ids) for output in outputs)
            return seconds

        def recorded() -> float:
            Path(path).unlink(missing_ok=True)
            return backends_ours.record(ours, requests, Path(path))[0]

        sides = [("ours", respond), ("theirs", generate), ("recorded", recorded)]
        spent: dict[str, list[float]] = {name: [] for name, _ in sides}
        for number in range(rounds + 1):
            # Whoever comes first changes from round to round; the first round only warms up.
            for name, asked in (*sides[number % 3 :], *sides[: number % 3]):
                if not llm.reset_prefix_cache():
                    raise Failed("the engine's prefix cache could not be emptied between two sides")
                seconds = asked()
                if number:
                    spent[name].append(seconds)
    # vLLM holds back bytes at an answer's end that are no whole character yet.
    pairs = zip(said["ours"], said["theirs"], strict=True)
    equal = sum(one.rstrip("\N{REPLACEMENT CHARACTER}") == two for one, two in pairs)
    rates = {name: [counted["theirs"] / seconds for seconds in took] for name, took in spent.items()}
    return {**rates, "tokens": counted, "texts": len(texts), "equal": equal, "loading": loading}


@contextlib.contextmanager
def _both(model: str) -> Iterator[tuple[Any, Any]]:
    """Our model, and an `LLM` around the very engine that our model has: settings, memory and compiled code are one."""
    from vllm import LLM
    from vllm.v1.engine.llm_engine import LLMEngine

    start, engines = LLMEngine.from_engine_args, []

    def remembered(*given: Any, **named: Any) -> Any:
        engines.append(start(*given, **named))
        return engines[-1]

    with mock.patch.object(LLMEngine, "from_engine_args", remembered):
        ours = backends_ours.opened(f"vllm:{model}", {})
    with contextlib.closing(ours):
        (engine,) = islice(engines, 1)
        with mock.patch.object(LLMEngine, "from_engine_args", return_value=engine):
            llm = LLM(model, dtype="float32")
        yield ours, llm
