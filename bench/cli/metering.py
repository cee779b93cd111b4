"""The options `--energy` and `-E` of `run`: which meter, and what is said before it measures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bench.records import UsageError

if TYPE_CHECKING:
    from bench.backend import Model
    from bench.energy.measuring import Instruments
    from bench.energy.options import Options
    from bench.plan import Block


@dataclass(frozen=True, slots=True)
class Metering:
    """What the user wants of energy. `options` is None where nothing is measured."""

    options: Options | None
    required: bool

    @classmethod
    def of(cls, given: Sequence[str], *, asked: bool, required: bool) -> Metering:
        """Reads `-E NAME=VALUE`. Raises `UsageError` for an unknown name or wrong value, or one without `--energy`."""
        if not asked and not required:
            if given:
                raise UsageError("-E is for --energy; add it")
            return cls(None, required=False)
        from bench.backend import read_options
        from bench.cli.run import named_values
        from bench.energy.checks import STEADY_SECONDS
        from bench.energy.figures import FEWEST_WINDOWS
        from bench.energy.options import Options

        options = read_options(Options, "-E", named_values(given, "-E", "-E seconds=60"))
        for short, worth in (
            ("seconds", options.seconds < STEADY_SECONDS),
            ("repeats", options.repeats < FEWEST_WINDOWS),
        ):
            if worth:
                least = STEADY_SECONDS if short == "seconds" else FEWEST_WINDOWS
                what = "no window is valid" if short == "seconds" else "nothing is ranked"
                click.echo(f"bench: -E {short}={getattr(options, short):g}: under {least:g} {what}", err=True)
        return cls(options, required)

    @property
    def asked(self) -> bool:
        """Whether energy is to be measured."""
        return self.options is not None

    @property
    def concurrency(self) -> int | None:
        """Requests at a time while energy is measured; None where it is not."""
        return self.options.concurrency if self.options else None

    def refuse(self, batch: int | None, max_cost: float | None) -> None:
        """Raises `UsageError` for options that windows cannot be held to."""
        if self.options is None:
            return
        if max_cost is not None:
            raise UsageError(
                "--max-cost does not bound the windows of --energy, which ask far more; leave one of them out"
            )
        if batch is not None and batch < self.options.concurrency:
            raise UsageError(
                f"--batch {batch} cannot keep {self.options.concurrency} requests under way; leave it out, or give "
                f"-E concurrency={batch}"
            )

    @contextlib.contextmanager
    def instruments(self, model: Model, blocks: Sequence[Block]) -> Iterator[Instruments | str | None]:
        """What measures this model, the reason code of why nothing does, or None where nobody asked.

        Says how long measuring will take. Raises `UsageError` where energy is required and cannot be measured.
        """
        if self.options is None:
            yield None
            return
        from bench.backend import Measurable
        from bench.energy import agenda
        from bench.energy.choose import OUTSIDE, Gpus, open_meter
        from bench.energy.clock import RealClock
        from bench.energy.measuring import Instruments, off_device
        from bench.energy.meter import NoMeter

        options, clock = self.options, RealClock()
        if not model.capabilities.computes:
            yield self._without(model, "nothing_computed", "measure the model itself")
            return
        # A server on this machine shows its engine, and this machine's meters count it; others have their own meter.
        outside = options.meter.partition(":")[0] in OUTSIDE
        if model.capabilities.remote and not isinstance(model, Measurable) and not outside:
            yield self._without(
                model, "not_measurable", "only its own meter could: -E meter=csv:FILE or prometheus:..."
            )
            return
        try:
            allowed = tuple(int(process) for process in (options.processes or "").split(",") if process)
            gpus = Gpus(options.devices, allowed)
            meter = open_meter(options.meter, clock, scope=options.scope, gpus=gpus)
        except NoMeter as error:
            yield self._without(model, str(error), error.mend)
            return
        with contextlib.closing(meter):
            if off_device(model, meter.facts) and not options.elsewhere:
                yield self._without(model, "not_on_device", "-E meter=rapl measures the processor")
                return
            count, seconds = agenda.expected(blocks, model, options)
            devices = ", ".join(device.name for device in meter.facts.devices)
            click.echo(
                f"energy of {model.name}: {devices} ({meter.facts.scope}); after the run up to {count:,} windows of "
                f"{options.seconds:g} s at {options.concurrency:,} at a time, about {_span(seconds)}",
                err=True,
            )
            yield Instruments(meter, clock, options)

    def _without(self, model: Model, code: str, mend: str) -> str:
        from bench.energy.reasons import meaning

        said = f"{model.name}: no energy is measured: {meaning(code)}{f'; {mend}' if mend else ''}"
        if self.required:
            raise UsageError(said)
        click.echo(f"bench: {said}", err=True)
        return code


def _span(seconds: float) -> str:
    """A length of time in words."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
