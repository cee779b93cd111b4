"""Generated answers of the `hf:` backend, greedy or drawn, rows that are done taken out of the batch. Imports torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from bench.backend import PROMPT_TRUNCATED, TOO_LONG
from bench.models.hf_batching import TOKENS, WASTE, Count, batches
from bench.models.hf_encoding import Encoder, Tokens
from bench.models.hf_network import Network, halving
from bench.records import Request, Response

ROOM = 4 * TOKENS
"""Tokens at a time with all that may be answered: most answers end early, and their memory is taken as they grow."""
ENOUGH = 0.25
"""The share of a batch's rows that have to be done before the others go on without them: leaving costs a copy."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How the next token is drawn: the likeliest where `temperature` is 0, else one of the likeliest `top_p`."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A generation request as tokens. `begun`: the prompt itself opens the thinking."""

    request: Request
    tokens: Tokens
    truncated: bool
    begun: bool


@dataclass(frozen=True, slots=True)
class Generated:
    """What one row of a generation batch came to."""

    text: str
    finish: Literal["stop", "length"]
    tokens: int
    thinking: str
    thinking_tokens: int | None


class Writer:
    """Generates with one model. `rows` is sequences at a time; `skip` leaves out prompts that are too long.

    `waste` is the largest share of a batch that may be padding.
    """

    def __init__(
        self,
        network: Network,
        encoder: Encoder,
        rows: int,
        drawing: Drawing,
        *,
        skip: bool,
        waste: float = WASTE,
    ) -> None:
        self._network = network
        self._encoder = encoder
        self._rows = rows
        self._drawing = drawing
        self._skip = skip
        self._waste = waste

    def write(
        self, requests: Sequence[Request], max_tokens: int, stop: tuple[str, ...], *, exact: bool = False
    ) -> Iterator[Response]:
        """Answers every request once. `exact`: nothing ends an answer before it has `max_tokens` tokens."""
        ends: frozenset[int] = frozenset() if exact else self._network.ends
        room = self._network.limit - max_tokens
        prompts = []
        for request, tokens in zip(requests, self._encoder.prompts(requests), strict=True):
            truncated = len(tokens) > room
            if room < 1 or (truncated and self._skip):
                yield Response(request.id, "skipped", reason=TOO_LONG)
            elif not tokens:
                yield Response(request.id, "skipped", reason="no_context_token")
            else:
                begun = self._encoder.begins_thinking(request.prompt)
                prompts.append(Prompt(request, tokens[-room:], truncated, begun))
        shapes = [(len(prompt.tokens),) for prompt in prompts]
        # Padding would move the point at which an answer crosses the turn.
        crossing = max(map(sum, shapes), default=0) + max_tokens > self._network.turn
        waste = 0.0 if crossing or not self._network.masking else self._waste
        for chosen in batches(shapes, self._rows, ROOM, waste, extra=max_tokens, turn=self._network.turn):
            batch = [prompts[index] for index in chosen]
            for part, answers, seconds in halving(batch, lambda items: self._answers(items, max_tokens, stop, ends)):
                if answers is None:
                    yield from (Response(item.request.id, "error", reason="out_of_memory") for item in part)
                    continue
                for item, answer in zip(part, answers, strict=True):
                    yield Response(
                        item.request.id,
                        "ok",
                        text=answer.text,
                        finish=answer.finish,
                        reason=PROMPT_TRUNCATED if item.truncated else "",
                        prompt_tokens=len(item.tokens),
                        output_tokens=answer.tokens,
                        seconds=seconds / len(part),
                        reasoning=answer.thinking,
                        reasoning_tokens=answer.thinking_tokens,
                    )

    def _answers(
        self, batch: Sequence[Prompt], max_tokens: int, stop: tuple[str, ...], end_tokens: frozenset[int]
    ) -> list[Generated]:
        network = self._network
        network.end_at(end_tokens)
        network.count.running = len(batch)
        try:
            return self._continued(batch, max_tokens, stop, end_tokens)
        finally:
            network.count.running = 0

    def _continued(
        self, batch: Sequence[Prompt], max_tokens: int, stop: tuple[str, ...], end_tokens: frozenset[int]
    ) -> list[Generated]:
        network = self._network
        ids, mask = network.padded([prompt.tokens for prompt in batch], left=True)
        start = ids.shape[1]
        ends = Ends(self._encoder, len(batch), start, end_tokens, stop, leave=network.cuttable, count=network.count)
        draws = Draws(self._drawing, [prompt.request for prompt in batch], start, max_tokens)
        written: dict[int, Tokens] = {}
        past = None
        with torch.inference_mode():
            while len(written) < len(batch):
                more: dict[str, Any] = {} if past is None else {"past_key_values": past}
                draws.live = ends.live
                made = network.model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=start + max_tokens - ids.shape[1],
                    stopping_criteria=[ends],
                    logits_processor=[draws] if self._drawing.temperature else [],
                    return_dict_in_generate=True,
                    **more,
                )
                whole = made.sequences
                full = whole.shape[1] - start >= max_tokens
                going = [place for place, row in enumerate(ends.live) if not full and ends.ended[row] is None]
                for place in set(range(len(ends.live))).difference(going):
                    written[ends.live[place]] = whole[place, start:].tolist()
                if going:
                    chosen = torch.tensor(going, device=whole.device)
                    ids, mask = whole[chosen], _widened(mask[chosen], whole.shape[1])
                    past = made.past_key_values
                    past.batch_select_indices(chosen)
                    ends.live = [ends.live[place] for place in going]
        return [self._generated(prompt, written[row], ends.ended[row], stop) for row, prompt in enumerate(batch)]

    def _generated(self, prompt: Prompt, row: Tokens, ended: int | None, stop: tuple[str, ...]) -> Generated:
        # Tokens are counted without padding and without the end token, with those of a stop string: the model made
        # them, and the text, which is cut before the stop string, does not show them.
        tokens = row if ended is None else row[:ended]
        text = self._encoder.text(tokens)
        cut = min((at for at in map(text.find, stop) if at >= 0), default=len(text))
        thinking, answer, thought = self._encoder.apart(tokens, text[:cut], begun=prompt.begun)
        return Generated(answer, "length" if ended is None else "stop", len(tokens), thinking, thought)


