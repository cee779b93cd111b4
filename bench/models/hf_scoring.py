"""Log-likelihoods of the `hf:` backend, the context that continuations share computed once. Imports torch.

A context goes through the model with a cache, right-padded and without a mask, which the fastest attention kernels
need. Its last token and the continuations go in a second pass over that cache: one row for each context, in which a
token sees the context and the tokens before it in its own continuation (a mask of rows x columns x keys), at the
position that it has there. Nothing of the cache is copied for an option.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from bench.backend import PROMPT_TRUNCATED, TOO_LONG
from bench.models.hf_batching import WASTE, batches
from bench.models.hf_encoding import Encoder, Tokens
from bench.models.hf_network import Network, halving
from bench.models.hf_trees import Passage, Target, Tree, passages, trees
from bench.records import Request, Response

NODES = 1_024
"""Tokens of continuations in one row of the second pass, whose mask grows with their square."""
LOGITS = 1 << 28
"""Logits computed at a time: 1 GiB in float32."""
AGREEMENT = {torch.float32: 1e-3, torch.float64: 1e-3}
"""How far the two ways may be apart on average, in natural-log units, for a model to share contexts."""
ROUGH_AGREEMENT = 0.25
"""The same in 16 bits, where single log-likelihoods are off by some 0.1 already."""

Read = TypeVar("Read", Tree, Passage)


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
            reason=PROMPT_TRUNCATED if self.truncated else "",
            prompt_tokens=self.prompt_tokens,
            output_tokens=0,
            seconds=self.seconds,
        )


class Scorer:
    """Scores continuations with one model. `rows` is sequences at a time; `skip` leaves out what is too long.

    `waste` is the largest share of a batch that may be padding.
    """

    def __init__(self, network: Network, encoder: Encoder, rows: int, *, skip: bool, waste: float = WASTE) -> None:
        self._network = network
        self._encoder = encoder
        self._rows = rows
        self._skip = skip
        self._waste = waste
        self._columns = max(1, LOGITS // network.vocabulary)
        self._reach = network.reach
        if not self._agrees():
            self._reach = 0

    def score(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Answers every request once."""
        pending: dict[int, Pending] = {}
        targets: defaultdict[tuple[int, ...], list[Target]] = defaultdict(list)
        for owner, (request, pairs) in enumerate(zip(requests, self._encoder.pairs(requests), strict=True)):
            # The last token is only predicted, never read, so that one more than the limit fits.
            kept = [min(len(context), self._network.limit + 1 - len(tokens)) for context, tokens in pairs]
            cut = any(keep < len(context) for keep, (context, _) in zip(kept, pairs, strict=True))
            if reason := self._unscorable(pairs, cut=cut):
                yield Response(request.id, "skipped", reason=reason)
                continue
            pending[owner] = Pending(request, [0.0] * len(pairs), len(pairs), max(kept, default=0), cut)
            for option, (keep, (context, tokens)) in enumerate(zip(kept, pairs, strict=True)):
                targets[tuple(context[len(context) - keep :])].append(Target(owner, option, tuple(tokens)))
            if not pairs:
                yield pending.pop(owner).response()
        shared: list[Tree] = []
        lone: list[Passage] = []
        whole: list[Tree] = []
        for before, wanted in targets.items():
            for tree in trees(before, wanted, min(NODES, self._columns)):
                if (passage := tree.passage()) is not None:
                    lone.append(passage)
                else:
                    (shared if self._shares(tree) else whole).append(tree)
        yield from self._settle(self._batches(shared), self._over_contexts, pending)
        yield from self._settle(self._batches([*lone, *passages(whole)]), self._in_one_pass, pending)

    def _unscorable(self, pairs: Sequence[tuple[Tokens, Tokens]], *, cut: bool) -> str:
        if any(len(tokens) > self._network.limit for _, tokens in pairs) or (cut and self._skip):
            return TOO_LONG
        if any(not context for context, _ in pairs):
            return "no_context_token"
        # An empty continuation, or one that a token of the context swallowed: there is nothing to score.
        return "" if all(tokens for _, tokens in pairs) else "empty_continuation"

    def _shares(self, tree: Tree) -> bool:
        return len(tree.context) > 1 and len(tree.context) + max(tree.depths) <= self._reach

    def _batches(self, items: Sequence[Read]) -> Iterator[Sequence[Read]]:
        for chosen in batches(
            [_lengths(item) for item in items], self._rows, waste=self._waste, turn=self._network.turn
        ):
            batch = [items[index] for index in chosen]
            size = max(1, self._columns // self._kept(batch))
            yield from (batch[at : at + size] for at in range(0, len(batch), size))

    def _kept(self, batch: Sequence[Tree | Passage]) -> int:
        """At most so many columns of a row have their logits computed."""
        longest = max(len(item.tokens if isinstance(item, Tree) else item.read) for item in batch)
        starts = [start for item in batch if isinstance(item, Passage) for start in item.starts]
        return longest - min(starts, default=0) if self._network.sparse else longest

    def _settle(
        self,
        work: Iterator[Sequence[Read]],
        values_of: Callable[[Sequence[Read]], list[float]],
        pending: dict[int, Pending],
    ) -> Iterator[Response]:
        for batch in work:
            for part, values, seconds in halving(batch, lambda items: self._counted(items, values_of)):
                targets = [target for item in part for target in item.targets]
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

    def _counted(self, batch: Sequence[Read], values_of: Callable[[Sequence[Read]], list[float]]) -> list[float]:
        count = self._network.count
        count.running = len(batch)
        try:
            return values_of(batch)
        finally:
            count.running = 0

    def _over_contexts(self, batch: Sequence[Tree]) -> list[float]:
        """One value per target, in the batch's order: contexts first, then their continuations over the cache."""
        ids, _ = self._network.padded([tree.context[:-1] for tree in batch])
        nodes, _ = self._network.padded([tree.tokens for tree in batch])
        places = torch.zeros_like(nodes)
        for row, tree in enumerate(batch):
            places[row, : len(tree.tokens)] = torch.tensor(tree.depths, device=places.device) + len(tree.context) - 1
        keep = {"logits_to_keep": 1} if self._network.sparse else {}
        model = self._network.model
        with torch.inference_mode():
            # No mask: a token never sees what is behind it, so that padding on the right changes nothing.
            past = model(input_ids=ids, use_cache=True, **keep).past_key_values
            mask = _mask(batch, ids.shape[1], nodes.shape[1], model.dtype).to(nodes.device)
            logits = model(
                input_ids=nodes, attention_mask=mask, position_ids=places, past_key_values=past, use_cache=True
            ).logits
            return _sums(logits, [(range(len(tree.tokens)), tree.paths, tree.targets) for tree in batch])

    def _in_one_pass(self, batch: Sequence[Passage]) -> list[float]:
        """One value per target, in the batch's order: everything in one forward pass, without a cache."""
        ids, _ = self._network.padded([passage.read for passage in batch])
        paths = [
            [list(range(start, start + len(target.tokens))) for target, start in _pairs(passage)] for passage in batch
        ]
        places = sorted({place for row in paths for path in row for place in path})
        column = {place: index for index, place in enumerate(places)}
        keep = torch.tensor(places, device=ids.device)
        rows = []
        for row, passage in zip(paths, batch, strict=True):
            first, last = min(path[0] for path in row), max(path[-1] for path in row)
            inside = [[place - first for place in path] for path in row]
            rows.append((range(column[first], column[last] + 1), inside, passage.targets))
        with torch.inference_mode():
            if self._network.sparse:
                logits = self._network.model(input_ids=ids, use_cache=False, logits_to_keep=keep).logits
            else:
                logits = self._network.model(input_ids=ids, use_cache=False).logits[:, keep]
            return _sums(logits, rows)

    def _agrees(self) -> bool:
        """Whether a pass over a cached context gives what a whole pass gives, tried on tokens of no meaning.

        Not every model heeds a mask of four dimensions and positions that are told: one with ALiBi has no use for them.
        """
        lengths, count = (7, 4), 12
        if min(self._reach, self._network.limit) < lengths[0] + 4:
            return False
        drawn = torch.Generator().manual_seed(0)
        rows = torch.randint(self._network.vocabulary, (len(lengths) + count, lengths[0]), generator=drawn).tolist()
        contexts = [tuple(row[:length]) for row, length in zip(rows, lengths, strict=False)]
        options = [tuple(row[: 2 + number % 3]) for number, row in enumerate(rows[len(lengths) :])]
        wanted = [Target(0, number, tokens) for number, tokens in enumerate(options)]
        grown = [tree for context in contexts for tree in trees(context, wanted, NODES)]
        try:
            shared = self._over_contexts(grown)
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError):
            # Whatever a model raises that knows nothing of such masks or caches: the other way is for every model.
            return False
        reads = [
            Passage((*tree.context, *target.tokens[:-1]), [target], [len(tree.context) - 1])
            for tree in grown
            for target in tree.targets
        ]
        whole = self._in_one_pass(reads)
        apart = sum(abs(one - two) for one, two in zip(shared, whole, strict=True)) / len(whole)
        self._network.count.read = self._network.count.columns = 0
        return apart <= AGREEMENT.get(self._network.model.dtype, ROUGH_AGREEMENT)


