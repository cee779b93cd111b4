"""Windows -> figures: what is known of the energy of one task in one language, and why it is not known. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

from bench.energy import checks
from bench.energy.attribution import attributed
from bench.energy.mixed import total
from bench.energy.reasons import FATAL, UNRANKED
from bench.energy.records import Figures, Share, Subject, Window
from bench.energy.schedule import drifts, joules_per_token
from bench.statistics import t_quantile

FEWEST_WINDOWS = 3
STUDENT_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)
"""The 97.5 % points of Student's t for 1 to 8 degrees of freedom, for which `t_quantile` is not made."""
ENGLISH = "eng_Latn"


def latest_setup(windows: Sequence[Window]) -> str:
    """The setup that was measured last; a cell has the figures of one. Empty where there are no windows."""
    return windows[-1].setup if windows else ""


def figures(windows: Iterable[Window]) -> dict[Subject, Figures]:
    """The figures of every subject that has windows of the latest setup, measured apart or attributed."""
    every = list(windows)
    setup = latest_setup(every)
    mine = [window for window in every if window.setup == setup]
    apart = [window for window in mine if window.kind in ("isolated", "sentinel")]
    against = drifts(mine)
    found: dict[Subject, list[Window]] = {}
    for window in apart:
        found.setdefault(window.subject, []).append(window)
    made = {subject: _measured(_same_questions(group), against) for subject, group in found.items()}
    parts: dict[Subject, list[tuple[Window, Share]]] = {}
    for window in attributed(mine):
        for share in window.shares:
            parts.setdefault(share.subject, []).append((window, share))
    for subject, shares in parts.items():
        if subject not in made or made[subject].joules_per_request is None:
            made[subject] = _attributed(shares, made.get(subject))
    return made


def _same_questions(group: Sequence[Window]) -> list[Window]:
    """Those that asked what the latest asked: a plan that grew asks other questions."""
    return [window for window in group if window.questions == group[-1].questions]


def tokens_per_request(window: Window) -> float | None:
    """Output tokens of an answer on average; None where the model does not say."""
    if window.answer_tokens is not None:
        return window.answer_tokens
    work = window.whole.work
    answered = work.requests - work.failed
    return work.output_tokens / answered if work.output_tokens is not None and answered > 0 else None


def joules_per_request(window: Window) -> float | None:
    """The joules of a steady token times the tokens of an answer (ML.ENERGY's rule); by requests without tokens."""
    each, tokens = joules_per_token(window), tokens_per_request(window)
    if each is None or window.steady is None or window.whole.work.output_tokens == 0:
        return each
    if tokens is not None:
        return each * tokens if window.steady.work.output_tokens else each
    joules, requests = window.steady.reading.joules, window.steady.work.requests
    return joules / requests if joules is not None and requests > 0 else None


def _measured(group: Sequence[Window], against: dict[int, str]) -> Figures:
    usable = [(window, each) for window in group if (each := joules_per_request(window)) is not None and each > 0]
    # Those that were measured again, because sentinels beside them drifted, take the place of the first.
    usable = [(window, each) for window, each in usable if not against.get(window.number)] or usable
    if not usable:
        return Figures("none", group[-1].scope, group[-1].setup, reasons={"energy": why_invalid(group)})
    windows = [window for window, _ in usable]
    values = [each for _, each in usable]
    mean = fmean(values)
    low, high = log_interval(values)
    variation = stdev(values) / mean if len(values) > 1 else None
    reasons = {} if low is not None else {"joules_per_request_low": "too_few_repeats"}
    tokens = _mean(tokens_per_request(window) for window in windows)
    if not tokens:
        reasons["output_tokens_per_joule"] = "tokens_unknown" if tokens is None else "no_output_tokens"
    return Figures(
        provenance="measured",
        scope=windows[0].scope,
        setup=windows[0].setup,
        windows=len(windows),
        joules_per_request=mean,
        low=low,
        high=high,
        variation=variation,
        whole_joules_per_request=_whole(windows),
        output_tokens_per_joule=tokens / mean if tokens else None,
        output_tokens_per_request=tokens,
        words_per_request=_mean(_words(window) for window in windows),
        doubts=_doubts(windows, variation, against),
        questions=group[-1].questions if all((window.passes or 0) >= 1 for window in windows) else "",
        reasons=reasons,
    )


