"""Text to tokens and back for the `hf:` backend, from a loaded tokenizer: imports neither torch nor transformers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any

from bench.records import Request

Tokens = list[int]


class Encoder:
    """Text to tokens, as lm-evaluation-harness does it, but for one thing.

    With a chat template a prompt is one user message and no special tokens are added to what the template wrote, where
    lm-evaluation-harness adds a BOS that the template lacks (`docs/parity.md`); without one the tokenizer's own leading
    tokens (BOS, say) are put before it, unless the text begins with BOS itself.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.template: str | None = tokenizer.get_chat_template() if tokenizer.chat_template else None
        self.end: int | None = tokenizer.eos_token_id
        self.pad: int | None = tokenizer.pad_token_id
        # transformers writes 10 ** 30 for a tokenizer that knows no limit.
        self.limit: int = min(tokenizer.model_max_length, sys.maxsize)
        self._tokenizer = tokenizer
        self._start: int | None = self.end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        # Only what stands in front: some tokenizers end every text with EOS, which no text to be continued may have.
        bare, full = self._ids(["a"])[0], list(tokenizer("a")["input_ids"])
        self._leading: Tokens = next((full[:at] for at in range(len(full)) if full[at:][: len(bare)] == bare), [])

    def render(self, prompt: str) -> str:
        """The text that the model reads for a prompt."""
        if self.template is None:
            return prompt
        message = [{"role": "user", "content": prompt}]
        rendered: str = self._tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        return rendered

    def prompts(self, requests: Sequence[Request]) -> list[Tokens]:
        """The tokens of each request's prompt."""
        return [self._led(tokens) for tokens in self._ids([self.render(request.prompt) for request in requests])]

    def pairs(self, requests: Sequence[Request]) -> list[list[tuple[Tokens, Tokens]]]:
        """Per request, each continuation as (context tokens, continuation tokens).

        Spaces that end the context (and the line break that ends most chat templates) move to the continuation. The
        continuation's tokens are what the whole text has past the context's number of tokens. Where a token spans
        both, the whole is no extension of the context, and the part of it that lies inside is dropped from the
        continuation; lm-evaluation-harness does the same, and numbers are comparable only if we do.
        """
        split = [self._split(request) for request in requests]
        texts = [text for context, tails in split for text in (context, *(context + tail for tail in tails))]
        encoded = iter(self._ids(texts))
        pairs = []
        for _, tails in split:
            context = next(encoded)
            front = self._led(context)
            # Leading tokens stand before the whole as before the context, so that both are counted without them.
            bare = [whole[len(context) :] for whole in islice(encoded, len(tails))]
            pairs.append([(front, tokens if context else _without(front, tokens)) for tokens in bare])
        return pairs

    def _split(self, request: Request) -> tuple[str, list[str]]:
        whole = self.render(request.prompt)
        context = whole.rstrip()
        # After a chat template the answer begins a message, and no message begins with a space.
        space = " " if self.template is not None else ""
        return context, [whole[len(context) :] + text.removeprefix(space) for text in request.continuations]

    def _led(self, tokens: Tokens) -> Tokens:
        """What the model reads: an empty text is the BOS (or EOS) token; nothing where the tokenizer has neither."""
        if not tokens:
            return [] if self._start is None else [self._start]
        if self.template is not None:
            return tokens
        return self._leading + _without(self._leading, tokens)

    def _ids(self, texts: Sequence[str]) -> list[Tokens]:
        if not texts:
            return []
        return [list(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens back to text, special tokens left out and spaces as they are."""
        decoded: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return decoded


def _without(front: Tokens, tokens: Tokens) -> Tokens:
    return tokens[len(front) :] if front and tokens[: len(front)] == front else tokens
