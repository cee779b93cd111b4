"""The rule suite's checkers: answers that obey, answers that do not, and text that nobody would write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.instructions_own import OWN
from bench.rules import RULES, each, obeyed
from bench.statistics import upper_bound
from tests.hostile import segments

NATIVE = "०१२३४५६७८९"

# id, arguments, answers that obey, answers that do not
CASES: tuple[tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "language:only",
        {"language": "hin_Deva"},
        ("नदी में पानी बहुत है।",),
        ("There is much water in the river.", "В реке много воды.", "१२", "👍👍"),
    ),
    (
        "language:only",
        {"language": "bam_Latn"},
        (),
        ("The farmers wait for rain, and the children carry water from the river to the village.",),
    ),
    (
        "language:only",
        {"language": "pcm_Latn"},
        ("The farmers wait for rain, and the children carry water from the river to the village.",),
        ("१२",),
    ),
    (
        "language:only",
        {"language": "jpn_Jpan"},
        ('{"name": "パン", "place": "台所", "time": "朝ごはんのとき"}',),
        ('{"name": "bread", "place": "kitchen"}',),
    ),
    (
        "language:words",
        {"language": "hin_Deva"},
        ("नदी में पानी बहुत है।", "१२"),
        ("There is much water in the river.",),
    ),
    (
        "date:equals",
        {"text": "5. ožujka 1987."},
        ("5. ožujka 1987.", " 5. ožujka 1987.\n", "5.\u00a0oz\u030cujka\u202f1987.", "5. ožujka 1987.."),
        ("5. ožujka 1987", "6. ožujka 1987.", "5. Ožujka 1987.", "5.ožujka 1987.", "Datum: 5. ožujka 1987."),
    ),
    (
        "number:equals",
        {"text": "१२,३४,५६७.८"},
        ("१२,३४,५६७.८", "१२,३४,५६७.८।", "\u200e१२,३४,५६७.८"),
        ("12,34,567.8", "१,२३४,५६७.८", "१२,३४,५६७.९", "१२,३४,५६७.८ होता है"),
    ),
    (
        "number:equals",
        {"text": "12\u202f345"},
        ("12 345", "12\u00a0345", "12\u2009345"),
        ("12345", "12  345", "12.345"),
    ),
    (
        "currency:equals",
        {"text": "\u200f48.213,50\u00a0₦"},
        ("48.213,50 ₦", "\u200f48.213,50\u202f₦"),
        ("₦48.213,50", "48.213,50₦", "48,213.50 ₦", "48.213,5 ₦"),
    ),
    (
        "list:equals",
        {"text": "Julai, Mei na Juni"},
        ("Julai, Mei na Juni.", "Julai, Mei na\u00a0Juni"),
        ("Julai, Mei, na Juni", "Mei, Julai na Juni", "Julai\nMei na Juni", "- Julai, Mei na Juni"),
    ),
    ("digits:native", {"digits": NATIVE}, ("६८ + ४ = ७२", "७"), ("72", "७2", "७२ (٧٢)", "बहत्तर", "७²", "७ ②")),
    ("digits:native", {"digits": "〇一二三四五六七八九"}, ("二〇二六年",), ("2026年", "二〇2六")),
    ("length:words", {"most": 3}, ("one two three", "one—two!", "一二三"), ("one two three four", "一二三四", "...")),
    (
        "length:lines",
        {"exactly": 2},
        ("one\ntwo", "\none\r\ntwo\n\n", "one\rtwo"),
        ("one", "one\n\ntwo", "one\ntwo\nthree"),
    ),
    ("length:characters", {"most": 4}, ("ab c", " abcd ", "ẹ̀ẹ̀ẹ̀ẹ̀", "👩\u200d👧abc"), ("abcde", "a b c")),
    (
        "word:required",
        {"word": "Mei"},
        ("Mwezi wa mei.", "MEI!", "“Mei”"),
        ("Meisha", "mei\u0301", "Hakuna", "Me i"),
    ),
    ("word:required", {"word": "ọ̀wàrà"}, ("O\u0323\u0300wàrà dé",), ("Owara de",)),
    ("word:required", {"word": "มกราคม"}, ("เดือนมกราคมนี้",), ("เดือนมีนาคม",)),
    ("word:forbidden", {"word": "Mei"}, ("Meisha", "Juni"), ("Mwezi wa MEI.",)),
    ("word:forbidden", {"word": "五月"}, ("六月",), ("今年五月天",)),
    (
        "format:json",
        {"keys": ["name", "size"]},
        ('{"size": "kubwa", "name": "Ali"}', '```json\n{"name": "Ali", "size": "2"}\n```'),
        (
            '{"name": "Ali"}',
            '{"name": "Ali", "size": 2}',
            '{"name": "Ali", "size": " "}',
            '{"name": "Ali", "size": "2", "use": "x"}',
            'Here: {"name": "Ali", "size": "2"}',
            '[{"name": "Ali", "size": "2"}]',
            "null",
        ),
    ),
    (
        "format:numbered",
        {"items": 2},
        ("1. moja\n2. mbili", "१. एक\n२. दो"),
        (
            "1. moja",
            "1. moja\n3. tatu",
            "Orodha:\n1. moja\n2. mbili",
            "1. moja\n\n2. mbili",
            "1.\n2. mbili",
            "1. a\n2. b\n3. c",
        ),
    ),
    (
        "format:bullets",
        {"items": 2},
        ("- moja\n- mbili",),
        ("- moja", "* moja\n* mbili", "- moja\n- \n- tatu", "-moja\n-mbili"),
    ),
    ("format:line", {}, ("moja, mbili\n",), ("moja\nmbili", "moja\rmbili")),
    (
        "format:commas",
        {"items": 3},
        ("a, b, c", "أ، ب، ت", "一、二、三"),
        ("a, b", "a, b, c, d", "a, , c", "a, b,\nc", "a; b; c"),
    ),
    (
        "format:brackets",
        {"opening": "<<", "closing": ">>"},
        ("<<moja>>", "<< moja > mbili >>"),
        ("<<moja>", "moja", "<<>>", "<<a>> <<b>>", "<<a>>."),
    ),
    ("format:brackets", {"opening": "(", "closing": ")"}, ("(moja)",), ("(moja", ")(", "(", "(a (b))")),
    ("letters:none", {"script": "Latin"}, ("नदी 12", "вода"), ("नदी A", "12", "ﬁ")),
)
UNTOLD = ("language:only", "language:words")
"""The rules that need the language identifier, and so more than this text."""


def rule(name: str, kwargs: dict[str, Any]) -> str:
    return json.dumps([{"id": name, "kwargs": kwargs}])


@pytest.mark.parametrize(("name", "kwargs", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_obeyed_and_violated(name: str, kwargs: dict[str, Any], good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    assert [text for text in good if not obeyed(text, rule(name, kwargs))] == []
    assert [text for text in (*bad, "", " \n\u2028") if obeyed(text, rule(name, kwargs))] == []


def test_every_rule_is_tried() -> None:
    assert OWN.keys() == {name for name, *_ in CASES}


@given(segments)
def test_hostile_text_never_raises(text: str) -> None:
    rules = json.dumps([{"id": name, "kwargs": kwargs} for name, kwargs, *_ in CASES if name not in UNTOLD])
    assert len(each(text, rules)) == sum(name not in UNTOLD for name, *_ in CASES)
    assert all(strict <= lenient for strict, lenient in zip(each(text, rules), each(text, rules, True), strict=True))


@settings(max_examples=30)
@given(segments)
def test_hostile_text_has_a_language_or_none(text: str) -> None:
    assert len(each(text, rule(UNTOLD[0], {"language": "hin_Deva"}))) == 1


@given(st.text("0123456789.,٠١٢٣०१२ \u00a0\u202f\u200fабвab", min_size=1, max_size=20).filter(str.strip))
def test_the_right_text_obeys_and_a_changed_one_does_not(text: str) -> None:
    rules = rule("number:equals", {"text": text})
    if text.strip("\u200f \u00a0\u202f"):
        assert obeyed(f"\n {text} ", rules)
        assert obeyed(text.replace(" ", "\u00a0").replace("\u200f", ""), rules)
        assert not obeyed(f"{text}\n{text}", rules)
        assert not obeyed(f"{text}7", rules)
        assert not obeyed(f"x{text}", rules)


@given(segments, st.sampled_from(["Mei", "ọ̀wàrà", "मई", "五月", "มกราคม", "O'odham", "Île-de-France"]))
def test_a_word_put_in_is_found(text: str, word: str) -> None:
    required, forbidden = (rule(f"word:{form}", {"word": word}) for form in ("required", "forbidden"))
    assert obeyed(f"{text} {word.upper()} {text}", required)
    assert not obeyed(f"{text} {word} {text}", forbidden)
    if text.strip():
        assert obeyed(text, required) != obeyed(text, forbidden)


@given(st.integers(1, 40), st.integers(1, 40))
def test_limits(size: int, limit: int) -> None:
    assert obeyed(" ".join(["neno"] * size), rule("length:words", {"most": limit})) == (size <= limit)
    assert obeyed("ẹ̀" * size, rule("length:characters", {"most": limit})) == (size <= limit)
    assert obeyed("\n".join(["neno"] * size), rule("length:lines", {"exactly": limit})) == (size == limit)


@given(st.integers(2, 9), st.integers(2, 9))
def test_items(size: int, wanted: int) -> None:
    numbered = "\n".join(f"{number}. neno" for number in range(1, size + 1))
    assert obeyed(numbered, rule("format:numbered", {"items": wanted})) == (size == wanted)
    assert obeyed(", ".join(["neno"] * size), rule("format:commas", {"items": wanted})) == (size == wanted)
    assert obeyed("\n".join(["- neno"] * size), rule("format:bullets", {"items": wanted})) == (size == wanted)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.just("neno"), min_size=1))
def test_json_objects(made: dict[str, str]) -> None:
    rules = rule("format:json", {"keys": [*made]})
    assert obeyed(json.dumps(made, ensure_ascii=False), rules)
    assert not obeyed(json.dumps({**made, "a" * 99: "neno"}), rules)
    assert not obeyed(json.dumps(made)[:-1], rules)


def test_several_rules_are_all_needed() -> None:
    both = json.dumps([{"id": "format:line", "kwargs": {}}, {"id": "length:words", "kwargs": {"most": 2}}])
    assert each("moja mbili", both) == (True, True)
    assert each("moja mbili tatu", both) == (True, False)
    assert obeyed("moja mbili", both)
    assert not obeyed("moja mbili tatu", both)
    assert each("", both) == (False, False)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("", "rules are no JSON: ''"),
        ("{", "rules are no JSON"),
        ("[" * 100_000, "rules are no JSON"),
        ("[]", "rules are not a list of rules"),
        ('{"id": "format:line"}', "rules are not a list of rules"),
        ('["format:line"]', "unknown rule 'None'"),
        ('[{"id": "format:lines"}]', "unknown rule 'format:lines'"),
        ('[{"id": ["format:line"]}]', "unknown rule"),
        ('[{"id": "length:words"}]', "the rule 'length:words' lacks the argument 'most'"),
        ('[{"id": "length:words", "kwargs": {"most": null}}]', "lacks the argument 'most'"),
        ('[{"id": "length:words", "kwargs": [3]}]', "lacks the argument 'most'"),
    ],
)
def test_rules_that_cannot_be_checked(rules: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        obeyed("x", rules)
    assert "\n" not in str(caught.value)


def test_an_argument_that_a_rule_does_not_know_is_not_there() -> None:
    assert obeyed("x", '[{"id": "format:line", "kwargs": {"most": null, "keys": 3}}]')
    assert obeyed("x", '[{"id": "format:line"}]')


def test_ids_do_not_meet() -> None:
    assert len(RULES) == 19 + 25 + 118


def test_no_violation_in_300_bounds_the_rate_under_one_percent() -> None:
    assert 0.009 < upper_bound(0, 300) < 0.01
    assert upper_bound(1, 300) > 0.01
