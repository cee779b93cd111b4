"""The half of the `hf:` backend that computes: log-likelihoods and greedy generation. Imports torch."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any, Literal, TypeVar

import torch
from transformers import GenerationConfig
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from bench.models.base import ModelStopped
from bench.models.hf_encoding import Encoder, Tokens
from bench.records import Request, Response

Item = TypeVar("Item")
Result = TypeVar("Result")

WINDOW = 8
"""Batches of requests that are read ahead and sorted by length: padding shrinks, memory stays flat."""


@dataclass(frozen=True, slots=True)
class Target:
    """One continuation to score: whose it is, which of its options, and the tokens."""

    owner: int
    option: int
    tokens: Tokens


@dataclass(slots=True)
class Pending:
    """A log-likelihood request whose continuations are on their way."""

    request: Request
    values: list[float]
    left: int
    prompt_tokens: int
    truncated: bool
    seconds: float = 0.0
    failed: bool = False

    def response(self) -> Response:
        """The answer, once nothing is left."""
        if self.failed:
            return Response(self.request.id, "error", reason="out_of_memory")
        return Response(
            self.request.id,
            "ok",
            loglikelihoods=tuple(self.values),
            finish="stop",
            reason="prompt_truncated" if self.truncated else "",
            prompt_tokens=self.prompt_tokens,
            output_tokens=0,
            seconds=self.seconds,
        )


@dataclass(frozen=True, slots=True)
class Prompt:
    """A generation request as tokens."""

    request: Request
    tokens: Tokens
    truncated: bool


@dataclass(frozen=True, slots=True)
class Generated:
    """What one row of a generation batch came to."""

    text: str
    finish: Literal["stop", "length"]
    tokens: int


Passage = tuple[tuple[int, ...], list[Target]]
"""What goes through the model once, and the targets read off it: options of one token share their context."""


class Engine:
    """One loaded model. `batch` is sequences at a time."""

    def __init__(self, model: Any, encoder: Encoder, batch: int) -> None:
        self.encoder = encoder
        self._model = model
        self._batch = batch
        self._device = next(model.parameters()).device
        self._limit = _positions(model.config.get_text_config(), encoder)
        # Without it logits of the whole context would be computed: 16 x 2,048 tokens x 128,000 words are 17 GB.
        self._sparse = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._ends = _end_tokens(model, encoder)
        self._pad = encoder.pad if encoder.pad is not None else min(self._ends, default=0)
        # Greedy means greedy: the folder's own sampling settings and repetition penalty are left out.
        untyped: Any = GenerationConfig
        model.generation_config = untyped(
            do_sample=False, eos_token_id=sorted(self._ends) or None, pad_token_id=self._pad
        )

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request once, a window of requests at a time."""
        source = iter(requests)
        while window := list(islice(source, WINDOW * self._batch)):
            yield from self._score([request for request in window if request.mode != "generate"])
            groups: defaultdict[tuple[int, tuple[str, ...]], list[Request]] = defaultdict(list)
            for request in window:
                if request.mode == "generate":
                    groups[request.max_tokens, request.stop].append(request)
            for (max_tokens, stop), group in groups.items():
                yield from self._generate(group, max_tokens, tuple(filter(None, stop)))

    # Log-likelihoods

    def _score(self, requests: Sequence[Request]) -> Iterator[Response]:
        pending: dict[int, Pending] = {}
        passages: defaultdict[tuple[int, ...], list[Target]] = defaultdict(list)
        for owner, (request, pairs) in enumerate(zip(requests, self.encoder.pairs(requests), strict=True)):
            if reason := self._unscorable(pairs):
                yield Response(request.id, "skipped", reason=reason)
                continue
            kept = [min(len(context), self._limit + 1 - len(tokens)) for context, tokens in pairs]
            cut = any(keep < len(context) for keep, (context, _) in zip(kept, pairs, strict=True))
            pending[owner] = Pending(request, [0.0] * len(pairs), len(pairs), max(kept, default=0), cut)
            for option, (keep, (context, tokens)) in enumerate(zip(kept, pairs, strict=True)):
                # The last token is only predicted, never read, so that one more than the limit fits.
                read = (context[len(context) - keep :] + tokens)[:-1]
                passages[tuple(read)].append(Target(owner, option, tokens))
            if not pairs:
                yield pending.pop(owner).response()
        # Longest first: what memory cannot hold shows at once, and the window's last batches are quick.
        ordered = sorted(passages.items(), key=lambda passage: -len(passage[0]))
        for batch in _batches(ordered, self._batch):
            for part, values, seconds in _halving(batch, self._log_likelihoods):
                targets = [target for _, targets in part for target in targets]
                answers: Sequence[float | None] = [None] * len(targets) if values is None else values
                for target, value in zip(targets, answers, strict=True):
                    state = pending[target.owner]
                    state.left -= 1
                    state.seconds += seconds / len(targets)
                    if value is None:
                        state.failed = True
                    else:
                        state.values[target.option] = value
                    if not state.left:
                        yield pending.pop(target.owner).response()

    def _unscorable(self, pairs: Sequence[tuple[Tokens, Tokens]]) -> str:
        if any(len(tokens) > self._limit for _, tokens in pairs):
            return "too_long"
        if any(not context for context, _ in pairs):
            return "no_context_token"
        # An empty continuation, or one that a token of the context swallowed: there is nothing to score.
        return "" if all(tokens for _, tokens in pairs) else "empty_continuation"

    def _log_likelihoods(self, batch: Sequence[Passage]) -> list[float]:
        """One value per target, in the batch's order."""
        ids, mask = self._padded([read for read, _ in batch], left=False)
        spans = [
            (row, range(len(read) - len(target.tokens), len(read)), target.tokens)
            for row, (read, targets) in enumerate(batch)
            for target in targets
        ]
        places = sorted({place for _, span, _ in spans for place in span})
        column = {place: index for index, place in enumerate(places)}
        keep = torch.tensor(places, device=self._device)
        with torch.inference_mode():
            if self._sparse:
                logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep).logits
            else:
                logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, keep]
            sums = []
            for row, span, tokens in spans:
                # float32 also where the model computes in bfloat16, whose 8 bits would be too coarse to rank options.
                chosen = logits[row, column[span[0]] : column[span[-1]] + 1].float().log_softmax(-1)
                gold = torch.tensor(tokens, device=self._device).unsqueeze(-1)
                sums.append(chosen.gather(-1, gold).double().sum())
            values: list[float] = torch.stack(sums).tolist()
        return values

    # Generation

    def _generate(self, requests: Sequence[Request], max_tokens: int, stop: tuple[str, ...]) -> Iterator[Response]:
        room = self._limit - max_tokens
        prompts = []
        for request, tokens in zip(requests, self.encoder.prompts(requests), strict=True):
            if room < 1 or not tokens:
                yield Response(request.id, "skipped", reason="no_context_token" if room >= 1 else "too_long")
            else:
                prompts.append(Prompt(request, tokens[-room:], len(tokens) > room))
        prompts.sort(key=lambda prompt: -len(prompt.tokens))
        for batch in _batches(prompts, self._batch):
            for part, answers, seconds in _halving(batch, lambda items: self._greedy(items, max_tokens, stop)):
                if answers is None:
                    yield from (Response(item.request.id, "error", reason="out_of_memory") for item in part)
                    continue
                for item, answer in zip(part, answers, strict=True):
                    yield Response(
                        item.request.id,
                        "ok",
                        text=answer.text,
                        finish=answer.finish,
                        reason="prompt_truncated" if item.truncated else "",
                        prompt_tokens=len(item.tokens),
                        output_tokens=answer.tokens,
                        seconds=seconds / len(part),
                    )

    def _greedy(self, batch: Sequence[Prompt], max_tokens: int, stop: tuple[str, ...]) -> list[Generated]:
        ids, mask = self._padded([prompt.tokens for prompt in batch], left=True)
        ends = Ends(self.encoder, ids.shape, self._ends, stop)
        with torch.inference_mode():
            whole = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max_tokens,
                stopping_criteria=StoppingCriteriaList([ends]),
            )
        rows = whole[:, ids.shape[1] :].tolist()
        return [self._generated(row, ended, stop) for row, ended in zip(rows, ends.ended, strict=True)]

    def _generated(self, row: Tokens, ended: int | None, stop: tuple[str, ...]) -> Generated:
        # Tokens are counted without padding and without the end token, with those of a stop string: the model made
        # them, and the text, which is cut before the stop string, does not show them.
        tokens = row if ended is None else row[:ended]
        text = self.encoder.text(tokens)
        cut = min((at for at in map(text.find, stop) if at >= 0), default=len(text))
        return Generated(text[:cut], "length" if ended is None else "stop", len(tokens))

    def _padded(self, rows: Sequence[Sequence[int]], *, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self._pad)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for index, row in enumerate(rows):
            span = slice(width - len(row), width) if left else slice(len(row))
            ids[index, span] = torch.tensor(row)
            mask[index, span] = 1
        return ids.to(self._device), mask.to(self._device)


