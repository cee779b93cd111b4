"""Every dataset of the hub, on small files in its own schema, through the real `datasets` loading code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tasks
from tasks.hub import Hub
from tasks.records import DataError, Task, Variety
from tests.tasks import hub_layout


def hub_tasks() -> list[Task]:
    return [task for task in tasks.all_tasks().values() if isinstance(task.source, Hub)]


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    for dataset in hub_layout.fixtures():
        hub_layout.write(dataset, folder)
    return folder


@pytest.fixture
def hub(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_DATA", str(mirror))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return mirror


def test_every_hub_dataset_has_a_fixture() -> None:
    assert {task.source.dataset for task in hub_tasks()} <= set(hub_layout.fixtures())


@pytest.mark.parametrize("dataset", hub_layout.fixtures())
def test_samples_of_the_schema(hub: Path, dataset: str) -> None:
    content = hub_layout.fixture(dataset)
    assert content["source"], "where the schema was read"
    declared = [task for task in tasks.all_tasks().values() if task.source.dataset == dataset]
    assert {task.name for task in declared} == set(content["expect"]), "every task of the dataset has expected samples"
    for task in declared:
        for code, expected in content["expect"][task.name].items():
            varieties = [variety for variety in task.varieties if variety.code == code]
            assert varieties, f"{task.name} has no code {code!r}"
            for variety in varieties:
                check(task, variety, expected)


def check(task: Task, variety: Variety, expected: list[list[Any]]) -> None:
    samples = list(task.samples(variety))
    assert len(samples) == len(expected)
    pairs = zip(samples, expected, strict=True)
    assert [[sample.item, sample.input[: len(told[1])], gold(task, sample)] for sample, told in pairs] == expected
    assert len({sample.id for sample in samples}) == len(samples)
    if "train" in task.splits:
        assert list(task.samples(variety, "train"))
    for path in task.source.fingerprint(variety, "test"):
        assert (Path(path).suffix) in (".parquet", ".jsonl", ".json", ".csv")


def gold(task: Task, sample: tasks.Sample) -> Any:
    if task.kind == "choice":
        return sample.answer
    if task.kind == "labels":
        return list(sample.answers)
    return sample.references[0]


def test_a_missing_dataset_names_folder_and_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    task = hub_tasks()[0]
    with pytest.raises(DataError, match=f"no folder {task.source.dataset}") as caught:
        next(task.samples(task.varieties[0]))
    assert "\n" not in str(caught.value)
