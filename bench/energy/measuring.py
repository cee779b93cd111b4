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
from bench.energy.schedule import Slot, schedule
from bench.energy.window import NOTHING, Loop, Measured, Source, measure, rest
from bench.records import Request
from bench.watch import Watch, unwatched

IDLE_SECONDS = 4.0
"""Shorter than the meters' own check of counter against power, which are known to be apart at rest."""
EXTERNAL = frozenset({"node", "wall"})


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is to be measured: the requests of every subject, which of them is the sentinel, and the controls.

    `parallel` are subjects that are asked the very items that English is.
    """

    subjects: Mapping[Subject, Sequence[Request]]
    sentinel: Subject
    control: Mapping[Subject, Sequence[Request]]
    parallel: frozenset[Subject] = frozenset()

    def slots(self, options: Options, done: Sequence[Window]) -> list[Slot]:
        """The windows that are still to be measured, in their order."""
        return schedule(list(self.subjects), self.sentinel, list(self.control), options, done)

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
            notes = ("parallel_prompts",) if slot.subject in agenda.parallel else ()
            keep(replace(window, notes=(*window.notes, *notes)))
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
        for _ in model.respond(loop):
            answered += 1
            if answered >= 2 * options.concurrency and clock.now() - began >= options.warmup:
                loop.end()
    except ModelStopped as reason:
        return str(reason)
    return ""


def judged(found: Measured, repeat: int, number: int, setup: str, facts: MeterFacts, concurrency: int) -> Window:
    """A window with every reason against its energy. Drift is not one of them yet: the next sentinel is to come."""
    reading, work = (found.steady.reading, found.steady.work) if found.steady else (found.whole.reading, NOTHING)
    reasons = checks.gates(
        seconds=found.steady.reading.seconds if found.steady else None,
        reached=found.reached,
        asked=concurrency,
        work=replace(work, failed=found.whole.work.failed),
        reading=reading,
    )
    stopped = ("interrupted",) if found.stopped else ()
    external = ("external_meter",) if facts.scope in EXTERNAL else ()
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
        checks=checks.of_reading(reading, facts),
        reasons=tuple(dict.fromkeys((*reasons, *stopped, *external))),
        notes=tuple(dict.fromkeys((*facts.notes, *reading.notes))),
    )


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