class Ends(StoppingCriteria):
    """Ends each row at an end token or a stop string, and remembers where: `ended` is its number of tokens, or None.

    transformers' own `stop_strings` first indexes the whole vocabulary, which takes longer than most answers; decoding
    the last few tokens of each row costs little beside a step of the model.
    """

    def __init__(self, encoder: Encoder, shape: tuple[int, ...], ends: frozenset[int], stop: tuple[str, ...]) -> None:
        rows, self._start = shape
        self.ended: list[int | None] = [None] * rows
        self._encoder = encoder
        self._ends = ends
        self._stop = stop
        # No token is shorter than a byte; some tokenizers decode the first token without its space.
        self._tail = 4 + max((len(text.encode()) for text in stop), default=0)

    def __call__(self, input_ids: torch.Tensor, _scores: Any, **_more: Any) -> torch.Tensor:
        """Which rows are done, as transformers asks after every step."""
        count = input_ids.shape[1] - self._start
        tails = input_ids[:, -min(count, self._tail) :].tolist()
        for row, tail in enumerate(tails):
            if self.ended[row] is None:
                if tail[-1] in self._ends:
                    self.ended[row] = count - 1
                elif self._stop and any(text in self._encoder.text(tail) for text in self._stop):
                    self.ended[row] = count
        return torch.tensor([ended is not None for ended in self.ended], device=input_ids.device)


