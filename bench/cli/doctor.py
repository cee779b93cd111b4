"""`doctor`: what this machine can run and measure, and the one command that would change it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path

import click


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it works, what was seen, and what would mend it."""

    what: str
    works: bool
    seen: str
    mend: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def doctor(as_json: bool) -> None:
    """Says what this machine can run and measure, and why not."""
    findings = examine()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
        return
    from bench.cli.tables import print_table

    rows = [(finding.what, "yes" if finding.works else "no", finding.seen, finding.mend) for finding in findings]
    print_table(dict.fromkeys(("what", "works", "seen", "to change it"), False), rows)


def examine() -> list[Finding]:
    """Looks at everything that the program could use. Starts nothing and downloads nothing."""
    return [
        Finding("python", sys.version_info >= (3, 11), platform.python_version(), ""),
        Finding("baseline:", True, "built in"),
        _hf(),
        Finding("command:", shutil.which("sh") is not None, shutil.which("sh") or "no shell"),
        Finding("replies:", True, "built in"),
        _gpu(),
        _scoring(),
        _comet(),
        _energy(),
        _data(),
        _writable(),
    ]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _hf() -> Finding:
    if _version("kernels"):
        seen = f"the package kernels {_version('kernels')} is installed; its name is that of a folder of this project"
        return Finding("hf:", False, seen, f"{sys.executable} -m pip uninstall kernels")
    missing = [name for name in ("torch", "transformers") if util.find_spec(name) is None]
    if missing:
        return Finding(
            "hf:", False, f"{' and '.join(missing)} not installed", "pip install 'bench[hf]' -c constraints.txt"
        )
    return Finding("hf:", True, f"torch {_version('torch')}, transformers {_version('transformers')}")


def _gpu() -> Finding:
    if not Path("/dev/nvidiactl").exists():
        return Finding("GPU", False, "no NVIDIA device", "models run on the CPU")
    return Finding("GPU", True, shutil.which("nvidia-smi") or "device file present")


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


def _energy() -> Finding:
    counter = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
    if not counter.exists():
        return Finding("energy: cpu_package", False, "no RAPL counter", "energy is null on this machine, never zero")
    if not os.access(counter, os.R_OK):
        return Finding("energy: cpu_package", False, "RAPL counter: permission denied", f"sudo chmod a+r {counter}")
    return Finding("energy: cpu_package", True, str(counter))


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
    return Finding("data", True, f"local mirror with {sum(entry.is_dir() for entry in folder.iterdir())} datasets")


def _writable() -> Finding:
    free = shutil.disk_usage(".").free / 2**30
    works = os.access(".", os.W_OK) and free > 0.1
    return Finding("run files here", works, f"{free:.1f} GiB free", "" if works else "--output on another disk")
