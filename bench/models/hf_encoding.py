"""Text to tokens and back for the `hf:` backend, from a loaded tokenizer: imports neither torch nor transformers."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from typing import Any

from bench.models.shortening import beginning
from bench.reasoning import CLOSED, OPENED, apart
from bench.records import Request

Tokens = list[int]

# Words that make a mark of thinking together with the token before them, in families that write it so.
_AFTER_MARK = ("", "thought", "analysis", "final")
# Stands between the name of a channel and what is said in it.
_MESSAGE = "<|message|>"


class Encoder:
    """Text to tokens, as lm-evaluation-harness does it, but for one thing.

    With a chat template a prompt is one user message and no special tokens are added to what the template wrote, where
    lm-evaluation-harness adds a BOS that the template lacks (`docs/parity.md`); without one the tokenizer's own leading
    tokens (BOS, say) are put before it, unless the text begins with BOS itself.

    `thinking` goes to the chat template as `enable_thinking`; None leaves that to the template.
    """

    def __init__(self, tokenizer: Any, thinking: bool | None = None) -> None:
        self.template: str | None = tokenizer.get_chat_template() if tokenizer.chat_template else None
        self.end: int | None = tokenizer.eos_token_id
        self.pad: int | None = tokenizer.pad_token_id
        # transformers writes 10 ** 30 for a tokenizer that knows no limit.
        self.limit: int = min(tokenizer.model_max_length, sys.maxsize)
        self._tokenizer = tokenizer
        self._asked = {} if thinking is None else {"enable_thinking": thinking}
        self._silent = _silent(tokenizer)
        self._start: int | None = self.end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        # Only what stands in front: some tokenizers end every text with EOS, which no text to be continued may have.
        bare, full = self._ids(["a"])[0], list(tokenizer("a")["input_ids"])
        self._leading: Tokens = next((full[:at] for at in range(len(full)) if full[at:][: len(bare)] == bare), [])

    def render(self, prompt: str) -> str:
        """The text that the model reads for a prompt."""
        if self.template is None:
            return prompt
        message = [{"role": "user", "content": prompt}]
        rendered: str = self._tokenizer.apply_chat_template(
            message, tokenize=False, add_generation_prompt=True, **self._asked
        )
        return rendered

    def begins_thinking(self, prompt: str) -> bool:
        """Whether the chat template itself opens the thinking, so that the answer has only its end."""
        if self.template is None:
            return False
        rendered = self.render(prompt).rstrip()
        return any(opened.end() == len(rendered) for opened in OPENED.finditer(rendered))

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

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without those that begin or end every text, and without a chat template's."""
        return [len(tokens) for tokens in self._ids(texts)]

    def shortened(self, text: str, tokens: int) -> str:
        """The text's beginning that has at most so many tokens; see `beginning`."""
        return beginning(text, tokens, lambda part: self.count_tokens([part])[0])

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens back to text, spaces as they are, without special tokens other than those that mark thinking."""
        if self._silent is not None:
            tokens = [token for token in tokens if token not in self._silent]
        decoded: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=self._silent is None, clean_up_tokenization_spaces=False
        )
        return decoded

    def apart(self, tokens: Tokens, text: str, *, begun: bool) -> tuple[str, str, int | None]:
        """(thinking, answer, tokens of the thinking with its marks) of a text that these tokens came to.

        The count is None where there is no thinking.
        """
        thinking, answer = apart(text, begun=begun)
        if not thinking:
            return thinking, answer, None
        before = len(text) - len(answer)
        if not answer:
            return thinking, answer, len(tokens)
        return thinking, answer, bisect_left(range(len(tokens)), before, key=lambda end: len(self.text(tokens[:end])))


def _silent(tokenizer: Any) -> frozenset[int] | None:
    """The special tokens that are no part of an answer; None where all are, and the tokenizer can leave them out."""
    added = tokenizer.added_tokens_decoder
    special = {number for number, token in added.items() if token.special} | set(tokenizer.all_special_ids)
    marks = {number for number in special if number in added and _is_mark(added[number].content)}
    return frozenset(special - marks) if marks else None


def _is_mark(token: str) -> bool:
    whole = (token + word for word in _AFTER_MARK)
    return token == _MESSAGE or any(pattern.match(text) for text in whole for pattern in (OPENED, CLOSED))


def _without(front: Tokens, tokens: Tokens) -> Tokens:
    return tokens[len(front) :] if front and tokens[: len(front)] == front else tokens