class Ends:
    """Ends each row at an end token or a stop string, and remembers where: `ended` is its number of tokens, or None.

    `live` are the rows that are still in the batch. With `leave`, everything pauses as soon as enough of them are done.
    What is written is counted in `count`, as `Response.output_tokens` counts it.
    transformers' own `stop_strings` first indexes the whole vocabulary, which takes longer than most answers; decoding
    the last few tokens of each row costs little beside a step of the model.
    """

    def __init__(
        self,
        encoder: Encoder,
        rows: int,
        start: int,
        ends: frozenset[int],
        stop: tuple[str, ...],
        *,
        leave: bool,
        count: Count,
    ) -> None:
        self.live = list(range(rows))
        self.ended: list[int | None] = [None] * rows
        self._encoder = encoder
        self._start = start
        self._ends = ends
        self._stop = stop
        self._leave = leave
        self._count = count
        # No token is shorter than a byte; some tokenizers decode the first token without its space.
        self._tail = 4 + max((len(text.encode()) for text in stop), default=0)

    def __call__(self, input_ids: torch.Tensor, _scores: Any, **_more: Any) -> torch.Tensor:
        """Which rows are done, as transformers asks after every step."""
        count = input_ids.shape[1] - self._start
        tails = input_ids[:, -min(count, self._tail) :].tolist()
        wrote = 0
        for row, tail in zip(self.live, tails, strict=True):
            if self.ended[row] is None:
                if tail[-1] in self._ends:
                    self.ended[row] = count - 1
                    continue
                wrote += 1
                if self._stop and any(text in self._encoder.text(tail) for text in self._stop):
                    self.ended[row] = count
        done = [self.ended[row] is not None for row in self.live]
        self._count.wrote += wrote
        self._count.running = len(done) - sum(done)
        if self._leave and sum(done) >= ENOUGH * len(done):
            done = [True] * len(done)
        return torch.tensor(done, device=input_ids.device)


class Draws:
    """Draws each row's next token with that row's own random numbers, which follow from the seed and the request's id.

    So a request draws the same whatever else is in its batch, and after a run was resumed. `live` are the rows that are
    in the batch, as numbers of requests.
    """

    def __init__(self, drawing: Drawing, requests: Sequence[Request], start: int, max_tokens: int) -> None:
        self.live = list(range(len(requests)))
        self._drawing = drawing
        self._start = start
        self._numbers = (
            torch.stack([_numbers(drawing.seed, request.id, max_tokens) for request in requests])
            if drawing.temperature
            else None
        )

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of rows x vocabulary in which the drawn token alone is possible."""
        assert self._numbers is not None
        number = self._numbers[self.live, input_ids.shape[1] - self._start].to(scores.device).unsqueeze(1)
        likely, order = (scores.double() / self._drawing.temperature).softmax(-1).sort(stable=True, descending=True)
        reached = likely.cumsum(-1)
        kept = (reached - likely < self._drawing.top_p).sum(-1, keepdim=True)
        place = torch.searchsorted(reached, number * reached.gather(1, kept - 1), right=True).minimum(kept - 1)
        return torch.full_like(scores, float("-inf")).scatter(1, order.gather(1, place), 0.0)


def _numbers(seed: int, request: str, count: int) -> torch.Tensor:
    """As many random numbers, 0 to 1, as a request may need."""
    digest = hashlib.sha256(f"{seed}:{request}".encode()).digest()
    drawn = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
    return torch.rand(count, generator=drawn, dtype=torch.float64)


def _widened(mask: torch.Tensor, width: int) -> torch.Tensor:
    """The mask with columns of answered tokens behind it."""
    return torch.nn.functional.pad(mask, (0, width - mask.shape[1]), value=1)
