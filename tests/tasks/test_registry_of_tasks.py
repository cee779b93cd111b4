"""Finding tasks by name, group and suite, without touching data."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from pathlib import Path

import pytest

import kernels
import languages
import tasks
from tasks.suggest import did_you_mean


def names(*wanted: str) -> list[str]:
    return [task.name for task in tasks.select(wanted)]


def test_a_name_a_group_and_a_suite() -> None:
    assert names("sib200") == ["sib200"]
    assert names("ntrex") == ["ntrex-from-eng", "ntrex-into-eng"]
    assert {"sib200", "ntrex-from-eng", "ntrex-into-eng", "belebele"} <= set(names("breadth"))
    assert names("cldr") == names("embedded")
    assert len(names("embedded")) == 8
    assert names() == []


def test_no_task_comes_twice() -> None:
    found = names("ntrex-into-eng", "breadth", "ntrex")
    assert found[0] == "ntrex-into-eng"
    assert sorted(found) == sorted(set(found)) == sorted(names("breadth"))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("sib2000", "sib200"),
        ("SIB200", "sib200"),
        ("ntrx", "ntrex"),
        ("embeded", "embedded"),
        ("bredth", "breadth"),
        ("cldr-date", "cldr-dates"),
    ],
)
def test_an_unknown_name_has_a_suggestion(wrong: str, near: str) -> None:
    with pytest.raises(tasks.UnknownTask, match=f"unknown task '{wrong}'; did you mean .*'{near}'") as caught:
        names(wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["zzzz", "", " ", "sib200 ", "x" * 10_000])
def test_a_name_like_no_other(wrong: str) -> None:
    with pytest.raises(tasks.UnknownTask, match="unknown task"):
        names("sib200", wrong)


def test_get() -> None:
    assert tasks.get("sib200").name == "sib200"
    with pytest.raises(tasks.UnknownTask, match="'ntrex' names several tasks: ntrex-from-eng, ntrex-into-eng"):
        tasks.get("ntrex")
    with pytest.raises(tasks.UnknownTask, match="unknown task"):
        tasks.get("nothing")


def test_suggestions() -> None:
    assert did_you_mean("sib20", ["sib200", "ntrex"]) == "; did you mean 'sib200'?"
    assert did_you_mean("qqq", ["sib200"]) == ""
    assert did_you_mean("", []) == ""


def test_a_name_means_one_thing() -> None:
    known = tasks.all_tasks()
    groups = {task.group for task in known.values()} - {""}
    suites = {*tasks.suites(), *(suite for task in known.values() for suite in task.suites)}
    assert not groups & set(known)
    assert not suites & set(known)
    for name in groups & suites:  # the suite is what the name means, and it hides nothing
        assert {task.name for task in known.values() if task.group == name} <= set(names(name))


@pytest.mark.parametrize("task", tasks.all_tasks().values(), ids=lambda task: task.name)
def test_a_declaration_is_sound(task: tasks.Task) -> None:
    assert task.name == task.name.lower()
    assert not set(task.name + task.version) & set("@/ ")
    assert set(task.metrics) <= set(kernels.METRICS)
    assert (task.kind in ("choice", "number")) == (task.metrics == ("accuracy",))
    assert "test" in task.source.splits
    assert task.licence
    assert task.citation
    assert task.max_tokens > 0
    codes = [(variety.language, variety.variety) for variety in task.varieties]
    assert len(set(codes)) == len(codes)
    assert all(languages.get(code).code == code for code, _ in codes)
    assert all(name for _, name, _, _ in string.Formatter().parse(task.prompt.text) if name is not None)
    assert (task.vertical or task.area) == task.area or task.vertical in ("legal", "medical")
    assert task.area not in ("legal", "medical") or task.vertical == task.area
    if isinstance(task.source, tasks.Repository):
        assert task.provenance, "where the facts were read"
        assert task.contamination, "whether a model can have seen it"


LISTING = """
import sys

def forbid(event, arguments):
    if event == "open" and "nowhere" in str(arguments[0]):
        raise SystemExit(f"opened {arguments[0]}")
    if event.startswith("socket."):
        raise SystemExit(f"network: {event}")

sys.addaudithook(forbid)
import tasks
listed = tasks.select(["breadth", "embedded"])
print(len(tasks.all_tasks()) > 100, sum(len(task.varieties) for task in listed) > 500)
heavy = {"babel", "datasets", "openpyxl", "pooch", "requests", "pyarrow", "sacrebleu", "numpy"} & set(sys.modules)
print(sorted(heavy))
"""


def test_listing_opens_no_data_and_imports_nothing_heavy(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    done = subprocess.run(
        [sys.executable, "-c", LISTING],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "BENCH_DATA": str(nowhere)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "True True\n[]\n"
