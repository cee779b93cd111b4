"""A base model in vLLM's engine against the same model in transformers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tasks
from bench import session
from bench.backend import Model
from bench.models import load
from bench.plan import load as load_blocks
from bench.records import Request
from bench.runfile import RunFile
from tests.fixtures_llama import POSITIONS
from tests.vllm.asked import FLOAT32, OPTIONS, PROMPTS, answers, assert_agree, mixed, request
from tests.vllm.conftest import Opened, settings


@pytest.fixture(scope="module")
def model(opened: Opened, base: Path) -> Model:
    return opened(f"vllm:{base}", batch=8, enforce_eager="true")


@pytest.fixture(scope="module")
def plain(opened: Opened, base: Path) -> Model:
    return opened(f"hf:{base}")


def by_hand(folder: Path, context: str, option: str, most: int = POSITIONS) -> float:
    """The log-likelihood by transformers alone, of the last `most` tokens of a text without its own last token."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    llama: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    bare = context.rstrip()
    start = len(tokenizer(bare).input_ids)
    whole = tokenizer(context + option).input_ids
    tail = whole[start:]
    read = whole[:-1][-most:]
    with torch.inference_mode():
        steps = llama(torch.tensor([read])).logits[0].log_softmax(-1)[-len(tail) :]
    return sum(float(step[token]) for step, token in zip(steps, tail, strict=True))


def test_identity(model: Model, plain: Model) -> None:
    assert model.name == "vllm:base"
    assert (model.revision, model.template, model.decoding) == (plain.revision, plain.template, "greedy")
    assert model.capabilities.modes == plain.capabilities.modes
    assert model.price is None


def test_answers_equal_those_of_transformers(model: Model, plain: Model) -> None:
    requests = mixed()
    assert_agree(requests, answers(model, requests), answers(plain, requests))


def test_what_is_cached_changes_nothing(model: Model, plain: Model) -> None:
    """The second time, whole blocks of every longer prompt are in the cache, scored tokens among them."""
    long = "One of many questions about Afghanistan, Albania and Algeria. " * 20
    requests = [
        request(0, long, mode="generate"),
        request(1, long),
        request(2, long, continuations=(" A" * 150, " B" * 150)),
        request(3, long + " A" * 140, continuations=(" A", " B", " A A")),
        request(4, long, mode="first_token", continuations=(" A", " B", " C")),
    ]
    expected = answers(plain, requests)
    assert_agree(requests, answers(model, requests), expected)
    again = answers(model, requests)
    assert_agree(requests, again, expected)
    # Where options were cached themselves, their log-likelihoods are wanted: those passes went without a cache.
    assert [response.cached_tokens for response in again][2:] == [0, 896, 768]
    assert again[0].cached_tokens == again[1].cached_tokens == 768


def test_options_share_their_context(model: Model) -> None:
    """A context never seen before is computed with the first option, and found by the others."""
    context = "Nobody has asked this before, and there is a good deal of it to read. " * 30
    one, many = answers(model, [request(0, context[1:], continuations=(" A A",)), request(1, context)])
    assert one.cached_tokens == 0
    assert len(many.loglikelihoods) == len(OPTIONS)
    (once_more,) = answers(model, [request(0, context, continuations=(" C C",))])
    assert once_more.cached_tokens is not None
    assert once_more.cached_tokens > 500


@pytest.mark.parametrize("stop", [(",",), ("\n",), (" ", "ia"), ("ب", "т"), ("never in any text",), ("",), ()])
def test_stop_strings(model: Model, plain: Model, stop: tuple[str, ...]) -> None:
    requests = [request(n, text, mode="generate", stop=stop, max_tokens=24) for n, text in enumerate(PROMPTS)]
    found = answers(model, requests)
    assert_agree(requests, found, answers(plain, requests))
    assert not any(text in response.text for text in filter(None, stop) for response in found)
    assert {response.finish for response in found} <= {"stop", "length"}
    if stop == ("\n",) or not any(stop):
        assert any(response.finish == "length" and response.output_tokens == 24 for response in found)


