"""Whatever this program writes passes the check of an upload: every kind of task, model and way of running."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tasks
from bench import session
from bench.backend import Capabilities
from bench.execution import Bounds
from bench.models import Settings, load
from bench.plan import ENGLISH, Block, Style
from bench.plan import load as read
from bench.prices import Price
from bench.records import Mode, Request, Response
from bench.runfile import RunFile
from leaderboard.desk import checking
from leaderboard.desk.limits import DEFAULT
from leaderboard.desk.verdicts import UPLOAD, Verdict
from tests.bench.models.asked import settings
from tests.conftest import REPOSITORY
from tests.energy.test_session import Run, blocks
from tests.leaderboard.conftest import Answer, Scripted
from tests.openai_server import BARE, VLLM, Json, Kind, Mangle, Server

PRICE = Price(input=1.0, output=10.0, currency="EUR", as_of="2026-01-01", source="https://example.org")
EMBEDDED = ("cldr", "rules")
SUITE = ("cldr-plurals", "cldr-calendar", "cldr-names-write", "cldr-dates", "rules-dates", "rules-language")
LETTERS = "ABCD"
MIRROR = Path(os.environ.get("BENCH_DATA") or REPOSITORY.parent / "shared" / "data")


def luck(request: Request) -> int:
    """A number of the request's own, the same each time."""
    return zlib.crc32(request.id.encode())


