"""Generated answers: rows that leave the batch, sampling that depends on the request alone, thinking kept apart."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

from bench.backend import Settings
from bench.models.hf import HuggingFace, load
from bench.records import Request, Response, UsageError
from tests.bench.models.test_hf import Plain, answers, limited, request
from tests.bench.models.test_hf_scoring import SLIDING, SMALL, built
from tests.fixtures_llama import CHAT_TEMPLATE, build_llama, recite

torch.set_num_threads(1)

MARKS = ("<think>", "</think>")
THINKS = CHAT_TEMPLATE.removesuffix("{% endif %}") + "<think>\n{% endif %}"
ASKS = CHAT_TEMPLATE.removesuffix("{% endif %}") + (
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu() -> Iterator[None]:
    """A GPU computes in bfloat16, in which other tokens win."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


def opened(folder: Path, batch: int | None = None, reasoning_tokens: int = 0, **options: Any) -> HuggingFace:
    settings = Settings(
        training=lambda task, language, variety: [], batch=batch, options=options, reasoning_tokens=reasoning_tokens
    )
    return load(str(folder), settings)


def asked(number: int, prompt: str, **changes: Any) -> Request:
    return request(number, prompt, **{"mode": "generate", "continuations": (), "max_tokens": 24} | changes)


# Rows that are done


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Llama", None),
        ("Bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 4}),
        ("Mamba", {"hidden_size": 64, "num_hidden_layers": 2}),
        (
            "Mistral",
            SMALL | SLIDING | {"sliding_window": 16},
        ),
    ],
    ids=["llama", "bloom", "mamba", "mistral"],
)
def test_rows_leave_the_batch_as_they_end(
    llama: Path, tmp_path: Path, kind: str, fields: dict[str, Any] | None
) -> None:
    folder = llama if fields is None else built(tmp_path / kind, llama, kind, **fields)
    plain, model = Plain(folder), opened(folder, batch=16)
    prompts = [f"{'a' * (20 + number % 3)}{chr(65 + number)}" for number in range(16)]
    wholes = [plain.decode(plain.generate(prompt, 24)) for prompt in prompts]
    letters = Counter(letter for whole in wholes for letter in set(whole[2:]))
    stop = next(letter for letter, count in letters.most_common() if 4 <= count <= 12)
    found = answers(model, [asked(number, prompt, stop=(stop,)) for number, prompt in enumerate(prompts)])
    assert [response.text for response in found] == [whole.partition(stop)[0] for whole in wholes]


