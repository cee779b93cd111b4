"""What `energy.py` measures with: a Llama of random weights, its tokenizer, the same sentences in many languages."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.premium import texts
from bench.premium.texts import Corpus
from tasks.records import Variety

SEED = 20_261_122
BOS, EOS = "<s>", "</s>"
TRAINED_ON = ("eng_Latn", "deu_Latn", "fra_Latn", "spa_Latn", "rus_Cyrl", "cmn_Hans", "arb_Arab")
"""What the tokenizer has seen, English most of all, as those of large models have: other languages cost more tokens."""
LARGEST_VOCABULARY = 32_000
POSITIONS = 4_096


@dataclass(frozen=True)
class Shape:
    """A Llama's dimensions. The vocabulary is padded to this size, as the output layer is a part of every step."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int


SHAPES = {
    "1M": Shape(64, 192, 2, 2, 1, 4_096),
    "125M": Shape(768, 2_048, 12, 12, 12, 32_000),
    "1B": Shape(2_048, 8_192, 16, 32, 8, 128_256),
    "3B": Shape(3_072, 8_192, 28, 24, 8, 128_256),
    "8B": Shape(4_096, 14_336, 32, 32, 8, 128_256),
    "13B": Shape(5_120, 13_824, 40, 40, 40, 128_256),
    "30B": Shape(6_656, 17_920, 60, 52, 52, 32_000),
    "70B": Shape(8_192, 28_672, 80, 64, 8, 128_256),
}
"""Those of Llama 3.x where it has the size, of Llama 1 and 2 elsewhere; 1M only shows that everything runs."""


