"""The `hf:` backend against transformers itself, one plain unbatched pass at a time."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import bench.models
from bench.models import ModelStopped, Settings, load
from bench.models.hf import HuggingFace
from bench.models.hf_source import fingerprint
from bench.records import Request, Response, UsageError
from tests.fixtures_llama import CHAT_TEMPLATE, POSITIONS, build_llama

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")
GPU = torch.cuda.is_available()
torch.set_num_threads(1)  # enough for a model this small, and steady on a busy machine

ROOT = Path(bench.models.__file__).parents[2]

PROMPTS = (
    "",
    " ",
    "France",
    "Which country is this?\nAnswer:",
    "A question that ends in spaces:  ",
    "ما هي عاصمة فرنسا؟ الجواب:",
    "भारत की राजधानी क्या है? उत्तर:",
    "የኢትዮጵያ ዋና ከተማ",
    "👩🏽‍🚀👨‍👩‍👧‍👦🏳️‍🌈",
    "𞤀𞤣𞤤𞤢𞤥 𐍅𐌿𐌻𐍆𐌹𐌻𐌰 𝔘𝔫𝔦",
    "日本の首都は",
    "ÉCOLE e\u0301cole\u200d\u00a0x",
    "<s>begins with BOS itself",
    "Afghanistan, Albania, Algeria, " * 12,
    "переводчик " * 40,
)
OPTIONS = (" science", " 科学", " A", " विज्ञान", " 👩🏽‍🚀")


def request(number: int, prompt: str, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "id": f"r{number}",
        "sample": f"t@1/eng_Latn//{number}",
        "task": "t",
        "language": "eng_Latn",
        "variety": "",
        "mode": "loglikelihood",
        "prompt": prompt,
        "continuations": OPTIONS,
        "max_tokens": 16,
        "stop": (),
        "input": prompt,
        "options": (),
    }
    return Request(**(fields | changes))


def opened(folder: Path, batch: int | None = None) -> HuggingFace:
    model = load(f"hf:{folder}", Settings(training=lambda task, language, variety: [], batch=batch))
    assert isinstance(model, HuggingFace)
    return model


def answers(model: HuggingFace, requests: Sequence[Request]) -> list[Response]:
    """In the order of the requests, after a check that each has exactly one answer."""
    model.check(requests)
    found = list(model.respond(iter(requests)))
    assert sorted(response.request for response in found) == sorted(request.id for request in requests)
    by_id = {response.request: response for response in found}
    return [by_id[request.id] for request in requests]


class Plain:
    """The same folder through transformers alone, written down as lm-evaluation-harness goes about it."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def encode(self, text: str, special: bool = True) -> list[int]:
        special = special and not text.startswith("<s>")
        return list(self.tokenizer.encode(text, add_special_tokens=special))

    def pair(self, context: str, continuation: str, special: bool = True) -> tuple[list[int], list[int]]:
        stripped = context.rstrip()
        continuation, context = context[len(stripped) :] + continuation, stripped
        if not context:
            return [self.tokenizer.bos_token_id], self.encode(continuation, special=False)
        first = self.encode(context, special)
        return first, self.encode(context + continuation, special)[len(first) :]

    def log_likelihood(self, context: Sequence[int], continuation: Sequence[int]) -> float:
        with torch.inference_mode():
            logits = self.model(torch.tensor([[*context, *continuation][:-1]])).logits[0].log_softmax(-1)
        rows = logits[len(logits) - len(continuation) :]
        return sum(float(row[token]) for row, token in zip(rows, continuation, strict=True))

    def generate(self, text: str, max_tokens: int, special: bool = True) -> list[int]:
        ids = torch.tensor([self.encode(text, special) or [self.tokenizer.bos_token_id]])
        whole = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_tokens, do_sample=False, pad_token_id=1
        )
        return [int(token) for token in whole[0, ids.shape[1] :]]

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode([token for token in tokens if token != 1], skip_special_tokens=True))


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu() -> Iterator[None]:
    """A GPU computes in bfloat16, which is too coarse for comparisons to 1e-4."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


@pytest.fixture(scope="module")
def plain(llama: Path) -> Plain:
    return Plain(llama)


@pytest.fixture(scope="module")
def model(llama: Path) -> Iterator[HuggingFace]:
    model = opened(llama)
    yield model
    model.close()


def limited(monkeypatch: pytest.MonkeyPatch, rows: int, error: Callable[[], BaseException]) -> list[int]:
    """Lets the forward pass of Llama fail on more than `rows` rows; returns the sizes that it was asked for."""
    sizes: list[int] = []
    forward = transformers.LlamaForCausalLM.forward

    @functools.wraps(forward)
    def narrow(self: Any, input_ids: Any = None, *rest: Any, **named: Any) -> Any:
        sizes.append(len(input_ids))
        if len(input_ids) > rows:
            raise error()
        return forward(self, input_ids, *rest, **named)

    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", narrow)
    return sizes


# What it says about itself


def test_identity(model: HuggingFace, llama: Path) -> None:
    assert model.name == f"hf:{llama.name}"  # not where it lies on this machine
    assert model.revision == f"sha256:{fingerprint(llama)[:16]}"
    assert (model.template, model.decoding) == ("none", "greedy")
    assert model.capabilities.modes == ("loglikelihood", "first_token", "generate")


def test_the_revision_follows_what_decides_answers(llama: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(llama, tmp_path / "copy")
    before = fingerprint(llama)
    (copy / "README.md").write_text("a model card")
    (copy / "training_args.bin").write_bytes(b"left by a trainer")
    assert fingerprint(copy) == before
    (copy / "tokenizer_config.json").write_text((copy / "tokenizer_config.json").read_text() + "\n")
    changed = fingerprint(copy)
    assert changed != before
    (copy / "tokenizer_config.json").rename(copy / "vocab.json")
    assert fingerprint(copy) != changed


def test_the_fixture_is_the_same_every_time(llama: Path, tmp_path: Path) -> None:
    assert fingerprint(build_llama(tmp_path / "again")) == fingerprint(llama)
    assert fingerprint(build_llama(tmp_path / "other", seed=1)) != fingerprint(llama)


def test_a_closed_model_refuses_to_answer(llama: Path) -> None:
    closing = opened(llama)
    closing.close()
    closing.close()
    with pytest.raises(ValueError, match="closed"):
        closing.respond([])


# Log-likelihoods


def test_log_likelihoods_equal_plain_passes(model: HuggingFace, plain: Plain) -> None:
    found = answers(model, [request(number, prompt) for number, prompt in enumerate(PROMPTS)])
    for prompt, response in zip(PROMPTS, found, strict=True):
        pairs = [plain.pair(prompt, option) for option in OPTIONS]
        expected = [plain.log_likelihood(*pair) for pair in pairs]
        assert response.loglikelihoods == pytest.approx(expected, abs=1e-4), prompt
        assert (response.status, response.finish, response.reason) == ("ok", "stop", "")
        assert (response.prompt_tokens, response.output_tokens) == (len(pairs[0][0]), 0)
        assert response.seconds is not None
        assert response.seconds > 0


def test_first_token_shares_one_pass_between_options(
    model: HuggingFace, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (" A", " B", " C", " D")
    asked = request(0, "Which of them?\nAnswer:", mode="first_token", continuations=options)
    pairs = [plain.pair(asked.prompt, option) for option in options]
    expected = [plain.log_likelihood(*pair) for pair in pairs]
    sizes = limited(monkeypatch, 99, RuntimeError)
    assert answers(model, [asked])[0].loglikelihoods == pytest.approx(expected, abs=1e-4)
    assert sum(sizes) <= 2  # the context, and what comes after it


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_the_batch_size_changes_no_answer(model: HuggingFace, llama: Path, batch: int) -> None:
    modes = ("loglikelihood", "first_token", "generate")
    requests = [
        request(number, prompt * (1 + number % 3), mode=modes[number % 3], max_tokens=8 + number % 2)
        for number, prompt in enumerate(PROMPTS * 2)
    ]
    other = answers(opened(llama, batch), requests)
    for one, two in zip(answers(model, requests), other, strict=True):
        assert one.loglikelihoods == pytest.approx(two.loglikelihoods, abs=1e-4)
        assert (one.status, one.text, one.finish, one.reason) == (two.status, two.text, two.finish, two.reason)
        assert (one.prompt_tokens, one.output_tokens) == (two.prompt_tokens, two.output_tokens)


def test_a_token_across_the_seam_is_scored_as_lm_eval_does(model: HuggingFace, plain: Plain) -> None:
    context, continuation = "Afgha", "n, Albania"
    first, tokens = plain.pair(context, continuation)
    assert plain.encode(context + continuation)[: len(first)] != first
    assert tokens
    (response,) = answers(model, [request(0, context, continuations=(continuation,))])
    assert response.loglikelihoods == pytest.approx([plain.log_likelihood(first, tokens)], abs=1e-4)


def test_what_has_no_token_to_score_is_skipped(model: HuggingFace) -> None:
    swallowed, empty, none = answers(
        model,
        [
            request(0, "Afgha", continuations=("n",)),
            request(1, "France", continuations=(" A", "")),
            request(2, "France", continuations=()),
        ],
    )
    assert (swallowed.status, swallowed.reason) == ("skipped", "empty_continuation")
    assert (empty.status, empty.reason) == ("skipped", "empty_continuation")
    assert (none.status, none.loglikelihoods) == ("ok", ())


def test_an_overlong_context_loses_its_beginning(model: HuggingFace, plain: Plain) -> None:
    prompt = "one two three " * POSITIONS
    (response,) = answers(model, [request(0, prompt)])
    expected = []
    for option in OPTIONS:
        context, tokens = plain.pair(prompt, option)
        expected.append(plain.log_likelihood(context[-(POSITIONS + 1 - len(tokens)) :], tokens))
    assert response.loglikelihoods == pytest.approx(expected, abs=1e-4)
    assert (response.status, response.finish, response.reason) == ("ok", "stop", "prompt_truncated")
    assert response.prompt_tokens == POSITIONS + 1 - min(len(plain.pair(prompt, option)[1]) for option in OPTIONS)


def test_the_limit_is_exact(model: HuggingFace, plain: Plain) -> None:
    context = plain.encode("x")
    fits = " z" * (POSITIONS // 2)
    tokens = plain.pair("x", fits)[1]
    assert len(tokens) == POSITIONS
    whole, longer = answers(
        model, [request(0, "x", continuations=(fits,)), request(1, "x", continuations=(" A", fits + " z"))]
    )
    # One token of the context is left, BOS being cut.
    assert whole.loglikelihoods == pytest.approx([plain.log_likelihood(context[-1:], tokens)], abs=1e-2)
    assert (whole.status, whole.reason, whole.prompt_tokens) == ("ok", "prompt_truncated", 1)
    assert (longer.status, longer.reason, longer.loglikelihoods) == ("skipped", "too_long", ())


def test_answers_flow_while_requests_come(llama: Path) -> None:
    drawn = 0

    def endless() -> Iterator[Request]:
        nonlocal drawn
        while True:
            drawn += 1
            yield request(drawn, "France", continuations=(" A",))

    next(opened(llama, batch=2).respond(endless()))
    assert drawn <= 16


# Generation


def test_generation_equals_transformers(model: HuggingFace, plain: Plain) -> None:
    requests = [
        request(number, prompt, mode="generate", continuations=(), max_tokens=(5, 24)[number % 2])
        for number, prompt in enumerate(PROMPTS)
    ]
    for asked, response in zip(requests, answers(model, requests), strict=True):
        tokens = plain.generate(asked.prompt, asked.max_tokens)
        assert response.text == plain.decode(tokens), asked.prompt
        assert response.finish == ("stop" if tokens[-1] == 1 else "length")
        assert response.output_tokens == len([token for token in tokens if token != 1])
        assert response.prompt_tokens == len(plain.encode(asked.prompt) or [0])
        assert response.status == "ok"
        assert response.seconds is not None


def test_stop_strings_cut_the_text_and_end_the_work(
    model: HuggingFace, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = plain.decode(plain.generate("France", 200))
    assert len(whole) > 150
    stop = whole[10:14]
    stopping = request(0, "France", mode="generate", continuations=(), max_tokens=200, stop=("", "\0never", stop))
    sizes = limited(monkeypatch, 99, RuntimeError)
    (response,) = answers(model, [stopping])
    assert response.text == whole[: whole.index(stop)]
    assert response.finish == "stop"
    assert response.output_tokens == len(sizes) < 30


def test_rows_of_a_batch_end_on_their_own(model: HuggingFace, plain: Plain) -> None:
    prompts = ("France", "भारत", "Answer: 👩🏽‍🚀")
    wholes = [plain.decode(plain.generate(prompt, 60)) for prompt in prompts]
    stop = (wholes[0][4:8],)
    requests = [
        request(number, prompt, mode="generate", continuations=(), max_tokens=60, stop=stop)
        for number, prompt in enumerate(prompts)
    ]
    found = answers(model, requests)
    for whole, response in zip(wholes, found, strict=True):
        assert response.text == whole.partition(stop[0])[0]
        assert response.finish == ("stop" if stop[0] in whole else "length")
    assert found[0].finish == "stop"
    assert "length" in {response.finish for response in found}


def test_an_end_token_ends_the_answer(llama: Path, plain: Plain, tmp_path: Path) -> None:
    """Chat models name the token that ends a turn only in generation_config.json, beside sampling settings."""
    tokens = plain.generate("France", 12)
    end = tokens[7]
    folder = shutil.copytree(llama, tmp_path / "ends")
    sampling = {"do_sample": True, "temperature": 5.0, "top_p": 0.1, "repetition_penalty": 9.0, "max_length": 3}
    (folder / "generation_config.json").write_text(json.dumps(sampling | {"eos_token_id": [1, end]}))
    (response,) = answers(opened(folder), [request(0, "France", mode="generate", continuations=(), max_tokens=12)])
    before = tokens[: tokens.index(end)]
    assert (response.text, response.finish) == (plain.decode(before), "stop")
    assert response.output_tokens == len(before)


def test_an_overlong_prompt_leaves_room_for_the_answer(model: HuggingFace, plain: Plain) -> None:
    prompt = "one two three " * POSITIONS
    cut, hopeless = answers(
        model,
        [
            request(0, prompt, mode="generate", continuations=(), max_tokens=4),
            request(1, "x", mode="generate", continuations=(), max_tokens=POSITIONS),
        ],
    )
    kept = plain.encode(prompt)[-(POSITIONS - 4) :]
    whole = plain.model.generate(
        torch.tensor([kept]), max_new_tokens=4, do_sample=False, attention_mask=torch.ones(1, len(kept)), pad_token_id=1
    )
    assert cut.text == plain.decode(whole[0, len(kept) :].tolist())
    assert (cut.status, cut.reason, cut.prompt_tokens) == ("ok", "prompt_truncated", POSITIONS - 4)
    assert (hopeless.status, hopeless.reason) == ("skipped", "too_long")


# Chat templates and tokenizers


def test_the_chat_template_is_applied(chat_llama: Path) -> None:
    model, plain = opened(chat_llama), Plain(chat_llama)
    prompts = ("France", "भारत की राजधानी क्या है?", " with spaces ", "")
    requests = [request(number, prompt) for number, prompt in enumerate(prompts)]
    requests += [request(9, "France", mode="generate", continuations=(), max_tokens=12)]
    found = answers(model, requests)
    for prompt, response in zip(prompts, found, strict=False):
        message = [{"role": "user", "content": prompt}]
        text = plain.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        assert text == f"<s><|user|>\n{prompt}</s>\n<|assistant|>\n"
        pairs = [plain.pair(text, option.removeprefix(" "), special=False) for option in OPTIONS]
        assert pairs[0][0].count(plain.tokenizer.bos_token_id) == 1
        expected = [plain.log_likelihood(*pair) for pair in pairs]
        assert response.loglikelihoods == pytest.approx(expected, abs=1e-4)
    text = f"<s><|user|>\n{prompts[0]}</s>\n<|assistant|>\n"
    assert found[-1].text == plain.decode(plain.generate(text, 12, special=False))
    assert model.template == f"sha256:{hashlib.sha256(CHAT_TEMPLATE.encode()).hexdigest()[:16]}"


def test_a_template_that_does_not_render_is_refused(llama: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(llama, tmp_path / "strict")
    (folder / "chat_template.jinja").write_text("{{ raise_exception('Only even roles') }}")
    assert "does not render one user message (Only even roles)" in refusal(f"hf:{folder}")


def test_a_tokenizer_that_adds_nothing(llama: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(llama, tmp_path / "bare")
    made = json.loads((folder / "tokenizer.json").read_text())
    made["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(made))
    plain = Plain(folder)
    assert plain.encode("France")[0] != plain.tokenizer.bos_token_id
    found = answers(opened(folder), [request(number, prompt) for number, prompt in enumerate(PROMPTS[:4])])
    for prompt, response in zip(PROMPTS, found, strict=False):
        expected = [plain.log_likelihood(*plain.pair(prompt, option)) for option in OPTIONS]
        assert response.loglikelihoods == pytest.approx(expected, abs=1e-4)


# Memory


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.OutOfMemoryError("CUDA out of memory"),
        lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError,
    ],
    ids=["gpu", "cpu", "python"],
)
def test_batches_are_halved_until_they_fit(
    model: HuggingFace, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException]
) -> None:
    requests = [
        request(number, f"France {number}", mode="generate" if number % 2 else "loglikelihood", max_tokens=6)
        for number in range(16)
    ]
    expected = answers(model, requests)
    sizes = limited(monkeypatch, 3, error)
    for one, two in zip(expected, answers(model, requests), strict=True):
        assert one.loglikelihoods == pytest.approx(two.loglikelihoods, abs=1e-4)
        assert (one.status, one.text) == (two.status, two.text)
    assert max(sizes) > 3


def test_one_request_that_memory_cannot_hold_fails_alone(model: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 0, lambda: torch.OutOfMemoryError("CUDA out of memory"))
    scored, generated = answers(model, [request(0, "France"), request(1, "France", mode="generate")])
    assert (scored.status, scored.reason, scored.loglikelihoods) == ("error", "out_of_memory", ())
    assert (generated.status, generated.reason, generated.text) == ("error", "out_of_memory", "")


def test_other_failures_are_not_taken_for_memory(model: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 0, lambda: RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(model.respond([request(0, "France")]))


def test_a_lost_gpu_stops_the_model(model: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 0, lambda: torch.AcceleratorError("CUDA error: device-side assert triggered\nmore"))
    with pytest.raises(ModelStopped, match=r"^the GPU gave up: CUDA error: device-side assert triggered$"):
        list(model.respond([request(0, "France")]))


@pytest.mark.skipif(not GPU, reason="needs a GPU")
def test_on_a_gpu(llama: Path, plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    model = opened(llama)
    requests = [request(number, prompt) for number, prompt in enumerate(PROMPTS)]
    requests += [request(99, "France", mode="generate", max_tokens=8)]
    *scored, generated = answers(model, requests)
    for prompt, response in zip(PROMPTS, scored, strict=True):
        expected = [plain.log_likelihood(*plain.pair(prompt, option)) for option in OPTIONS]
        assert response.loglikelihoods == pytest.approx(expected, rel=0.1, abs=0.5)
    assert (generated.status, generated.output_tokens) == ("ok", 8)
    model.close()


# What can be wrong with a model's name or folder


def refusal(name: str) -> str:
    with pytest.raises(UsageError) as caught:
        load(name, Settings(training=lambda task, language, variety: []))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_folder_without_config(tmp_path: Path) -> None:
    assert "there is no config.json in that folder; give the folder that save_pretrained wrote" in refusal(
        f"hf:{tmp_path}"
    )


def test_neither_folder_nor_repository(tmp_path: Path, llama: Path) -> None:
    assert "no such folder, and no name of a hub repository either" in refusal(f"hf:{tmp_path / 'nowhere'}")
    assert "no such folder, and no name of a hub repository either" in refusal("hf:./nowhere")
    assert "that is a file; give the folder it lies in" in refusal(f"hf:{llama / 'config.json'}")


@pytest.mark.parametrize("file", ["not json", '{"model_type": "nonsense"}', "[]", '{"model_type": "vit"}'])
def test_a_config_that_does_not_fit(llama: Path, tmp_path: Path, file: str) -> None:
    folder = shutil.copytree(llama, tmp_path / "config")
    (folder / "config.json").write_text(file)
    message = refusal(f"hf:{folder}")
    assert "config.json is not one that" in message or "do not load as a causal language model" in message


def test_code_of_its_own_is_never_run(llama: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(llama, tmp_path / "custom")
    (folder / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}')
    (folder / "own.py").write_text("raise SystemExit('it ran')")
    assert "custom code" in refusal(f"hf:{folder}")


@pytest.mark.parametrize("content", [b"", b"garbage" * 9, None], ids=["empty", "garbage", "truncated"])
def test_corrupt_weights(llama: Path, tmp_path: Path, content: bytes | None) -> None:
    folder = shutil.copytree(llama, tmp_path / "corrupt")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100] if content is None else content)
    assert "its weights do not load as a causal language model; copy or download them again" in refusal(f"hf:{folder}")


def test_missing_weights(llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(llama, tmp_path / "missing")
    tensors = load_file(folder / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert "its weights lack 1 tensors of the model in config.json (lm_head.weight, say)" in refusal(f"hf:{folder}")
    tensors["lm_head.weight"] = torch.zeros(3, 3)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert "its weights do not load as a causal language model" in refusal(f"hf:{folder}")
    (folder / "model.safetensors").unlink()
    assert "no file named model.safetensors" in refusal(f"hf:{folder}")


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_no_tokenizer(llama: Path, tmp_path: Path, content: str | None) -> None:
    folder = shutil.copytree(llama, tmp_path / "silent")
    (folder / "tokenizer.json").unlink()
    if content is None:
        (folder / "tokenizer_config.json").unlink()
    else:
        (folder / "tokenizer.json").write_text(content)
    assert "it has no tokenizer that loads; put tokenizer.json and tokenizer_config.json beside" in refusal(
        f"hf:{folder}"
    )


def test_the_hub_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    message = refusal("hf:nobody/nothing")
    assert "no such folder here, and HF_HUB_OFFLINE is set and the cache does not have it" in message
    assert "fetch it first (hf download nobody/nothing)" in message
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert "no such folder here, and the Hugging Face hub does not give it" in refusal("hf:nobody/nothing")


def test_a_cached_repository_is_named_by_its_commit(
    llama: Path, plain: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef" + "0" * 24
    cached = tmp_path / "models--nobody--llama"
    shutil.copytree(llama, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    model = load("hf:nobody/llama", Settings(training=lambda task, language, variety: []))
    assert (model.name, model.revision) == ("hf:nobody/llama", "commit:0123456789abcdef")
    (response,) = model.respond([request(0, "France", mode="generate", max_tokens=6)])
    assert response.text == plain.decode(plain.generate("France", 6))


def test_torch_is_not_installed(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for computing in ("hf_engine", "hf_generation", "hf_network", "hf_scoring", "hf_weights"):
        monkeypatch.delitem(sys.modules, f"bench.models.{computing}", raising=False)
        monkeypatch.delattr(bench.models, computing, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "needs torch and transformers" in (message := refusal(f"hf:{llama}"))
    assert "install the extra `hf`" in message


# The distribution that has the name of our folder


@pytest.fixture
def foreign_kernels(tmp_path: Path) -> Path:
    """A path entry on which Hugging Face's `kernels` counts as installed, in a version that transformers accepts."""
    from transformers.utils.import_utils import KERNELS_MIN_VERSION

    metadata = tmp_path / f"kernels-{KERNELS_MIN_VERSION}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: kernels\nVersion: {KERNELS_MIN_VERSION}\n")
    return tmp_path


