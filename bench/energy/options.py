"""What a user may say of an energy measurement: `-E name=value`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Processes = Annotated[
    str, Meta(pattern=r"^[0-9]+(,[0-9]+)*$", extra={"wanted": "process ids joined by commas, such as 4711,4712"})
]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How windows are measured. The defaults are those of a publishable figure; shorter windows are shown as too short.

    `meter` is auto, nvml, amd, rapl, all, `csv:FILE` or `prometheus:URL,QUERY`; `scope` what an outside meter covers;
    `devices` GPUs by index or UUID, `processes` the process ids, joined by commas, that may use them beside this
    program: those of a server that it asks. A steady stretch takes `seconds`, after a warm-up of at least `warmup`
    seconds; every task and language gets `repeats` windows, with a sentinel in English after every `sentinel_every` of
    them. `elsewhere` measures GPUs although the engine says that it computes on the processor, to try things out; what
    comes of it is never ranked. `control` adds windows with prompts and answers of `control_tokens` tokens in every
    language.
    """

    meter: str = "auto"
    scope: Literal["node", "wall"] | None = None
    devices: str | None = None
    processes: Processes | None = None
    seconds: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    repeats: Annotated[int, Meta(ge=1, le=1_000)] = 3
    concurrency: Annotated[int, Meta(ge=1, le=65_536)] = 64
    sentinel_every: Count = 6
    elsewhere: bool = False
    control: bool = True
    control_tokens: Annotated[int, Meta(ge=8, le=4096)] = 128
    warmup: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    seed: Annotated[int, Meta(ge=0)] = 0
