"""`energy`: what this machine can measure, and what was measured in a run."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bench.cli.doctor import meter_finding, written
from bench.cli.progress import duration, watch
from bench.cli.tables import note, print_table
from bench.records import UsageError

if TYPE_CHECKING:
    from bench.energy.clock import Clock
    from bench.energy.duty import Load
    from bench.energy.meter import Meter, NoMeter
    from bench.energy.probe import Report
    from bench.energy.records import Check, MeterFacts
    from bench.energy.zeus import ZeusCheck

TITLES = {
    "T1": ("the counter rises, at its pace", "{:.3f} s"),
    "T2": ("counter and integral agree", "{:.1%}"),
    "T3": ("affine in duty, any period", "{:.4f}"),
    "T4": ("parts sum to the whole", "{:.3f} J"),
    "T5": ("idle power is plausible", "{:,.1f} W"),
    "T6": ("twice the work, twice the energy", "{:.1%}"),
    "T7": ("repeats agree", "{:.1%}"),
    "T8": ("power under load is plausible", "{:,.1f} W"),
    "T9": ("no throttling", ""),
    "T10": ("no other process", ""),
    "T11": ("attributed parts are the whole", "{:.0e}"),
    "Zeus": ("Zeus counts the same", "{:.1%}"),
}
"""Each check in words, and how what it found is written."""


class Commands(click.Group):
    """`report` lives in a module of its own, which is imported when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The commands in their order."""
        return [*super().list_commands(context), "report"]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command; that of the other module imported now."""
        if name == "report":
            from bench.cli.energy_report import report

            return report
        return super().get_command(context, name)


@click.group(cls=Commands)
def energy() -> None:
    """Says what energy this machine can measure, and explains what was measured."""


