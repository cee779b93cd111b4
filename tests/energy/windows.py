"""Windows made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.energy.records import Reading, Share, Stretch, Subject, Window, Work

SETUP = "1x NVIDIA H100, 700 W, vllm 0.32.0, bfloat16, 64 at a time, gpu_board, counter"
ENGLISH = Subject("flores200-from-eng@1", "eng_Latn", "", "generate", "english", 0)
YORUBA = replace(ENGLISH, language="yor_Latn")


def window(
    subject: Subject = YORUBA,
    *,
    joules: float | None = 3000.0,
    output: int | None = 1000,
    requests: int = 50,
    number: int = 1,
    kind: Any = "isolated",
    repeat: int = 0,
    reasons: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    words: int | None = 800,
    setup: str = SETUP,
    whole: Stretch | None = None,
    shares: tuple[Share, ...] = (),
    questions: str = "q",
    passes: float = 2.0,
) -> Window:
    """A window of 30 s steady in 40 s, its figures those of the steady stretch, the whole a third more of each."""
    reading = Reading(30.0, joules, reasons if joules is None else ())
    work = Work(requests, 100 * requests, output, words=words, context_steps=1.0)
    long = Stretch(
        Reading(40.0, None if joules is None else joules * 4 / 3 + 500, reading.reasons),
        Work(
            2 * requests,
            200 * requests,
            None if output is None else 2 * output,
            words=None if words is None else 2 * words,
            context_steps=2.0,
        ),
    )
    return Window(
        kind=kind,
        subject=subject,
        repeat=repeat,
        number=number,
        setup=setup,
        scope="gpu_board",
        method="counter",
        started="2026-01-01T00:00:00Z",
        concurrency=64,
        reached=64.0,
        steady=None if kind == "mixed" else Stretch(reading, work),
        whole=whole or long,
        reasons=reasons,
        notes=notes,
        shares=shares,
        questions=questions,
        passes=passes,
    )


def measured(subject: Subject, *joules: float, first: int = 1, **how: Any) -> list[Window]:
    """A window for each number of joules, and sentinels in English around them."""
    windows = [
        window(subject, joules=each, number=first + place, repeat=place, **how) for place, each in enumerate(joules)
    ]
    sentinels = [window(ENGLISH, kind="sentinel", number=place, joules=2000.0) for place in (0, first + len(joules))]
    return [sentinels[0], *windows, sentinels[1]]
