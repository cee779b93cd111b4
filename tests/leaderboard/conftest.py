"""Small boards: real baselines on the real embedded suite, and runs of SIB-200 on sentences of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import tasks
from bench import prompting, session
from bench.backend import Capabilities
from bench.models import Model, Settings, load
from bench.plan import Block, choose_languages
from bench.plan import load as read
from bench.prices import Price
from bench.records import Request, Response
from bench.runfile import RunFile
from bench.runfile_records import Identity, Planned, SampleFacts
from leaderboard.app import create_app
from leaderboard.snapshot import Info, publish
from tasks import Sample, Variety, lock
from tests.plans import asked, block_of

TOPICS = ("science/technology", "travel", "politics", "sports", "health", "entertainment", "geography")
LANGUAGES = ("yor_Latn", "pes_Arab", "amh_Ethi")
HOSTILE = 'command:<script>alert("x")</script>\u202e'

Answer = Callable[[Request], Response]


@dataclass
class Scripted:
    """A model whose answers the test writes."""

    name: str
    answer: Answer
    revision: str = "1"
    template: str = "none"
    decoding: str = "greedy"
    price: Price | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)

    def check(self, planned: Iterable[Request]) -> None:
        """Takes any plan."""

    def respond(self, planned: Iterable[Request]) -> Iterator[Response]:
        """One answer a request."""
        yield from map(self.answer, planned)

    def status(self) -> str:
        return ""

    def close(self) -> None:
        """Holds nothing."""


def sentences(language: str, count: int = 40, shift: int = 0) -> Block:
    """SIB-200 in one language, the sentences made up; `shift` makes other ones under the same names."""
    task = tasks.get("sib200")
    made = tuple(
        Sample(
            task=task.name,
            version=task.version,
            language=language,
            variety="",
            item=str(number),
            input=f"sentence {number + shift}",
            fields={"text": f"sentence {number + shift}"},
            options=TOPICS,
            answer=number % len(TOPICS),
        )
        for number in range(count)
    )
    return block_of(task, Variety(language), made)


def run_sib200(path: Path, model: Scripted, blocks: Sequence[Block], *, locked: bool = True) -> Path:
    """A run file of SIB-200 through the real run file, scorer and summary, without the dataset."""
    known = {sample.id: sample for block in blocks for sample in block.samples}
    planned, _ = asked(blocks, model.capabilities, session.asker(model), None)
    with RunFile.open(path, Identity(model.name, model.revision, model.template, model.decoding)) as run:
        file = "data/annotated/yor_Latn/test.tsv"
        known_as = lock.files("sib200")[file].sha256
        run.add_datasets([("sib200", file, known_as if locked else "0" * 64, True)])
        run.add_plan(
            Planned(
                each,
                SampleFacts(prompting.digest(known[each.sample]), known[each.sample].cluster),
                each.prompt,
            )
            for each in planned
        )
        number = run.begin(["run", "--secret", "in-the-command-line"], {"bench": "0"}, {"cores": 2})
        run.record(list(model.respond(planned)))
        session.rescore(run, blocks)
        run.end(number, "complete")
    return path


def knows(share: int) -> Answer:
    """Right on the first `share` of ten items, in tens; else the wrong letter."""

    def answer(request: Request) -> Response:
        number = int(request.sample.rsplit("/", 1)[1])
        right = number % len(TOPICS)
        chosen = right if number % 10 < share else (right + 1) % len(TOPICS)
        return Response(request.id, "ok", TOPICS[chosen], finish="stop", output_tokens=3)

    return answer


def fails(language: str, count: int, otherwise: Answer) -> Answer:
    """No answer to the first `count` items of a language."""

    def answer(request: Request) -> Response:
        number = int(request.sample.rsplit("/", 1)[1])
        if request.language == language and number < count:
            return Response(request.id, "error", reason="timeout")
        return otherwise(request)

    return answer


def _embedded(path: Path, model: Model, names: Sequence[str], codes: Sequence[str]) -> Path:
    blocks = read(choose_languages(tasks.select(names), codes), None)
    session.perform(model, blocks, None, path)
    return path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two floors on the embedded suite, a good model on both kinds of task, one with gaps, and one that attacks."""
    folder = tmp_path_factory.mktemp("runs")
    suite = ("cldr-calendar", "cldr-names-write")
    settings = Settings(session.training)
    made = [
        _embedded(folder / f"{name}.run.db", load(f"baseline:{name}", settings), suite, LANGUAGES)
        for name in ("random", "copy")
    ]
    attack = '<img src=x onerror="alert(1)">'
    hostile = Scripted(HOSTILE, lambda request: Response(request.id, "ok", attack, finish="stop"), revision=attack)
    made.append(_embedded(folder / "hostile.run.db", hostile, suite, LANGUAGES[:1]))
    blocks = [sentences(language) for language in LANGUAGES]
    made.append(run_sib200(folder / "good.run.db", Scripted("hf:maker/good", knows(9)), blocks))
    gaps = Scripted("hf:maker/gaps", fails("yor_Latn", 5, knows(5)))
    made.append(run_sib200(folder / "gaps.run.db", gaps, [*blocks[:2], sentences("amh_Ethi", 10)]))
    made.append(run_sib200(folder / "sib-floor.run.db", Scripted("baseline:majority", knows(2)), blocks))
    return made


@pytest.fixture(scope="session")
def board(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with all runs."""
    folder = tmp_path_factory.mktemp("published") / "board"
    publish(runs, folder)
    return folder


@pytest.fixture(scope="session")
def info(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Info:
    """What publishing all runs says of itself."""
    return publish(runs, tmp_path_factory.mktemp("info") / "board")


@pytest.fixture
def client(board: Path) -> FlaskClient:
    """A visitor of the board."""
    return create_app(board).test_client()
