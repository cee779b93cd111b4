"""The whole collection of tasks: what is listed, what suites ask, and every task whose data are here, in one run."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import languages
import tasks
from bench.aggregate import aggregates
from bench.arrays import CellKey
from bench.joint import Scored
from bench.records import Cell
from tasks.records import Task, Variety
from tests.bench.cells import answered
from tests.e2e.conftest import Bench

UDHR = "udhr"


@pytest.fixture(scope="module")
def listed() -> list[Task]:
    """What `list tasks` lists."""
    return list(tasks.all_tasks().values())


def spoken(chosen: Iterable[Task]) -> set[str]:
    return {variety.language for task in chosen for variety in task.varieties}


# What there is.


def test_every_task_says_all_of_itself(bench: Bench) -> None:
    """Each field is there for each task, and each language has a number of items, or says that nobody knows it."""
    found = json.loads(bench("list", "tasks", "--json").stdout)
    assert len(found) >= 60
    names = [task["name"] for task in found]
    assert len(set(names)) == len(names)
    for task in found:
        made: dict[str, Any] = task
        for field in ("name", "version", "title", "area", "dataset", "metric", "origin", "licence", "access", "kind"):
            assert made[field] and isinstance(made[field], str), f"{made['name']}: {field}"
        if not made["floor"] and made["area"] != "rules":
            for field in ("citation", "contamination", "provenance"):
                assert made[field], f"{made['name']}: {field}"
        assert made["languages"] == sorted({one["language"] for one in made["coverage"]})
        for one in made["coverage"]:
            assert one["origin"] in {"native", "human-translated", "machine-translated", "generated"}
            assert one["items_basis"], f"{made['name']} {one['language']}"
            assert one["items"] is None or one["items"] > 0
            assert (one["items"] is None) == (one["items_basis"] == "unknown")
            assert languages.get(one["language"]).code == one["language"]
            assert one["flaw"] in {"", *tasks.FLAWS}


def test_the_table_has_a_row_for_each_task(bench: Bench, listed: list[Task]) -> None:
    lines = bench("list", "tasks").stdout.splitlines()
    assert {line.split()[0] for line in lines if line} >= {task.name for task in listed}
    shown = bench("list", "tasks", "ntrex-from-eng").stdout
    assert "por_Latn-BR" in shown and "Yoruba" in shown and "1,997" in shown
    unknown = bench("list", "tasks", "ntrexx", expect=2)
    assert unknown.stderr.count("\n") == 1 and "did you mean" in unknown.stderr


def test_how_much_there_is(listed: list[Task]) -> None:
    areas: dict[str, set[str]] = defaultdict(set)
    for task in listed:
        for code in spoken([task]):
            areas[code].add(task.area)
    legal = [task for task in listed if task.vertical == "legal" and task.source.dataset != UDHR]
    medical = [task for task in listed if task.vertical == "medical"]
    assert len(listed) >= 60
    assert len({task.source.dataset for task in listed}) >= 45
    assert len(spoken(listed)) >= 430
    assert sum(len(found) >= 4 for found in areas.values()) >= 185
    assert len(spoken(legal)) >= 40
    assert len(spoken(medical)) >= 95
    every = {"translation", "topic", "reading", "knowledge", "reasoning", "rules", "culture", "legal", "medical"}
    assert {task.area for task in listed} >= every


def test_a_task_of_a_vertical_is_of_its_area_or_a_translation(listed: list[Task]) -> None:
    for task in listed:
        if task.area in ("legal", "medical"):
            assert task.vertical == task.area, task.name
        else:
            assert not task.vertical or task.area == "translation", task.name


# Suites.


def test_suites_are_listed_with_their_tasks(bench: Bench, listed: list[Task]) -> None:
    found = {one["name"]: one for one in json.loads(bench("list", "suites", "--json").stdout)}
    assert found.keys() == tasks.suites().keys()
    for name, one in found.items():
        assert one["title"] and one["tasks"], f"{name} asks nothing"
        assert set(one["tasks"]) <= {task.name for task in listed}
        assert one["languages"] == len(spoken(tasks.select([name])))
    assert (found["quick"]["limit"], found["full"]["limit"]) == (5, None)
    assert len(found["full"]["tasks"]) == len(listed)
    assert "quick" in bench("list", "suites").stdout


def test_every_name_in_a_suite_is_a_task_or_group(listed: list[Task]) -> None:
    known = {name for task in listed for name in (task.name, task.group, *task.suites)}
    for suite in tasks.suites().values():
        assert not {*suite.tasks, *suite.without} - known, suite.name


def test_a_suite_of_a_region_has_its_languages_alone(bench: Bench) -> None:
    chosen = tasks.select(["africa"])
    assert len(spoken(chosen)) > 50 and len(chosen) > 20
    assert {languages.get(code).macroarea for code in spoken(chosen)} == {"Africa"}
    assert {languages.get(code).family for code in spoken(tasks.select(["turkic"]))} == {"Turkic"}
    refused = bench("plan", "-t", "africa", "-l", "quy_Latn", expect=2)
    assert refused.stderr.count("\n") == 1 and "quy_Latn" in refused.stderr


def test_several_names_are_put_together_and_no_task_comes_twice() -> None:
    both = tasks.select(["africa", "turkic"])
    assert Counter(task.name for task in both).most_common(1)[0][1] == 1
    sib = next(task for task in both if task.name == "sib200")
    assert spoken([sib]) == spoken(
        [task for name in ("africa", "turkic") for task in tasks.select([name]) if task.name == "sib200"]
    )
    whole = next(task for task in tasks.select(["africa", "sib200"]) if task.name == "sib200")
    assert whole.varieties == tasks.get("sib200").varieties


def counted(bench: Bench, data: Path, *arguments: str) -> Counter[str]:
    lines = bench("plan", *arguments, "--data", str(data)).stdout.splitlines()
    return Counter(json.loads(line)["id"].split("@")[0] for line in lines)


def test_a_suites_limit_holds_where_nobody_names_another(bench: Bench, data: Path) -> None:
    quick = counted(bench, data, "-t", "quick", "-l", "swh_Latn")
    assert quick.keys() >= {"sib200", "ntrex-from-eng", "xcopa", "mgsm", "tico19-terms", "rules-language"}
    assert set(quick.values()) == {5}
    assert set(counted(bench, data, "-t", "quick", "-l", "swh_Latn", "--limit", "2").values()) == {2}
    named = counted(bench, data, "-t", "quick", "-t", "xcopa", "-l", "swh_Latn")
    assert named["xcopa"] == 500 and named["sib200"] == 5


def test_a_suite_without_a_limit_lifts_that_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.cli.choosing import _suite_limits

    assert _suite_limits(("quick",))["sib200"] == 5
    assert "sib200" not in _suite_limits(("quick", "breadth"))
    assert _suite_limits(("quick", "breadth"))["xcopa"] == 5
    small = replace(tasks.suites()["quick"], name="small", limit=3)
    monkeypatch.setattr(tasks, "suites", lambda: {"quick": replace(small, name="quick", limit=7), "small": small})
    assert _suite_limits(("quick", "small"))["sib200"] == _suite_limits(("small", "quick"))["sib200"] == 7


@pytest.mark.parametrize(
    ("names", "shared"),
    [(("sib200", "belebele"), "flores200"), (("global-mmlu", "mmmlu"), "mmlu"), (("xnli", "americasnli"), "xnli")],
)
def test_tasks_with_the_same_text_are_never_averaged_together(names: tuple[str, ...], shared: str) -> None:
    cells: list[Cell] = []
    arrays: dict[CellKey, Scored] = {}
    for name in names:
        cell, scored = answered([1, 0] * 20, task=name)
        cells.append(cell)
        arrays |= scored
    with pytest.raises(ValueError, match=rf"share their content \({shared}\)"):
        aggregates(cells, arrays, 10)
    other, scored = answered([1, 0] * 20, task="copal-id")
    (mean,) = aggregates([cells[0], other], {**arrays, **scored}, 10).models
    assert set(mean.tasks) == {names[0], "copal-id"}


# Every task whose data are here.


def here(data: Path, listed: Iterable[Task]) -> list[Task]:
    """The tasks that need no data, and those whose folder the mirror has."""
    made = ("cldr", "rules")
    return [task for task in listed if task.source.dataset in made or (data / task.source.dataset).is_dir()]


def two_languages_each(chosen: Iterable[Task]) -> list[Variety]:
    """A small set of languages of which every task has two, or the one that it has."""
    held = Counter(code for task in chosen for code in spoken([task]))
    taken: dict[str, Variety] = {}
    for task in sorted(chosen, key=lambda task: len(spoken([task]))):
        lacking = 2 - len(spoken([task]) & taken.keys())
        likeliest = sorted(task.varieties, key=lambda one: (-held[one.language], one.language, one.variety))
        for variety in likeliest:
            if lacking > 0 and variety.language not in taken:
                taken[variety.language] = variety
                lacking -= 1
    return list(taken.values())


def test_every_task_with_data_here_runs(bench: Bench, data: Path, listed: list[Task]) -> None:
    chosen = here(data, listed)
    assert len({task.source.dataset for task in chosen}) >= 25, "the mirror lacks folders that it had"
    named = [part for task in chosen for part in ("-t", task.name)]
    spoken_here = [part for variety in two_languages_each(chosen) for part in ("-l", variety.language)]
    models = ("-m", "baseline:copy", "-m", "baseline:random")
    done = bench("run", *models, *named, *spoken_here, "--limit", "3", "--data", str(data), "--json")
    cells = [cell for cell in json.loads(done.stdout) if cell["headline"]]
    of: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for cell in cells:
        of[cell["task"], cell["model"]].append(cell)
    for task in chosen:
        copied, drawn = of[task.name, "baseline:copy"], of[task.name, "baseline:random"]
        assert len({cell["language"] for cell in copied}) >= min(2, len(spoken([task]))), task.name
        assert all(cell["n"] == 3 and cell["errors"] == 0 and cell["value"] is not None for cell in copied), task.name
        assert len(drawn) == len(copied)
        for cell in drawn:
            assert cell["n"] == 3 or cell["reasons"]["value"] == "no_training_split", task.name
            assert cell["n"] == 3 or task.kind not in ("choice", "labels")
    runs = [f"runs/baseline-{name}.run.db" for name in ("copy", "random")]
    told = json.loads(bench("publish", *runs, "--json").stdout)
    assert told["cells"] == len(json.loads(done.stdout)), "a board takes every cell, and checks it against its scores"
    assert told["withheld"] == []
    assert "Hard rules" in bench("show", runs[0]).stdout
