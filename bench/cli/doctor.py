"""`doctor`: what this machine can run and measure, and the one command that would change it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bench.cli.counting import counted
from bench.cli.doctor_backends import Finding, backends, endpoint

if TYPE_CHECKING:
    from bench.energy.meter import NoMeter
    from bench.energy.records import MeterFacts


@click.command()
@click.option(
    "--endpoint", "url", metavar="URL", help="Ask the service at this address for its models; also OPENAI_BASE_URL."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def doctor(url: str | None, as_json: bool) -> None:
    """Says what this machine can run and measure, and the one command that would change what it cannot."""
    findings = examine(url)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
        return
    click.echo("\n".join(written(findings, shutil.get_terminal_size((100, 24)).columns)))


def examine(url: str | None = None) -> list[Finding]:
    """Looks at everything that the program could use, and at an endpoint where one is named.

    Starts nothing and downloads nothing. Raises `UsageError` where `url` is no address.
    """
    asked = url or os.environ.get("OPENAI_BASE_URL")
    return [
        Finding("python", sys.version_info >= (3, 11), platform.python_version(), ""),
        *backends(),
        *([endpoint(asked)] if asked else []),
        _scoring(),
        _comet(),
        *_energy(),
        _data(),
        _writable(),
    ]


def written(findings: Sequence[Finding], width: int) -> Iterator[str]:
    """The findings in lines of at most `width` columns, but for commands: those stay whole, to be copied."""
    first = max(len(finding.what) for finding in findings) + 2
    indent = " " * (first + 5) if width >= 60 else " " * 4
    for finding in findings:
        head = f"{finding.what:<{first}}{'yes' if finding.works else 'no':<5}"
        yield from textwrap.wrap(
            head + finding.seen, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        if finding.mend:
            yield f"{indent}→ {finding.mend}"


def _scoring() -> Finding:
    from kernels import gpu, parallel

    why_not = gpu.available()
    if why_not:
        return Finding("scoring on the GPU", False, why_not, f"scoring uses {parallel.threads()} processor threads")
    return Finding("scoring on the GPU", True, gpu.required().name)


def _comet() -> Finding:
    from kernels.neural import VARIABLE

    python = os.environ.get(VARIABLE, "")
    if python and shutil.which(python):
        return Finding("scoring by COMET", True, python)
    seen = f"{VARIABLE} names {python}, which is no program" if python else f"{VARIABLE} is not set"
    return Finding("scoring by COMET", False, seen, "name the Python of an environment with unbabel-comet")


def _energy() -> list[Finding]:
    from bench.energy import choose
    from bench.energy.clock import RealClock

    return [meter_finding(name, found) for name, found in choose.available(RealClock())]


def meter_finding(name: str, found: NoMeter | MeterFacts) -> Finding:
    """What a meter measures here, or why it does not."""
    from bench.energy.meter import NoMeter
    from bench.energy.reasons import meaning

    if isinstance(found, NoMeter):
        seen = f"{meaning(found.code)} ({found.detail})" if found.detail else meaning(found.code)
        return Finding(f"energy: {name}", False, seen, found.mend)
    devices = Counter((device.name, device.power_limit) for device in found.devices)
    listed = [
        f"{count} x {device}" + (f", limited to {limit:g} W" if limit is not None else "")
        for (device, limit), count in devices.items()
    ]
    notes = [meaning(code) for code in found.notes]
    said = f"{found.scope} by {found.method}, {found.api}"
    return Finding(f"energy: {name}", True, "; ".join([f"{said}: {', '.join(listed)}" if listed else said, *notes]))


def _data() -> Finding:
    from tasks import DataError, store

    try:
        folder = store.mirror()
    except DataError as error:
        return Finding("data", False, str(error), f"set {store.ENVIRONMENT} to a folder that exists")
    if folder is None:
        return Finding(
            "data", True, "downloaded when a task asks", f"--data DIR or {store.ENVIRONMENT} for a local mirror"
        )
    datasets = sum(entry.is_dir() for entry in folder.iterdir())
    return Finding("data", True, f"local mirror with {counted(datasets, 'dataset')}")


def _writable() -> Finding:
    free = shutil.disk_usage(".").free / 2**30
    works = os.access(".", os.W_OK) and free > 0.1
    return Finding("run files here", works, f"{free:.1f} GiB free", "" if works else "--output on another disk")
