"""The half of the `vllm:` backend that computes: one stream of generation and scoring requests. Imports vLLM.

vLLM batches continuously: a sequence that ends makes room for the next one at once. The stream keeps about twice as
many sequences in the engine as run at a time, so that none idles, and reads the plan as answers come.

A log-likelihood is read from `prompt_logprobs`, of the last tokens only, and its last token from the one generated step
that vLLM insists on, so that options of one token share one pass. vLLM reads no cached blocks for a request with
`prompt_logprobs` unless told to, because the cached tokens have no logits; here it is told to, so that a context which
options share is computed once, and where a cached block reaches into the part that is scored, the pass is done again
without the cache.

Greedy answers are the same for the same requests in the same engine, but for rounding: sums are taken in an order that
depends on what else is in the batch. In float32 that is some 1e-6 of a log-likelihood and hardly ever another token; in
bfloat16 it is some 1e-2, and where two tokens are closer than that, another one may win and the rest of the answer
differ. VLLM_BATCH_INVARIANT=1 (on GPUs that have its kernels) takes the order away from the batch, at some speed.

While energy is measured, every request has a salt of its own, so that a prompt that was read before is read again; the
options of one question still share theirs.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import queue
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, islice, repeat
from pathlib import Path
from time import perf_counter
from typing import Any

from vllm import EngineArgs, LLMEngine, SamplingParams
from vllm.exceptions import VLLMClientError, VLLMError, VLLMServerError
from vllm.inputs import tokens_input
from vllm.lora.request import LoRARequest
from vllm.sampling_params import MAX_LOGPROB_TOKEN_IDS
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.exceptions import EngineDeadError

from bench.backend import PROMPT_TRUNCATED, TOO_LONG, Load, ModelStopped
from bench.models.hf_encoding import Encoder, Tokens
from bench.models.vllm_asking import (
    Generation,
    Job,
    Passage,
    Sampling,
    Scoring,
    asking,
    by_token,
    chunks,
    drawing,
)
from bench.models.vllm_load import Tally
from bench.models.vllm_start import Log, about_memory, cause, silenced
from bench.records import Finish, Request, Response, UsageError

AHEAD = 2
"""Sequences that are in the engine, in units of those that it runs at a time: the rest wait, so that none idles."""
_LESS_MEMORY = (
    "take a lower max_model_len or another gpu_memory_utilization (-M NAME=VALUE), or more GPUs (tensor_parallel_size)"
)
# What starting an engine raises: ValueError for a configuration, RuntimeError for workers that died and for memory,
# OSError for files, the others for a model of another shape than its configuration says.
_FAILURES = (
    ValueError,
    RuntimeError,
    OSError,
    MemoryError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ImportError,
    VLLMError,
)
_FINISHES: Mapping[str | None, Finish] = {"stop": "stop", "length": "length"}


def start(
    name: str,
    arguments: Mapping[str, Any],
    encoder: Encoder,
    *,
    ends: frozenset[int],
    sampling: Sampling,
    skip_too_long: bool,
    adapter: Path | None,
    log: Log,
    measured: bool = False,
) -> Stream:
    """An engine with its processes, ready to answer. Raises `UsageError` with vLLM's own reason, in one line."""
    engine = None
    tally = Tally() if measured else None
    before = set(multiprocessing.active_children())
    logging.getLogger("vllm").setLevel(logging.CRITICAL)  # of this process; the workers' goes to the log
    try:
        with silenced(log):
            # As `LLM` counts: more at a time than a server would take.
            engine = LLMEngine.from_engine_args(
                EngineArgs(**arguments, disable_log_stats=tally is None),
                usage_context=UsageContext.LLM_CLASS,
                stat_loggers=None if tally is None else [lambda _config, _index: tally],
            )
            lora = None if adapter is None else LoRARequest("adapter", 1, str(adapter))
            if lora is not None:
                engine.add_lora(lora)
    except _FAILURES as error:
        if engine is not None:
            engine.engine_core.shutdown()
        why = cause(error, log)
        advice = f"; {_LESS_MEMORY}" if about_memory(why) else ""
        raise UsageError(f"{name}: vLLM does not load it ({why}){advice}") from error
    watched = [process.sentinel for process in multiprocessing.active_children() if process not in before]
    threading.Thread(target=_watch, args=(watched, engine.engine_core.outputs_queue), daemon=True).start()
    return Stream(
        engine,
        encoder,
        ends=ends,
        sampling=sampling,
        skip_too_long=skip_too_long,
        adapter=lora,
        log=log,
        tally=tally,
    )