def mixed(request: Request) -> Response:
    """Answers of every kind: right and wrong ones, silence, refusals, cut ones, without and with thought."""
    number = luck(request)
    if request.mode != "generate":
        values = tuple(-1.0 - (number >> place) % 7 for place in range(len(request.continuations)))
        return Response(request.id, "ok", loglikelihoods=values, finish="stop", prompt_tokens=9, output_tokens=1)
    texts = (
        LETTERS[number % 4],
        *request.options[:2],
        request.input,
        "3",
        "A, B",
        "1,5",
        "",
        "አዎ ይህ መልሱ ነው።",
        "x\u202ey",
    )
    text = texts[number % len(texts)]
    finish = ("stop", "stop", "stop", "length", "filter", "")[number // 16 % 6]
    thought = number // 128 % 50
    return Response(
        *(request.id, "ok", text),
        finish=finish,  # type: ignore[arg-type]
        prompt_tokens=20,
        output_tokens=thought + 5,
        reasoning="hm" if thought else "",
        reasoning_tokens=thought,
    )


def failing(request: Request) -> Response:
    """As `mixed`, but every third request fails."""
    if luck(request) % 3 == 0:
        return Response(request.id, "error", reason="timeout", attempts=3)
    return mixed(request)


def forgetful(request: Request) -> Response:
    """As `mixed`, but some answers come without usage."""
    made = mixed(request)
    return made if luck(request) % 5 else replace(made, prompt_tokens=None, output_tokens=None, reasoning_tokens=None)


def skipping(request: Request) -> Response:
    """As `mixed`, but some requests are too long for the model."""
    return mixed(request) if luck(request) % 4 else Response(request.id, "skipped", reason="context_length")


def plan(names: Sequence[str], limit: int | None, languages: int = 2, shots: int = 0) -> list[Block]:
    """Some languages of each task: the first ones, and one with a variety."""
    pairs = []
    for task in tasks.select(names):
        chosen = [*task.varieties[:languages], *[one for one in task.varieties if one.variety][:1]]
        pairs += [(task, one) for one in dict.fromkeys(chosen)]
    return read(pairs, limit, shots=shots)


Check = Callable[..., Verdict]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """The real check of a run file, each in a folder of its own, on a board with these data."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    folders = (tmp_path / f"check-{number}" for number in itertools.count())

    def checked(run: Path, data: Path | None = None) -> Verdict:
        folder = next(folders)
        folder.mkdir()
        shutil.copyfile(run, folder / UPLOAD)
        with monkeypatch.context() as there:
            there.chdir(folder)
            if data:
                there.setenv("BENCH_DATA", str(data))
            else:
                there.delenv("BENCH_DATA", raising=False)
            return checking.check(folder, data, DEFAULT)

    return checked


def passes(check: Check, run: Path, data: Path | None = None, badge: str = "re_scored") -> None:
    found = check(run, data)
    assert (found.reason, found.badge) == ("", badge), found


def scripted(answer: Answer, mode: Mode = "generate", **more: Any) -> Scripted:
    modes: tuple[Mode, ...] = ("loglikelihood", "first_token", "generate")
    return Scripted("hf:maker/honest", answer, capabilities=Capabilities(modes=(mode, *modes)), **more)


def kinds() -> list[str]:
    """A task of each kind that scores or answers in another way, with a mirror's data: the first that is there."""
    found: dict[tuple[object, ...], str] = {}
    for task in tasks.all_tasks().values():
        varied = any(one.variety for one in task.varieties)
        way = (task.kind, task.metrics, task.answer_language, task.chance is None, task.floor, varied)
        if (MIRROR / task.source.dataset).is_dir() or task.source.dataset in EMBEDDED:
            found.setdefault(way, task.name)
    return sorted(found.values())


@pytest.mark.parametrize("name", kinds())
@pytest.mark.parametrize("answer", [mixed, failing], ids=["answers", "errors"])
def test_every_kind_of_task(
    name: str, answer: Answer, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = tasks.get(name).source.dataset in EMBEDDED
    if not embedded:
        monkeypatch.setenv("BENCH_DATA", str(MIRROR))
    run = tmp_path / "a.run.db"
    session.perform(scripted(answer), plan([name], 25), None, run)
    passes(check, run, badge="re_scored" if embedded else "self_reported")


def test_the_data_of_a_board_change_nothing(
    data: Path, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    run = tmp_path / "a.run.db"
    session.perform(scripted(mixed), plan(kinds(), 5), None, run)
    found = check(run, data)
    assert not found.reason, found
    assert found.badge == "re_scored" or "the rest was scored anew" in found.detail  # a sample that no lock pins


@pytest.mark.parametrize("mode", ["loglikelihood", "first_token", "generate"])
@pytest.mark.parametrize("shots", [0, 2])
def test_every_way_to_choose(mode: Mode, shots: int, check: Check, tmp_path: Path) -> None:
    style = Style(shots=shots, prompt_language="native" if shots else "english")
    blocks = plan(["cldr-calendar", "cldr-plurals"], 30, shots=shots)
    session.perform(scripted(mixed, mode), blocks, mode, tmp_path / "a.run.db", style=style)
    passes(check, tmp_path / "a.run.db")


@pytest.mark.parametrize("name", ["random", "majority", "copy"])
def test_baselines(name: str, check: Check, tmp_path: Path) -> None:
    with contextlib.closing(load(f"baseline:{name}", Settings(session.training))) as model:
        session.perform(model, plan(SUITE, 12), None, tmp_path / "a.run.db")
    passes(check, tmp_path / "a.run.db")


@pytest.mark.parametrize("answer", [forgetful, skipping])
@pytest.mark.parametrize("price", [PRICE, None], ids=["priced", "free"])
def test_what_services_leave_out(answer: Answer, price: Price | None, check: Check, tmp_path: Path) -> None:
    session.perform(scripted(answer, price=price), plan(SUITE, 12), None, tmp_path / "a.run.db")
    passes(check, tmp_path / "a.run.db")


def test_a_run_that_grew_and_was_mended(check: Check, tmp_path: Path) -> None:
    run = tmp_path / "a.run.db"
    steps: list[tuple[Answer, Sequence[str], int | None, Style, Price | None]] = [
        (failing, SUITE[:2], 9, ENGLISH, None),
        (mixed, SUITE[:2], 4, ENGLISH, None),  # a smaller plan, in which some of the errors are mended
        (failing, SUITE[:3], 30, ENGLISH, None),
        (mixed, SUITE[1:5], 12, Style(repeats=3), None),
        (failing, SUITE[1:5], 20, Style(repeats=2), PRICE),  # now some answers have a price
        (mixed, SUITE, 45, ENGLISH, PRICE),
        (mixed, SUITE, 45, ENGLISH, replace(PRICE, output=20.0)),  # nothing is asked, and the price is another
    ]
    for answer, names, limit, style, price in steps:
        session.perform(scripted(answer, price=price), plan(names, limit, 1), None, run, style=style)
        passes(check, run)
    with RunFile.open(run, None) as opened:
        session.rescore(opened)
    passes(check, run)


def test_a_price_that_is_known_after_everything_was_answered(check: Check, tmp_path: Path) -> None:
    run = tmp_path / "a.run.db"
    for price in (None, PRICE):
        session.perform(scripted(mixed, price=price), plan(SUITE[:2], 20), None, run)
    passes(check, run)


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("last", [0, 31])
def test_runs_that_were_interrupted(last: int, repeats: int, check: Check, tmp_path: Path) -> None:
    run, left = tmp_path / "a.run.db", itertools.count()

    def stops(request: Request) -> Response:
        if next(left) >= last:
            raise KeyboardInterrupt
        return failing(request)

    style = Style(repeats=repeats)
    blocks = plan(SUITE[1:4], 15)
    with contextlib.suppress(KeyboardInterrupt):
        session.perform(scripted(stops), blocks, None, run, style=style)
    with RunFile.open(run, None) as opened:
        session.rescore(opened)
    if last:
        passes(check, run)
    session.perform(scripted(mixed), blocks, None, run, style=style)
    passes(check, run)


@pytest.mark.parametrize("bounds", [Bounds(max_cost=0.004), Bounds(max_errors=0.1)], ids=["cost", "errors"])
def test_runs_that_ended_before_their_time(bounds: Bounds, check: Check, tmp_path: Path) -> None:
    model = scripted(failing, price=PRICE)
    outcome = session.perform(model, plan(SUITE, 30), None, tmp_path / "a.run.db", bounds=bounds)
    assert outcome.stopped
    passes(check, tmp_path / "a.run.db")


def some_usage(path: str, reply: Json) -> Json:
    """Some answers lose their usage, some were thought about, and some end in a word that nobody knows."""
    said = reply["choices"][0]
    number = zlib.crc32(str(said).encode())
    if number % 4 == 0:
        reply.pop("usage", None)
    elif "usage" in reply:
        reply["usage"]["completion_tokens_details"] = {"reasoning_tokens": number % 2}
        reply["usage"]["prompt_tokens_details"] = {"cached_tokens": 1}
    said["finish_reason"] = ("stop", "length", "content_filter", "made_up")[number // 4 % 4]
    return reply


@pytest.mark.parametrize("kind", [VLLM, BARE], ids=["usage", "no usage"])
@pytest.mark.parametrize("mangle", [None, some_usage])
def test_priced_services(kind: Kind, mangle: Mangle | None, check: Check, tmp_path: Path) -> None:
    with Server(kind, mangle) as server:
        given = replace(settings(server.url), price=PRICE)
        with contextlib.closing(load("openai:tiny", given)) as model:
            for limit in (5, 20):
                session.perform(model, plan(SUITE, limit), "generate", tmp_path / "a.run.db")
    passes(check, tmp_path / "a.run.db")


def test_runs_with_measured_energy(check: Check, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.go(blocks("yor_Latn"))
    run.go(blocks("yor_Latn", "deu_Latn"))
    assert run.cells()["deu_Latn"].energy_provenance == "measured"
    passes(check, run.path)
