"""Windows to and from the run file, as JSON, and what a run knows of its energy."""

from __future__ import annotations

import msgspec

from bench.energy.cells import Energy, energy
from bench.energy.records import Window
from bench.premium.files import from_json
from bench.runfile import RunFile, reading


def keep(run: RunFile, window: Window) -> None:
    """Adds a window to the run file. Raises `RunFileError`."""
    run.add_window(msgspec.json.encode(window).decode())


def windows(run: RunFile) -> list[Window]:
    """Every window of a run in the order of measuring. Raises `UsageError` for a file that holds something else."""
    with reading(run.path):
        return [msgspec.json.decode(text, type=Window) for text in run.windows()]


def known(run: RunFile) -> Energy:
    """What a run's windows and premiums come to. Raises `UsageError` where they do not read as such."""
    manifest = run.manifest()
    with reading(run.path):
        premiums = [from_json(one) for one in manifest.get("premiums", [])]
        unmeasured = str(manifest.get("energy", {}).get("unmeasured", ""))
    return energy(windows(run), premiums, unmeasured)