def _watch(sentinels: Sequence[int], outputs: queue.Queue[Any]) -> None:
    """Wakes who waits for output when a process ended, which vLLM itself does not where the system killed it."""
    multiprocessing.connection.wait(sentinels)
    outputs.put(EngineDeadError())


class Stream:
    """Requests into one engine, responses out of it. With a `tally`, energy is measured meanwhile."""

    def __init__(
        self,
        engine: Any,
        encoder: Encoder,
        *,
        ends: frozenset[int],
        sampling: Sampling,
        skip_too_long: bool,
        adapter: Any,
        log: Log,
        tally: Tally | None = None,
    ) -> None:
        self.encoder = encoder
        self._engine = engine
        self._ends = ends
        self._sampling = sampling
        self._skip = skip_too_long
        self._adapter = adapter
        self._log = log
        self._tally = tally
        # Tokens of a sequence, prompt and answer together.
        self._limit: int = engine.vllm_config.model_config.max_model_len
        running: int = engine.vllm_config.scheduler_config.max_num_seqs
        self._enough = AHEAD * running
        self._window = max(1, running // 4)
        self._begun = encoder.begins_thinking("question")
        self._jobs: dict[str, Job] = {}
        self._numbers = map(str, count())
        self._salts = repeat(None) if tally is None else map(str, count())
        # Every stretch of time is shared out evenly among the sequences in the engine: a sequence's seconds are the
        # growth of this clock while it is in there.
        self._clock = 0.0
        self._stamp = 0.0

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request once. Raises `ModelStopped` where the engine died."""
        source = iter(requests)
        more = True
        self._stamp = perf_counter()
        try:
            while more or self._jobs:
                if more and len(self._jobs) < self._enough:
                    window = list(islice(source, self._window))
                    more = len(window) == self._window
                    yield from self._admit(window)
                else:
                    yield from self._step()
        except VLLMServerError as error:
            self._jobs.clear()
            raise ModelStopped(f"vLLM's engine died: {cause(error, self._log)}") from error
        finally:
            if self._jobs:  # the caller stopped reading
                self._engine.abort_request(list(self._jobs))
                self._jobs.clear()
            if self._tally is not None:
                self._tally.running = 0

    def shutdown(self) -> None:
        """Ends the engine's processes and waits for them."""
        self._engine.engine_core.shutdown()
        multiprocessing.active_children()  # takes their exit codes, so that none is left a zombie
        self._log.close()

    def in_flight(self) -> int:
        """Sequences in the engine."""
        return len(self._jobs)

    @property
    def dtype(self) -> str:
        """The type of the model's numbers, by torch's name; of a quantised model the method too."""
        config = self._engine.vllm_config.model_config
        return " ".join(filter(None, [config.quantization or "", str(config.dtype).removeprefix("torch.")]))

    @property
    def device(self) -> str:
        """What the engine computes on: "cuda", "cpu"."""
        return str(self._engine.vllm_config.device_config.device_type)

    def load(self) -> Load:
        """What the engine computes now, and did so far, where it was asked to count. From any thread."""
        return Load(None, None, None) if self._tally is None else self._tally.load()

    def forget(self) -> None:
        """Empties the cache of prompts."""
        # An engine that is dead says so when it is asked the next time.
        with contextlib.suppress(VLLMServerError):
            self._engine.reset_prefix_cache()

    def _admit(self, window: Sequence[Request]) -> Iterator[Response]:
        """Puts requests into the engine; answers those that cannot be put there."""
        scored = [request for request in window if request.mode != "generate"]
        generated = [request for request in window if request.mode == "generate"]
        pairs = iter(self.encoder.pairs(scored))
        prompts = iter(self.encoder.prompts(generated))
        for request in window:
            if request.mode == "generate":
                yield from self._generate(request, next(prompts))
            else:
                yield from self._score(request, next(pairs))

    def _add(self, job: Job, tokens: Tokens, params: SamplingParams) -> str:
        """Empty, or why the engine refuses it."""
        number = next(self._numbers)
        try:
            prompt = tokens_input(tokens, cache_salt=job.salt)
            self._engine.add_request(number, prompt, params, lora_request=self._adapter)
        except (VLLMClientError, ValueError) as error:
            return f"engine_refused: {cause(error, self._log)}"
        self._jobs[number] = job
        return ""

    def _step(self) -> Iterator[Response]:
        outputs = self._engine.step()
        now = perf_counter()
        self._clock += (now - self._stamp) / len(self._jobs)
        self._stamp = now
        for output in outputs:
            # One that was aborted may have ended at the same moment.
            if output.finished and (job := self._jobs.pop(output.request_id, None)) is not None:
                if isinstance(job, Generation):
                    yield self._generated(job, output)
                else:
                    yield from self._scored(job, output)

    # Generation

    def _generate(self, request: Request, tokens: Tokens) -> Iterator[Response]:
        room = self._limit - request.max_tokens
        if room < 1 or (self._skip and len(tokens) > room):
            yield Response(request.id, "skipped", reason=TOO_LONG)
        elif not tokens:
            yield Response(request.id, "skipped", reason="no_context_token")
        else:
            job = Generation(request, tokens[-room:], len(tokens) > room, self._clock, next(self._salts))
            if refused := self._add(job, job.tokens, drawing(request, self._sampling, self._ends)):
                yield Response(request.id, "error", reason=refused)

    def _generated(self, job: Generation, output: Any) -> Response:
        request, answer = job.request, output.outputs[0]
        finish = _FINISHES.get(answer.finish_reason)
        if finish is None:
            return Response(request.id, "error", reason=f"engine_{answer.finish_reason}")
        # Tokens are counted without the end token, with those of a stop string: the model made them, and the text,
        # which is cut before the stop string, does not show them.
        tokens = list(answer.token_ids)
        if finish == "stop" and not isinstance(answer.stop_reason, str) and tokens and tokens[-1] in self._ends:
            tokens.pop()
        text = self.encoder.text(tokens)
        stops = () if request.exact else tuple(filter(None, request.stop))
        cut = min((at for at in map(text.find, stops) if at >= 0), default=None)
        if cut is not None:
            # vLLM holds text back while bytes of a character are missing, and may see the stop string some tokens late.
            ended = bisect_left(range(len(tokens)), True, key=lambda end: self._stops(request, tokens[:end]))
            text, tokens, finish = text[:cut], tokens[:ended], "stop"
        if self._tally is not None:
            self._tally.wrote -= len(answer.token_ids) - len(tokens)
        thinking, said, thought = self.encoder.apart(tokens, text, begun=self._begun)
        return Response(
            request.id,
            "ok",
            text=said,
            finish=finish,
            reason=PROMPT_TRUNCATED if job.truncated else "",
            prompt_tokens=len(job.tokens),
            output_tokens=len(tokens),
            seconds=self._clock - job.began,
            reasoning=thinking,
            reasoning_tokens=thought,
            cached_tokens=output.num_cached_tokens,
        )

    def _stops(self, request: Request, tokens: Tokens) -> bool:
        text = self.encoder.text(tokens)
        return any(stop in text for stop in request.stop if stop)

    # Log-likelihoods

    def _score(self, request: Request, pairs: Sequence[tuple[Tokens, Tokens]]) -> Iterator[Response]:
        # vLLM always makes one token after a prompt, so that one token less can be read than `hf:` reads.
        kept = [min(len(context), self._limit - len(tokens)) for context, tokens in pairs]
        cut = any(keep < len(context) for keep, (context, _) in zip(kept, pairs, strict=True))
        if reason := self._unscorable(pairs, cut):
            yield Response(request.id, "skipped", reason=reason)
            return
        owner = Scoring(request, [0.0] * len(pairs), max(kept, default=0), cut, self._clock, salt=next(self._salts))
        targets: defaultdict[tuple[int, ...], dict[int, Tokens]] = defaultdict(dict)
        for option, (keep, (context, tokens)) in enumerate(zip(kept, pairs, strict=True)):
            front = context[len(context) - keep :]
            for start, part in self._parts(tokens):
                targets[(*front, *tokens[:start], *part[:-1])][option] = part
        passages = [
            Passage(owner, list(read), dict(some))
            for read, wanted in targets.items()
            for some in chunks(list(wanted.items()), MAX_LOGPROB_TOKEN_IDS)
        ]
        owner.left = len(passages)
        if not passages:
            yield self._likelihoods(owner)
        for passage in passages:
            if refused := self._add(passage, passage.read, asking(passage, cached=True)):
                owner.failed = owner.failed or refused
                owner.left -= 1
                if not owner.left:
                    yield self._likelihoods(owner)

    def _parts(self, tokens: Tokens) -> list[tuple[int, Tokens]]:
        """What is scored in one pass each, and where it begins: all of it, but token by token with an adapter.

        With an adapter vLLM computes logits for one token of each sequence alone: asked for those of a prompt, it dies.
        """
        if self._adapter is None:
            return [(0, tokens)]
        return [(at, [token]) for at, token in enumerate(tokens)]

    def _unscorable(self, pairs: Sequence[tuple[Tokens, Tokens]], cut: bool) -> str:
        if any(len(tokens) >= self._limit for _, tokens in pairs) or (cut and self._skip):
            return TOO_LONG
        if any(not context for context, _ in pairs):
            return "no_context_token"
        # An empty continuation, or one that a token of the context swallowed: there is nothing to score.
        return "" if all(tokens for _, tokens in pairs) else "empty_continuation"

    def _scored(self, passage: Passage, output: Any) -> Iterator[Response]:
        owner, answer = passage.owner, output.outputs[0]
        cached = output.num_cached_tokens or 0
        if self._tally is not None:
            self._tally.wrote -= len(answer.token_ids)
        if answer.finish_reason not in _FINISHES:
            owner.failed = owner.failed or f"engine_{answer.finish_reason}"
        elif passage.inner and cached > len(passage.read) - 1 - passage.inner:
            # Cached tokens have no logits: those of the scored part are wanted, so the cache is left out.
            owner.failed = owner.failed or self._add(passage, passage.read, asking(passage, cached=False))
            if not owner.failed:
                return
        else:
            last = by_token(answer.logprobs)
            inner = output.prompt_logprobs.logprobs[-passage.inner :] if passage.inner else []
            for option, tokens in passage.targets.items():
                owner.values[option] += sum(inner[len(inner) - len(tokens) + 1 :]) + last[tokens[-1]]
            owner.cached = cached if owner.cached is None else min(cached, owner.cached)
        owner.left -= 1
        if not owner.left:
            yield self._likelihoods(owner)

    def _likelihoods(self, owner: Scoring) -> Response:
        if owner.failed:
            return Response(owner.request.id, "error", reason=owner.failed)
        return Response(
            owner.request.id,
            "ok",
            loglikelihoods=tuple(owner.values),
            finish="stop",
            reason=PROMPT_TRUNCATED if owner.truncated else "",
            prompt_tokens=owner.prompt_tokens,
            output_tokens=0,
            seconds=self._clock - owner.began,
            cached_tokens=None if owner.cached is None else min(owner.cached, owner.prompt_tokens),
        )
