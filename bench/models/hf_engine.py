"""The half of the `hf:` backend that computes: windows of requests, scored or continued. Imports torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from bench.models.hf_encoding import Encoder
from bench.models.hf_generation import Drawing, Writer
from bench.models.hf_network import Network
from bench.models.hf_scoring import Scorer
from bench.records import Request, Response

WINDOW = 8
"""Batches of requests that are read ahead and sorted by length: padding shrinks, memory stays flat."""


class Engine:
    """One loaded model. `rows` is sequences at a time; `skip` leaves out what is too long, instead of cutting it."""

    def __init__(self, model: Any, encoder: Encoder, rows: int, drawing: Drawing, *, skip: bool) -> None:
        self.encoder = encoder
        self._rows = rows
        self._network = Network(model, encoder)
        self._scorer = Scorer(self._network, encoder, rows, skip=skip)
        self._writer = Writer(self._network, encoder, rows, drawing, skip=skip)

    @property
    def padding(self) -> float:
        """The share of all columns of batches so far that held no token, 0 to 1."""
        return self._network.count.padding

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request once, a window of requests at a time."""
        source = iter(requests)
        while window := list(islice(source, WINDOW * self._rows)):
            yield from self._scorer.score([request for request in window if request.mode != "generate"])
            groups: defaultdict[tuple[int, tuple[str, ...]], list[Request]] = defaultdict(list)
            for request in window:
                if request.mode == "generate":
                    groups[request.max_tokens, request.stop].append(request)
            for (max_tokens, stop), group in groups.items():
                yield from self._writer.write(group, max_tokens, tuple(filter(None, stop)))