def log_interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval of the mean of positive values, Student's t on their logarithms; none for fewer than three."""
    if len(values) < FEWEST_WINDOWS:
        return None, None
    logs = [math.log(value) for value in values]
    degrees = len(logs) - 1
    quantile = STUDENT_95[degrees - 1] if degrees <= len(STUDENT_95) else t_quantile(float(degrees))
    half = quantile * stdev(logs) / math.sqrt(len(logs))
    # Around the arithmetic mean, which is the value shown.
    mean = fmean(values)
    middle = math.log(mean)
    # Rounding must not put the value outside its own interval.
    return min(mean, math.exp(middle - half)), max(mean, math.exp(middle + half))


def why_invalid(group: Sequence[Window]) -> str:
    """The first fatal reason of the last window that has one."""
    for window in reversed(group):
        for reason in (*window.reasons, *(window.steady or window.whole).reading.reasons):
            if reason.partition(":")[0] in FATAL:
                return reason
    return "no_valid_window"


def _doubts(windows: Sequence[Window], variation: float | None, against: dict[int, str]) -> tuple[str, ...]:
    """Every reason against a place in rankings."""
    said = [reason for window in windows for reason in window.reasons if reason.partition(":")[0] in UNRANKED]
    said += [against[window.number] for window in windows if against.get(window.number)]
    if variation is not None and variation > checks.REPEATS_INVALID:
        said.append("repeats_vary")
    if len(windows) < FEWEST_WINDOWS:
        said.append("too_few_repeats")
    return tuple(dict.fromkeys(said))


def _whole(windows: Sequence[Window]) -> float | None:
    return _mean(
        window.whole.reading.joules / answered
        if window.whole.reading.joules is not None
        and (answered := window.whole.work.requests - window.whole.work.failed) > 0
        else None
        for window in windows
    )


def _words(window: Window) -> float | None:
    work, tokens = window.whole.work, tokens_per_request(window)
    answered = work.requests - work.failed
    if work.words is None or answered <= 0:
        return None
    # By tokens, where they are known, so that every question counts alike here too.
    return work.words / work.output_tokens * tokens if work.output_tokens and tokens else work.words / answered


def _mean(values: Iterable[float | None]) -> float | None:
    every = list(values)
    known = [value for value in every if value is not None]
    return fmean(known) if known and len(known) == len(every) else None


def _attributed(parts: Sequence[tuple[Window, Share]], before: Figures | None) -> Figures:
    """Figures from mixed windows; without joules they say why, measured windows that failed first."""
    known = [(window, share) for window, share in parts if share.joules is not None]
    work = total(share.work for _, share in known)
    answered = work.requests - work.failed
    window = parts[-1][0]
    if answered <= 0:
        if before is not None:
            return before
        return Figures("none", window.scope, window.setup, reasons={"energy": _why_unattributed(window)})
    joules = math.fsum(share.joules for _, share in known if share.joules is not None)
    if not joules > 0:
        return before or Figures("none", window.scope, window.setup, reasons={"energy": "attribution_unfitted"})
    tokens = work.output_tokens
    reasons = {"joules_per_request_low": "attributed"}
    if not tokens:
        reasons["output_tokens_per_joule"] = "tokens_unknown" if tokens is None else "no_output_tokens"
    doubts = [code for window, _ in known for code in ("attribution_poor", "not_validated") if code in window.reasons]
    return Figures(
        provenance="attributed",
        scope=window.scope,
        setup=window.setup,
        windows=len(known),
        joules_per_request=joules / answered,
        output_tokens_per_joule=tokens / joules if tokens else None,
        output_tokens_per_request=None if tokens is None else tokens / answered,
        words_per_request=None if work.words is None else work.words / answered,
        doubts=tuple(dict.fromkeys(("attributed", *doubts))),
        reasons=reasons,
    )


def _why_unattributed(window: Window) -> str:
    """The first fatal reason of a mixed window, else why it could not be divided."""
    for reason in (*window.reasons, *window.whole.reading.reasons):
        if reason.partition(":")[0] in FATAL:
            return reason
    return next((reason for reason in window.reasons if reason != "attributed"), "no_valid_window")
