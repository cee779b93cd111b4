"""`hf:` while energy is measured: what it says of its load, answers of an exact length, and how far it reads ahead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

from bench.backend import Load, Measurable, Settings, Tokenizing
from bench.models.hf import HuggingFace, load
from bench.records import Request
from tests.bench.models.test_hf import answers, request
from tests.fixtures_llama import build_llama, recite

torch.set_num_threads(1)

ENDS = ("France", "Which country is this?\nAnswer:", "አበበ", "x", "peace 7", "нет")
TOKENS = 20


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu() -> Iterator[None]:
    """A GPU computes in bfloat16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose next token follows from the last one alone: after any of `ENDS` there is an end, soon or late."""
    folder = build_llama(tmp_path_factory.mktemp("models") / "ending")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    lasts = [tokenizer(prompt)["input_ids"][-1] for prompt in ENDS]
    others = [token for token in range(40, 140) if token not in lasts]
    circle = [*(token for pair in zip(lasts, others, strict=False) for token in pair), 1, *others[len(lasts) :]]
    recite(folder, dict(pairwise([*circle, circle[0]])))
    return folder


def opened(folder: Path, batch: int = 4, *, measured: bool = True, **options: Any) -> HuggingFace:
    return load(str(folder), Settings(lambda *_: [], batch=batch, options=options, measured=measured))


def asked(number: int, prompt: str, **changes: Any) -> Request:
    return request(number, prompt, **{"mode": "generate", "continuations": (), "max_tokens": TOKENS} | changes)


def test_facts(ending: Path) -> None:
    model = opened(ending)
    assert isinstance(model, Measurable)
    assert isinstance(model, Tokenizing)
    assert model.engine.name == "transformers"
    assert model.engine.version == f"{transformers.__version__} torch {torch.__version__}"
    assert model.engine.dtype == "float32"
    assert opened(ending, dtype="bfloat16").engine.dtype == "bfloat16"
    assert model.capabilities.exact
    assert model.load() == Load(0, 0, 0)
    model.forget()
    model.close()
    assert model.load() == Load(None, None, None)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7}])
def test_an_exact_answer_has_all_its_tokens(ending: Path, options: dict[str, Any]) -> None:
    model = opened(ending, 6, **options)
    plain = [asked(number, prompt) for number, prompt in enumerate(ENDS)]
    free = answers(model, plain)
    assert "stop" in {response.finish for response in free}
    if not options:
        assert [response.output_tokens for response in free] == [2 * place - 1 for place in range(len(ENDS), 0, -1)]
    # Asked for in one batch with others, which end where they end, and with a stop string that would come.
    stop = tuple({response.text[:1] for response in free if response.text})
    exact = [asked(number + 100, prompt, exact=True, stop=stop) for number, prompt in enumerate(ENDS)]
    found = answers(model, [one for pair in zip(exact, plain, strict=True) for one in pair])
    assert {(response.status, response.finish, response.output_tokens) for response in found[::2]} == {
        ("ok", "length", TOKENS)
    }
    assert found[1::2] != found[::2]
    assert [(one.text, one.finish, one.output_tokens) for one in found[1::2]] == [
        (one.text, one.finish, one.output_tokens) for one in free
    ]


@pytest.mark.parametrize("measured", [True, False])
def test_what_is_counted_is_what_was_answered(ending: Path, measured: bool) -> None:
    model = opened(ending, measured=measured)
    requests = [
        asked(number, prompt, exact=number // 4 % 3 == 0, stop=("." if number // 4 % 2 else "F",))
        for number, prompt in enumerate(ENDS * 4)
    ]
    running = []
    seen = [model.load()]
    network = model._engine._network  # type: ignore[union-attr]
    forward = network.model.forward

    def watched(*given: Any, **named: Any) -> Any:
        running.append(model.load().running)
        seen.append(model.load())
        return forward(*given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network.model, "forward", watched)
        found = answers(model, requests)
    last = model.load()
    assert last.output_tokens == sum(response.output_tokens or 0 for response in found)
    assert last.prompt_tokens == sum(response.prompt_tokens or 0 for response in found)
    assert last.running == 0
    assert max(count or 0 for count in running) == 4
    assert min(count or 0 for count in running) >= 1
    for one, two in pairwise([*seen, last]):
        assert (one.output_tokens or 0) <= (two.output_tokens or 0)
        assert (one.prompt_tokens or 0) <= (two.prompt_tokens or 0)


def test_scoring_reads_and_writes_nothing(ending: Path) -> None:
    model = opened(ending)
    before = model.load()
    scored = [request(number, prompt) for number, prompt in enumerate(ENDS)]
    found = answers(model, scored)
    after = model.load()
    assert before == Load(0, 0, 0)
    assert after.output_tokens == 0
    assert after.running == 0
    # The context of a question once, and all tokens of its options but the last of each.
    longest = sum(response.prompt_tokens or 0 for response in found)
    assert (after.prompt_tokens or 0) >= longest


def test_memory_that_runs_out_leaves_nothing_running(ending: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(ending)
    network = model._engine._network  # type: ignore[union-attr]

    def failing(*_given: Any, **_named: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(network.model, "forward", failing)
    found = answers(model, [asked(1, "x"), request(2, "y")])
    assert {response.reason for response in found} == {"out_of_memory"}
    assert model.load().running == 0
    assert model.load().output_tokens == 0


@pytest.mark.parametrize(("measured", "ahead"), [(True, 4), (False, 32)])
def test_how_far_it_reads_ahead(ending: Path, measured: bool, ahead: int) -> None:
    model = opened(ending, measured=measured)
    read = 0

    def plan() -> Iterator[Request]:
        nonlocal read
        for number in range(200):
            read += 1
            yield asked(number, ENDS[number % len(ENDS)], max_tokens=2)

    answering = model.respond(plan())
    next(answering)
    assert read == ahead


def test_rows_are_filled_when_measured(ending: Path) -> None:
    """Prompts of very different lengths: in an ordinary run they would waste a batch on padding."""
    requests = [asked(number, "France " * (1 + 9 * number), max_tokens=2) for number in range(4)]
    reached = {}
    for measured in (True, False):
        model = opened(ending, measured=measured)
        network = model._engine._network  # type: ignore[union-attr]
        answers(model, requests)
        reached[measured] = network.count.padding
    assert reached[True] > 0.3
    assert reached[False] <= 0.1


def test_tokens_of_a_text(ending: Path) -> None:
    model = opened(ending)
    tokenizer = transformers.AutoTokenizer.from_pretrained(ending)
    texts = ["", "France", "የኢትዮጵያ ዋና ከተማ", "👩🏽‍🚀👨‍👩‍👧‍👦 x"]
    counts = model.count_tokens(texts)
    assert counts == [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    assert model.count_tokens([]) == []
    text = "የኢትዮጵያ ዋና ከተማ France 👩🏽‍🚀 " * 3
    [whole] = model.count_tokens([text])
    assert model.shortened(text, whole) == model.shortened(text, whole + 5) == text
    assert model.shortened(text, 0) == ""
    for tokens in range(1, whole):
        short = model.shortened(text, tokens)
        [count] = model.count_tokens([short])
        [more] = model.count_tokens([text[: len(short) + 1]])
        assert text.startswith(short)
        assert count <= tokens < more