def test_the_distribution_kernels_is_refused(
    llama: Path, foreign_kernels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(foreign_kernels))
    assert refusal(f"hf:{llama}").endswith("run: pip uninstall kernels")


def in_a_process(code: str, llama: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (str(ROOT), environment.pop("PYTHONPATH", ""))))
    return subprocess.run(
        [sys.executable, "-c", code, f"hf:{llama}"],
        env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_the_distribution_kernels_does(llama: Path, foreign_kernels: Path) -> None:
    """Why it is refused: with it, transformers imports names that are not in our folder. No switch prevents it."""
    code = """
import sys
from bench.models import Settings, load
from bench.records import UsageError
try:
    load(sys.argv[1], Settings(training=lambda *about: []))
except UsageError as error:
    sys.stdout.write(f"{error}\\n{'torch' in sys.modules}\\n")
try:
    from transformers import AutoModelForCausalLM, LlamaForCausalLM
except ImportError as error:
    sys.stdout.write(f"{error}\\n".replace("\\n", " "))
"""
    run = in_a_process(code, llama, PYTHONPATH=str(foreign_kernels), USE_HUB_KERNELS="NO")
    assert run.returncode == 0, run.stderr
    refused, imported, failed = run.stdout.splitlines()
    assert refused.endswith("run: pip uninstall kernels")
    assert imported == "False"
    assert "cannot import name" in failed
    assert "kernels" in failed


def test_loading_and_answering_print_nothing(llama: Path) -> None:
    """In a process of its own, because progress bars and advice come once per process."""
    code = """
import sys
from bench.models import Settings, load
from tests.bench.models.test_hf import request
model = load(sys.argv[1], Settings(training=lambda *about: []))
long = "one two three " * 1000
generated = (request(1, long, mode="generate"), request(2, "a", mode="generate", stop=("x",)))
list(model.respond([request(0, long), *generated]))
"""
    run = in_a_process(code, llama)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
