"""What the `vllm:` backend asks of the engine: requests under way, and the parameters that go with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

from bench.models.hf_encoding import Tokens
from bench.records import Request

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn: the likeliest where `temperature` is 0. `seed` is of this run, not of a request."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """A prompt in the engine; `began` is on the stream's clock. What has another `salt` shares no cached prompt."""

    request: Request
    tokens: Tokens
    truncated: bool
    began: float
    salt: str | None = None


@dataclass(slots=True)
class Scoring:
    """A log-likelihood request; `left` passes are in the engine still."""

    request: Request
    values: list[float]
    prompt_tokens: int
    truncated: bool
    began: float
    left: int = 0
    cached: int | None = None
    failed: str = ""
    salt: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """What goes through the model once: `read`, and the options whose last token is predicted after it.

    `targets` maps an option's index to its tokens, all but the last of which end `read`.
    """

    owner: Scoring
    read: Tokens
    targets: Mapping[int, Tokens] = field(default_factory=dict)

    @property
    def salt(self) -> str | None:
        """Its request's: the options of a question share the context."""
        return self.owner.salt

    @property
    def inner(self) -> int:
        """How many tokens at the end of `read` are scored."""
        return max(len(tokens) for tokens in self.targets.values()) - 1


Job = Generation | Passage


def drawing(request: Request, sampling: Sampling, ends: frozenset[int]) -> SamplingParams:
    """How an answer is generated. One of an exact length ends at nothing but its length."""
    stop = [] if request.exact else list(filter(None, request.stop))
    # Its own seed for each request, so that a draw depends neither on the batch nor on where a run was resumed.
    seed = hashlib.sha256(f"{sampling.seed}/{request.id}".encode()).digest()[:4]
    return SamplingParams(
        max_tokens=request.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=int.from_bytes(seed) if sampling.temperature else None,
        stop=stop,
        stop_token_ids=[] if request.exact else sorted(ends),
        ignore_eos=request.exact,
        detokenize=bool(stop),  # only where vLLM itself has to look at the text
        output_kind=RequestOutputKind.FINAL_ONLY,
        skip_clone=True,
    )


def asking(passage: Passage, *, cached: bool) -> SamplingParams:
    """How a passage is read; what is `cached` of it only where its logits are not wanted."""
    return SamplingParams(
        temperature=0.0,
        max_tokens=1,
        ignore_eos=True,
        logprob_token_ids=sorted({tokens[-1] for tokens in passage.targets.values()}),
        prompt_logprobs=0 if passage.inner else None,  # the prompt's own token, and no other
        skip_reading_prefix_cache=not cached,
        flat_logprobs=True,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
        skip_clone=True,
    )


def by_token(steps: Any) -> dict[int, float]:
    """The log-probabilities of the one generated step."""
    return dict(zip(steps.token_ids, steps.logprobs, strict=True))


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items, so many at a time."""
    return (items[at : at + size] for at in range(0, len(items), size))
