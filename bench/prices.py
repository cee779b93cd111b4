"""What tokens cost: a price, what an answer came to, and the most that a request can come to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench.records import Request, Response

MILLION = 1_000_000

TEMPLATE_TOKENS = 512
"""Room for what a chat template puts around a prompt, in tokens."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a provider asks, in `currency` per million tokens, as seen on the day `as_of` (ISO 8601) at `source`.

    Thinking is paid as output. `cached_input` is the price of prompt tokens that the provider had in its cache; None
    where they cost what the others cost. `batch_input` and `batch_output` are those of the batch API, if there is one.
    All hold for prompts of up to `up_to` tokens; None where they hold for every prompt. `overhead` is the most tokens
    that are sent beside a request's own prompt, such as a system prompt and what the chat template adds.
    """

    input: float
    output: float
    currency: str
    as_of: str
    source: str
    cached_input: float | None = None
    batch_input: float | None = None
    batch_output: float | None = None
    up_to: int | None = None
    overhead: int = TEMPLATE_TOKENS

    def batched(self) -> Price | None:
        """The price of the same model's batch API; None where it has none or it is not known.

        Prompt tokens from the cache are taken to cost what the others do: only some providers say what they cost there.
        """
        if self.batch_input is None or self.batch_output is None:
            return None
        return replace(self, input=self.batch_input, output=self.batch_output, cached_input=None)

    def of(self, response: Response) -> float | None:
        """What one answer cost; None where the backend does not know its tokens, or this price does not hold for them.

        An attempt that failed is not in it.
        """
        if response.prompt_tokens is None or response.output_tokens is None or not self._holds(response.prompt_tokens):
            return None
        cached = response.cached_tokens or 0
        lower = self.input if self.cached_input is None else self.cached_input
        paid = (response.prompt_tokens - cached) * self.input + cached * lower + response.output_tokens * self.output
        return paid / MILLION

    def at_most(self, request: Request, reasoning_tokens: int = 0) -> float:
        """The most that asking once can cost: infinite where the prompt may be too long for this price.

        A token stands for at least one byte of UTF-8, as in every byte-level tokenizer and in others with their byte
        fallback. `reasoning_tokens` is the room for thinking on top of the request's own limit. Where log-likelihoods
        are asked for, the bare prompt and each continuation are prompts of their own, perhaps asked twice (the second
        time by token numbers), and where nothing is to be generated one token is.
        """
        scored = 2 * ("", *request.continuations) if request.mode == "loglikelihood" else ("",)
        tokens = [len((request.prompt + text).encode(errors="surrogatepass")) + self.overhead for text in scored]
        if not all(map(self._holds, tokens)):
            return math.inf
        room = max(1, request.max_tokens) + reasoning_tokens
        return sum(size * self.input + room * self.output for size in tokens) / MILLION

    def _holds(self, prompt_tokens: int) -> bool:
        return self.up_to is None or prompt_tokens <= self.up_to