def test_rows_that_left_are_computed_no_more(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, model = Plain(llama), opened(llama)
    prompts = [f"France {letter}" for letter in "ABCDEFGH"]
    wholes = [plain.decode(plain.generate(prompt, 40)) for prompt in prompts]
    stop = tuple(
        {whole[3:6] for whole in wholes[:6]} - {whole[at : at + 3] for whole in wholes[6:] for at in range(99)}
    )
    sizes = limited(monkeypatch, 99, RuntimeError)
    requests = [asked(number, prompt, stop=stop, max_tokens=40) for number, prompt in enumerate(prompts)]
    found = answers(model, requests)
    assert {response.finish for response in found} == {"stop", "length"}
    assert sizes[0] == 8
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= 4


# Sampling


def test_a_request_draws_the_same_in_every_batch(llama: Path) -> None:
    requests = [asked(number, prompt, max_tokens=12) for number, prompt in enumerate(["France", "Yemen", "Zaïre"] * 4)]
    texts = [
        [response.text for response in answers(opened(llama, batch, temperature="1", seed="7"), chosen)]
        for batch, chosen in ((16, requests), (1, requests), (3, requests[::-1]))
    ]
    assert texts[0] == texts[1] == texts[2][::-1]
    assert len(set(texts[0])) == 12  # other requests with the same prompt draw otherwise
    other = [response.text for response in answers(opened(llama, temperature="1", seed="8"), requests)]
    assert not set(other) & set(texts[0])


def test_drawn_tokens_are_as_likely_as_the_model_says(llama: Path) -> None:
    plain = Plain(llama)
    with torch.inference_mode():
        scores = plain.model(torch.tensor([plain.encode("France")])).logits[0, -1].double()
    wanted: defaultdict[str, float] = defaultdict(float)  # parts of a character all look the same
    for token, probability in enumerate((scores / 1.5).softmax(-1).tolist()):
        wanted[plain.decode([token])] += probability
    count = 2000
    requests = [asked(number, "France", max_tokens=1) for number in range(count)]
    drawn = Counter(response.text for response in answers(opened(llama, temperature=1.5), requests))
    for text, probability in sorted(wanted.items(), key=lambda item: -item[1])[:6]:
        error = (probability * (1 - probability) / count) ** 0.5
        assert drawn[text] / count == pytest.approx(probability, abs=4 * error)


def test_top_p_leaves_out_the_unlikely(llama: Path) -> None:
    plain = Plain(llama)
    with torch.inference_mode():
        likely = plain.model(torch.tensor([plain.encode("France")])).logits[0, -1].double().softmax(-1)
    values, order = likely.sort(descending=True)
    kept = int((values.cumsum(0) - values < 0.3).sum())
    allowed = {plain.decode([token]) for token in order[:kept].tolist()}
    requests = [asked(number, "France", max_tokens=1) for number in range(300)]
    drawn = {response.text for response in answers(opened(llama, temperature=1, top_p=0.3), requests)}
    assert drawn <= allowed
    assert len(allowed) > 1
    assert len(drawn) > 1


def test_nearly_cold_is_greedy(llama: Path) -> None:
    requests = [asked(number, prompt) for number, prompt in enumerate(("France", "Yemen"))]
    greedy, cold = (answers(opened(llama, temperature=degree), requests) for degree in (0, 1e-4))
    assert [response.text for response in cold] == [response.text for response in greedy]


# Thinking


def thinker(folder: Path, template: str, script: str, *, special: bool) -> Path:
    """A model that says this after every prompt, with marks that are special tokens or ordinary ones."""
    build_llama(folder, chat_template=template)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    # In the place of tokens that nothing here needs, because the weights have room for no more.
    made = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    for number, mark in zip((1022, 1023), MARKS, strict=True):
        old = next(text for text, token in made["model"]["vocab"].items() if token == number)
        made["model"]["vocab"][mark] = made["model"]["vocab"].pop(old)
        made["model"]["merges"] = [pair for pair in made["model"]["merges"] if "".join(pair) != old]
        made["added_tokens"].append(
            {"id": number, "content": mark, "single_word": False, "lstrip": False, "rstrip": False}
            | {"normalized": False, "special": special}
        )
    (folder / "tokenizer.json").write_text(json.dumps(made), "utf-8")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    message = [{"role": "user", "content": "x"}]
    prompt = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(prompt + script + "</s>", add_special_tokens=False).input_ids
    first = len(tokenizer(prompt, add_special_tokens=False).input_ids) - 1
    said = tokens[first:]
    assert len(set(said)) == len(said), "a token can have one successor only"
    recite(folder, dict(pairwise(said)))
    return folder


def answer(model: HuggingFace, **changes: Any) -> Response:
    (response,) = answers(model, [asked(0, "x", **changes)])
    return response


@pytest.mark.parametrize("special", [True, False])
def test_a_template_that_opens_the_thinking(tmp_path: Path, special: bool) -> None:
    model = opened(thinker(tmp_path / "m", THINKS, "why not</think>Yemen", special=special), reasoning_tokens=50)
    response = answer(model)
    assert (response.reasoning, response.text, response.finish) == ("why not", "Yemen", "stop")
    assert response.reasoning_tokens is not None
    assert response.output_tokens is not None
    assert 0 < response.reasoning_tokens < response.output_tokens
    assert model.capabilities.reasoning_tokens == 50
    cut = answer(model, max_tokens=response.reasoning_tokens - 1)
    assert (cut.reasoning, cut.text, cut.finish) == ("why not", "", "length")
    assert cut.reasoning_tokens == cut.output_tokens == response.reasoning_tokens - 1
    bare = answer(model, max_tokens=response.reasoning_tokens)
    assert (bare.reasoning, bare.text, bare.reasoning_tokens) == ("why not", "", response.reasoning_tokens)


@pytest.mark.parametrize("special", [True, False])
def test_a_model_that_opens_the_thinking_itself(tmp_path: Path, special: bool) -> None:
    script = "<think>why not</think>Yemen"
    response = answer(opened(thinker(tmp_path / "m", CHAT_TEMPLATE, script, special=special)))
    assert (response.reasoning.removeprefix("<think>"), response.text) == ("why not", "Yemen")
    assert response.reasoning_tokens is not None


def test_a_model_that_does_not_think(llama: Path) -> None:
    (response,) = answers(opened(llama), [asked(0, "France")])
    assert (response.reasoning, response.reasoning_tokens) == ("", None)
    assert response.text


def test_thinking_is_asked_of_the_template(tmp_path: Path) -> None:
    folder = build_llama(tmp_path / "m", chat_template=ASKS)
    rendered = {}
    for model in (opened(folder), opened(folder, thinking="true"), opened(folder, thinking="false")):
        assert model._engine is not None
        rendered[model.decoding] = model._engine.encoder.render("x")
    assert list(rendered) == ["greedy", "greedy|thinking:true", "greedy|thinking:false"]
    assert rendered["greedy"] == rendered["greedy|thinking:true"]
    assert rendered["greedy|thinking:false"] == f"{rendered['greedy']}<think>\n\n</think>\n\n"


def test_thinking_that_the_template_does_not_know(llama: Path, chat_llama: Path) -> None:
    for folder in (llama, chat_llama):
        with pytest.raises(UsageError, match="its chat template has no enable_thinking; leave the option out"):
            opened(folder, thinking="true")


def test_other_special_tokens_stay_out_of_the_text(tmp_path: Path, llama: Path) -> None:
    """With marks that are special tokens, and without: the same tokens give the same text."""
    marked = opened(thinker(tmp_path / "m", CHAT_TEMPLATE, "Yemen", special=True))
    plain = opened(shutil.copytree(llama, tmp_path / "plain"))
    for model in (marked, plain):
        assert model._engine is not None
        encoder = model._engine.encoder
        (tokens,) = encoder.prompts([asked(0, "France")])
        assert encoder.text([0, *tokens, 1, 0]).endswith("France" if model is plain else "<|assistant|>\n")
        assert "<s>" not in encoder.text([0, *tokens, 1, 0])
        assert "</s>" not in encoder.text([*tokens, 1, 0])
