"""Contexts that are computed once, in every kind of model, against one plain unbatched pass of transformers itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

from bench.models import hf, hf_trees
from bench.models.hf_trees import Target, Tree
from bench.records import Response
from tests.bench.models.test_hf import Plain, answers, limited, opened, request

torch.set_num_threads(1)

OPTIONS = (" Yemen", " the United Kingdom and Ireland", " Zaïre, France", " the United States of America", " A")
CONTEXT = "Afghanistan, Albania, Algeria, " * 12
SMALL: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
WINDOW = 40
SLIDING: dict[str, Any] = {"intermediate_size": 128, "num_key_value_heads": 2, "head_dim": 16, "sliding_window": WINDOW}


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu() -> Iterator[None]:
    """A GPU computes in bfloat16, which is too coarse for comparisons to 1e-4."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


def built(folder: Path, llama: Path, kind: str, **fields: Any) -> Path:
    """Another architecture with random weights, and the tokenizer of the Llama."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(llama)
    tokenizer.save_pretrained(folder)
    spread = {"initializer_range": 0.2} if "init_std" not in fields else {}
    config = getattr(transformers, f"{kind}Config")(
        **{"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1} | spread | fields
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def assert_equal_to_plain(folder: Path, model: hf.HuggingFace, contexts: Sequence[str]) -> list[Response]:
    plain = Plain(folder)
    found = answers(model, [request(number, text, continuations=OPTIONS) for number, text in enumerate(contexts)])
    for text, response in zip(contexts, found, strict=True):
        expected = [plain.log_likelihood(*plain.pair(text, option)) for option in OPTIONS]
        assert response.loglikelihoods == pytest.approx(expected, rel=1e-5, abs=1e-4)
    return found


def columns(model: hf.HuggingFace) -> int:
    """How many tokens the model has read, padding included."""
    assert model._engine is not None
    return model._engine._network.count.columns


# Trees


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=12),
    st.integers(1, 20),
)
def test_a_tree_holds_every_continuation(context: list[int], options: list[list[int]], most: int) -> None:
    targets = [Target(0, number, tuple(tokens)) for number, tokens in enumerate(options)]
    grown = list(hf_trees.trees(tuple(context), targets, most))
    assert [target for tree in grown for target in tree.targets] == targets
    for tree in grown:
        assert len(tree.tokens) <= max(most, *(len(target.tokens) for target in tree.targets))
        branches = [read(tree, node) for node in range(len(tree.tokens))]
        assert len(set(branches)) == len(branches)
        assert [len(branch) - 1 for branch in branches] == tree.depths
        for target, path in zip(tree.targets, tree.paths, strict=True):
            before = [(*context[-1:], *target.tokens[:count]) for count in range(len(target.tokens))]
            assert [branches[node] for node in path] == before
        passage = tree.passage()
        assert (passage is None) == (len(set(tree.parents[1:])) < len(tree.parents) - 1)
        if passage is not None:
            assert passage.read == (*context, *tree.tokens[1:])


def read(tree: Tree, node: int) -> tuple[int, ...]:
    return (*(read(tree, tree.parents[node]) if node else ()), tree.tokens[node])


# The context once


def test_a_context_is_read_once(llama: Path) -> None:
    model, plain = opened(llama), Plain(llama)
    assert_equal_to_plain(llama, model, [CONTEXT])
    pairs = [plain.pair(CONTEXT, option) for option in OPTIONS]
    context = len(pairs[0][0])
    assert context < columns(model) < context + sum(len(tokens) for _, tokens in pairs)


def test_requests_with_the_same_context_share_it(llama: Path) -> None:
    model, plain = opened(llama), Plain(llama)
    asked = [request(number, CONTEXT, continuations=(option,)) for number, option in enumerate(OPTIONS)]
    found = answers(model, asked)
    for option, response in zip(OPTIONS, found, strict=True):
        assert response.loglikelihoods == pytest.approx([plain.log_likelihood(*plain.pair(CONTEXT, option))], abs=1e-4)
        assert response.prompt_tokens == len(plain.pair(CONTEXT, option)[0])
    assert columns(model) < 1.5 * len(plain.encode(CONTEXT))


def test_letters_are_read_off_the_context(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, plain = opened(llama), Plain(llama)
    letters = tuple(option for option in map(chr, range(33, 127)) if len(plain.pair("Answer: (", option)[1]) == 1)[:4]
    assert len(letters) == 4
    sizes = limited(monkeypatch, 99, RuntimeError)
    (response,) = answers(model, [request(0, "Answer: (", mode="first_token", continuations=letters)])
    assert sizes == [1]
    expected = [plain.log_likelihood(*plain.pair("Answer: (", letter)) for letter in letters]
    assert response.loglikelihoods == pytest.approx(expected, abs=1e-4)


def test_contexts_of_many_lengths(llama: Path) -> None:
    contexts = ["", "x", "France", *("one two three " * count for count in (1, 2, 5, 9, 10, 11, 40))]
    assert_equal_to_plain(llama, opened(llama), contexts)


def test_options_at_the_limit_lose_their_own_part_of_the_context(llama: Path) -> None:
    """Options of other lengths leave room for other contexts, which are then not shared."""
    plain, model = Plain(llama), opened(llama)
    context = "one two three " * 300
    (response,) = answers(model, [request(0, context, continuations=OPTIONS)])
    expected = []
    for option in OPTIONS:
        front, tokens = plain.pair(context, option)
        expected.append(plain.log_likelihood(front[-(1024 + 1 - len(tokens)) :], tokens))
    assert response.loglikelihoods == pytest.approx(expected, abs=1e-4)
    assert response.reason == "prompt_truncated"


def test_options_by_the_hundred_are_bounded(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.models import hf_scoring

    monkeypatch.setattr(hf_scoring, "NODES", 16)
    plain, model = Plain(llama), opened(llama)
    options = tuple(f" {number} of {number + 1}" for number in range(60))
    (response,) = answers(model, [request(0, "France", continuations=options)])
    expected = [plain.log_likelihood(*plain.pair("France", option)) for option in options]
    assert response.loglikelihoods == pytest.approx(expected, abs=1e-4)


def test_logits_are_bounded(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.models import hf_scoring

    monkeypatch.setattr(hf_scoring, "LOGITS", 40 * 1024)  # forty columns
    model = opened(llama)
    sizes = limited(monkeypatch, 99, RuntimeError)
    assert_equal_to_plain(llama, model, [f"{CONTEXT}{number}" for number in range(8)])
    assert max(sizes) <= 4


def test_batches_of_shared_contexts_are_halved_until_they_fit(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(llama)
    sizes = limited(monkeypatch, 2, lambda: torch.OutOfMemoryError("CUDA out of memory"))
    contexts = [f"{CONTEXT}{number}" for number in range(6)]
    found = answers(model, [request(number, text, continuations=OPTIONS) for number, text in enumerate(contexts)])
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert {response.status for response in found} == {"ok"}
    assert max(sizes) == 6


# Other kinds of models

SHARING: dict[str, Callable[..., dict[str, Any]]] = {
    "GPT2": lambda: {"n_embd": 64, "n_layer": 2, "n_head": 4},
    "GPTNeoX": lambda: SMALL | {"intermediate_size": 128},
    "OPT": lambda: SMALL | {"ffn_dim": 128, "word_embed_proj_dim": 64, "init_std": 0.2},
    "Qwen3": lambda: SMALL | {"intermediate_size": 128, "num_key_value_heads": 2, "head_dim": 16},
    "Mixtral": lambda: SMALL | {"intermediate_size": 128, "num_key_value_heads": 2, "num_local_experts": 4},
}


@pytest.mark.parametrize("kind", SHARING)
def test_models_that_share(llama: Path, tmp_path: Path, kind: str) -> None:
    folder = built(tmp_path / kind, llama, kind, **SHARING[kind]())
    model = opened(folder)
    assert_equal_to_plain(folder, model, [CONTEXT, "France", "x"])
    assert columns(model) < 2 * len(Plain(folder).encode(CONTEXT))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Gemma2", {}),
        ("Mistral", {}),
        ("Gemma3Text", {"layer_types": ["sliding_attention", "full_attention"]}),
    ],
    ids=["gemma2", "mistral", "gemma3"],
)
def test_sliding_windows_share_what_they_see_whole(
    llama: Path, tmp_path: Path, kind: str, fields: dict[str, Any]
) -> None:
    folder = built(tmp_path / kind, llama, kind, **SMALL | SLIDING | fields)
    model, plain = opened(folder), Plain(folder)
    assert model._engine is not None
    assert model._engine._scorer._reach == WINDOW - 1
    edge = ["a" * count for count in range(WINDOW - 12, WINDOW + 4)]
    assert_equal_to_plain(folder, model, [CONTEXT, "France", *edge])
    assert len(plain.encode(CONTEXT)) > 2 * WINDOW


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 4}),  # ALiBi: no positions
        ("Mamba", {"hidden_size": 64, "num_hidden_layers": 2}),  # no keys and values
        (  # positions, and ALiBi all the same
            "Falcon",
            {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "alibi": True},
        ),
        (  # a mask of its own, by columns
            "GPTNeo",
            {"hidden_size": 64, "num_heads": 4, "num_layers": 2, "attention_types": [[["global", "local"], 1]]},
        ),
    ],
    ids=["bloom", "mamba", "falcon", "gpt_neo"],
)
def test_models_that_cannot_share(llama: Path, tmp_path: Path, kind: str, fields: dict[str, Any]) -> None:
    folder = built(tmp_path / kind, llama, kind, **fields)
    model = opened(folder)
    assert model._engine is not None
    assert model._engine._scorer._reach == 0
    assert_equal_to_plain(folder, model, [CONTEXT, "France"])


def test_angles_that_change_with_the_longest_of_a_batch(llama: Path, tmp_path: Path) -> None:
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": WINDOW}
    rope |= {"long_factor": [4.0] * 8, "short_factor": [1.0] * 8}
    more = {"max_position_embeddings": 1024, "original_max_position_embeddings": WINDOW, "rope_parameters": rope}
    fields = SMALL | {"intermediate_size": 128, "num_key_value_heads": 2} | more
    folder = built(tmp_path / "phi3", llama, "Phi3", **fields)
    assert_equal_to_plain(folder, opened(folder), ["a" * count for count in range(WINDOW - 12, WINDOW + 6)])