def sentences(folder: Path, codes: Sequence[str], count: int) -> Path:
    """Writes the same NTREX sentences in every language, and the task that asks them; returns the task's file.

    The files of NTREX that the premium is counted on come along in `data`, so that the folder can be carried elsewhere.
    Raises `UsageError` where NTREX is not here, or has no such language.
    """
    task = folder / "parallel.toml"
    if task.is_file():
        return task
    corpus = texts.corpus("ntrex")
    varieties = [_variety(corpus, code) for code in codes if code != texts.ENGLISH]
    whole = {variety.language: corpus.pairs(variety) for variety in varieties}
    # A sentence that one language lacks is left out of all.
    common = set.intersection(*(set(pairs.english) for pairs in whole.values()))
    first = next(iter(whole.values()))
    chosen = list(dict.fromkeys(one for one in first.english if one in common))[:count]
    told = {code: dict(zip(pairs.english, pairs.texts, strict=True)) for code, pairs in whole.items()}
    told[texts.ENGLISH] = {one: one for one in chosen}
    folder.mkdir(parents=True, exist_ok=True)
    for code, of_english in told.items():
        with (folder / f"{code}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "text"))
            writer.writerows((number, of_english[one]) for number, one in enumerate(chosen))
    # English is read beside the corpus's first language, wherever no other is asked for.
    for variety in (corpus.varieties[0], *varieties):
        for path in corpus.task.source.fingerprint(variety, "test"):
            target = folder / "data" / corpus.task.source.dataset / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(corpus.task.source.fetch(path).path, target)
    task.write_text(_declaration(list(told)), encoding="utf-8")
    return task


def _variety(corpus: Corpus, code: str) -> Variety:
    [variety, *_] = sorted(corpus.chosen([code]), key=lambda one: one.variety)
    return variety


def _declaration(codes: Sequence[str]) -> str:
    listed = ", ".join(f'"{code}"' for code in sorted(codes))
    return f"""name = "parallel-prompts"
dataset = "parallel-prompts"
title = "The same sentences of NTREX-128 in several languages"
area = "knowledge"
kind = "generation"
metrics = ["chrf++"]
languages = [{listed}]
licence = "CC-BY-SA-4.0"
contamination = "Public since 2022."
answer_language = "own"
max_tokens = 256

[source]
format = "csv"
test = "{{code}}.csv"

[sample]
item = "{{id}}"
fields = {{ text = "{{text}}" }}
references = ["{{text}}"]

[prompt]
text = "{{text}}"
"""


def limit_answers(task: Path, tokens: int) -> None:
    """Sets the length of answers in the task's file: random weights never end one of themselves."""
    lines = task.read_text("utf-8").splitlines()
    changed = [f"max_tokens = {tokens}" if line.startswith("max_tokens") else line for line in lines]
    task.write_text("\n".join(changed) + "\n", encoding="utf-8")


def tokenizer(folder: Path, vocabulary: int) -> Path:
    """Trains a byte-level BPE of so many tokens at most, unless it is there; returns its folder, in `folder`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    size = min(vocabulary, LARGEST_VOCABULARY)
    folder /= f"tokenizer-{size}"
    path = folder / "tokenizer.json"
    if path.is_file():
        return folder
    made: Any = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(_lines(), trainer)
    made.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": BOS, "eos_token": EOS}
    _write(folder / "tokenizer_config.json", {**facts, "model_max_length": POSITIONS})
    made.save(str(path))
    return folder


def _lines() -> Iterator[str]:
    corpus = texts.corpus("ntrex")
    for code in TRAINED_ON:
        if code == texts.ENGLISH:
            yield from corpus.pairs(corpus.varieties[0]).english
        else:
            # A tenth of what English has.
            yield from corpus.pairs(_variety(corpus, code)).texts[::10]


def llama(folder: Path, name: str, dtype: str, texts_by: Path) -> int:
    """Writes config and weights, one layer at a time, so that no more than one is in memory; returns the parameters.

    `texts_by` is the folder of the tokenizer, which is copied beside them.

    Rows of the output layer that are no token, or would end an answer, are zero: never the largest of thousands of
    numbers of which half are above zero.
    """
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer

    shape = SHAPES[name]
    shutil.copytree(texts_by, folder, dirs_exist_ok=True)
    known = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    numbers: Any = getattr(torch, dtype)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    index = folder / "model.safetensors.index.json"
    wanted = _config(shape, dtype)
    if index.is_file() and json.loads((folder / "config.json").read_text("utf-8")) == wanted:
        return int(json.loads(index.read_text("utf-8"))["metadata"]["total_parameters"])
    generator = torch.Generator(device).manual_seed(SEED)

    def drawn(*size: int) -> Any:
        made = torch.empty(*size, dtype=numbers, device=device)
        return made.normal_(0.0, 0.02, generator=generator)

    places: dict[str, str] = {}
    total = 0

    def save(tensors: dict[str, Any], part: int) -> None:
        nonlocal total
        file = f"model-{part:05d}-of-{shape.layers + 2:05d}.safetensors"
        save_file({key: value.cpu().contiguous() for key, value in tensors.items()}, folder / file, {"format": "pt"})
        places.update(dict.fromkeys(tensors, file))
        total += sum(value.numel() for value in tensors.values())

    width, head = shape.hidden, shape.hidden // shape.heads
    save({"model.embed_tokens.weight": drawn(shape.vocabulary, width)}, 1)
    for layer in range(shape.layers):
        parts = {
            "self_attn.q_proj": (width, width),
            "self_attn.k_proj": (shape.key_heads * head, width),
            "self_attn.v_proj": (shape.key_heads * head, width),
            "self_attn.o_proj": (width, width),
            "mlp.gate_proj": (shape.intermediate, width),
            "mlp.up_proj": (shape.intermediate, width),
            "mlp.down_proj": (width, shape.intermediate),
        }
        before = f"model.layers.{layer}"
        tensors = {f"{before}.{part}.weight": drawn(*size) for part, size in parts.items()}
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{before}.{norm}.weight"] = torch.ones(width, dtype=numbers)
        save(tensors, layer + 2)
    output = drawn(shape.vocabulary, width)
    output[known:] = 0
    output[:2] = 0  # BOS and EOS
    save({"model.norm.weight": torch.ones(width, dtype=numbers), "lm_head.weight": output}, shape.layers + 2)
    _write(folder / "config.json", wanted)
    facts = {"total_size": total * numbers.itemsize, "total_parameters": total}
    _write(index, {"metadata": facts, "weight_map": places})
    return total


def _config(shape: Shape, dtype: str) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": POSITIONS,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "attention_bias": False,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "torch_dtype": dtype,
    }


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
