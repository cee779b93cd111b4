"""What tokens cost: a price, and what an answer came to."""

from __future__ import annotations

from dataclasses import dataclass

from bench.records import Response

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a provider asks, in `currency` per million tokens, as seen on the day `as_of` (ISO 8601) at `source`.

    Thinking is paid as output. `cached_input` is the price of prompt tokens that the provider had in its cache; None
    where they cost what the others cost.
    """

    input: float
    output: float
    currency: str
    as_of: str
    source: str
    cached_input: float | None = None

    def of(self, response: Response) -> float | None:
        """What one answer cost; None where the backend does not know its tokens. An attempt that failed is not in it."""
        if response.prompt_tokens is None or response.output_tokens is None:
            return None
        cached = response.cached_tokens or 0
        lower = self.input if self.cached_input is None else self.cached_input
        paid = (response.prompt_tokens - cached) * self.input + cached * lower + response.output_tokens * self.output
        return paid / MILLION
