"""Plans made by hand, and running them."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence

from bench.backend import Capabilities, Model
from bench.execution import NO_BOUNDS, Bounds, Outcome, Totals, execute
from bench.plan import ENGLISH, Block, Content, Shelf, Style, requests
from bench.prompting import Asker
from bench.records import Mode, Request
from bench.runfile import RunFile
from bench.watch import Progress, Standing
from tasks.records import Sample, Task, Variety


class _Given(Shelf):
    """Holds what it was given, in the place of what files hold."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        super().__init__()
        self._given = Content(tuple(samples))

    def content(self, block: Block) -> Content:
        return self._given


def block_of(task: Task, variety: Variety, samples: Sequence[Sample]) -> Block:
    """A block of these samples."""
    return Block(task, variety, shelf=_Given(samples))


def asked(
    blocks: Iterable[Block], capabilities: Capabilities, asker: Asker, mode: Mode | None, style: Style = ENGLISH
) -> tuple[list[Request], dict[str, str]]:
    """Every request, and the tasks that were left out with the reason."""
    left_out: MutableMapping[str, str] = {}
    made = [one for _, some in requests(blocks, capabilities, asker, mode, style, left_out) for one in some]
    return made, dict(left_out)


def unseen(done: int, standing: Standing | None = None) -> None:
    """Nobody looks."""


def drive(
    model: Model,
    planned: Sequence[Request],
    run: RunFile,
    progress: Progress = unseen,
    bounds: Bounds = NO_BOUNDS,
    size: int = 1000,
) -> Outcome:
    """Executes requests that the run file knows, in groups of `size`."""
    totals = Totals(len(planned), len(run.answered([request.id for request in planned])))
    groups = [planned[at : at + size] for at in range(0, len(planned), size)]
    return execute(model, groups, run, progress, totals, bounds)