@energy.command()
@click.option(
    "--meter",
    "spec",
    default="auto",
    show_default=True,
    metavar="SPEC",
    help="auto, nvml, amd, rapl, all, csv:FILE or prometheus:URL,METRIC.",
)
@click.option("--scope", type=click.Choice(["node", "wall"]), help="What an outside meter covers.")
@click.option(
    "--seconds",
    type=click.FloatRange(1, 600),
    default=6.0,
    show_default=True,
    help="Length of each stretch under load.",
)
@click.option("--zeus", is_flag=True, help="Hold Zeus against the meter too, under load (pip install '.[zeus]').")
@click.option("--no-load", is_flag=True, help="Only at idle: takes 5 seconds, and disturbs nobody.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def probe(spec: str, scope: str | None, seconds: float, zeus: bool, no_load: bool, as_json: bool) -> int:
    """Says what this machine can measure, and checks one meter: at idle, and under a load of its own.

    The exit code is 0 when everything that could be checked held, and 1 when something did not or nothing measures.
    """
    from bench.energy import choose
    from bench.energy.clock import RealClock
    from bench.energy.meter import NoMeter

    kind = spec.partition(":")[0]  # an address may hold a password
    if kind in choose.OUTSIDE and scope is None:
        raise UsageError(f"what the meter {kind}: covers cannot be seen from here; say --scope node or --scope wall")
    if zeus and no_load:
        raise UsageError("--zeus is held against the meter under load; leave --no-load out")
    clock = RealClock()
    report: Report | None = None
    missing: NoMeter | None = None
    try:
        meter = choose.open_meter(spec, clock, scope=scope)
    except NoMeter as reason:
        missing = reason
    else:
        with contextlib.closing(meter):
            report = _probed(meter, clock, seconds, no_load=no_load, zeus=zeus)
    known = choose.available(clock)
    if as_json:
        click.echo(json.dumps(_object(kind, known, report, missing), ensure_ascii=False))
    else:
        _print(kind, known, report, missing)
    return 0 if report is not None and report.passed else 1


def _probed(meter: Meter, clock: Clock, seconds: float, *, no_load: bool, zeus: bool) -> Report:
    """The report on a meter; what it takes is told first."""
    from bench.energy.duty import NoLoad
    from bench.energy.probe import probe as examined
    from bench.energy.probe import seconds_needed

    load: Load | None = None
    why = "--no-load was given"
    if not no_load:
        try:
            load = _load(meter.facts, clock)
        except NoLoad as reason:
            why = str(reason)
    doing = f"at idle, then under load ({load.name})" if load else "at idle"
    needed = seconds_needed(load, meter.facts, seconds)
    click.echo(f"probing {meter.facts.api} {doing}; about {duration(needed)}", err=True)
    if load is None:
        return examined(meter, clock, None, seconds, why, watch)
    with contextlib.ExitStack() as opened:
        opened.enter_context(contextlib.closing(load))
        peer = opened.enter_context(contextlib.closing(_zeus())) if zeus else None
        return examined(meter, clock, load, seconds, watch=watch, peer=peer)


def _zeus() -> ZeusCheck:
    """Zeus. Raises `UsageError` where it is not installed, or measures nothing."""
    from bench.energy.meter import NoMeter
    from bench.energy.zeus import open_zeus

    try:
        return open_zeus()
    except NoMeter as reason:
        raise UsageError(f"--zeus: {reason.detail}; {reason.mend}") from reason


def _load(facts: MeterFacts, clock: Clock) -> Load:
    """What loads the devices that a meter counts. Raises `NoLoad` where nothing can."""
    from bench.energy.checks import GPU_SCOPES
    from bench.energy.duty import CpuLoad, NoLoad, gpu_load

    if facts.scope == "cpu_package":
        return CpuLoad(clock)
    try:
        return gpu_load(clock)
    except NoLoad:
        if facts.scope in GPU_SCOPES:
            raise
        return CpuLoad(clock)  # a whole machine, which may have no GPU


def _object(
    kind: str, known: Sequence[tuple[str, NoMeter | MeterFacts]], report: Report | None, missing: NoMeter | None
) -> dict[str, Any]:
    return {
        "meters": [_meter(name, found) for name, found in known],
        "probed": _meter(kind, report.facts if report else missing),
        "idle_watts": report.idle_watts if report else None,
        "checks": [asdict(check) for check in report.checks] if report else [],
        "passed": report is not None and report.passed,
    }


def _meter(name: str, found: NoMeter | MeterFacts | None) -> dict[str, Any]:
    """One shape for meters that work and for those that do not."""
    from bench.energy.records import MeterFacts

    facts = found if isinstance(found, MeterFacts) else None
    missing = None if isinstance(found, MeterFacts) else found
    return {
        "name": name,
        "works": facts is not None,
        "facts": asdict(facts) if facts else None,
        "reason": missing.code if missing else "",
        "detail": missing.detail if missing else "",
        "mend": missing.mend if missing else "",
    }


def _print(
    kind: str, known: Sequence[tuple[str, NoMeter | MeterFacts]], report: Report | None, missing: NoMeter | None
) -> None:
    findings = [meter_finding(name, found) for name, found in known]
    if missing is not None and kind not in {"auto", *(name for name, _ in known)}:
        findings.append(meter_finding(kind, missing))
    width = shutil.get_terminal_size((100, 24)).columns
    click.echo("\n".join(written(findings, width)))
    click.echo()
    if report is None:
        note(f"Nothing was measured: {_instead(kind, known)}, and never zero.")
        return
    rows = [(check.id, TITLES[check.id][0], _held(check), _found(check), check.limit) for check in report.checks]
    columns = {"check": False, "what": False, "holds": False, "found": True, "limit": False}
    print_table(columns, rows, f"Checks of {report.facts.api} ({report.facts.scope}, by {report.facts.method})")
    click.echo()
    said: dict[str, list[str]] = {}
    for check in report.checks:
        if check.passed is not True and check.detail:
            said.setdefault(check.detail, []).append(check.id)
    for detail, ids in said.items():
        note(f"{', '.join(ids)}: {detail}")
    if report.idle_watts is not None:
        note(f"Idle power: {report.idle_watts:,.1f} W. It is told beside figures, never taken off them.")


def _instead(kind: str, known: Sequence[tuple[str, NoMeter | MeterFacts]]) -> str:
    """That energy is missing, and which meters have it where the one that was asked has not."""
    from bench.energy.records import MeterFacts

    others = [name for name, found in known if isinstance(found, MeterFacts)]
    if not others:
        return "energy is missing on this machine"
    does = "does" if len(others) == 1 else "do"
    return (
        f"{kind} does not measure here, {' and '.join(others)} {does} "
        f"({' or '.join(f'--meter {name}' for name in others)}); what was not measured is missing"
    )


def _held(check: Check) -> str:
    return {True: "yes", False: "NO", None: "not made"}[check.passed]


def _found(check: Check) -> str:
    return "-" if check.found is None else TITLES[check.id][1].format(check.found)
