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
        if not asked:
            if given or required:
                raise UsageError(f"{'-E' if given else '--require-energy'} is for --energy; add it")
            return cls(None, required=False)
        from bench.backend import read_options
        from bench.cli.run import model_options
        from bench.energy.options import Options

        return cls(read_options(Options, "-E", model_options(given)), required)

    @property
    def asked(self) -> bool:
        """Whether energy is to be measured."""
        return self.options is not None

    @property
    def concurrency(self) -> int | None:
        """Requests at a time while energy is measured; None where it is not."""
        return self.options.concurrency if self.options else None

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
        from bench.energy.choose import Gpus, open_meter
        from bench.energy.clock import RealClock
        from bench.energy.measuring import Instruments
        from bench.energy.meter import NoMeter
        from bench.energy.reasons import meaning

        options, clock = self.options, RealClock()
        # A server on this machine shows its engine, and this machine's meters count it.
        if model.capabilities.remote and not isinstance(model, Measurable) and options.meter == "auto":
            yield self._without(
                "not_measurable", f"{model.name}: {meaning('not_measurable')}", "name its meter with -E"
            )
            return
        try:
            allowed = tuple(int(process) for process in (options.processes or "").split(",") if process)
            gpus = Gpus(options.devices, allowed)
            meter = open_meter(options.meter, clock, scope=options.scope, gpus=gpus)
        except NoMeter as error:
            yield self._without(str(error), meaning(str(error)), error.mend)
            return
        with contextlib.closing(meter):
            count, seconds = agenda.expected(blocks, model, options)
            devices = ", ".join(device.name for device in meter.facts.devices)
            click.echo(
                f"energy of {model.name}: {devices} ({meter.facts.scope}); after the run itself {count:,} windows of "
                f"{options.seconds:g} s at {options.concurrency:,} at a time, about {_span(seconds)}",
                err=True,
            )
            yield Instruments(meter, clock, options)

    def _without(self, code: str, why: str, mend: str) -> str:
        said = f"no energy is measured: {why}{f'; {mend}' if mend else ''}"
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
