"""The embedded suite: its coverage, its items and its declarations."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import babel
import pytest

import languages
from tasks import cldr, cldr_items, embedded
from tasks.locale import TASKS
from tasks.records import DataError, Sample, Source, Variety

BY_NAME = {task.name: task for task in TASKS}
NAMING = ("cldr-territories", "cldr-languages", "cldr-currencies", "cldr-names-write")


@pytest.fixture(scope="module")
def samples() -> dict[tuple[str, str], list[Sample]]:
    """The test samples of every task in every language."""
    return {(task.name, v.language): list(task.samples(v)) for task in TASKS for v in task.varieties}


def question(sample: Sample) -> str:
    language = languages.get(sample.language)
    template = BY_NAME[sample.task].prompt.text
    return template.format_map({**sample.fields, "language": language.name, "script": language.script_name})


def gold(sample: Sample) -> str:
    return sample.references[0] if sample.answer is None else sample.options[sample.answer]


def test_the_committed_table_is_reproduced() -> None:
    assert embedded.COVERAGE.read_text(encoding="utf-8") == embedded.coverage()


def test_coverage(samples: dict[tuple[str, str], list[Sample]]) -> None:
    tasks = Counter(code for _, code in samples)
    named = {code for (name, code), made in samples.items() if name == "cldr-territories" and len(made) == 20}
    assert len(TASKS) == 8
    assert len(tasks) >= 300
    assert sum(1 for count in tasks.values() if count >= 2) >= 282
    assert len(named) >= 229
    assert 25_000 <= sum(map(len, samples.values())) <= 40_000
    assert not any(name in NAMING for name, code in samples if code == "eng_Latn")
    assert {name for name, code in samples if code == "eng_Latn"} == {
        "cldr-calendar",
        "cldr-dates",
        "cldr-numbers",
        "cldr-plurals",
    }


def test_every_cell_of_the_table_is_what_the_source_gives(samples: dict[tuple[str, str], list[Sample]]) -> None:
    for line in embedded.COVERAGE.read_text(encoding="utf-8").splitlines()[1:]:
        task, code, locale, test, train = line.split("\t")
        assert languages.get(code).cldr == locale
        assert len(samples[task, code]) == int(test) > 0
        assert int(test) == embedded.TEST_ITEMS or train == "0"


def test_importing_the_declarations_reads_no_cldr() -> None:
    program = "import sys, tasks.locale; sys.exit('babel' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_samples_are_the_same_in_every_process() -> None:
    program = (
        "import hashlib\nfrom tasks.locale import TASKS\n"
        "made = [repr(s) for t in TASKS for v in t.varieties[::29] for s in t.samples(v)]\n"
        "print(len(made), hashlib.sha256('\\n'.join(made).encode()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(said) == 1


def test_hash_is_pinned() -> None:
    assert cldr_items._hash("a", "b") == int(hashlib.sha256(b"a/b").hexdigest()[:16], 16)
    assert next(cldr_items.make("territories", "yo")).id == "territory-HK"


def test_train_and_test_are_disjoint() -> None:
    for task in TASKS:
        for variety in task.varieties[::7]:
            test = [made.item for made in task.samples(variety)]
            train = [made.item for made in task.samples(variety, "train")]
            assert len({*test, *train}) == len(test) + len(train)
            assert len(test) >= 20 or not train


def test_no_question_prints_its_answer(samples: dict[tuple[str, str], list[Sample]]) -> None:
    for (name, _), made in samples.items():
        for sample in made:
            if name == "cldr-plurals":  # the options are terms of CLDR: only a whole word would give one away
                assert gold(sample) not in re.findall(r"\w+", question(sample).casefold())
            else:
                assert cldr.fold(gold(sample)) not in cldr.fold(question(sample)), sample.id


def test_samples_are_well_formed(samples: dict[tuple[str, str], list[Sample]]) -> None:
    for (name, code), made in samples.items():
        task = BY_NAME[name]
        assert len({sample.id for sample in made}) == len(made)
        for sample in made:
            assert (sample.task, sample.version, sample.language) == (name, task.version, code)
            assert re.fullmatch(r"[A-Za-z]+-[A-Za-z0-9.-]+", sample.item)
            assert sample.input.strip() and "{" not in question(sample)
            if task.kind == "choice":
                assert len({cldr.fold(option) for option in sample.options}) == len(sample.options) >= 2
                assert sample.answer is not None and not sample.references
                assert (len(sample.options) == 4) is (task.chance == 1 / 4) or name == "cldr-plurals"
            else:
                assert sample.answer is None and not sample.options and len(sample.references) == 1
                assert cldr.fold(sample.references[0]) != cldr.fold(sample.input)


def test_names_equal_to_the_english_ones_are_not_asked(samples: dict[tuple[str, str], list[Sample]]) -> None:
    for (name, _), made in samples.items():
        for sample in made if name in NAMING else ():
            assert not cldr.same(sample.input, gold(sample))


def test_items_are_parallel(samples: dict[tuple[str, str], list[Sample]]) -> None:
    inputs: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for (name, _), made in samples.items():
        for sample in made if name != "cldr-calendar" else ():
            inputs[name, sample.item].add(sample.input)
    assert all(len(found) == 1 for found in inputs.values())
    dates = [{sample.item for sample in made} for (name, _), made in samples.items() if name == "cldr-dates"]
    assert all(items == dates[0] for items in dates)
    assert {date.fromisoformat(item.removeprefix("date-")).month for item in dates[0]} == set(range(1, 13))


def test_gold_positions_favour_none(samples: dict[tuple[str, str], list[Sample]]) -> None:
    four = [s.answer for (name, _), made in samples.items() if BY_NAME[name].chance for s in made]
    assert all(0.23 < count / len(four) < 0.27 for count in Counter(four).values())


def test_calendar_goes_round() -> None:
    polish = list(BY_NAME["cldr-calendar"].samples(Variety("pol_Latn")))
    assert all(sample.item.startswith(f"{sample.cluster}-") for sample in polish)
    every = {item.id: item for item in cldr_items.make("calendar", "pl")}
    assert len(every) == 57
    assert every["month-12-next"].answer == "styczeń"
    assert every["weekday-1-previous"].answer == "niedziela"
    assert all(item.input not in item.options for item in every.values())


def test_no_own_months_no_month_items() -> None:
    assert {item.cluster.split("-")[0] for item in cldr_items.make("calendar", "kkj")} == {"weekday"}
    assert cldr.read("mzn").weekdays == ()
    assert {item.cluster.split("-")[0] for item in cldr_items.make("calendar", "mzn")} == {"month"}


@pytest.mark.parametrize(
    ("code", "categories"),
    [
        ("eng_Latn", ("one", "other")),
        ("pol_Latn", ("one", "few", "many", "other")),
        ("arb_Arab", ("zero", "one", "two", "few", "many", "other")),
        ("cym_Latn", ("zero", "one", "two", "few", "many", "other")),
    ],
)
def test_plurals(code: str, categories: tuple[str, ...]) -> None:
    task = BY_NAME["cldr-plurals"]
    made = list(task.samples(Variety(code)))
    rule = cldr.read(str(languages.get(code).cldr)).plurals
    assert rule is not None
    assert {sample.options for sample in made} == {categories}
    assert {gold(sample) for sample in made} == {*categories}
    assert all(rule(Decimal(sample.input)) == gold(sample) for sample in made)


def test_plural_categories_are_balanced_as_far_as_numbers_go() -> None:
    counts = Counter(gold(sample) for sample in BY_NAME["cldr-plurals"].samples(Variety("pol_Latn")))
    assert counts == {"one": 1, "few": 7, "many": 6, "other": 6}


def test_languages_with_one_category_are_left_out() -> None:
    covered = {variety.language for variety in BY_NAME["cldr-plurals"].varieties}
    assert not covered & {"jpn_Jpan", "mya_Mymr", "yor_Latn", "vie_Latn"}


def test_source() -> None:
    task = TASKS[0]
    source: Source = task.source
    assert (source.dataset, source.splits) == ("cldr", ("train", "test"))
    assert source.fingerprint(task.varieties[0], "test") == {"CLDR": "47", "Babel": babel.__version__}
    (row, *_) = source.rows(Variety("yor_Latn"), "test")
    assert row.where == "CLDR 47, locale yo, territory-HK"


def test_a_language_without_cldr_is_refused() -> None:
    without = next(one for one in languages.all_languages() if one.cldr is None)
    with pytest.raises(DataError, match=f"{without.code} has no CLDR locale"):
        list(TASKS[0].source.rows(Variety(without.code), "test"))


def test_another_cldr_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cldr, "version", lambda: "48")
    with pytest.raises(DataError, match="Babel carries CLDR 48"):
        list(TASKS[0].source.rows(Variety("yor_Latn"), "test"))


def test_declarations() -> None:
    for task in TASKS:
        assert task.floor and task.suites == ("embedded",) and task.area == "locale" and task.licence == "Unicode-3.0"
        assert task.metrics == (("accuracy",) if task.kind == "choice" else ("exact_match", "chrf++"))
        assert "{language}" in task.prompt.text and "{script}" in task.prompt.text
        assert task.varieties and not task.raw_input


@pytest.mark.parametrize(("arguments", "status"), [(["--check"], 1), ([], 0)])
def test_the_command(
    arguments: list[str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tmp_path / "coverage.tsv"
    table.write_text("old\n")
    monkeypatch.setattr(embedded, "COVERAGE", table)
    monkeypatch.setattr(embedded, "coverage", lambda: "header\none\n")
    monkeypatch.setattr(sys, "argv", ["embedded", *arguments])
    assert embedded.main() == status
    said = capsys.readouterr().out
    if status:
        assert said == "coverage.tsv is out of date: run python -m tasks.embedded\n"
        assert table.read_text() == "old\n"
    else:
        assert said == "coverage.tsv: 1 cells\n"
        assert table.read_text() == "header\none\n"