def _positions(config: Any, encoder: Encoder) -> int:
    """How many tokens the model reads at most; no bound where neither its configuration nor its tokenizer has one."""
    named = (getattr(config, name, None) for name in ("n_positions", "max_position_embeddings", "n_ctx"))
    return next((limit for limit in named if isinstance(limit, int) and limit > 0), encoder.limit)


def _end_tokens(model: Any, encoder: Encoder) -> frozenset[int]:
    """The tokens that end an answer: chat models have several, some named only in the generation configuration."""
    ends: set[int] = set()
    for named in (model.generation_config.eos_token_id, model.config.get_text_config().eos_token_id, encoder.end):
        ends.update([named] if isinstance(named, int) else named or ())
    return frozenset(ends)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _halving(
    batch: Sequence[Item], work: Callable[[Sequence[Item]], Result]
) -> Iterator[tuple[Sequence[Item], Result | None, float]]:
    """`work` done on the batch, or on ever smaller halves of it where memory runs out: (part, result, seconds).

    The result is None for a single item that memory cannot hold.
    """
    began = perf_counter()
    try:
        result: Result | None = work(batch)
    except torch.AcceleratorError as error:
        # The device is in an unknown state, and every later call would fail too.
        raise ModelStopped(f"the GPU gave up: {str(error).splitlines()[0]}") from error
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        result = None
    # Outside the handler, because the error's traceback holds the tensors that must go.
    if result is not None or len(batch) == 1:
        yield batch, result, perf_counter() - began
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(batch) // 2
    yield from _halving(batch[:half], work)
    yield from _halving(batch[half:], work)


def out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether memory ran out, on the GPU or on the CPU, where torch raises a bare RuntimeError."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error)
