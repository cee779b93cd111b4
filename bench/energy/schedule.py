"""Which windows are measured, in which order, and how long that takes. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.energy import checks
from bench.energy.options import Options
from bench.energy.reasons import FATAL
from bench.energy.records import Kind, Subject, Window

FILLING_SECONDS = 5.0
DRAINING_SECONDS = 5.0
"""What a window takes beside its steady stretch, as a first guess: the batch has to fill, and to run empty."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One window to be measured."""

    kind: Kind
    subject: Subject
    repeat: int


def schedule(
    subjects: Sequence[Subject], sentinel: Subject, control: Sequence[Subject], options: Options, done: Iterable[Window]
) -> list[Slot]:
    """The windows that are still to be measured: repeats of every subject in random order, sentinels in between.

    A sentinel comes first, last, and after every `options.sentinel_every` windows, and often enough to be a subject
    with all its repeats itself. The order follows from `options.seed`: what warms up or slows down over an hour must
    not fall on one language. Nothing is left to do where every subject has all its valid windows among the `done`.
    """
    have = {(one.kind, one.subject, one.repeat) for one in done if is_valid(one)}
    wanted = [Slot("isolated", subject, repeat) for subject in subjects for repeat in range(options.repeats)]
    wanted = [slot for slot in wanted if slot.subject != sentinel]
    wanted += [Slot("control", subject, repeat) for subject in control for repeat in range(options.repeats)]
    missing = [slot for slot in wanted if (slot.kind, slot.subject, slot.repeat) not in have]
    before = [repeat for kind, subject, repeat in have if kind == "sentinel" and subject == sentinel]
    lacking = options.repeats - len(before)
    if not missing and lacking <= 0:
        return []
    random.Random(options.seed).shuffle(missing)  # noqa: S311 - an order, not a secret
    # Enough of them, spread evenly, and one at either end; never two without anything between, if that can be helped.
    count = max(math.ceil(len(missing) / options.sentinel_every) + 1, lacking, min(2, len(missing) + 1))
    after = {round(number * len(missing) / max(1, count - 1)) for number in range(count)}
    spare = count - len(after)
    number = max(before, default=-1) + 1
    made: list[Slot] = []
    for place in range(len(missing) + 1):
        for _ in range((place in after) + (spare if place == len(missing) else 0)):
            made.append(Slot("sentinel", sentinel, number))
            number += 1
        made += missing[place : place + 1]
    return made


def settled(done: Sequence[Window]) -> list[Window]:
    """The windows that need no measuring again: those between sentinels that did not drift, and the sentinels."""
    against = drifts(done)
    return [window for window in done if window.kind == "sentinel" or not against.get(window.number)]


def drifts(windows: Iterable[Window]) -> dict[int, str]:
    """Window number -> "drift" or "no_sentinel", for windows of one setup that have either against them.

    Sentinels are compared with those of the same questions only.
    """
    every = [window for window in windows if window.kind in ("isolated", "sentinel", "control")]
    numbers = [window.number for window in every]
    groups: dict[tuple[Subject, str], list[tuple[int, float | None]]] = {}
    for window in every:
        if window.kind == "sentinel":
            place = (window.subject, window.questions)
            groups.setdefault(place, []).append((window.number, joules_per_token(window)))
    found = [checks.drift(sentinels, numbers) for sentinels in groups.values()]
    if not found:
        return dict.fromkeys(numbers, "no_sentinel")
    return {
        number: "drift" if "drift" in (codes := [one[number] for one in found]) else codes[0]
        for number in numbers
        if all(number in one for one in found)
    }


def joules_per_token(window: Window) -> float | None:
    """Of the steady stretch, for each output token, or for each request where nothing is written; None if not known."""
    if not is_valid(window) or window.steady is None:
        return None
    joules, work = window.steady.reading.joules, window.steady.work
    # Whether anything is written, the answers say: an engine may make a token after a text that is only scored.
    count = work.requests if window.whole.work.output_tokens == 0 else work.output_tokens or work.requests
    return joules / count if joules is not None and count > 0 else None


def is_valid(window: Window) -> bool:
    """Whether a window has an energy to go by."""
    return bool(
        window.steady is not None
        and window.steady.reading.joules is not None
        and not any(reason.partition(":")[0] in FATAL for reason in window.reasons)
    )


def seconds_needed(slots: Sequence[Slot], options: Options) -> float:
    """About how long measuring takes. Filling and draining a batch is guessed, and depends on the model."""
    each = options.seconds + FILLING_SECONDS + DRAINING_SECONDS
    return options.warmup + len(slots) * each if slots else 0.0