def test_a_long_prompt_loses_its_beginning(model: Model, plain: Model, base: Path) -> None:
    long = "перевод " * POSITIONS
    generated = [request(0, long, mode="generate"), request(1, long[: len(long) // 8], mode="generate")]
    found = answers(model, generated)
    assert_agree(generated, found, answers(plain, generated))
    assert (found[0].reason, found[0].prompt_tokens) == ("prompt_truncated", POSITIONS - 16)
    (scored,) = answers(model, [request(0, long)])
    assert (scored.status, scored.reason) == ("ok", "prompt_truncated")
    assert scored.prompt_tokens is not None
    # One token less is read than `hf:` reads, because vLLM insists on making one more.
    assert scored.loglikelihoods == pytest.approx(
        [by_hand(base, long, text, POSITIONS - 1) for text in OPTIONS], abs=FLOAT32
    )


def test_what_cannot_be_asked_is_skipped(model: Model, plain: Model) -> None:
    requests = [
        request(0, "France", continuations=(" A", "")),
        request(1, "Afgha", continuations=("n",)),
        request(2, "France", continuations=(" x" * POSITIONS,)),
        request(3, "France", mode="generate", max_tokens=POSITIONS),
        request(4, "France", continuations=()),
    ]
    found = answers(model, requests)
    assert [response.reason for response in found] == [
        "empty_continuation",
        "empty_continuation",
        "too_long",
        "too_long",
        "",
    ]
    assert_agree(requests, found, answers(plain, requests))


def test_many_options_of_one_token(model: Model, plain: Model) -> None:
    letters = [chr(code) for code in itertools.chain(range(0x21, 0x7F), range(0x410, 0x450), range(0x5D0, 0x5EB))]
    asked = [
        request(0, "Which letter?\nAnswer:", mode="first_token", continuations=tuple(f" {one}" for one in letters))
    ]
    assert_agree(asked, answers(model, asked), answers(plain, asked))


def test_more_requests_than_fit_at_a_time(model: Model, plain: Model) -> None:
    """Eight sequences run at a time; the plan is read as they end, not before."""
    requests = mixed(times=6, max_tokens=5)
    read = 0

    def counted() -> Iterator[Request]:
        nonlocal read
        for one in requests:
            read += 1
            yield one

    found, ahead = [], 0
    for response in model.respond(counted()):
        found.append(response)
        ahead = max(ahead, read - len(found))
    assert len(found) == len(requests)
    assert ahead < 40
    expected = {response.request: response for response in answers(plain, requests)}
    assert_agree(requests, sorted(found, key=lambda one: int(one.request[1:])), [expected[one.id] for one in requests])


def test_a_reader_that_stops_early(model: Model, plain: Model) -> None:
    requests = mixed(times=3)
    reading = model.respond(requests)
    seen = [next(reading) for _ in range(5)]
    assert "sequences in the engine" in model.status()
    reading.close()  # type: ignore[attr-defined]
    assert len({response.request for response in seen}) == 5
    assert model.status() == "0 sequences in the engine"
    assert_agree(requests, answers(model, requests), answers(plain, requests))


def test_a_run_goes_on_with_what_is_left(model: Model, tmp_path: Path) -> None:
    """The longer plan asks only what the shorter one has not; what was answered stays as it was."""
    chosen = [(task, variety) for task in tasks.select(["embedded"]) for variety in task.varieties[:2]]
    path = tmp_path / "a.run.db"
    shorter = session.perform(model, load_blocks(chosen, 2), None, path)
    with RunFile.read(path) as run:
        first = {answer.request: answer.response for place in run.places() for answer in run.answers(place)}
    longer = session.perform(model, load_blocks(chosen, 5), None, path)
    with RunFile.read(path) as run:
        second = {answer.request: answer.response for place in run.places() for answer in run.answers(place)}
    assert shorter.errors == longer.errors == 0
    assert (len(first), len(second)) == (shorter.asked, shorter.asked + longer.asked)
    assert longer.asked > 0
    assert all(second[request] == response for request, response in first.items())


def test_time_is_shared_out(model: Model) -> None:
    found = answers(model, [replace(one, id=f"s{one.id}") for one in mixed(times=2)])
    assert all(response.seconds is not None and response.seconds > 0 for response in found if response.status == "ok")


def test_the_prefix_cache_can_be_left_out(base: Path, model: Model) -> None:
    """Only what an option does to the decoding word is asked here: a second engine would take a minute."""
    from bench.models.vllm import Options

    assert Options(enable_prefix_caching=False, tensor_parallel_size=4, enforce_eager=True).decoding() == "greedy"
    assert Options(temperature=0.5, seed=3).decoding() == "sampled|temperature:0.5|seed:3"
    assert Options(truncation="skip", dtype="bfloat16").decoding() == "greedy|dtype:bfloat16|truncation:skip"


def test_log_likelihoods_are_those_of_one_plain_pass(model: Model, base: Path) -> None:
    """By hand, so that both backends cannot be wrong in the same way."""
    context, option = "Which country is this?\nAnswer:", " Côte d'Ivoire"
    (found,) = answers(model, [request(0, context, continuations=(option,))])
    assert found.loglikelihoods == pytest.approx([by_hand(base, context, option)], abs=FLOAT32)


def test_a_closed_model_refuses_to_answer(model: Model, base: Path) -> None:
    psutil = pytest.importorskip("psutil")
    workers = [process for process in psutil.Process().children(recursive=True) if "VLLM" in process.name()]
    assert len(workers) == 2
    model.close()
    model.close()
    with pytest.raises(ValueError, match="closed"):
        model.respond([])
    # A worker's parent is the engine: who inherits it may be slow to take its exit code.
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in workers)
    assert load(f"hf:{base}", settings()).revision == model.revision
