"""Small models for `lm_eval_parity.py`: a Llama of random weights under several tokenizers, and one that was taught.

Each tokenizer is a case in which two programs can part ways on what the continuation of a prompt is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests are no installed package

from tests.fixtures_llama import BOS, CHAT_TEMPLATE, EOS, POSITIONS, build_llama

TOPICS = ("science", "travel", "politics", "sports")
VOCABULARY = 1024
"""Tokens that the fixture's weights have room for."""
LESSONS = 48
"""Questions that the taught model knows the answers to, the shortest ones; steps of teaching, 12 questions each."""
STEPS = 80
SOLVE = '\n\nWork it out step by step, then write the answer as one number on a last line that starts with "Answer:".'


def words(folder: Path, data: Path) -> None:
    """Byte-level BPE that never joins two words, BOS in front: Llama 3's kind. The space goes with the option."""
    build_llama(folder)


def spanning(folder: Path, data: Path) -> None:
    """Byte-level BPE that joins words, at most four bytes to a token: ": k" is one, half prompt and half option."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    _train(tokenizer, data, [], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), max_token_length=4)
    build_llama(folder)
    _save(tokenizer, folder, leading=True)


def metaspace(folder: Path, data: Path) -> None:
    """BPE with spaces as "▁", one put before every text, and bytes for what has no token: Llama 2's kind."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    _train(tokenizer, data, ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))], limit_alphabet=200)
    build_llama(folder)
    _save(tokenizer, folder, leading=True)


def bare(folder: Path, data: Path) -> None:
    """Nothing in front of a text: GPT-2's and Qwen's kind."""
    from tokenizers import Tokenizer, processors

    build_llama(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    _save(tokenizer, folder, leading=False)


def chat(folder: Path, data: Path) -> None:
    """A chat template that writes BOS and ends in a line break; lm_eval is run with --apply_chat_template."""
    build_llama(folder, chat_template=CHAT_TEMPLATE)


def unled(folder: Path, data: Path) -> None:
    """A chat template without BOS, of a tokenizer that puts BOS before bare texts.

    lm_eval would put it before the template's text too, and is run with add_bos_token=False.
    """
    build_llama(folder, chat_template=CHAT_TEMPLATE.replace("{{ bos_token }}", ""))


def taught(folder: Path, data: Path) -> None:
    """Taught the answers to 48 of MGSM's Swahili questions: it ends by itself, and some of its answers are right."""
    import torch
    import transformers

    torch.set_num_threads(1)  # many times faster than two on a machine that is busy
    build_llama(folder)
    untyped: Any = transformers
    tokenizer = untyped.AutoTokenizer.from_pretrained(folder)
    model = untyped.AutoModelForCausalLM.from_pretrained(folder)
    rows = [line.split("\t") for line in (data / "mgsm" / "mgsm_sw.tsv").read_text("utf-8").rstrip("\n").split("\n")]
    rows.sort(key=lambda row: len(row[0]))
    batches = []
    for start in range(0, LESSONS, 12):
        chosen = rows[start : start + 12]
        asked = [tokenizer(question + SOLVE).input_ids for question, _ in chosen]
        said = [tokenizer(f" Answer: {number}{EOS}", add_special_tokens=False).input_ids for _, number in chosen]
        width = max(map(len, asked)) + max(map(len, said))
        ids = torch.full((len(chosen), width), tokenizer.eos_token_id)
        labels = torch.full_like(ids, -100)  # -100: not learnt
        for row, (before, after) in enumerate(zip(asked, said, strict=True)):
            ids[row, : len(before) + len(after)] = torch.tensor(before + after)
            labels[row, len(before) : len(before) + len(after)] = torch.tensor(after)
        batches.append((ids, labels))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(STEPS):
        ids, labels = batches[step % len(batches)]
        optimiser.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimiser.step()
    model.save_pretrained(folder)


def _train(tokenizer: Any, data: Path, special: list[str], **how: Any) -> None:
    """Learns from XCOPA's validation items, worded like prompts: ": " and what follows it come often."""
    from tokenizers import trainers

    texts = []
    for code in ("qu", "sw", "th"):
        path = data / "xcopa" / "data" / code / f"val.{code}.jsonl"
        for line in path.read_text("utf-8").rstrip("\n").split("\n"):
            item = json.loads(line)
            texts += [f"{item['premise']}\n\nAnswer: {item[option]}" for option in ("choice1", "choice2")]
            texts += [f"Topic: {topic}" for topic in TOPICS]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[BOS, EOS, *special], show_progress=False, **how
    )
    tokenizer.train_from_iterator(texts, trainer)


def _save(tokenizer: Any, folder: Path, *, leading: bool) -> None:
    """Puts the tokenizer in the place of the fixture's, with BOS before every text or with nothing."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    if leading:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
        )
    untyped: Any = PreTrainedTokenizerFast
    made = untyped(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, model_max_length=POSITIONS)
    made.save_pretrained(folder)


MODELS = {made.__name__: made for made in (words, spanning, metaspace, bare, chat, unled, taught)}
"""By name, what makes a model's folder from the data mirror."""
