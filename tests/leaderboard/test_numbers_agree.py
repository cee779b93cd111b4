"""Numbers that have to agree: on every page, in every version and variety, and with what simulation gives."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tasks
from bench import prompting, session
from bench.records import Request, Response
from bench.runfile import RunFile
from bench.runfile_records import Identity, Planned, SampleFacts
from bench.statistics import wilson
from leaderboard.app import create_app
from leaderboard.efficiency import Estimate, ranges_of
from leaderboard.grid import WIDTH_95, Sheet, Way
from leaderboard.snapshot import publish
from leaderboard.standings import standings
from tasks import Sample, lock
from tests.leaderboard.conftest import Answer, Scripted, knows, run_sib200, sentences
from tests.leaderboard.powered import believing, measured, rewrite
from tests.plans import asked, block_of


def test_quality_against_energy_has_the_interval_of_the_cell(tmp_path: Path) -> None:
    """Near the end of the scale an interval is wider on one side, in the plot as elsewhere."""
    run = rewrite(run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(10)), [sentences("amh_Ethi")]), measured())
    with believing():
        publish([run], tmp_path / "board")
    client = create_app(tmp_path / "board").test_client()
    (point,) = client.get("/plots/energy.json?language=amh_Ethi&task=sib200").get_json()["points"]
    page = client.get("/languages/amh_Ethi.json").get_json()
    cell = next(one["cell"] for one in page["benchmarks"][0]["models"] if one["cell"])
    own = [(cell[end] - cell["chance"]) / (1 - cell["chance"]) for end in ("ci_low", "ci_high")]
    assert [point["low"], point["high"]] == pytest.approx(own, abs=1e-9)


def test_versions_of_a_task_stand_apart_and_the_tenth_is_newer_than_the_ninth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is averaged over versions, whose data or scoring differ; a page shows the newest unless asked."""
    board, known = tmp_path / "board", tasks.get("sib200")
    for name, version, share in (("hf:old", "9", 2), ("hf:a", "9", 2), ("hf:a", "10", 8)):
        monkeypatch.setitem(tasks._own(), "sib200", replace(known, version=version))
        path = tmp_path / f"{name[3:]}-{version}.run.db"
        run = run_sib200(path, Scripted(name, knows(share)), [sentences("amh_Ethi")])
        publish([run], board)
    client = create_app(board).test_client()
    read = {
        path: client.get(f"/{path}").get_json()
        for path in (
            *("languages/amh_Ethi/general.json", "tasks/sib200.json", "plots/size.json?task=sib200"),
            *("plots/heatmap.json?task=sib200", "models/hf-a/sib200.json", "board.json?language=amh_Ethi"),
        )
    }
    (cell,) = [
        line["cell"]
        for table in client.get("/languages/amh_Ethi.json").get_json()["benchmarks"]
        for line in table["models"]
        if line["cell"] and line["cell"]["task_version"] == "10"
    ]
    (table,) = read["languages/amh_Ethi/general.json"]["tables"]
    assert [task["version"] for task in table["tasks"]] == ["10"]
    (row,) = table["models"]
    assert row["standing"]["normalised"] == pytest.approx(cell["normalised"])
    assert (row["standing"]["items"], row["standing"]["cells"]) == (cell["n"], 1)
    assert read["tasks/sib200.json"]["task"]["version"] == "10"
    assert read["tasks/sib200.json"]["versions"] == ["10", "9"]
    assert read["plots/size.json?task=sib200"]["task"]["version"] == "10"
    assert read["plots/heatmap.json?task=sib200"]["task"]["version"] == "10"
    assert read["models/hf-a/sib200.json"]["tables"][0]["task"]["version"] == "10"
    (ranked,) = read["board.json?language=amh_Ethi"]["ranked"]
    assert ranked["standing"]["normalised"] == pytest.approx(cell["normalised"])


@pytest.mark.parametrize(("languages", "items"), [(2, 20), (5, 20), (12, 30), (12, 100)])
@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_the_interval_of_a_mean_holds_the_truth_with_few_items_too(languages: int, items: int, alike: float) -> None:
    """Each row is a test drawn anew, with items that are hard in all languages alike or in each for itself."""
    draw = np.random.default_rng(1)
    tests, easy = 2000, np.linspace(-1.2, 1.8, languages)[:, None]

    def chances(count: int, width: int) -> np.ndarray:
        both, own = draw.normal(size=(count, 1, width)), draw.normal(size=(count, languages, width))
        return np.asarray(1 / (1 + np.exp(1.5 * (alike * both + math.sqrt(1 - alike**2) * own) - easy)))

    truth = chances(1, 200_000).mean()
    right = draw.random((tests, languages, items)) < chances(tests, items)
    apart = right - right.mean(axis=(0, 2), keepdims=True)
    spread = apart / np.sqrt((apart**2).mean(axis=(0, 2), keepdims=True))
    together = (spread.sum(axis=1) ** 2 - (spread**2).sum(axis=1)).mean() / languages / (languages - 1)
    ends = np.array([(one.low, one.high) for one in (wilson(count, items) for count in range(items + 1))])
    low, high = np.moveaxis(ends[right.sum(axis=2)], -1, 0)
    sheet = Sheet(
        Way("asked", "1", "accuracy", "generate", "english", 0),
        floor=False,
        models=tuple(range(tests)),
        languages=tuple(f"q{letter}a_Latn" for letter in "abcdefghijkl"[:languages]),
        normalised=right.mean(axis=2),
        error=(high - low) / WIDTH_95,
        high=high,
        items=np.full((tests, languages), items),
        wanted=np.ones(languages, dtype=np.bool_),
        doubt=np.zeros((tests, languages), dtype=np.int8),
        doubts=("",),
        shared=max(0.0, float(together)),
        bottom=0.0,
    )
    ((*found,),) = standings([sheet], ()).values()
    held = np.mean([one.low <= truth <= one.high for one in found if one.low is not None and one.high is not None])
    assert 0.935 <= held <= 0.975


