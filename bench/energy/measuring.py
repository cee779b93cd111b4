"""Measures a model: warm-up, windows in random order with sentinels in between, each judged by its gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.backend import EngineFacts, Measurable, Model, ModelStopped
from bench.energy import checks
from bench.energy.clock import Clock
from bench.energy.meter import Meter
from bench.energy.options import Options
from bench.energy.records import MeterFacts, Reading, Stretch, Subject, Window
from bench.energy.schedule import Slot, schedule, settled
from bench.energy.window import NOTHING, Loop, Measured, Source, measure, rest
from bench.records import Request
from bench.watch import Watch, unwatched

IDLE_SECONDS = 4.0
"""Shorter than the meters' own check of counter against power, which are known to be apart at rest."""
EXTERNAL = frozenset({"node", "wall"})
CACHED = 0.1
"""With a larger share of its prompts read from a cache, a window measures the cache."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is to be measured: the requests of every subject, which of them is the sentinel, and the controls."""

    subjects: Mapping[Subject, Sequence[Request]]
    sentinel: Subject
    control: Mapping[Subject, Sequence[Request]]

    def slots(self, options: Options, done: Sequence[Window]) -> list[Slot]:
        """The windows that are still to be measured, in their order. Those that asked other questions do not count."""
        asked = {"control": self.control, "isolated": self.subjects, "sentinel": self.subjects}
        same = [
            window
            for window in settled(done)
            if window.subject in asked.get(window.kind, {})
            and window.questions == Source(window.subject, asked[window.kind][window.subject]).questions
        ]
        return schedule(list(self.subjects), self.sentinel, list(self.control), options, same)

    def source(self, slot: Slot) -> Source:
        """What is asked in a window."""
        return Source(slot.subject, (self.control if slot.kind == "control" else self.subjects)[slot.subject])


@dataclass(frozen=True, slots=True)
class Instruments:
    """What measures, and how."""

    meter: Meter
    clock: Clock
    options: Options


def perform(
    model: Model,
    agenda: Agenda,
    instruments: Instruments,
    done: Sequence[Window],
    keep: Callable[[Window], None],
    watch: Watch = unwatched,
) -> str:
    """Measures what is not `done` yet, and hands over every window as soon as it is there.

    Returns why measuring ended early, "" where it did not. Raises `BenchError` where windows cannot be kept.
    """
    meter, clock, options = instruments.meter, instruments.clock, instruments.options
    setup = setup_of(model, meter.facts, options.concurrency)
    slots = agenda.slots(options, [window for window in done if window.setup == setup])
    if not slots:
        return ""
    number = max((window.number for window in done if window.kind != "mixed"), default=-1) + 1
    keep(_idle(instruments, setup, number))
    warmed = warm(model, agenda.subjects[agenda.sentinel], clock, options)
    if warmed:
        return warmed
    with watch(f"{model.name} (energy)", len(slots)) as progress:
        for place, slot in enumerate(slots, start=1):
            found = measure(model, agenda.source(slot), slot.kind, meter, clock, options)
            window = judged(found, slot.repeat, number + place, setup, meter.facts, options.concurrency)
            elsewhere = ("not_on_device",) if off_device(model, meter.facts) else ()
            keep(replace(window, reasons=(*window.reasons, *elsewhere)))
            if found.stopped:
                return found.stopped
            progress(place)
    return ""


def warm(model: Model, requests: Sequence[Request], clock: Clock, options: Options) -> str:
    """Asks until twice the concurrency was answered and `options.warmup` seconds are over.

    What is compiled or allocated at first use is over then. Returns why the model stopped, "" where it did not.
    """
    loop, answered, began = Loop(requests), 0, clock.now()
    try:
        for response in model.respond(loop):
            loop.settle(response.request)
            answered += 1
            if answered >= 2 * options.concurrency and clock.now() - began >= options.warmup:
                loop.end()
    except ModelStopped as reason:
        return str(reason)
    return ""


def judged(found: Measured, repeat: int, number: int, setup: str, facts: MeterFacts, concurrency: int) -> Window:
    """A window with every reason against its energy. Drift is not one of them yet: the next sentinel is to come."""
    whole = found.whole.work
    reading, work = (found.steady.reading, found.steady.work) if found.steady else (found.whole.reading, NOTHING)
    reasons = checks.gates(
        seconds=found.steady.reading.seconds if found.steady else None,
        reached=found.reached,
        asked=concurrency,
        # What became of answers is judged over all of them: the long ones may end after the steady stretch.
        work=replace(work, failed=whole.failed, truncated=whole.truncated, requests=whole.requests),
        reading=reading,
    )
    checked = checks.of_reading(reading, facts)
    more = {
        "interrupted": bool(found.stopped),
        "engine_restarted": found.restarted,
        "power_implausible": any(check.id == "T8" and check.passed is False for check in checked),
        "prompts_cached": found.subject.mode == "generate"
        and (whole.cached_tokens or 0) > CACHED * (whole.prompt_tokens or 0),
        "external_meter": facts.scope in EXTERNAL,
    }
    said = {reason.partition(":")[0] for reason in reasons}
    reasons = (*reasons, *(code for code, applies in more.items() if applies and code not in said))
    return Window(
        kind=found.kind,
        subject=found.subject,
        repeat=repeat,
        number=number,
        setup=setup,
        scope=facts.scope,
        method=facts.method,
        started=found.started,
        concurrency=concurrency,
        reached=found.reached,
        steady=found.steady,
        whole=found.whole,
        checks=checked,
        reasons=reasons,
        notes=tuple(dict.fromkeys((*facts.notes, *reading.notes))),
        questions=found.questions,
        passes=found.passes,
        answer_tokens=found.answer_tokens,
    )


def off_device(model: Model, facts: MeterFacts) -> bool:
    """Whether a model says that it computes on the processor, while GPUs are what is measured."""
    return facts.scope in checks.GPU_SCOPES and isinstance(model, Measurable) and model.engine.device == "cpu"


def setup_of(model: Model, facts: MeterFacts, concurrency: int) -> str:
    """Everything that two figures must share to be compared, as people read it."""
    names = [device.name for device in facts.devices]
    devices = " + ".join(f"{names.count(name)}x {name}" for name in dict.fromkeys(names)) or "unknown device"
    limits = {device.power_limit for device in facts.devices if device.power_limit is not None}
    limit = f"{' / '.join(f'{watts:g}' for watts in sorted(limits))} W" if limits else "power limit unknown"
    engine = model.engine if isinstance(model, Measurable) else EngineFacts(model.name.partition(":")[0], "", "")
    made = " ".join(filter(None, (engine.name, engine.version)))
    number = engine.dtype or "dtype unknown"
    return ", ".join((devices, limit, made, number, f"{concurrency} at a time", facts.scope, facts.method))


def _idle(instruments: Instruments, setup: str, number: int) -> Window:
    """The power of doing nothing with the model loaded: told beside the figures, never taken off them."""
    reading: Reading = rest(instruments.meter, instruments.clock, IDLE_SECONDS)
    facts = instruments.meter.facts
    return Window(
        kind="idle",
        subject=Subject(),
        repeat=0,
        number=number,
        setup=setup,
        scope=facts.scope,
        method=facts.method,
        started="",
        concurrency=0,
        reached=None,
        steady=None,
        whole=Stretch(reading, NOTHING),
        reasons=reading.reasons,
        notes=tuple(dict.fromkeys((*facts.notes, *reading.notes))),
    )
