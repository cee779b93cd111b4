"""The half of the `hf:` backend that computes: windows of requests, scored or continued. Imports torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from bench.backend import Load
from bench.models.hf_batching import WASTE
from bench.models.hf_encoding import Encoder
from bench.models.hf_generation import Drawing, Writer
from bench.models.hf_network import Network
from bench.models.hf_scoring import Scorer
from bench.records import Request, Response

WINDOW = 8
"""Batches of requests that are read ahead and sorted by length: padding shrinks, memory stays flat."""


class Engine:
    """One loaded model. `rows` is sequences at a time; `skip` leaves out what is too long, instead of cutting it.

    With `measured`, no more than one batch is read ahead, and rows are filled whatever the padding: energy is measured
    with as many sequences under way as asked for, and not long after the last request there is nothing to do.
    """

    def __init__(
        self, model: Any, encoder: Encoder, rows: int, drawing: Drawing, *, skip: bool, measured: bool = False
    ) -> None:
        self.encoder = encoder
        self._ahead = rows if measured else WINDOW * rows
        self._network = Network(model, encoder)
        waste = 1.0 if measured else WASTE
        self._scorer = Scorer(self._network, encoder, rows, skip=skip, waste=waste)
        self._writer = Writer(self._network, encoder, rows, drawing, skip=skip, waste=waste)

    @property
    def padding(self) -> float:
        """The share of all columns of batches so far that held no token, 0 to 1."""
        return self._network.count.padding

    @property
    def dtype(self) -> str:
        """The type of the model's numbers, by torch's name; of a quantised model the method too."""
        return self._network.dtype

    @property
    def device(self) -> str:
        """What the model computes on, by torch's name: "cuda" or "cpu"."""
        return str(self._network.device.type)

    def load(self) -> Load:
        """What is computed now, and was so far. May be called from another thread."""
        count = self._network.count
        return Load(count.running, count.read, count.wrote)

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request once, a window of requests at a time."""
        source = iter(requests)
        while window := list(islice(source, self._ahead)):
            yield from self._scorer.score([request for request in window if request.mode != "generate"])
            groups: defaultdict[tuple[int, tuple[str, ...], bool], list[Request]] = defaultdict(list)
            for request in window:
                if request.mode == "generate":
                    stop = () if request.exact else tuple(filter(None, request.stop))
                    groups[request.max_tokens, stop, request.exact].append(request)
            for (max_tokens, stop, exact), group in groups.items():
                yield from self._writer.write(group, max_tokens, stop, exact=exact)