def test_a_variety_has_the_rank_of_its_own_table_or_none(tmp_path: Path) -> None:
    """Varieties of a language count as one in means; that one's rank is no variety's, least of all a withheld one's."""
    paths = []
    for name, share, lost in (("hf:a", 9, 0), ("hf:b", 3, 20), ("hf:c", 2, 0)):
        answer = knows_of_two(share)
        model = Scripted(name, lambda request, answer=answer, lost=lost: failing(request, answer, lost))  # type: ignore[misc]
        paths.append(run_copal(tmp_path / f"{name[3:]}.run.db", model))
    publish(paths, tmp_path / "board")
    client = create_app(tmp_path / "board").test_client()
    there = {
        (line["model"]["slug"], line["cell"]["variety"]): (line["first"], line["last"])
        for table in client.get("/languages/ind_Latn.json?task=copal-id").get_json()["benchmarks"]
        for line in table["models"]
        if line["cell"]
    }
    assert there["hf-b", ""] == (None, None)  # withheld
    for slug in ("hf-a", "hf-b", "hf-c"):
        (table,) = client.get(f"/models/{slug}/copal-id.json").get_json()["tables"]
        lines = [line for line in table["lines"] if line["cell"]]
        assert len(lines) == 2
        for line in lines:
            assert (line["first"], line["last"]) in ((None, None), there[slug, line["variety"]]), slug


def run_copal(path: Path, model: Scripted) -> Path:
    """A run file of a task that has one language in two varieties, the sentences made up."""
    task = tasks.get("copal-id")
    blocks = []
    for variety in task.varieties:
        made = [
            Sample(
                task.name,
                task.version,
                variety.language,
                variety.variety,
                str(number),
                f"{variety.variety} {number}",
                {"premise": f"premise {number}", "asked": "cause"},
                ("one", "two"),
                number % 2,
            )
            for number in range(40)
        ]
        blocks.append(block_of(task, variety, made))
    samples = {sample.id: sample for block in blocks for sample in block.samples}
    planned, _ = asked(blocks, model.capabilities, session.asker(model), None)
    with RunFile.open(path, Identity(model.name, model.revision, model.template, model.decoding)) as run:
        file, known = next(iter(lock.files(task.source.dataset).items()))
        run.add_datasets([(task.source.dataset, file, known.sha256, True)])
        run.add_plan(
            Planned(each, SampleFacts(prompting.digest(samples[each.sample]), ""), each.prompt) for each in planned
        )
        number = run.begin(["run"], {"bench": "0"}, {})
        run.record(list(model.respond(planned)))
        session.rescore(run, blocks)
        run.end(number, "complete")
    return path


def knows_of_two(share: int) -> Answer:
    """Right on the first `share` of ten items, in tens; else the other of two options."""

    def answer(request: Request) -> Response:
        number = int(request.sample.rsplit("/", 1)[1])
        right = number % 2 if number % 10 < share else 1 - number % 2
        return Response(request.id, "ok", ("one", "two")[right], finish="stop", output_tokens=1)

    return answer


def failing(request: Request, answer: Answer, lost: int) -> Response:
    """No answer to the first `lost` items of the variety without a name."""
    language, item = request.language, int(request.sample.rsplit("/", 1)[1])
    if item < lost and f"/{language}//" in request.sample:
        return Response(request.id, "error", reason="timeout")
    return answer(request)


@pytest.mark.parametrize("models", [2, 5, 20])
def test_equal_models_are_told_apart_by_energy_in_at_most_one_of_twenty_tables(models: int) -> None:
    """The ranges of a table hold together, those of energy as those of quality."""
    draw, tables, error = np.random.default_rng(7), 300, 0.03
    ends = WIDTH_95 / 2 * error
    false = 0
    for logs in draw.normal(0, error, (tables, models)):
        found = {at: Estimate(*np.exp([one, one - ends, one + ends]).tolist()) for at, one in enumerate(logs)}
        false += any((first, last) != (1, models) for first, last in ranges_of(found, lower=True).values())
    assert false / tables <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / tables)
