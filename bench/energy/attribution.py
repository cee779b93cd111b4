"""Energy of mixed windows, told apart by subject: a non-negative model of what work costs, checked where measured.

    E = P0 * T + a * prompt tokens + b * output tokens + c * context steps

over whole windows. Energy is never split by output tokens alone: that gives every language the same joules per token,
whatever is true.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.energy.checks import t11_conserved
from bench.energy.reasons import FATAL
from bench.energy.records import Stretch, Window, Work

Floats: TypeAlias = NDArray[np.float64]

LARGEST_CONDITION = 1e5
"""Of the scaled columns: beyond it the windows are too much alike to tell one cost from another."""
LARGEST_ERROR = 0.10
"""Mean absolute error on held-out isolated windows, relative; a larger one is `attribution_poor`."""
SMALLEST = 1e-3
"""Joules: what energy counters count in. A window with less has nothing to tell costs from."""
OF_STEADY = frozenset({"window_short", "no_steady", "batch_underfilled"})
"""Reasons that take the energy of a steady stretch away, and say nothing against the whole window."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What work costs: watts at rest, and joules for a token of a prompt, of an answer, and for a context step.

    None: no window had any of that work. `error` is the mean absolute relative error on isolated windows, each
    predicted by a fit on the windows of other subjects; None where there are none, or too few to fit without them.
    `windows` is how many were fitted.
    """

    idle_watts: float | None
    prompt_token_joules: float | None
    output_token_joules: float | None
    context_step_joules: float | None
    windows: int
    error: float | None = None

    def work_joules(self, work: Work) -> float | None:
        """What a subject's work takes beyond rest; None where a count or its cost is not known."""
        return _product(self._coefficients()[1:], _computed(work))

    def joules(self, window: Window) -> float | None:
        """What a whole window should take by this model; None where its work or a cost is not known."""
        features = _features(window)
        return None if features is None else _product(self._coefficients(), features)

    def _coefficients(self) -> tuple[float | None, ...]:
        return (self.idle_watts, self.prompt_token_joules, self.output_token_joules, self.context_step_joules)


@dataclass(frozen=True, slots=True)
class Phases:
    """The energy of one request in parts: its prompt, and each token of its answer. None has its `reason`."""

    prompt_joules: float | None
    token_joules: float | None
    reason: str = ""


def attributed(windows: Sequence[Window]) -> list[Window]:
    """The windows of a run, the mixed ones with joules for each share where that can be told; others as they are."""
    costs = {setup: fit(one for one in windows if one.setup == setup) for setup in {one.setup for one in windows}}
    return [attribute(one, costs[one.setup]) if one.kind == "mixed" else one for one in windows]


def fit(windows: Iterable[Window]) -> Costs | None:
    """The costs that explain whole windows of one setup best, none of them below zero, by relative error.

    None where fewer windows than variables have a known energy, or where they are too much alike.
    """
    known = [window for window in windows if _joules(window) is not None and _features(window) is not None]
    found = _fitted(known)
    if found is None:
        return None
    isolated = [window for window in known if window.kind == "isolated"]
    errors: list[float] = []
    for subject in dict.fromkeys(window.subject for window in isolated):
        held_out = _fitted([window for window in known if window.subject != subject])
        for window in isolated:
            if window.subject == subject and held_out is not None:
                expected, joules = held_out.joules(window), _joules(window)
                if expected is not None and joules is not None:
                    errors.append(abs(expected - joules) / joules)
    return replace(found, error=math.fsum(errors) / len(errors) if errors else None)


def attribute(window: Window, costs: Costs | None) -> Window:
    """A mixed window whose energy is divided among its shares, with reasons why not, or why that is not ranked.

    Energy at rest goes by each share's part of the modelled work, and the sum is scaled to what was measured.
    """
    joules = _joules(window)
    if joules is None or not window.shares:
        return _without(window, () if _spoiled(window, OF_STEADY) else ("attribution_unfitted",))
    modelled = [costs.work_joules(share.work) if costs else None for share in window.shares]
    weights = [weight for weight in modelled if weight is not None]
    together = math.fsum(weights)
    # Nothing that was computed takes nothing: where the fit says so, it tells the shares not apart.
    if costs is None or len(weights) < len(modelled) or not all(weight > 0 for weight in weights):
        return _without(window, ("attribution_unfitted",))
    given = [joules * weight / together for weight in weights]
    shares = tuple(replace(share, joules=each) for share, each in zip(window.shares, given, strict=True))
    doubts = {"not_validated": costs.error is None, "attribution_poor": (costs.error or 0.0) > LARGEST_ERROR}
    return replace(
        window,
        shares=shares,
        reasons=_together(window.reasons, ("attributed", *(code for code, applies in doubts.items() if applies))),
        checks=(*(check for check in window.checks if check.id != "T11"), t11_conserved(joules, given)),
    )