def _lengths(item: Tree | Passage) -> tuple[int, ...]:
    return (len(item.context) - 1, len(item.tokens)) if isinstance(item, Tree) else (len(item.read),)


def _pairs(passage: Passage) -> Iterator[tuple[Target, int]]:
    return zip(passage.targets, passage.starts, strict=True)


def _mask(batch: Sequence[Tree], before: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    """What is added to attention scores, rows x 1 x `width` x (`before` + `width`): 0, or as good as minus infinity."""
    seen = torch.zeros((len(batch), 1, width, before + width), dtype=torch.bool)
    for row, tree in enumerate(batch):
        seen[row, :, :, : len(tree.context) - 1] = True
        for node, parent in enumerate(tree.parents):
            seen[row, 0, node, before:] = seen[row, 0, parent, before:]
            seen[row, 0, node, before + node] = True
    return torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)


def _sums(logits: Any, rows: Sequence[tuple[range, Sequence[Sequence[int]], Sequence[Target]]]) -> list[float]:
    """The log-likelihood of each target, of logits of rows x columns x vocabulary.

    Each row names the columns that it needs, and for each of its targets the ones among them that predict its tokens.
    """
    sums: list[torch.Tensor] = []
    for row, (columns, paths, targets) in enumerate(rows):
        # float32 also where the model computes in bfloat16, whose 8 bits would be too coarse to rank options.
        chosen = logits[row, columns.start : columns.stop].float().log_softmax(-1)
        places = torch.tensor([place for path in paths for place in path], device=chosen.device)
        tokens = torch.tensor([token for target in targets for token in target.tokens], device=chosen.device)
        picked = chosen[places, tokens].double().split([len(target.tokens) for target in targets])
        sums += [part.sum() for part in picked]
    values: list[float] = torch.stack(sums).tolist()
    return values
