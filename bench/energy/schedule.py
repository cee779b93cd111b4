"""Which windows are measured, in which order, and how long that takes. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
