"""vLLM while energy is measured: what it says of its load, answers of an exact length, prompts read every time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bench.backend import Load, Measurable, Model, Tokenizing
from tests.fixtures_llama import build_llama, recite
from tests.vllm.asked import OPTIONS, PROMPTS, answers, request
from tests.vllm.conftest import Opened

TOKENS = 20


ENDS = ("France", "Which country is this?\nAnswer:", "አበበ", "x", "peace 7", "нет")


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose next token follows from the last one alone: after any of `ENDS` there is an end, soon or late."""
    from transformers import AutoTokenizer

    folder = build_llama(tmp_path_factory.mktemp("models") / "ending", heads=2)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    lasts = [tokenizer(prompt)["input_ids"][-1] for prompt in ENDS]
    others = [token for token in range(40, 140) if token not in lasts]
    circle = [*(token for pair in zip(lasts, others, strict=False) for token in pair), 1, *others[len(lasts) :]]
    recite(folder, dict(pairwise([*circle, circle[0]])))
    return folder


@pytest.fixture(scope="module")
def measured(opened: Opened, ending: Path) -> Model:
    return opened(f"vllm:{ending}", batch=4, measured=True, enforce_eager="true")


def load_of(model: Model) -> Load:
    assert isinstance(model, Measurable)
    return model.load()


def test_facts(measured: Model) -> None:
    import vllm

    assert isinstance(measured, Measurable)
    assert isinstance(measured, Tokenizing)
    assert (measured.engine.name, measured.engine.version, measured.engine.dtype) == (
        "vllm",
        vllm.__version__,
        "float32",
    )
    assert measured.capabilities.exact
    assert load_of(measured).running == 0


def test_an_exact_answer_has_all_its_tokens(measured: Model) -> None:
    plain = [request(number, prompt, mode="generate", max_tokens=TOKENS) for number, prompt in enumerate(ENDS)]
    free = answers(measured, plain)
    lengths = [response.output_tokens for response in free]
    assert {response.finish for response in free} == {"stop"}
    assert lengths == [2 * place - 1 for place in range(len(ENDS), 0, -1)]
    stop = tuple(sorted({response.text[:1] for response in free if response.text}))
    exact = [
        request(number, prompt, mode="generate", max_tokens=TOKENS, exact=True, stop=stop)
        for number, prompt in enumerate(ENDS)
    ]
    found = answers(measured, exact)
    assert {(response.status, response.finish, response.output_tokens) for response in found} == {
        ("ok", "length", TOKENS)
    }


def test_what_is_counted_is_what_was_answered(measured: Model) -> None:
    before = load_of(measured)
    requests = [
        request(number, prompt, mode="generate", max_tokens=TOKENS, exact=number % 2 == 0)
        for number, prompt in enumerate((*PROMPTS, *ENDS) * 2)
    ]
    measured.forget()  # type: ignore[attr-defined]
    running = []
    found = []
    for response in measured.respond(iter(requests)):
        running.append(load_of(measured).running or 0)
        found.append(response)
    after = load_of(measured)
    assert after.prompt_tokens is not None
    assert after.output_tokens is not None
    assert before.prompt_tokens is not None
    assert before.output_tokens is not None
    answered = [response for response in found if response.status == "ok"]
    assert after.output_tokens - before.output_tokens == sum(response.output_tokens or 0 for response in answered)
    assert after.prompt_tokens - before.prompt_tokens == sum(response.prompt_tokens or 0 for response in answered)
    assert max(running) == 4
    assert after.running == 0


def test_a_prompt_is_read_every_time(measured: Model) -> None:
    same = PROMPTS[-1] * 3
    generated = [request(number, same, mode="generate", max_tokens=2) for number in range(6)]
    assert {response.cached_tokens for response in answers(measured, generated)} == {0}
    read = []
    for _ in range(2):
        before = load_of(measured).prompt_tokens
        [response] = answers(measured, [request(0, same)])
        after = load_of(measured).prompt_tokens
        assert before is not None
        assert after is not None
        read.append(after - before)
    # Options that do not run at the same time share their question's context, and nothing of the time before.
    assert read[0] == read[1]
    assert response.prompt_tokens is not None
    assert response.prompt_tokens <= read[0] < len(OPTIONS) * response.prompt_tokens


def test_scoring_writes_nothing(measured: Model) -> None:
    before = load_of(measured)
    answers(measured, [request(number, prompt) for number, prompt in enumerate(PROMPTS)])
    assert load_of(measured).output_tokens == before.output_tokens


def test_what_is_given_up_runs_no_more(measured: Model) -> None:
    requests = [request(number, PROMPTS[-1], mode="generate", max_tokens=200, exact=True) for number in range(40)]
    answered = measured.respond(iter([*requests[:1], request(99, "x", mode="generate", max_tokens=1), *requests[1:]]))
    assert next(answered).request == "r99"
    assert load_of(measured).running
    answered.close()  # type: ignore[attr-defined]
    assert load_of(measured).running == 0


def test_tokens_of_a_text(measured: Model) -> None:
    assert isinstance(measured, Tokenizing)
    text = PROMPTS[-2]
    [whole, none] = measured.count_tokens([text, ""])
    assert none == 0
    short = measured.shortened(text, whole // 2)
    assert text.startswith(short)
    assert measured.count_tokens([short]) == [whole // 2]