def phase_split(short: Sequence[Window], long: Sequence[Window]) -> Phases:
    """The energy of the prompt and of each token, from steady windows whose answers have two exact lengths.

    The prompts are the same, and `short` may be answers of one token. Energy per request is taken as a line in the
    answer's length: its slope is a token, and what is left of the short ones' energy is the prompt (optimum-benchmark
    takes the same difference). A negative part is no measurement, and has the reason `phase_split_negative`.
    """
    points = []
    for windows in (short, long):
        stretches = [window.steady for window in windows if window.steady is not None and not _spoiled(window, ())]
        point = _per_request(stretches)
        if isinstance(point, str):
            return Phases(None, None, point)
        points.append(point)
    (length, joules), (longer, more) = points
    if longer <= length:
        return Phases(None, None, "no_valid_window")
    token = (more - joules) / (longer - length)
    prompt = joules - token * length
    if token < 0 or prompt < 0:
        return Phases(None, None, "phase_split_negative")
    return Phases(prompt, token)


def nonnegative(matrix: Floats, target: Floats) -> Floats:
    """Least squares without negative coefficients, for a matrix (rows, at most a few columns) of full column rank.

    The answer is ordinary least squares on the columns where it is positive, so every set of columns is tried.
    """
    columns = matrix.shape[1]
    best, least = np.zeros(columns), float(target @ target)
    for size in range(1, columns + 1):
        for chosen in combinations(range(columns), size):
            found = np.linalg.lstsq(matrix[:, chosen], target, rcond=None)[0]
            if np.all(found >= 0):
                left = target - matrix[:, chosen] @ found
                if (squares := float(left @ left)) < least:
                    least = squares
                    best = np.zeros(columns)
                    best[list(chosen)] = found
    return best


def _fitted(windows: Sequence[Window]) -> Costs | None:
    if not windows:
        return None
    features = np.array([_features(window) for window in windows], dtype=np.float64)
    joules = np.array([_joules(window) for window in windows], dtype=np.float64)
    used = np.flatnonzero(features.any(axis=0))
    if len(windows) < used.size:
        return None
    # Relative: a meter's error grows with what it counts, and a window of an hour should not drown the others.
    rows = features[:, used] / joules[:, None]
    scale = np.linalg.norm(rows, axis=0)
    rows /= scale
    if not np.linalg.cond(rows) < LARGEST_CONDITION:
        return None
    found: list[float | None] = [None] * features.shape[1]
    for place, cost in zip(used, nonnegative(rows, np.ones(len(windows))) / scale, strict=True):
        found[place] = float(cost)
    idle, prompt, output, context = found
    return Costs(idle, prompt, output, context, len(windows))


def _features(window: Window) -> tuple[float, ...] | None:
    """Seconds, tokens of prompts and of answers, and context steps of a whole window; None where one is not known."""
    counts = _computed(window.whole.work)
    return None if counts is None else (window.whole.reading.seconds, *counts)


def _computed(work: Work) -> tuple[float, float, float] | None:
    """Tokens of prompts, without what was read from a cache and cost next to nothing, of answers, and context steps."""
    if work.prompt_tokens is None or work.output_tokens is None or work.context_steps is None:
        return None
    return (max(0, work.prompt_tokens - (work.cached_tokens or 0)), work.output_tokens, work.context_steps)


def _product(costs: Sequence[float | None], work: Sequence[float] | None) -> float | None:
    if work is None or any(cost is None and amount for cost, amount in zip(costs, work, strict=True)):
        return None
    return math.fsum((cost or 0.0) * amount for cost, amount in zip(costs, work, strict=True))


def _joules(window: Window) -> float | None:
    """The energy of a whole window; None where it is not known or spoiled."""
    joules = window.whole.reading.joules
    return None if joules is None or not joules >= SMALLEST or _spoiled(window, OF_STEADY) else joules


def _spoiled(window: Window, besides: Iterable[str]) -> bool:
    codes = {reason.partition(":")[0] for reason in (*window.reasons, *window.whole.reading.reasons)}
    return bool((codes - set(besides)) & FATAL.keys())


def _without(window: Window, reasons: tuple[str, ...]) -> Window:
    """A window whose shares have no joules, and why: its own reasons, or these."""
    shares = tuple(replace(share, joules=None) for share in window.shares)
    return replace(window, shares=shares, reasons=_together(window.reasons, reasons))


def _together(reasons: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """Reasons with more of them; those that attribution gave before are given anew."""
    own = ("attributed", "not_validated", "attribution_poor", "attribution_unfitted")
    return tuple(dict.fromkeys((*(reason for reason in reasons if reason not in own), *more)))


def _per_request(stretches: Sequence[Stretch]) -> tuple[float, float] | str:
    """(tokens, joules) of a request over several stretches, or why that is not known."""
    joules = [stretch.reading.joules for stretch in stretches]
    tokens = [stretch.work.output_tokens for stretch in stretches]
    requests = sum(stretch.work.requests for stretch in stretches)
    if not requests or any(one is None for one in joules):
        return "no_valid_window"
    if any(one is None for one in tokens):
        return "tokens_unknown"
    return sum(one or 0 for one in tokens) / requests, math.fsum(one or 0.0 for one in joules) / requests
