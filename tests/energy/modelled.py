"""A model on a virtual clock, whose GPU draws power by how much it computes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from bench.backend import Capabilities, EngineFacts, Load, ModelStopped
from bench.prices import Price
from bench.records import Request, Response
from tests.energy.scripted import VirtualClock


class Live:
    """Watts that are set as time goes on; what was is not changed. A `scripted.Power`."""

    def __init__(self, watts: float) -> None:
        self._since, self._watts, self._joules = [0.0], [watts], [0.0]

    def set(self, at: float, watts: float) -> None:
        joules = self.until(at)
        self._since.append(at)
        self._watts.append(watts)
        self._joules.append(joules)

    def __call__(self, at: float) -> float:
        return self._watts[bisect_right(self._since, at) - 1]

    def until(self, at: float) -> float:
        place = bisect_right(self._since, at) - 1
        return self._joules[place] + (at - self._since[place]) * self._watts[place]


class Batching:
    """Computes `rows` requests at a time, a token of each in every step, as continuous batching does.

    `length` says how many tokens an answer has. A step takes `step` seconds, and `idle` watts and `each` for every row;
    the prompt of a request takes `prompt_seconds` for every word. `failing` requests (by their number) are errors,
    `stops_after` so many answers the model gives up.
    """

    name = "hf:scripted"
    revision = "sha256:1"
    template = "none"
    decoding = "greedy"
    price: Price | None = None

    def __init__(
        self,
        clock: VirtualClock,
        power: Live,
        *,
        rows: int = 8,
        length: Callable[[Request], int] = lambda _: 20,
        step: float = 0.05,
        idle: float = 100.0,
        each: float = 50.0,
        prompt_seconds: float = 0.001,
        fails: Callable[[int], bool] = lambda _: False,
        stops_after: int | None = None,
    ) -> None:
        self.capabilities = Capabilities(exact=True)
        self.engine = EngineFacts("scripted", "1.0", "bfloat16")
        self.forgotten = 0
        self.asked: list[Request] = []
        self._clock, self._power = clock, power
        self._rows, self._length, self._step = rows, length, step
        self._idle, self._each, self._prompt_seconds = idle, each, prompt_seconds
        self._fails, self._stops_after = fails, stops_after
        self._running: list[list[int]] = []
        self._prompt = self._output = self._answered = 0

    def check(self, requests: Iterable[Request]) -> None:
        pass

    def status(self) -> str:
        return ""

    def close(self) -> None:
        pass

    def forget(self) -> None:
        self.forgotten += 1

    def load(self) -> Load:
        return Load(len(self._running), self._prompt, self._output)

    def count_tokens(self, texts: Iterable[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def shortened(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        source, more, left = iter(requests), True, {}
        while more or self._running:
            while more and len(self._running) < self._rows:
                request = next(source, None)
                if request is None:
                    more = False
                    break
                number = len(self.asked)
                self.asked.append(request)
                words = len(request.prompt.split())
                self._power.set(self._clock.now(), self._idle + self._each * self._rows)
                self._clock.wait(words * self._prompt_seconds)
                self._prompt += words
                left[number] = request.max_tokens if request.exact else min(self._length(request), request.max_tokens)
                self._running.append([number, 0])
            if self._running:
                self._power.set(self._clock.now(), self._idle + self._each * len(self._running))
                self._clock.wait(self._step)
            for row in list(self._running):
                row[1] += 1
                self._output += 1
                number, made = row
                if made >= left[number]:
                    self._running.remove(row)
                    self._answered += 1
                    yield self._answer(self.asked[number], number, made)
                    if self._answered == self._stops_after:
                        raise ModelStopped("the engine died")
            self._power.set(self._clock.now(), self._idle + self._each * len(self._running))

    def _answer(self, request: Request, number: int, made: int) -> Response:
        if self._fails(number):
            return Response(request.id, "error", reason="out_of_memory")
        words = len(request.prompt.split())
        full = made >= request.max_tokens
        return Response(
            request.id, "ok", "ba " * made, finish="length" if full else "stop", prompt_tokens=words, output_tokens=made
        )
