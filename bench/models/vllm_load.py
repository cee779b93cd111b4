"""What vLLM's engine says of its work, for measurements of energy. Imports vLLM."""

from __future__ import annotations

from typing import Any

from vllm.v1.metrics.loggers import StatLoggerBase

from bench.backend import Load


class Tally(StatLoggerBase):  # type: ignore[misc]  # vLLM is not where mypy runs
    """Adds up what the engine reports after each step, in the thread that steps it; read by any other.

    `read` leaves out what came from the cache. `wrote` is the engine's count, from which the stream takes what is no
    part of an answer: end tokens, and the token that vLLM makes after a prompt that is only scored.
    """

    def __init__(self) -> None:
        self.running = 0
        self.read = 0
        self.wrote = 0

    def record(
        self,
        scheduler_stats: Any,
        iteration_stats: Any,
        mm_cache_stats: Any = None,
        engine_idx: int = 0,
    ) -> None:
        """One step's statistics (`SchedulerStats` and `IterationStats` of vLLM 0.32), either of which may be None."""
        if scheduler_stats is not None:
            # What ended in this step is not counted as running any more, and was computed with the others.
            ended = 0 if iteration_stats is None else len(iteration_stats.finished_requests)
            self.running = scheduler_stats.num_running_reqs + ended
        if iteration_stats is not None:
            self.read += iteration_stats.prompt_token_stats.computed
            self.wrote += iteration_stats.num_generation_tokens

    def log_engine_initialized(self) -> None:
        """Nothing to say."""

    def load(self) -> Load:
        """What there is so far."""
        return Load(self.running, self.read, self.wrote)
