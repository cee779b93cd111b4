"""The rule suite: its coverage, its items, its declarations, and that what it asks for obeys its own rules."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

import languages
from bench.rules import RULES, each, obeyed
from tasks import cldr, rule_items, rule_locale, rule_makers, rule_text
from tasks.records import DataError, Sample, Variety
from tasks.rule_items import TEST_ITEMS, TRAIN_ITEMS, Rules
from tasks.rules import TASKS

BY_NAME = {task.name: task for task in TASKS}
EVERYWHERE = ("rules-language", "rules-length", "rules-format")
EXACT = ("rules-dates", "rules-numbers", "rules-currency", "rules-lists")
SOME = ("amh_Ethi", "ben_Beng", "eng_Latn", "fra_Latn", "hau_Latn", "hrv_Latn", "jpn_Jpan", "npi_Deva", "pes_Arab",
        "swh_Latn", "tha_Thai", "yor_Latn", "zho_Hans")  # fmt: skip


@pytest.fixture(scope="module")
def samples() -> dict[tuple[str, str], list[Sample]]:
    """The test samples of every task in some languages."""
    return {
        (task.name, variety.language): list(task.samples(variety))
        for task in TASKS
        for variety in task.varieties
        if variety.language in SOME
    }


SPOKEN = {"rules-digits", "rules-length", "rules-words", "rules-format"}


def question(sample: Sample) -> str:
    language = languages.get(sample.language)
    template = BY_NAME[sample.task].prompt.text
    return template.format_map({**sample.fields, "language": language.name, "script": language.script_name})


def only_rule(sample: Sample) -> tuple[str, dict[str, Any]]:
    (text,) = sample.references
    rule, *more = json.loads(text)
    assert text == json.dumps([rule, *more], ensure_ascii=False, sort_keys=True)
    # Answers in running text have to be in the language too.
    wanted = "language:words" if sample.task == "rules-digits" else "language:only"
    spoken = [{"id": wanted, "kwargs": {"language": sample.language}}]
    assert more == (spoken if sample.task in SPOKEN else [])
    return rule["id"], rule["kwargs"]


def test_the_committed_table_is_reproduced() -> None:
    assert rule_items.COVERAGE.read_text(encoding="utf-8") == rule_items.coverage()


def test_coverage() -> None:
    rows = [line.split("\t") for line in rule_items.COVERAGE.read_text(encoding="utf-8").splitlines()[1:]]
    wide = Counter(task for task, *_, test, _ in rows if int(test) == TEST_ITEMS)
    assert [task.name for task in TASKS if task.name not in EVERYWHERE] == [*dict.fromkeys(row[0] for row in rows)]
    assert wide["rules-words"] >= 300
    assert wide["rules-dates"] >= 270
    assert wide["rules-lists"] >= 165
    assert wide["rules-numbers"] >= 160
    assert wide["rules-currency"] >= 115
    assert wide["rules-digits"] >= 55
    assert len(rows) - wide.total() == 3  # lists in languages with few words and pairs alone
    for _, code, locale, test, train in rows:
        assert languages.get(code).cldr == locale
        assert 0 < int(test) <= TEST_ITEMS
        assert int(train) == (TRAIN_ITEMS if int(test) == TEST_ITEMS else 0)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_every_language_of_the_registry(name: str) -> None:
    task = BY_NAME[name]
    assert [variety.language for variety in task.varieties] == [known.code for known in languages.all_languages()]
    for variety in task.varieties[::41]:
        assert sum(1 for _ in task.samples(variety)) == TEST_ITEMS
        assert sum(1 for _ in task.samples(variety, "train")) == TRAIN_ITEMS


def test_every_task_has_300_items_and_10_examples(samples: dict[tuple[str, str], list[Sample]]) -> None:
    assert {name for name, _ in samples} == set(BY_NAME)
    for (name, code), made in samples.items():
        task = BY_NAME[name]
        (variety,) = [one for one in task.varieties if one.language == code]
        shown = list(task.samples(variety, "train"))
        assert (len(made), len(shown)) == (TEST_ITEMS, TRAIN_ITEMS), (name, code)
        asked = [question(sample) for sample in (*made, *shown)]
        assert len(set(asked)) == len(asked)
        assert len({sample.item for sample in (*made, *shown)}) == len(asked)


def test_items_are_the_same_across_languages(samples: dict[tuple[str, str], list[Sample]]) -> None:
    shared: dict[str, list[set[str]]] = defaultdict(list)
    for (name, _), made in samples.items():
        shared[name].append({sample.item for sample in made})
    for name in ("rules-language", "rules-length", "rules-digits", "rules-numbers", "rules-dates", "rules-currency"):
        assert all(items == shared[name][0] for items in shared[name]), name
    for name in ("rules-lists", "rules-words", "rules-format"):
        for one in shared[name]:
            assert all(len(one & other) >= TEST_ITEMS / 2 for other in shared[name]), name


def test_every_rule_can_be_checked_and_a_blank_answer_obeys_none(
    samples: dict[tuple[str, str], list[Sample]],
) -> None:
    for made in samples.values():
        for sample in made:
            name, _ = only_rule(sample)
            assert name in RULES
            assert not obeyed(" \n", sample.references[0])


def test_the_right_text_obeys_and_is_not_given_away(samples: dict[tuple[str, str], list[Sample]]) -> None:
    checked = 0
    for (name, _), made in samples.items():
        if name not in EXACT:
            continue
        for sample in made:
            right = only_rule(sample)[1]["text"]
            assert cldr.fold(right) not in cldr.fold(question(sample))
            assert obeyed(right, sample.references[0])
            assert not obeyed(f"{right}\n{right}", sample.references[0])
            changed = "".join(chr(ord(char) + 1) if char.isdecimal() else char for char in right)
            assert obeyed(changed, sample.references[0]) == (changed == right)
            checked += 1
    assert checked > 9_000


def test_right_texts_differ_within_a_language(samples: dict[tuple[str, str], list[Sample]]) -> None:
    for (name, code), made in samples.items():
        if name in ("rules-numbers", "rules-currency", "rules-lists"):
            assert len({sample.references for sample in made}) == len(made), (name, code)


def by_item(samples: dict[tuple[str, str], list[Sample]], task: str, code: str, start: str) -> Sample:
    return next(sample for sample in samples[task, code] if sample.item.startswith(start))


@pytest.mark.parametrize(
    ("task", "code", "start", "written"),
    [
        ("rules-dates", "hrv_Latn", "long-2000-01-09", "9. siječnja 2000."),
        ("rules-dates", "hrv_Latn", "short-2000-01-09", "09. 01. 2000."),
        ("rules-dates", "npi_Deva", "short-2000-01-09", "००/१/९"),
        ("rules-dates", "jpn_Jpan", "long-2000-01-09", "2000年1月9日"),
        ("rules-numbers", "npi_Deva", "number-7379542.99", "७३,७९,५४२.९९"),
        ("rules-numbers", "pes_Arab", "number-16193", "۱۶٬۱۹۳"),
        ("rules-lists", "swh_Latn", "month-july-december", "Julai na Desemba"),
        ("rules-lists", "jpn_Jpan", "weekday-sunday-thursday", "日曜日、木曜日"),
    ],
)
def test_what_is_right_in_a_language(
    samples: dict[tuple[str, str], list[Sample]], task: str, code: str, start: str, written: str
) -> None:
    assert only_rule(by_item(samples, task, code, start))[1]["text"] == written


@pytest.mark.parametrize(
    ("code", "written"),
    [("fra_Latn", "48\u202f213,50\u00a0₦"), ("eng_Latn", "₦48,213.50"), ("hrv_Latn", "48.213,50\u00a0₦")],
)
def test_amounts(code: str, written: str) -> None:
    currency = rule_locale.read(str(languages.get(code).cldr)).currency
    assert currency is not None
    assert currency.write("48213.50", "₦") == written


@pytest.mark.parametrize(
    ("locale", "elements", "written"),
    [
        ("en", "ABCD", "A, B, C, and D"),
        ("en", "AB", "A and B"),
        ("sw", "ABCD", "A, B, C na D"),
        ("ar", "ABC", "A وB وC"),
        ("th", "ABC", "A B และC"),
        ("fa", "ABC", "A،\u200f B، و C"),
    ],
)
def test_lists(locale: str, elements: str, written: str) -> None:
    lists = rule_locale.read(locale).lists
    assert lists is not None
    assert lists.write(elements) == written


def test_amounts_agree_with_babel() -> None:
    from decimal import Decimal

    from babel import Locale, localedata
    from babel.numbers import format_currency, get_currency_symbol

    localedata._cache.clear()
    for language in languages.all_languages():
        currency = rule_locale.read(language.cldr).currency if language.cldr else None
        if currency is not None:
            locale = Locale.parse(str(language.cldr))
            theirs = format_currency(Decimal("1248213.50"), "NGN", locale=locale)
            assert currency.write("1248213.50", "₦") == theirs.replace(get_currency_symbol("NGN", locale), "₦")


def test_short_dates_agree_with_babel() -> None:
    from datetime import date

    from babel import Locale, localedata
    from babel.dates import format_date

    from tasks.cldr_items import write_date

    localedata._cache.clear()
    written = 0
    for language in languages.all_languages():
        short = rule_locale.read(language.cldr).short if language.cldr else None
        if short is not None:
            theirs = format_date(date(2003, 4, 5), "short", locale=Locale.parse(str(language.cldr)))
            ours = write_date(short, date(2003, 4, 5))
            assert ours in (None, cldr.localise(theirs, short.digits))
            written += ours is not None
    assert written > 200


def test_lists_agree_with_babel() -> None:
    from babel import Locale, localedata
    from babel.lists import format_list

    localedata._cache.clear()
    for language in languages.all_languages():
        lists = rule_locale.read(language.cldr).lists if language.cldr else None
        if lists is not None:
            for elements in ("AB", "ABC", "ABCD"):
                written = lists.write(elements)
                assert written in (None, format_list([*elements], locale=Locale.parse(str(language.cldr))))


@pytest.mark.parametrize(
    ("locale", "digits"),
    [
        ("th", "๐๑๒๓๔๕๖๗๘๙"),
        ("ne", "०१२३४५६७८९"),
        ("fa", "۰۱۲۳۴۵۶۷۸۹"),
        ("zh_Hans", None),  # its signs are words too
        ("ta", "௦௧௨௩௪௫௬௭௮௯"),
        ("sw", None),
        ("am", None),
    ],
)
def test_native_digits(locale: str, digits: str | None) -> None:
    assert rule_locale.read(locale).native == digits


def test_native_digits_are_digits_in_order() -> None:
    import unicodedata

    for language in languages.all_languages():
        native = rule_locale.read(language.cldr).native if language.cldr else None
        if native:
            assert [unicodedata.numeric(char) for char in native] == [*range(10)]


def test_answers_that_a_careful_writer_gives_obey(samples: dict[tuple[str, str], list[Sample]]) -> None:
    """Every rule about length, form, words and digits can be obeyed in every script."""
    word = {
        "Latn": "maji",
        "Deva": "पानी",
        "Thai": "น้ำ",
        "Jpan": "水",
        "Hans": "水",
        "Arab": "آب",
        "Ethi": "ውሃ",
        "Beng": "জল",
    }
    for (task, code), made in samples.items():
        own = word[languages.get(code).script]
        for sample in made:
            name, kwargs = only_rule(sample)
            if name in ("length:words", "length:characters"):
                assert each(own, sample.references[0])[0]
                assert not each(" ".join([own] * 200), sample.references[0])[0]
            elif name == "length:lines":
                assert each("\n".join([own] * kwargs["exactly"]), sample.references[0])[0]
            elif name == "digits:native":
                assert each(f"{own} {kwargs['digits'][3]}", sample.references[0])[0]
                assert not each(f"{own} 3", sample.references[0])[0]
            elif name == "word:required":
                assert each(f"{own} {kwargs['word']} {own}", sample.references[0])[0]
                assert not each(own, sample.references[0])[0]
            elif name == "word:forbidden":
                assert not each(f"{own} {kwargs['word']} {own}", sample.references[0])[0]
                assert each(own, sample.references[0])[0]
            elif task == "rules-format":
                assert each(form(name, kwargs, own), sample.references[0])[0]
                assert name != "letters:none" or own != "maji"
                assert name in ("format:line", "letters:none") or not each(own, sample.references[0])[0]


def form(name: str, kwargs: dict[str, Any], word: str) -> str:
    if name == "format:json":
        return json.dumps(dict.fromkeys(kwargs["keys"], word))
    if name == "format:brackets":
        return f"{kwargs['opening']}{word}{kwargs['closing']}"
    if name == "format:numbered":
        return "\n".join(f"{number + 1}. {word}" for number in range(kwargs["items"]))
    if name == "format:bullets":
        return "\n".join([f"- {word}"] * kwargs["items"])
    return ", ".join([word] * kwargs.get("items", 1))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: str(task.name))
def test_every_field_reaches_the_prompt(task: Any, samples: dict[tuple[str, str], list[Sample]]) -> None:
    named = {name for _, name, _, _ in string.Formatter().parse(task.prompt.text) if name}
    for made in (made for (name, _), made in samples.items() if name == task.name):
        for sample in made:
            assert sample.fields.keys() == named - {"language", "script"}
            assert "{" not in question(sample).replace("begins with {", "").replace("neither", "")


def test_declarations() -> None:
    assert [task.name for task in TASKS] == [
        f"rules-{kind}"
        for kind in ("language", "dates", "numbers", "currency", "lists", "digits", "length", "words", "format")
    ]
    for task in TASKS:
        assert (task.area, task.kind, task.origin, task.metrics, task.suites) == (
            "rules",
            "rules",
            "generated",
            ("obeyed",),
            ("rules",),
        )
        assert task.prompt.cue == ""
        assert ("cldr" in task.version) == (task.name not in EVERYWHERE)


def test_topics_differ() -> None:
    assert len(set(rule_text.TOPICS)) == len(rule_text.TOPICS) == 64
    assert {code for code, _, _ in rule_text.CURRENCIES} <= set(cldr.currency_codes())


def test_words_with_digits_or_commas_are_not_asked() -> None:
    words = rule_makers._words(cldr.read("en"))["territory"]
    assert "NG" in words
    assert not any(mark in word for word in words.values() for mark in "(),&0123456789")


def test_a_language_without_a_locale() -> None:
    (code, *_) = [known.code for known in languages.all_languages() if known.cldr is None]
    source = BY_NAME["rules-dates"].source
    with pytest.raises(DataError, match=f"{code} has no CLDR locale"):
        next(iter(source.rows(Variety(code, code=code), "test")))


def test_another_version_of_cldr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_items, "CLDR_VERSION", "46")
    with pytest.raises(DataError, match="the rule suite is made from CLDR 46"):
        next(iter(Rules("dates", "{parts}").rows(Variety("swh_Latn", code="sw"), "test")))


def test_listing_reads_no_locale() -> None:
    program = "import sys, tasks.rules; sys.exit('babel' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_samples_are_the_same_in_every_process() -> None:
    program = (
        "import hashlib\nfrom tasks.rules import TASKS\n"
        "made = [repr(s) for t in TASKS for v in t.varieties[::97] for s in t.samples(v)]\n"
        "print(len(made), hashlib.sha256('\\n'.join(made).encode()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "1")
    }
    assert len(said) == 1


def test_the_command_checks_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_items, "coverage", lambda: "task\n")
    monkeypatch.setattr(rule_items, "COVERAGE", tmp_path / "table.tsv")
    monkeypatch.setattr(sys, "argv", ["rule_items", "--check"])
    assert rule_items.main() == 1
    monkeypatch.setattr(sys, "argv", ["rule_items"])
    assert rule_items.main() == 0
    monkeypatch.setattr(sys, "argv", ["rule_items", "--check"])
    assert rule_items.main() == 0
