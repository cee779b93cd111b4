"""Named suites: which tasks they choose, of which languages."""

from __future__ import annotations

from dataclasses import replace

import pytest

import languages
import tasks
from tasks.suites import SUITES, Suite, suites

EVERY = tuple(tasks.all_tasks().values())


def test_the_suites_are_named_and_choose_something() -> None:
    assert {"embedded", "breadth", "medical", "legal", "africa", "quick", "full"} <= set(suites())
    for name, suite in suites().items():
        assert (suite.name, bool(suite.title)) == (name, True)
        assert suite.of(EVERY), name


def test_what_a_suite_names_exists() -> None:
    known = {word for task in EVERY for word in (task.name, task.group, *task.suites)}
    places = languages.all_languages()
    for suite in suites().values():
        assert set(suite.tasks) | set(suite.without) <= known, suite.name
        assert set(suite.areas) <= {task.area for task in EVERY}
        assert set(suite.verticals) <= {"legal", "medical"}
        assert set(suite.macroareas) <= {one.macroarea for one in places}
        assert set(suite.families) <= {one.family for one in places}
        assert set(suite.countries) <= {country for one in places for country in one.countries}
        assert all(languages.get(code).code == code for code in suite.languages)
        assert suite.limit is None or suite.limit > 0


def test_no_key_is_misspelt() -> None:
    import tomllib

    known = set(Suite.__dataclass_fields__) - {"name"}
    for name, table in tomllib.loads(SUITES.read_text("utf-8")).items():
        assert set(table) <= known, name


def test_everything_is_everything() -> None:
    assert suites()["full"].of(EVERY) == EVERY


@pytest.mark.parametrize("vertical", ["legal", "medical"])
def test_a_vertical_has_all_of_its_tasks_and_no_other(vertical: str) -> None:
    assert {task.name for task in suites()[vertical].of(EVERY)} == {
        task.name for task in EVERY if task.vertical == vertical
    }


def test_a_suite_of_a_place_has_only_its_languages() -> None:
    found = suites()["africa"].of(EVERY)
    spoken = {variety.language for task in found for variety in task.varieties}
    assert {languages.get(code).macroarea for code in spoken} == {"Africa"}
    assert "yor_Latn" in spoken
    assert all(task.varieties for task in found)
    assert not any(task.group == "cldr" for task in found)
    turkic = {variety.language for task in suites()["turkic"].of(EVERY) for variety in task.varieties}
    assert {languages.get(code).family for code in turkic} == {"Turkic"}


def test_one_of_several_marks_is_enough() -> None:
    suite = Suite("x", "X", families=("Turkic",), countries=("NG",), languages=("quy_Latn",))
    assert all(suite.speaks(languages.get(code)) for code in ("tur_Latn", "hau_Latn", "quy_Latn"))
    assert not suite.speaks(languages.get("deu_Latn"))


def test_names_groups_areas_and_what_is_left_out() -> None:
    def chosen(**said: tuple[str, ...]) -> set[str]:
        return {task.name for task in Suite("x", "X", **said).of(EVERY)}  # type: ignore[arg-type]

    assert chosen(tasks=("ntrex",)) == {"ntrex-from-eng", "ntrex-into-eng"}
    assert chosen(tasks=("ntrex",), without=("ntrex-into-eng",)) == {"ntrex-from-eng"}
    assert chosen(areas=("topic",), tasks=("xcopa",)) == {task.name for task in EVERY if task.area == "topic"} | {
        "xcopa"
    }
    assert chosen(areas=("topic",), without=("sib200",)) == {task.name for task in EVERY if task.area == "topic"} - {
        "sib200"
    }
    assert chosen(tasks=("no such task",)) == set()


def test_a_task_without_a_language_of_the_suite_is_left_out() -> None:
    sib = tasks.get("sib200")
    none = replace(sib, varieties=tuple(one for one in sib.varieties if one.language == "deu_Latn"))
    suite = Suite("x", "X", macroareas=("Africa",))
    assert suite.of([none]) == ()
    assert suite.has(sib)
    assert not suite.has(none)


def test_a_suite_and_a_task_together_have_the_languages_of_both() -> None:
    sib = tasks.get("sib200")
    (both,) = [task for task in tasks.select(["africa", "sib200"]) if task.name == "sib200"]
    assert both.varieties == sib.varieties
    (narrow,) = [task for task in tasks.select(["africa"]) if task.name == "sib200"]
    assert 0 < len(narrow.varieties) < len(sib.varieties)
    (wide,) = [task for task in tasks.select(["africa", "turkic"]) if task.name == "sib200"]
    assert set(narrow.varieties) < set(wide.varieties) < set(sib.varieties)
    assert [one for one in sib.varieties if one in set(wide.varieties)] == list(wide.varieties)
