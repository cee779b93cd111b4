"""A real Llama too small to be good at anything: random weights, and a byte-level tokenizer that reads every script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from babel import Locale

BOS = "<s>"
EOS = "</s>"
POSITIONS = 1024

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)

# One locale for each of a dozen scripts; their names of languages and countries are the tokenizer's whole world.
LOCALES = ("en", "fr", "yo", "ru", "el", "hi", "bn", "ar", "he", "am", "ka", "th", "ja", "ko", "zh_Hant")


def build_llama(folder: Path, *, chat_template: str | None = None, seed: int = 0, heads: int = 4) -> Path:
    """Writes config, weights and tokenizer to `folder` as save_pretrained lays them out; the same every time.

    Texts begin with BOS, as Llama's do. There is no padding token, as in most base models. Two heads have 32 numbers
    each, the fewest that vLLM computes with on the CPU.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=[BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    untyped: Any = PreTrainedTokenizerFast
    fast = untyped(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, model_max_length=POSITIONS)
    fast.chat_template = chat_template
    fast.save_pretrained(folder)

    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        max_position_embeddings=POSITIONS,
        bos_token_id=tokenizer.token_to_id(BOS),
        eos_token_id=tokenizer.token_to_id(EOS),
        # Ten times the usual spread: with small weights every next token is about as likely as every other.
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _texts() -> list[str]:
    texts = []
    for name in LOCALES:
        locale = Locale.parse(name)
        names = (*locale.languages.values(), *locale.territories.values())
        texts.append(", ".join(names))
    return texts


def recite(folder: Path, successors: Mapping[int, int]) -> None:
    """Changes the weights in the folder so that each of these tokens is followed by the one given, whatever is before.

    Nothing but the last token counts: attention and MLP add nothing to its embedding, which the output layer has in the
    row of its successor.
    """
    import torch
    from transformers import LlamaForCausalLM

    untyped: Any = LlamaForCausalLM
    model = untyped.from_pretrained(folder)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        for token, successor in successors.items():
            model.lm_head.weight[successor] = 9 * model.model.embed_tokens.weight[token]
    model.save_pretrained(folder)
