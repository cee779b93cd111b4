"""The nouns of an energy measurement. Small, frozen, and without behaviour. Joules, watts and seconds everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Scope = Literal["gpu_board", "gpu_module", "cpu_package", "gpu_cpu_dram", "node", "wall"]
"""What a figure covers. Figures of two scopes never stand in one ranking."""
Method = Literal["counter", "integral"]
Provenance = Literal["measured", "attributed", "none"]
Kind = Literal["isolated", "sentinel", "control", "mixed", "idle"]
PROMPT_ONLY = "prompt"
"""The mode of a control whose answers have one token, so that next to all of its energy is the prompt's."""


@dataclass(frozen=True, slots=True)
class Device:
    """One counted device. `uuid_hash` tells two cards apart and names none; `power_limit` in watts, None if unknown."""

    name: str
    uuid_hash: str = ""
    driver: str = ""
    power_limit: float | None = None


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """What a meter measures and how. `period` is the time between two updates of what it reads, in seconds."""

    scope: Scope
    method: Method
    api: str
    devices: tuple[Device, ...]
    period: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The energy of one stretch of time. `joules` is None where it is not known, and `reasons` say why.

    `cross` is the same by the other method, where there is one. `capped` is the share of samples at the power limit.
    `reasons` are codes of `reasons.FATAL`; `notes` those of `reasons.NOTES`.
    """

    seconds: float
    joules: float | None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cross: float | None = None
    lowest_watts: float | None = None
    highest_watts: float | None = None
    celsius: float | None = None
    capped: float | None = None

    @property
    def watts(self) -> float | None:
        """The mean power."""
        return None if self.joules is None or self.seconds <= 0 else self.joules / self.seconds


@dataclass(frozen=True, slots=True)
class Work:
    """What was computed in a stretch of time. None: the model does not say.

    `requests` ended in it, `failed` of them as errors and `truncated` at their length limit; `words` is None for
    scripts that do not part words. `context_steps` is the sum over requests of the tokens in reach of every step,
    prompt and answer so far: what attention has to read.
    """

    requests: int
    prompt_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None = None
    words: int | None = None
    truncated: int = 0
    empty: int = 0
    failed: int = 0
    context_steps: float | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Energy and work of the same time."""

    reading: Reading
    work: Work


@dataclass(frozen=True, slots=True)
class Check:
    """One validation test of `facts`: its number there (T1 to T13), whether it held, what was found, and its limit.

    `passed` is None where it could not be made, and `detail` says why.
    """

    id: str
    passed: bool | None
    found: float | None = None
    limit: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What runs in a window: one task in one language and mode. `task` is name@version; all empty where it is mixed."""

    task: str = ""
    language: str = ""
    variety: str = ""
    mode: str = ""
    prompt_language: str = ""
    shots: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a mixed window that one subject had: its work, and its joules once they are attributed."""

    subject: Subject
    work: Work
    joules: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A measured stretch of time: joules by scope, tokens, what ran in it.

    `setup` is everything that two figures must share to be compared. `steady` is the stretch in which as many requests
    were under way as asked for (`concurrency`; `reached` on average), `whole` all from the first request sent to the
    last answer. `number` is the window's place in the order of measuring. `reasons` are codes of `reasons.FATAL` (the
    window has no energy to go by) and of `reasons.UNRANKED`; `notes` those of `reasons.NOTES`. `shares` are those of a
    mixed window.
    """

    kind: Kind
    subject: Subject
    repeat: int
    number: int
    setup: str
    scope: Scope
    method: Method
    started: str
    concurrency: int
    reached: float | None
    steady: Stretch | None
    whole: Stretch
    checks: tuple[Check, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    questions: str = ""
    passes: float | None = None
    answer_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of the energy of one subject, in joules; every None has its reason, by the field's name.

    `low` and `high` are the 95 % interval of `joules_per_request` over the repeats. `whole_joules_per_request` is over
    whole windows, first request to last answer, not their steady stretches. `doubts` are all codes of
    `reasons.UNRANKED` against a place in rankings. `questions` is the hash of the items that
    were asked, each of them at least once in every window; empty where that cannot be said.
    """

    provenance: Provenance
    scope: Scope | None = None
    setup: str = ""
    windows: int = 0
    joules_per_request: float | None = None
    low: float | None = None
    high: float | None = None
    variation: float | None = None
    whole_joules_per_request: float | None = None
    output_tokens_per_joule: float | None = None
    output_tokens_per_request: float | None = None
    words_per_request: float | None = None
    doubts: tuple[str, ...] = ()
    questions: str = ""
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def rank_reason(self) -> str:
        """The first of the doubts; empty where the figures may be ranked."""
        return self.doubts[0] if self.doubts else ""
