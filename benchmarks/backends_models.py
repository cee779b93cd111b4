"""Models and texts that the parts of `backends.py` measure with: random weights, so that only time means something."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests are no installed package

from backends_measure import Failed

POSITIONS = 2_048
CONTEXT = 1_000
OPTION = (10, 20)
SEED = 20_260_731


@dataclass(frozen=True)
class Item:
    """A question with options; all texts begin and end in a word."""

    context: str
    options: tuple[str, str, str, str]


def llama(folder: Path) -> Path:
    """A Llama of 11 million parameters with the tests' tokenizer, made once in the folder. Raises `Failed`."""
    if (folder / "model.safetensors").is_file():
        return folder
    try:
        import torch
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
        from transformers.utils import logging as advice

        from tests.fixtures_llama import build_llama
    except ImportError as error:
        raise Failed(f"the models are made with torch and transformers: pip install '.[hf]' ({error})") from error
    quiet: Any = advice
    quiet.disable_progress_bar()
    build_llama(folder)
    untyped: Any = AutoTokenizer
    tokenizer = untyped.from_pretrained(folder)
    tokenizer.model_max_length = POSITIONS
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=384,
        intermediate_size=1_024,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=POSITIONS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        # Wider than usual: with small weights every next token is about as likely as every other.
        initializer_range=0.1,
    )
    torch.manual_seed(SEED)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def texts(folder: Path) -> Callable[[int, int], str]:
    """(number, tokens) -> words of as many tokens, or up to two fewer; other words for another number."""
    from babel import Locale
    from transformers import AutoTokenizer

    untyped: Any = AutoTokenizer
    tokenizer = untyped.from_pretrained(folder)
    names = [name for code in ("en", "fr", "yo") for name in Locale.parse(code).territories.values()]
    words = sorted({word for name in names for word in name.split() if word.isalpha()})
    lengths = {word: len(tokenizer(f" {word}", add_special_tokens=False).input_ids) for word in words}

    def made(number: int, tokens: int) -> str:
        drawn, chosen = random.Random(SEED + number), []
        while tokens > 2:
            word = drawn.choice(words)
            if lengths[word] <= tokens:
                chosen.append(word)
                tokens -= lengths[word]
        return " ".join(chosen)

    return made


def items(folder: Path, count: int) -> list[Item]:
    """Multiple choice as it was wished: 1,000 tokens of context, give or take three, and 4 options of 10 to 20."""
    made, drawn, found = texts(folder), random.Random(SEED), []
    for number in range(count):
        # The words' first one has a token more where no space is before it: room is left for that.
        lengths = [drawn.randint(OPTION[0] + 2, OPTION[1]) for _ in range(4)]
        a, b, c, d = (made(1_000 * number + 1 + place, length) for place, length in enumerate(lengths))
        found.append(Item(made(1_000 * number, CONTEXT - 5), (a, b, c, d)))
    return found
